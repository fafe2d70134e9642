"""TLS over any transport: tcp, Unix sockets, in-process pairs, and those that others write.

The layer below moves ciphertext; ``tls_engine`` turns it into data and back; this module connects the two and
keeps the contract of ``api.transport``. Three things follow from TLS and are worth knowing:

*Who drives.* The handshake needs both directions, so ``interest`` contains ``READABLE`` until it is complete,
whether the owner wants data or not: call ``recv_into`` (or ``flush``) then. What is sent before is queued and
goes out encrypted as soon as it can: after the handshake ``interest`` says ``WRITABLE``, and ``flush`` does
it. So the water marks are reported from ``send`` and ``flush`` only, as the contract demands.

*Two queues.* Plaintext waits here, ciphertext below. Data is encrypted only while the layer below has nothing
left to send, in pieces, so a slow peer costs one piece of ciphertext and not the whole backlog twice.
``pending_bytes`` counts both.

*The end.* close_notify is the end of the stream. An end without it may be an attacker's scissors (RFC 8446
§6.1), so it is ``ConnectionLost``, although some peers are rude rather than attacked. A refused certificate,
an alert, and bytes that are not TLS at all are ``ConnectionLost`` too, caused by the ``ssl.SSLError`` and
with its reason in the context.
"""

from __future__ import annotations

import copy
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ..api.poller import READABLE, WRITABLE, Interest
from ..api.transport import END_OF_STREAM, WOULD_BLOCK, Address, Features, Listener, Sendable, Transport
from ..api.types import Handle, ReadableMemory, WritableMemory
from .outgoing import OutgoingQueue, WaterMarks, water_marks
from .tls_engine import RECORD_BYTES, TlsEngine, check_context

_SCRATCH_BYTES: Final = 65536
_PIECE_BYTES: Final = 16 * RECORD_BYTES
"""Ciphertext that is made before the layer below has to show that it goes out."""


class _ThreadScratch(threading.local):
    """Memory for ciphertext on its way in, per thread, since an idle connection shall own none."""

    def __init__(self) -> None:
        self.free: list[memoryview] = []


_threads: Final = _ThreadScratch()


@contextmanager
def _scratch() -> Iterator[memoryview]:
    """Lend some memory. Loans may nest, and do: the layer below may be TLS, too."""
    free = _threads.free
    memory = free.pop() if free else memoryview(bytearray(_SCRATCH_BYTES))
    try:
        yield memory
    finally:
        free.append(memory)


