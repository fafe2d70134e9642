"""Tunnel: a transport through somebody who has to be asked first.

A proxy, once it agreed, passes bytes on and is not noticed any more. So a tunnel is the transport to the proxy, with
an *exchange* in front: something is said, an answer is read up to its end, and from there on every byte belongs to
the owner. What the words are is the business of an ``Exchange``; for HTTP it is CONNECT (``adapters/proxy.py``).

    asking --(exchange complete)--> open        what is sent while asking waits, and leaves when the tunnel opens
       |                              |
       `--- refused, hung up ---> lost --(close)--> closed

The proxy's answer and the first bytes of the far end may come in one piece: what is behind the answer is kept, and
is the first that ``recv_into`` returns. TLS goes on top, as over any transport, so that the proxy sees nothing of it;
and a proxy that is spoken to over TLS is one more layer below.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ..api.poller import READABLE, WRITABLE, Interest
from ..api.transport import END_OF_STREAM, WOULD_BLOCK, Address, Features, Sendable, Transport
from ..api.types import Handle, ReadableMemory, WritableMemory
from .outgoing import OutgoingQueue, WaterMarks, water_marks

_ANSWER_BYTES: Final = 4096
"""How much is read at a time while asking; the memory is dropped when the tunnel opens."""


class Exchange(Protocol):
    """What is said to the proxy, and how its answer is read. Thread rules: one thread."""

    def request(self) -> bytes:
        """Return what is sent first."""

    def feed(self, data: memoryview, /) -> bool:
        """Read on in the answer; return whether it is complete. ``data`` is borrowed for the call.

        Raises ``ConnectionLost`` (``ProxyRefused``) for an answer that is a refusal, or none at all.
        """

    @property
    def leftover(self) -> bytes:
        """What came behind the answer in the same ``feed``."""


class TunnelTransport:
    """Implements ``api.transport.Transport`` over one to a proxy, which it owns.

    ``peer_address`` is the proxy's. Thread rules: the owning reactor's thread.
    """

    __slots__ = (
        "_closed",
        "_early",
        "_exchange",
        "_features",
        "_inner",
        "_leftover",
        "_loss",
        "_marks",
        "_output_ended",
    )

    def __init__(self, inner: Transport, exchange: Exchange) -> None:
        """Take over ``inner`` and send the request. Raises ``ConnectionLost`` where that fails at once; ``inner``
        is then still the caller's."""
        try:
            inner.send((exchange.request(),))
        except ConnectionLost as error:
            raise _by_way(error) from error
        self._inner = inner
        self._exchange: Exchange | None = exchange
        below = inner.features()
        self._features = replace(below, name=f"tunnel+{below.name}")
        self._early = OutgoingQueue()
        self._leftover = memoryview(b"")
        self._marks: WaterMarks | None = None
        self._output_ended = self._closed = False
        # What was raised, without its traceback, which would hold this object and its buffers.
        self._loss: ConnectionLost | None = None

    @property
    def handle(self) -> Handle:
        """The handle of the layer below; raises ``TransportClosed`` after ``close``."""
        self._check_open()
        return self._inner.handle

    @property
    def interest(self) -> Interest:
        """What the layer below wants, and ``READABLE`` while the proxy's answer has not come."""
        self._check_open()
        wanted = self._inner.interest
        if self._exchange is not None and self._loss is None:
            wanted |= READABLE
        if self._marks is not None and self._marks.crossed(self._pending_bytes()):
            wanted |= WRITABLE  # what waited has left within ``recv_into``; ``flush`` will report it
        return wanted

    @property
    def local_address(self) -> Address:
        """Address of this end; also after ``close``."""
        return self._inner.local_address

    @property
    def peer_address(self) -> Address:
        """Address of the proxy: nobody tells us which one it connected to. Also after ``close``."""
        return self._inner.peer_address

    def features(self) -> Features:
        """Return what the layer below can do."""
        return self._features

    @property
    def buffered(self) -> bool:
        """Whether data is here that no poller can see."""
        self._check_open()
        return self._loss is None and bool(self._leftover or self._inner.buffered)

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the tunnel to open, and those that the layer below has pending."""
        self._check_open()
        return self._pending_bytes()

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive what the far end sent; see ``Transport.recv_into``. Also goes on with the exchange."""
        self._check_alive()
        view = memoryview(buffer)
        if not view or view.readonly or not view.c_contiguous:
            raise InvalidArgument("a buffer to receive into is writable and contiguous, 1 byte or more")
        try:
            if self._exchange is not None and not self._ask(self._exchange):
                return WOULD_BLOCK
            if not self._leftover:
                return self._inner.recv_into(view)
        except ConnectionLost as error:
            raise self._lose(error) from error
        count = min(len(view), len(self._leftover))
        view[:count] = self._leftover[:count]
        self._leftover = self._leftover[count:]
        return count

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue the batch and send what the layer below takes; see ``Transport.send``. While the proxy has not
        answered everything waits."""
        self._check_alive()
        if self._output_ended:
            raise InvalidState("sending was ended by shutdown", state="output ended")
        try:
            if self._exchange is not None:
                self._early.send(batch, lambda views: 0)
            else:
                self._inner.send(batch)
        except ConnectionLost as error:
            raise self._lose(error) from error
        return self._report()

    def flush(self) -> int:
        """Send more of what is pending; see ``Transport.flush``."""
        self._check_alive()
        try:
            self._inner.flush()
        except ConnectionLost as error:
            raise self._lose(error) from error
        return self._report()

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Replace the water marks; see ``Transport.set_water_marks``. The new ones start below."""
        self._check_open()
        self._marks = water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """End our sending once everything pending is sent; see ``Transport.shutdown``."""
        self._check_open()
        if not self._output_ended and self._loss is None:
            self._output_ended = True
            if self._exchange is None:
                self._inner.shutdown()

    def close(self) -> None:
        """Close the layer below and drop what waits; see ``Transport.close``."""
        self._closed = True
        self._marks = None
        self._early.drop()
        self._inner.close()

    def _ask(self, exchange: Exchange) -> bool:
        """Read on in the proxy's answer; return whether it is complete, and so the tunnel open."""
        answer = memoryview(bytearray(_ANSWER_BYTES))
        while (count := self._inner.recv_into(answer)) > 0:
            if exchange.feed(answer[:count]):
                self._leftover = memoryview(exchange.leftover)
                self._exchange = None
                self._early.flush(self._pass_on)
                if self._output_ended:
                    self._inner.shutdown()
                return True
        if count == END_OF_STREAM:
            raise ConnectionLost("it hung up before it answered")
        return False

    def _pass_on(self, views: Sequence[ReadableMemory]) -> int:
        """Give what has waited to the layer below, which takes all of it; see ``outgoing.Write``."""
        self._inner.send(views)
        return sum(map(len, views))

    def _pending_bytes(self) -> int:
        return self._early.pending_bytes + (0 if self._closed else self._inner.pending_bytes)

    def _report(self) -> int:
        """Tell the producer about crossed water marks and return what is pending then."""
        if self._marks is not None:
            self._marks.update(self._pending_bytes())
        return self._pending_bytes()

    def _lose(self, error: ConnectionLost) -> ConnectionLost:
        """Enter the state *lost* and return the error to raise."""
        loss = copy.copy(error) if self._exchange is None else _by_way(error)
        self._loss = copy.copy(loss)
        self._early.drop()
        return loss

    def _check_alive(self) -> None:
        """Raise what a closed or lost transport answers to a call that moves bytes."""
        self._check_open()
        if self._loss is not None:
            raise copy.copy(self._loss)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportClosed("the transport is closed")


def _by_way(error: ConnectionLost) -> ConnectionLost:
    """Return the error with a word about whom it was that we lost; one of the exchange's own says so already."""
    if type(error) is not ConnectionLost:
        return copy.copy(error)
    return ConnectionLost(f"no connection by way of the proxy: {error.message}", **error.context)


__all__ = ["Exchange", "TunnelTransport"]
