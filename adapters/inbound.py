"""Inbound: the way of bytes in, from readiness to the handler.

There are two roads, as in the protocol's receiving half. The *clear road* (``_read``) works in every state, with
every transport, and for every kind of event. The *express road* (``__call__``) is for what most events of a busy
server are: frames up to 64 KiB on an open connection over a plain socket, answered by messages that are sent back or
not at all. It is the same way with calls spelled out, and with what is the same for all replies of a turn done once
for all of them. Whatever is not that common case leaves it for the clear road, where it is noticed and with nothing
lost. (A server goes further still with what is common to many connections: ``express.py``.)

    ready -> bare recv -> one frame, or a run -> handler -> send: one piece, or two, and nothing else -> counted
          replies leave with those of other connections: fewer peers are woken
          short ones have bytes of their own; longer ones lie in the read memory, and the next read fills another
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from operator import length_hint
from sys import getrefcount

from ..api.codec import CloseReceived, CodecEvent, PingReceived, PongReceived, ViolationDetected
from ..api.errors import ConnectionLost
from ..api.message import MessageKind
from ..api.poller import READABLE, Readiness
from ..api.session import SessionStatus
from ..api.transport import END_OF_STREAM
from ..protocol.codec import WebSocketCodec
from ..protocol.common_codec import CommonCodec, SplitCodec
from ..protocol.frames import CLOSE, FIN
from ..protocol.message import WireMessage
from ..protocol.read_memory import ReadMemory
from ..protocol.receiver import DIRECT_BYTES
from .conversing import Conversing
from .roles import Opening

READ_BUDGET_BYTES = 256 * 1024
"""Most bytes read from one connection per event, so that a busy one does not starve the others."""

PASSING = (KeyboardInterrupt, SystemExit)
"""What passes through everything, and ends the reactor's run."""

_ACTIVE = SessionStatus.ACTIVE
_CLOSED = SessionStatus.CLOSED
_CLOSE_FIRST_BYTE = FIN | CLOSE