class TlsTransport:
    """Implements ``api.transport.Transport`` by encrypting over another one, which it owns.

    Thread rules: the owning reactor's thread.
    """

    __slots__ = (
        "_closed",
        "_engine",
        "_features",
        "_inner",
        "_input_ended",
        "_loss",
        "_marks",
        "_outgoing",
        "_output_closed",
        "_output_ended",
        "_server_side",
    )

    def __init__(
        self, inner: Transport, context: ssl.SSLContext, *, server_side: bool, server_name: str | None = None
    ) -> None:
        """Take over ``inner``. ``server_name``: for SNI and the host check, clients only.

        Nothing is sent yet; a client's first message goes out with the first ``flush`` or ``recv_into``.
        Raises ``InvalidArgument`` for a context of the other side and for a name that is malformed, or
        missing where the context checks it; ``inner`` is then still the caller's.
        """
        self._engine = TlsEngine(context, server_side=server_side, server_name=server_name)
        self._inner = inner
        self._server_side = server_side
        below = inner.features()
        self._features = replace(below, name=f"tls+{below.name}", zero_copy=False, lock_free=False, tls=True)
        self._outgoing = OutgoingQueue()
        self._marks: WaterMarks | None = None
        self._input_ended = self._output_ended = self._output_closed = self._closed = False
        # What was raised, without its traceback, which would hold this object and its buffers.
        self._loss: ConnectionLost | None = None

    @property
    def handle(self) -> Handle:
        """The handle of the layer below; raises ``TransportClosed`` after ``close``."""
        self._check_open()
        return self._inner.handle

    @property
    def interest(self) -> Interest:
        """What the layer below wants, ``READABLE`` while TLS waits for the peer, and ``WRITABLE`` when
        ``flush`` has something to do."""
        self._check_open()
        wanted = self._inner.interest
        engine = self._engine
        if self._loss is not None:
            return wanted
        if not engine.established:
            # Not WRITABLE for queued data: the handle *is* writable, and the owner would spin.
            wanted |= READABLE if engine.started or self._server_side else READABLE | WRITABLE
        elif engine.wants_read:
            wanted |= READABLE
        elif not self._inner.pending_bytes and (
            self._outgoing.pending_bytes or self._output_ended and not self._output_closed
        ):
            wanted |= WRITABLE
        if self._marks is not None and self._marks.crossed(self._pending_bytes()):
            wanted |= WRITABLE  # ``recv_into`` sent the rest of something; ``flush`` will report it
        return wanted

    @property
    def local_address(self) -> Address:
        """Address of this end; also after ``close``."""
        return self._inner.local_address

    @property
    def peer_address(self) -> Address:
        """Address of the other end; also after ``close``."""
        return self._inner.peer_address

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """The connection in the words of module ``ssl``: certificate, cipher, ALPN. For looking only."""
        return self._engine.ssl_object

    def features(self) -> Features:
        """Return what the layer below can do, with ``tls`` and without ``zero_copy``."""
        return self._features

    @property
    def buffered(self) -> bool:
        """Whether data is here, decrypted or not, that no poller can see."""
        self._check_open()
        if self._loss is not None or self._input_ended or not self._engine.established:
            return False
        return self._engine.buffered or self._engine.ended or self._inner.buffered

    @property
    def pending_bytes(self) -> int:
        """Plaintext that is not encrypted yet and ciphertext that the system has not taken yet."""
        self._check_open()
        return self._pending_bytes()

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive decrypted data; see ``Transport.recv_into``. Also goes on with the handshake."""
        self._check_alive()
        if not buffer:
            raise InvalidArgument("a buffer to receive into has 1 byte or more")
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            raise InvalidArgument("a buffer to receive into is writable and contiguous")
        if self._input_ended:
            return END_OF_STREAM
        try:
            if not self._engine.established and not self._handshake():
                return WOULD_BLOCK
            count = self._receive(view)
            self._pump()
        except (ssl.SSLError, ConnectionLost) as error:
            raise self._lose(error) from error
        if count == END_OF_STREAM:
            self._input_ended = True
        return count

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue the batch, encrypt and send what the system takes; see ``Transport.send``. Before the
        handshake is complete everything waits."""
        self._check_alive()
        if self._output_ended:
            raise InvalidState("sending was ended by shutdown", state="output ended")
        try:
            if self._inner.pending_bytes:
                self._inner.flush()
            self._outgoing.send(batch, self._write)
        except (ssl.SSLError, ConnectionLost) as error:
            raise self._lose(error) from error
        return self._report()

    def flush(self) -> int:
        """Send more of what is pending; see ``Transport.flush``. Also goes on with the handshake."""
        self._check_alive()
        try:
            self._inner.flush()
            if self._engine.established or self._handshake():
                self._outgoing.flush(self._write)
                self._end_output()
        except (ssl.SSLError, ConnectionLost) as error:
            raise self._lose(error) from error
        return self._report()

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Replace the water marks; see ``Transport.set_water_marks``. The new ones start below."""
        self._check_open()
        self._marks = water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """Send close_notify once everything pending is sent; see ``Transport.shutdown``."""
        self._check_open()
        if self._output_ended or self._loss is not None:
            return
        self._output_ended = True
        try:
            self._end_output()
        except (ssl.SSLError, ConnectionLost) as error:
            self._lose(error)  # the next call that moves bytes raises it

    def close(self) -> None:
        """Close the layer below, without close_notify if it was not sent; see ``Transport.close``."""
        self._closed = True
        self._marks = None
        self._outgoing.drop()
        self._inner.close()

    def _pending_bytes(self) -> int:
        return self._outgoing.pending_bytes + (0 if self._closed else self._inner.pending_bytes)

    def _report(self) -> int:
        """Tell the producer about crossed water marks and return what is pending then."""
        if self._marks is not None:
            self._marks.update(self._pending_bytes())
        return self._pending_bytes()

    def _handshake(self) -> bool:
        """Go on with the handshake as far as the peer's messages reach; return whether it is complete."""
        engine = self._engine
        while not engine.handshake():
            self._pump()
            if self._feed(engine.wanted_bytes) == WOULD_BLOCK:
                return False
        self._pump()
        return True

    def _receive(self, view: memoryview) -> int:
        """Fill ``view`` from what is decrypted, then from below, until it is full or no more is there."""
        engine = self._engine
        filled = 0
        drained = False
        while True:
            if engine.buffered:
                filled = engine.read_into(view, filled)
            if filled == len(view) or engine.ended or engine.failed or drained:
                break
            try:
                fed = self._feed(_SCRATCH_BYTES)
            except ConnectionLost:
                if filled:
                    break  # first the data; the layer below says it again
                raise
            drained = fed <= 0 or (fed < _SCRATCH_BYTES and not self._inner.buffered)
        return filled or (END_OF_STREAM if engine.ended else WOULD_BLOCK)

    def _feed(self, limit_bytes: int) -> int:
        """Move at most ``limit_bytes`` from below into the engine; return what ``recv_into`` said."""
        with _scratch() as memory:
            count = self._inner.recv_into(memory[:limit_bytes])
            if count > 0:
                self._engine.receive(memory[:count])
            elif count == END_OF_STREAM:
                self._engine.receive_end()
        return count

    def _write(self, views: Sequence[ReadableMemory]) -> int:
        """Encrypt ``views`` and give them to the layer below while that sends on; see ``outgoing.Write``."""
        engine = self._engine
        if not engine.established or self._inner.pending_bytes:
            return 0
        taken = 0
        for part in views:
            view = memoryview(part)
            while view:
                count = engine.encrypt(view[:RECORD_BYTES])
                taken += count
                view = view[count:]
                if not count or (engine.output_bytes >= _PIECE_BYTES and self._pump()):
                    return taken
        self._pump()
        return taken

    def _pump(self) -> int:
        """Give the engine's output to the layer below and return what that has pending."""
        output = self._engine.take_output()
        if not output or self._output_closed:  # after close_notify nothing may follow: RFC 8446 §6.1
            return self._inner.pending_bytes
        return self._inner.send((output,))

    def _end_output(self) -> None:
        """Send close_notify, if that was asked for and everything before it is encrypted."""
        if not self._output_ended or self._output_closed or self._outgoing.pending_bytes:
            return
        if self._engine.established:
            self._engine.close_output()
            self._pump()
            self._output_closed = True
            self._inner.shutdown()

    def _lose(self, error: ssl.SSLError | ConnectionLost) -> ConnectionLost:
        """Enter the state *lost*, tell the peer why if possible, and return the error to raise."""
        if isinstance(error, ssl.SSLError):
            try:
                self._pump()  # the alert
            except ConnectionLost:
                pass  # the peer will not hear it; the first error is the one that matters
            loss = ConnectionLost(f"TLS failed: {_reason(error)}", reason=_code(error), errno=error.errno)
        else:
            loss = copy.copy(error)
        self._loss = copy.copy(loss)
        self._outgoing.drop()
        return loss

    def _check_alive(self) -> None:
        """Raise what a closed or lost transport answers to a call that moves bytes."""
        self._check_open()
        if self._loss is not None:
            raise copy.copy(self._loss)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportClosed("the transport is closed")


