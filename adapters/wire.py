"""Wire: a transport at work in a reactor, and the batch that waits to be sent on it.

This is the half of a connection that knows bytes and readiness, and nothing of WebSocket. It gathers what is
to be sent and gives it to the transport in one call; it watches the handle for what makes sense now; and when
the peer does not read, it stops reading from the peer: between the two water marks that is all the
back-pressure there is, and it is enough, because every byte that is waiting has been counted.

Ownership: parts that are ``Buffer`` are retained from ``_queue_buffer`` until the transport has taken them
over. Views are borrowed: whoever queues one sees to it that ``flush`` comes before the memory changes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from socket import SocketType
from typing import cast

from ..api.buffer import Buffer
from ..api.errors import ConnectionLost
from ..api.poller import FAILED, READABLE, Interest, Readiness
from ..api.transport import Address, Features, Sendable, SocketTransport, Transport
from ..internal.deadlines import Timed
from ..transport.outgoing import JOIN_BELOW_BYTES, MAX_PARTS, rest_of
from ..transport.stream import HAS_VECTORS, NO_SIGNAL, NOT_NOW
from .hub import Hub

_PEER_IS_SLOW = 1
_HANDLER_IS_SLOW = 2


class Wire(Timed):
    """Base of connections. Thread rules: the reactor's thread."""

    __slots__ = (
        "_bare",
        "_dirty",
        "_held",
        "_hub",
        "_interest",
        "_out",
        "_paused",
        "_pending_bytes",
        "_queued_bytes",
        "_reading",
        "_settings",
        "_transport",
    )

    def __init__(self, hub: Hub, transport: Transport) -> None:
        """Watch the transport; it is owned from here on. Raises what ``Reactor.register`` raises; the
        transport is still the caller's then."""
        self._bucket = None  # all that ``Timed`` begins with
        self._hub = hub
        self._settings = hub.settings
        self._transport = transport
        # The transport's own socket, while the connection is open and the transport lets us have it.
        self._bare: SocketType | None = None
        self._out: list[Sendable] = []
        self._held: list[Buffer] | None = None
        self._queued_bytes = 0
        # What the transport said it had not sent, when it was last asked.
        self._pending_bytes = 0
        self._dirty = False
        # Whether the peer may still send; false from the end of its stream on.
        self._reading = True
        # Why we have stopped to read, if we have: ``_PEER_IS_SLOW``, ``_HANDLER_IS_SLOW``, or both.
        self._paused = 0
        self._interest: Interest = READABLE | transport.interest
        hub.reactor.register(transport.handle, self._interest, self)

    @property
    def peer_address(self) -> Address:
        """Address of the other end, also after the connection closed."""
        return self._transport.peer_address

    @property
    def local_address(self) -> Address:
        """Address of this end, also after the connection closed."""
        return self._transport.local_address

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted for sending that the system has not taken yet, those of this turn's batch included."""
        return self._pending_bytes + self._queued_bytes

    def features(self) -> Features:
        """Return what the connection's transport can do."""
        return self._transport.features()

    def flush(self, flags: int = NO_SIGNAL) -> None:
        """Give the batch to the transport in one call. Harmless when there is none. ``flags`` are for a bare socket.
        What must not happen in a transport ends this connection only."""
        self._dirty = False
        out = self._out
        if not out:
            return
        bare = self._bare
        if bare is None or self._pending_bytes or self._held is not None:
            self._flush_clear()
            return
        # Past the transport: it saves half of what a reply costs in Python. (Buffers are held, so there are none.)
        size_bytes = self._queued_bytes
        try:
            if len(out) == 1:
                taken_bytes = bare.send(out[0], flags)  # type: ignore[arg-type]
            elif size_bytes <= JOIN_BELOW_BYTES * len(out):
                taken_bytes = bare.send(b"".join(out), flags)  # type: ignore[arg-type]
            elif HAS_VECTORS and len(out) <= MAX_PARTS:
                taken_bytes = bare.sendmsg(out, (), flags)  # type: ignore[arg-type]
            else:
                taken_bytes = 0
        except NOT_NOW:
            taken_bytes = 0
        except OSError as error:
            self._drop_batch()
            self._bare_failed(error)
            return
        except Exception as error:
            self._broken(error)
            return
        if taken_bytes == size_bytes:
            out.clear()
            self._queued_bytes = 0
        else:
            out[:] = rest_of(out, taken_bytes)
            self._flush_clear()

    def _flush_clear(self) -> None:
        """``flush`` in its clear form: for every transport and every batch."""
        try:
            try:
                self._pending_bytes = self._transport.send(self._out)
            finally:
                self._drop_batch()
            if self._pending_bytes or self._interest != READABLE:
                self._settle()
        except ConnectionLost as error:
            self._pending_bytes = 0
            self._lost(error)
        except Exception as error:
            self._broken(error)

    def _bare_failed(self, error: OSError) -> None:
        """The bare socket raised: it has nothing now, or the connection is lost."""
        if not isinstance(error, NOT_NOW):
            self._lost(cast(SocketTransport, self._transport).lost(error))

    def _leave_express(self) -> None:
        """Something other than a short reply comes up: the rest of the turn is an ordinary one of this connection."""
        hub = self._hub
        hub.express = None
        hub.current = self
        if self._out:
            self._count_replies(hub)

    def _count_replies(self, hub: Hub) -> None:
        """Count the replies of an express turn, which are all that is in the batch."""
        count = len(self._out) - hub.split_count
        traffic = hub.traffic
        traffic.messages_sent.count += count
        # Headers have two bytes, those of messages in the read memory four.
        traffic.bytes_sent.count += self._queued_bytes - 2 * count - hub.in_place_bytes
        hub.in_place_bytes = hub.split_count = 0

    def _send_replies(self, hub: Hub) -> None:
        """End an express turn with replies, which wait for other connections."""
        hub.express = None
        count = len(self._out) - hub.split_count  # as ``_count_replies``
        traffic = hub.traffic
        traffic.messages_sent.count += count
        traffic.bytes_sent.count += self._queued_bytes - 2 * count - hub.in_place_bytes
        self._dirty = True
        hub.send_soon(self)
        if hub.in_place_bytes:
            hub.keep_read()

    def _queue(self, parts: Sequence[Sendable]) -> None:
        """Append parts to the batch, and see to it that the batch is sent: at the end of this connection's
        own turn, else of the reactor's."""
        if self._hub.express is self:
            self._leave_express()
        for part in parts:
            self._out.append(part)
            self._queued_bytes += len(part)
        if self._hub.current is not self:
            self._ask_for_flush()

    def _ask_for_flush(self) -> None:
        if self._hub.current is not self and not self._dirty:
            self._dirty = True
            self._hub.send_at_turn_end(self)

    def _hold(self, buffer: Buffer) -> None:
        """Keep a buffer alive until the transport has taken the batch."""
        buffer.retain()
        if self._held is None:
            self._held = [buffer]
        else:
            self._held.append(buffer)

    def _drop_batch(self) -> None:
        """Forget the batch, sent or not, and let go of its buffers."""
        self._out.clear()
        self._queued_bytes = 0
        held = self._held
        if held is not None:
            self._held = None
            for buffer in held:
                buffer.release()

    def _settle(self) -> None:
        """After anything moved: apply the water marks, and watch the handle for what makes sense now."""
        if self._closed():
            return
        transport = self._transport
        interest = transport.interest
        if not interest and self._reading and not self._paused and self._interest == READABLE:
            self._pending_bytes = 0  # else the transport would ask for WRITABLE
            return
        self._pending_bytes = pending_bytes = transport.pending_bytes
        if self._paused & _PEER_IS_SLOW:
            if pending_bytes <= self._settings.low_water_bytes:
                self._paused &= ~_PEER_IS_SLOW
                self._unpaused()
                self._hub.drained(self)
        elif pending_bytes > self._settings.high_water_bytes:
            self._paused |= _PEER_IS_SLOW
        if self._reading and not self._paused:
            interest |= READABLE
        if interest != self._interest:
            self._interest = interest
            self._hub.reactor.modify(transport.handle, interest)

    def hold_back(self, stalled: bool) -> None:
        """Stop to read because the handler does not keep up, or go on. Idempotent. A connection that closes is
        always read: nothing of it is given to a handler any more."""
        if stalled and self._open() and not self._paused & _HANDLER_IS_SLOW:
            self._paused |= _HANDLER_IS_SLOW
            self._settle()
        elif not stalled and self._paused & _HANDLER_IS_SLOW:
            self._paused &= ~_HANDLER_IS_SLOW
            if not self._closed():
                self._unpaused()
                self._settle()

    @property
    def held_back(self) -> bool:
        """Whether the handler does not keep up, so that the peer is not read."""
        return self._paused & _HANDLER_IS_SLOW != 0

    @property
    def peer_is_slow(self) -> bool:
        """Whether more than the high-water mark was pending, and has not fallen to the low one yet."""
        return self._paused & _PEER_IS_SLOW != 0

    def _unpaused(self) -> None:
        """A reason not to read has gone."""
        if not self._paused and self._transport.buffered:
            self._hub.reactor.at_turn_end(self._read_on)

    def __call__(self, readiness: Readiness) -> None:
        """For the reactor: the handle is ready.

        The connection itself is the callback, since a bound method would be 64 bytes more per connection.
        """
        try:
            if readiness != READABLE:
                self._transport.flush()
                self._settle()
                self._sent()
                if self._closed() or not readiness & (READABLE | FAILED):
                    return
                if not self._reading:
                    # It will not send any more, and now it does not take anything either.
                    raise ConnectionLost("the peer has gone")
            if self._read() and self._reading and not self._paused and self._transport.buffered:
                # No poller sees these bytes: nobody else will tell us to go on.
                self._hub.reactor.at_turn_end(self._read_on)
        except ConnectionLost as error:
            self._lost(error)
        except Exception as error:
            self.misread(error)

    def _read_on(self) -> None:
        """Read what no poller will announce, if the connection still wants it."""
        if not self._closed() and self._reading and not self._paused:
            self(READABLE)

    def _bare_socket(self) -> SocketType | None:
        """Return the transport's socket, if it has the capability: see ``api.transport.SocketTransport``."""
        bare: SocketType | None = getattr(self._transport, "bare_socket", None)
        return bare

    def _release(self) -> None:
        """Unwatch and close the transport, and drop what was not sent."""
        self._bare = None
        if self._hub.express is self:
            self._leave_express()  # what was accepted counts, although it is dropped
        self._hub.reactor.unregister(self._transport.handle)
        self._transport.close()
        if self._out:
            self._drop_batch()
        self._pending_bytes = 0
        self._reading = False

    @abstractmethod
    def _closed(self) -> bool:
        """Whether ``_release`` was called."""

    @abstractmethod
    def _open(self) -> bool:
        """Whether messages may still be given to a handler."""

    @abstractmethod
    def _read(self) -> bool:
        """Receive what has arrived; ``False`` when that was all. May raise ``ConnectionLost``."""

    @abstractmethod
    def _sent(self) -> None:
        """The transport was flushed."""

    @abstractmethod
    def _lost(self, error: ConnectionLost) -> None:
        """The stream is broken."""

    @abstractmethod
    def _broken(self, error: Exception) -> None:
        """Something was raised while sending that no contract allows."""

    @abstractmethod
    def misread(self, error: Exception) -> None:
        """Something was raised that no contract allows, while what was read was handled: the rest of it is lost."""


__all__ = ["Wire"]