class Inbound(Conversing):
    """A connection that reads, and gives messages to a handler. Thread rules: the reactor's thread."""

    __slots__ = ("_handler", "_lent", "codec")

    _handler: Callable[..., object]
    """The route's ``api.Handler``. (Its type wants a whole ``api.Connection``, which this is a half of.)"""
    _lent: bool
    """Whether the batch refers to memory that the running handler has lent us until it returns."""
    codec: WebSocketCodec
    """The protocol; there from ``open`` on. It may be one that is shared: see ``_part_from_common``."""

    def __call__(self, readiness: Readiness) -> None:
        """For the reactor: the express road. ``Wire.__call__`` with ``_read`` is the clear one."""
        bare = self._bare
        if bare is None or readiness != READABLE or self.codec.receiver.left_bytes >= DIRECT_BYTES:
            if self._ending and readiness & READABLE and self._interest == READABLE:
                self._discard_ready()  # nothing is to be flushed
            else:
                super().__call__(readiness)
            return
        read = self._hub.read
        try:
            count_bytes = bare.recv_into(read.memory)
        except OSError as error:
            self._bare_failed(error)
            return
        self.take_read(read, count_bytes)

    def take_read(self, read: ReadMemory, count_bytes: int, *, many: bool = False) -> None:
        """Handle what was just read from the bare socket: ``count_bytes`` in ``hub.read``. ``many``: it is known not to
        be one whole frame, short or medium."""
        if not count_bytes:
            super().__call__(READABLE)  # the end of the stream, which can be read again
            return
        hub = self._hub
        self._heard_ns = hub.reactor.turn_ns
        if self._out or self._pending_bytes:
            hub.current = self
        else:
            hub.express = self
        try:
            message = None if many else self.codec.receiver.receive_one(read, count_bytes)
            if message is None:
                self._take_many(read.memory, count_bytes)
                if count_bytes == len(read.memory):
                    self._read_more()
            else:
                self._message_ns = self._heard_ns
                traffic = hub.traffic
                traffic.messages_received.count += 1
                traffic.bytes_received.count += message.size_bytes
                try:
                    self._handler(self, message)
                except Exception as error:
                    self.application_failed(error, self._handler)
                if message.tokens is None:
                    message.memory = None  # ``expire`` for a message that nobody retains, and that has no buffer
                else:
                    message.expire()
            self.end_read()
        except PASSING:
            self.interrupted()
            raise
        except Exception as error:
            self.misread(error)
        finally:
            hub.current = hub.express = None
            hub.in_place_bytes = hub.split_count = 0

    def end_read(self) -> None:
        """What was read is handled: see to it that what was sent meanwhile leaves."""
        hub = self._hub
        if hub.express is not self:
            self._lent = False  # What is queued may lie in the read memory, or be lent: it leaves first.
            self.flush()
            hub.current = None
        elif self._out:
            self._send_replies(hub)
        else:
            hub.express = None

    def _read_more(self) -> None:
        """A read on the express road has filled the memory, so there is more: go on, on the clear road.

        The poller would say so, but later: meanwhile other connections would begin large messages, too, each in a
        buffer of its own, where one after the other they take the same one, which is in the processor's cache.
        """
        if self._hub.express is self:
            self._leave_express()
        self.flush()
        if self._bare is not None and not self._paused:
            try:
                self._read_frames()
            except ConnectionLost as error:
                self._lost(error)

    def _read(self) -> bool:
        if self._ending:
            return self._discard()
        hub = self._hub
        self._heard_ns = hub.reactor.turn_ns
        hub.current = self
        try:
            if self._opening is not None:
                return self._read_opening(self._opening)
            return self._read_frames()
        except PASSING:
            self.interrupted()
            raise
        finally:
            hub.current = None

    def interrupted(self) -> None:
        """What ends the reactor's run, or must not happen, was raised. Until things go on, others may have read into
        the memory in which lies what was sent until now: it leaves now."""
        if self._hub.express is self:
            self._leave_express()
        self._lent = False
        self.flush()

    def misread(self, error: Exception) -> None:
        """What was sent before leaves. The error is reported, and an open connection closes with 1011, so that the peer
        neither takes what follows for a fault of its own nor waits for what will not come; any other is let go."""
        self.interrupted()
        if self._status is not _ACTIVE:
            self._broken(error)
            return
        codec = self.codec
        if isinstance(codec, CommonCodec) and not codec.receiver.resting:
            self.codec = codec.split()  # with what it was in the middle of
        self.application_failed(error, self)
        self.flush()

    def _read_opening(self, opening: Opening) -> bool:
        memory = self._hub.read.memory
        count_bytes = self._transport.recv_into(memory)
        if count_bytes > 0:
            self._receive_opening(opening, memory[:count_bytes])
        elif count_bytes == END_OF_STREAM:
            raise ConnectionLost("the peer hung up during the opening handshake")
        self.flush()
        if self._bare is None or self._pending_bytes or self._interest != READABLE:
            self._settle()
        return count_bytes > 0

    def _read_frames(self) -> bool:
        transport = self._transport
        left_bytes = READ_BUDGET_BYTES
        drained = False
        while True:
            receiver = self.codec.receiver
            target = receiver.direct_target() if receiver.left_bytes >= DIRECT_BYTES else None
            read = self._hub.read
            wanted = read.memory if target is None else target
            count_bytes = transport.recv_into(wanted)
            if count_bytes > 0:
                if target is None:
                    self._take(read, count_bytes)
                else:
                    self._process(receiver.receive_direct(count_bytes))
            elif count_bytes == END_OF_STREAM:
                self._reading = False
                events = receiver.receive_end()
                self._part_from_common()
                self._process(events)
            # What is queued may refer to the read memory: it leaves before that is filled again.
            self.flush()
            if count_bytes <= 0 or self._ending or self._paused or self._status is _CLOSED:
                break
            left_bytes -= count_bytes
            drained = count_bytes < len(wanted) and not transport.buffered
            if drained or left_bytes <= 0:
                break
        if self._interest != READABLE or not self._reading or transport.interest:
            self._settle()
        return not drained

    def _take(self, read: ReadMemory, count_bytes: int) -> None:
        """Handle what was read."""
        message = self.codec.receiver.receive_one(read, count_bytes)
        if message is None:
            self._take_many(read.memory, count_bytes)
        else:
            self._process((message,))

    def _take_many(self, data: memoryview, count_bytes: int) -> None:
        """Handle what was read and is not one message: runs of equal short ones as long as there are any, then the
        rest, whatever it is."""
        if data[0] == _CLOSE_FIRST_BYTE and self._take_close(data, count_bytes):
            return
        # The codec is asked for each time: a handler may have closed the connection, which then has its own.
        if self.codec.receiver.take_empty_pong(data, count_bytes):
            return
        position = 0
        while (run := self.codec.receiver.take_run(data, position, count_bytes)) is not None:
            kind, payloads, position = run
            self._deliver_run(kind, payloads)
        if position < count_bytes:
            self._receive(data[position:count_bytes])

    def _take_close(self, data: memoryview, count_bytes: int) -> bool:
        """Handle what was read if it is a plain close frame and nothing else; as ``_receive``, which takes longer."""
        codec = self.codec
        taken = codec.take_close(data, count_bytes) if isinstance(codec, CommonCodec) else None
        if taken is None or self._status is not _ACTIVE:
            return False
        self._close_code, answer = taken
        self._queue((answer,))
        self._end()
        return True

    def _receive(self, data: memoryview) -> None:
        """The long road: let the codec take all of ``data``, and handle what it completes."""
        receiver = self.codec.receiver
        events = receiver.receive(data)
        if not receiver.resting:
            self._part_from_common()
        self._process(events)

    def _part_from_common(self) -> None:
        """Something is under way, or over, that the codec of all connections can't remember for one of them. To be
        called before anything else may use that codec (see ``protocol/common_codec.py``)."""
        codec = self.codec
        if isinstance(codec, CommonCodec):
            if codec.receiver.open:
                self.codec = codec.split()
            else:
                codec.renew()  # What it knew is in the events by now, the last of which ends this connection.

    def _rest(self) -> None:
        """Give up a codec of our own that has nothing to remember any more."""
        codec = self.codec
        if isinstance(codec, SplitCodec) and codec.rests:
            self.codec = codec.common
            codec.close()

    def _deliver_run(self, kind: MessageKind, payloads: list[bytes]) -> None:
        """Give messages of one kind and length to the handler; as ``_process`` does with each of them."""
        self._message_ns = self._heard_ns
        conversation = self.conversation
        if conversation is not None and conversation.takes_runs:
            delivered_count = conversation.deliver_run(self, self._hub, kind, payloads)
        else:
            delivered_count = self._call_handler(kind, payloads)
        traffic = self._hub.traffic
        traffic.messages_received.count += delivered_count
        traffic.bytes_received.count += delivered_count * len(payloads[0])

    def _call_handler(self, kind: MessageKind, payloads: list[bytes]) -> int:
        """Call the handler for each message of a run; return how many it got.

        They share one message object as long as nobody keeps it: whether somebody does is asked of the
        reference count, at one place in the code, where a new object's count is known from the first round.
        """
        if self._status is not _ACTIVE:
            return 0  # Once closing has begun nobody could answer: such messages are discarded.
        handler, hub = self._handler, self._hub
        size_bytes = len(payloads[0])
        message = WireMessage(kind, b"", size_bytes)
        alone_count = 0
        rest = iter(payloads)
        for payload in rest:
            count = getrefcount(message)
            if count != alone_count or message.tokens is not None:
                if alone_count:
                    message.expire()
                    message = WireMessage(kind, b"", size_bytes)
                else:
                    alone_count = count
            message.memory = payload
            try:
                handler(self, message)
            except Exception as error:
                self.application_failed(error, handler)
            if hub.express is not self:
                self.flush_lent()
                if self._status is not _ACTIVE:
                    break
        message.expire()
        return len(payloads) - length_hint(rest)

    def flush_lent(self) -> None:
        """The handler waits or has returned: what it has lent us leaves now."""
        if self._lent:
            self._lent = False
            self.flush()

    def _process(self, events: Sequence[CodecEvent]) -> None:
        """Handle events in wire order, so that the answer to an earlier message leaves before a close."""
        traffic = self._hub.traffic
        for event in events:
            if isinstance(event, WireMessage):
                try:
                    # Once closing has begun nobody could answer: such messages are discarded.
                    if self._status is _ACTIVE:
                        self._message_ns = self._heard_ns
                        traffic.messages_received.count += 1
                        traffic.bytes_received.count += event.size_bytes
                        self._handler(self, event)
                except Exception as error:
                    self.application_failed(error, self._handler)
                finally:
                    event.expire()
                self.flush_lent()
            elif self._status is not _CLOSED:
                self._control(event)

    def _control(self, event: CodecEvent) -> None:
        if isinstance(event, PingReceived):
            self._queue(self.codec.answer(event))
        elif isinstance(event, PongReceived):
            pass  # That something was heard is noted already, and nothing else is asked of a pong.
        elif isinstance(event, CloseReceived):
            self._close_code = event.code
            self._close_reason = event.reason or self._close_reason
            self._answer_last(event)
        elif isinstance(event, ViolationDetected):
            self._error = event.error
            self._close_code = event.error.close_code
            self._close_reason = event.error.message
            self._answer_last(event)
        else:
            # The stream ended without a close frame. The peer may still read what we have for it.
            self._error = ConnectionLost("the peer hung up without a close frame")
            self._end()

    def _answer_last(self, event: CodecEvent) -> None:
        """Answer what ends the connection, and end it."""
        codec = self.codec
        self._queue(codec.answer(event))
        if isinstance(codec, CommonCodec):
            codec.renew()
        self._end()

    @abstractmethod
    def _receive_opening(self, opening: Opening, data: memoryview) -> None:
        """Give a piece of the opening handshake to whoever plays it."""

    @abstractmethod
    def application_failed(self, error: Exception, origin: object) -> None:
        """A handler raised."""


__all__ = ["READ_BUDGET_BYTES", "Inbound"]