def _reason(error: ssl.SSLError) -> str:
    """Return what went wrong, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate was refused: {error.verify_message}"
    return _code(error) or error.strerror or str(error)


def _code(error: ssl.SSLError) -> str:
    """Return OpenSSL's word for what went wrong; ``""`` for an error that OpenSSL did not make."""
    return getattr(error, "reason", None) or ""


class TlsListener:
    """Implements ``api.transport.Listener`` by wrapping what another one accepts, which it owns."""

    __slots__ = ("_context", "_inner")

    def __init__(self, inner: Listener, context: ssl.SSLContext) -> None:
        """Take over ``inner``. Raises ``InvalidArgument`` for a client's context."""
        check_context(context, server_side=True)
        self._inner = inner
        self._context = context

    @property
    def handle(self) -> Handle:
        """The handle of the listener below."""
        return self._inner.handle

    @property
    def address(self) -> Address:
        """Where it really listens."""
        return self._inner.address

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept up to ``max_count`` connections, their handshakes still to be made."""
        accepted = self._inner.accept_batch(max_count)
        return [TlsTransport(inner, self._context, server_side=True) for inner in accepted]

    def close(self) -> None:
        """Close the listener below. Idempotent."""
        self._inner.close()


__all__ = ["TlsListener", "TlsTransport", "check_context"]
