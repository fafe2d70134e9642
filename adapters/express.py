"""Express lane: one loop for all connections that have one message each, which is what most events are.

The reactor shows us everything that is ready before it calls anybody (``PollReactor.lane``). What is the same for all
of a turn is looked up once then, what is counted is added up, and hardly a call is made per connection but those to the
socket and to the handler. One whole frame in a read, short or medium, masked as a client's is, is taken here, and its
reply queued. Anything else that was read is given to the connection; what is not to be read here goes back to the
reactor, which calls the connection as ever.

All of it is written out of ``Inbound.__call__``, ``ShortRoad.receive_one`` and ``Wire._send_replies``: they are its
clear twins, and do the same where there is no lane. Hence the look at what is private there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from sys import getrefcount
from typing import Final, TypeAlias

from ..api.message import BINARY, TEXT, MessageKind
from ..api.poller import READABLE
from ..api.reactor import ReadyCallback
from ..api.types import Handle
from ..internal.reactor import Event, PollReactor
from ..protocol.masks import LOW_BITS, MASKED_FRAME, REPEAT
from ..protocol.message import WireMessage
from ..protocol.short_road import WHOLE_KIND
from ..protocol.utf8 import is_utf8
from .connection import WebSocketConnection
from .hub import MOST_WAITING, Hub
from .inbound import PASSING

_MASK_BIT: Final = 0x80
_MEDIUM: Final = _MASK_BIT | 126  # a length of 16 bits follows
_OVERHEAD_BYTES: Final = 6  # header and key of a short frame
_HEADER_BYTES: Final = 2
_number = int.from_bytes

_Frame: TypeAlias = tuple[WebSocketConnection, MessageKind, bytes | memoryview, int]
_Find: TypeAlias = Callable[[Handle], ReadyCallback | None]


class ExpressLane:
    """The lane of a server's reactor. Thread rules: the reactor's thread."""

    __slots__ = ("_hub", "_message", "_reactor")

    def __init__(self, hub: Hub, reactor: PollReactor) -> None:
        self._hub = hub
        self._reactor = reactor
        self._message = WireMessage(BINARY, b"", 0, hub.pool)  # for all messages, as long as no handler keeps it

    def __call__(self, events: Sequence[Event], callbacks: Mapping[Handle, ReadyCallback]) -> Sequence[Event]:
        """Handle what this lane is for, with all that belongs to it; return the rest."""
        hub = self._hub
        rest: list[Event] = []
        try:
            self._answer(self._received(events, callbacks.get, rest))
        except PASSING:
            if isinstance(connection := hub.express or hub.current, WebSocketConnection):
                connection.interrupted()
            raise
        except Exception as error:
            self._reactor.fault(error, self)  # what was not looked at is ready in the next turn, too
        finally:
            hub.current = hub.express = None
            hub.in_place_bytes = hub.split_count = 0
        return rest

    def _received(self, events: Sequence[Event], find: _Find, rest: list[Event]) -> Iterator[_Frame]:
        """Read, and yield whole short and medium frames that came alone; all else goes its way."""
        hub = self._hub
        for event in events:
            if (
                type(connection := find(event[0])) is not WebSocketConnection
                or event[1] != READABLE
                or (bare := connection._bare) is None
                or not (receiver := connection.codec.receiver)._between
            ):
                rest.append(event)
                continue
            read = hub.read
            try:
                count_bytes = bare.recv_into(read.memory)
            except OSError as error:
                connection._bare_failed(error)
                continue
            if connection._out or connection._pending_bytes:
                connection.take_read(read, count_bytes)  # where a reply has to wait its turn
                continue
            length = count_bytes - _OVERHEAD_BYTES
            payload: bytes | memoryview | None = None
            try:
                if 0 <= length <= receiver._short_limit_bytes:
                    first, second, key, masked = MASKED_FRAME[length](read.memory)
                    kind = WHOLE_KIND[first]
                    if kind and second == length | _MASK_BIT:
                        number = (_number(masked, "little") ^ key * REPEAT[length]) & LOW_BITS[length]
                        short = number.to_bytes(length, "little")
                        if kind != TEXT or short.isascii() or is_utf8(short):
                            payload = short
                elif read.memory[1] == _MEDIUM and (payload := receiver._medium_payload(read, count_bytes)) is not None:
                    kind, length = WHOLE_KIND[read.memory[0]], len(payload)
            except Exception as error:
                connection.misread(error)
                continue
            if payload is None:
                connection.take_read(read, count_bytes, many=True)
            else:
                yield connection, kind, payload, length

    def _answer(self, frames: Iterable[_Frame]) -> None:
        """Give each message to its handler, and queue what it answers."""
        hub, turn_ns, message = self._hub, self._reactor.turn_ns, self._message
        alone_count = getrefcount(message)
        received_count = received_bytes = sent_count = sent_bytes = 0
        try:
            for connection, message.kind, message.memory, message.size_bytes in frames:
                connection._heard_ns = connection._message_ns = turn_ns
                received_count += 1
                received_bytes += message.size_bytes
                hub.express = connection
                try:
                    connection._handler(connection, message)
                except Exception as error:
                    connection.application_failed(error, connection._handler)
                if getrefcount(message) != alone_count or message.tokens is not None:
                    message.expire()
                    self._message = message = WireMessage(BINARY, b"", 0, hub.pool)
                if hub.express is connection and len(connection._out) == 1:
                    hub.express = None
                    sent_count += 1
                    sent_bytes += connection._queued_bytes - _HEADER_BYTES - hub.in_place_bytes
                    connection._dirty = True
                    if 0 < len(dirty := hub.dirty) < MOST_WAITING:
                        dirty.append(connection)
                    else:
                        hub.send_soon(connection)
                    if hub.in_place_bytes:
                        hub.in_place_bytes = 0
                        hub.keep_read()
                else:
                    connection.end_read()
        finally:
            message.memory = None
            hub.traffic.add(received_count, received_bytes, sent_count, sent_bytes)


def open_lane(hub: Hub) -> None:
    """Open the lane of a server, where the reactor has one. Without it every connection is called by itself."""
    reactor = hub.reactor
    if isinstance(reactor, PollReactor):
        reactor.lane = ExpressLane(hub, reactor)


__all__ = ["ExpressLane", "open_lane"]
