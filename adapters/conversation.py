"""Conversation: a coroutine that handles the messages of one connection.

    async def talk(connection):
        async for message in connection:
            connection.send(message)
            await connection.drain()

There is no queue on the usual way: a coroutine that waits for a message is stepped by the call that brings it,
straight from the parser, and is back at its next wait when that call returns. Only while it waits for something
else (``sleep``, a worker) messages are kept. From ``MAX_WAITING`` of them, or ``MAX_WAITING_BYTES``, the connection
is not read any more until most are handled, so what is kept is bounded by this and by what one read brings.

*Whose memory.* A message that a plain handler gets lies in the memory that every read fills. A view of that must not
outlive the call, and a coroutine may stop anywhere with such a view in hand; Python can't call a view back. So a
message of this kind (126 bytes or more, whole in one read) is copied once, before the coroutine sees it. Shorter and
longer ones have memory of their own anyway. All of them, and all views of them, are valid until the coroutine asks
for the next message. Rejected: giving the read memory away when a coroutine stops. It saves that copy, and each
stopped coroutine would hold 64 KiB.

*The end.* Messages that arrived before the connection closed are still handled, and what handles one is not cut off:
it has ``close_timeout_s`` from the end of the connection on, then ``Cancelled`` is raised where it waits. A coroutine
that has no message in hand, and none waiting, has nothing to finish: one that waits for a message sees the end of the
iteration, any other one gets ``Cancelled`` at once. After ``Cancelled`` it may wait once more as long, to clean up,
and is then ended with ``GeneratorExit``. The connection is forgotten, and its close handlers are called, when its
coroutine has ended.

    (asks) --message--> (handles) --awaits--> (waits) --comes--> (handles) --asks--> (asks)
       |                                         |
       +-- closed: the iteration ends            +-- closed: as said above
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from operator import length_hint
from sys import getrefcount
from typing import TYPE_CHECKING, Final, Protocol

from ..api.connection import Connection
from ..api.errors import Cancelled, Closed, InvalidArgument, TransportClosed
from ..api.message import Message, MessageKind
from ..api.scheduler import Cancelable
from ..api.session import SessionStatus
from ..api.types import Nanoseconds
from ..internal.coroutines import Routine, Runner, Step
from ..protocol.masks import SHORT_BYTES
from ..protocol.message import WireMessage
from .message_source import MessageSource, Receive

if TYPE_CHECKING:
    from .hub import Hub
    from .inbound import Inbound

MAX_WAITING: Final = 16
"""From so many messages waiting for a coroutine on, its connection is not read."""

MAX_WAITING_BYTES: Final = 64 * 1024
"""As ``MAX_WAITING``, by their length together."""


class Partner(Protocol):
    """What a conversation needs of its connection."""

    conversation: Conversation | None

    @property
    def status(self) -> SessionStatus:
        """How far the connection is."""

    @property
    def runner(self) -> Runner:
        """Where its coroutine runs."""

    @property
    def patience_ns(self) -> Nanoseconds:
        """How long a coroutine may go on after the connection has gone."""

    @property
    def has_extensions(self) -> bool:
        """Whether messages pass an extension."""

    @property
    def send_limit_bytes(self) -> int:
        """Most bytes that may be pending."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake."""

    def application_failed(self, error: Exception, origin: object) -> None:
        """Report what a handler raised, and close with 1011."""

    def hold_back(self, stalled: bool) -> None:
        """Stop to read, or go on. Idempotent."""


class Conversation(Routine):
    """One coroutine with its connection. Thread rules: the reactor's thread."""

    __slots__ = (
        "_asks",
        "_cancelled",
        "_connection",
        "_current",
        "_handler",
        "_is_dropped",
        "_is_slow",
        "_over",
        "_patience",
        "_short_bytes",
        "_waiting",
        "_waiting_bytes",
        "takes_runs",
    )

    def __init__(
        self, connection: Partner, handler: object, coroutine: Coroutine[object, object, object]
    ) -> None:
        """Own a coroutine that was not started; ``handler`` is what errors are said to come from."""
        super().__init__(coroutine, connection.runner)
        self._connection = connection
        self._handler = handler
        # Up to this length messages have memory of their own that no call of the codec takes away.
        self._short_bytes = -1 if connection.has_extensions else SHORT_BYTES
        # Invariant: while ``_asks`` (it waits for a message, without time-out), no message waits and it is not over.
        self._asks = False
        # Whether anything but the usual is the case: messages wait, or the connection has gone.
        self._is_slow = False
        self._current: Message | None = None  # what it handles; retained, and set only if it stopped meanwhile
        self._waiting: deque[Message] = deque()  # retained
        self._waiting_bytes = 0
        self._is_dropped = False
        self._over: Callable[[], object] | None = None  # what to call in the end, once the connection has gone
        self._cancelled = False
        self._patience: Cancelable | None = None
        self.takes_runs = False
        """Whether messages come from the connection itself, and not through middleware."""

    @property
    def waiting_count(self) -> int:
        """Messages that wait for the coroutine."""
        return len(self._waiting)

    def deliver(self, connection: Connection, message: Message) -> None:
        """A message has come: a handler. It is borrowed for the call, and kept if need be."""
        if not (self._asks and isinstance(message, WireMessage) and message.size_bytes <= self._short_bytes):
            self._deliver_slowly(message)
            return
        # The commonest case spelled out, ``_step`` without a loop: it saves a quarter of what a coroutine costs.
        self._asks = False
        try:
            awaited = self._send(message)
        except BaseException as error:
            self._stopped(error)
        else:
            if awaited is self._connection and not self._is_slow:
                self._asks = True
                return
            # Its memory is its own and no buffer, so it is early enough to keep it now.
            self._current = message.retain()
            self._go_on(self._arrange(awaited))

    def deliver_run(self, connection: Inbound, hub: Hub, kind: MessageKind, payloads: list[bytes]) -> int:
        """Messages of one kind and short length have come: as ``deliver`` with each, and return how many were taken.

        ``deliver`` spelled out once more: this halves what a coroutine costs. Two message objects take turns. When a
        coroutine has taken the second, it has let go of the first, unless somebody keeps it, and whether somebody
        does is asked of the reference count.
        """
        if not self._asks:
            return self._deliver_rest(connection, kind, payloads)
        own, send, size_bytes = self._connection, self._send, len(payloads[0])
        message, spare = WireMessage(kind, b"", size_bytes), WireMessage(kind, b"", size_bytes)
        alone_count = getrefcount(spare)
        rest = iter(payloads)
        self._asks = False  # as long as nobody else is called who might want to know
        for payload in rest:
            message.memory = payload
            try:
                awaited = send(message)
            except BaseException as error:
                self._stopped(error)
                break
            if awaited is not own or self._is_slow:
                if not self._is_request(awaited):
                    self._current = message.retain()
                self._go_on(self._arrange(awaited))
                break
            if message.tokens is None:
                message.memory = None  # as ``expire``
            message, spare = spare, message
            if getrefcount(message) != alone_count or message.tokens is not None:
                message.expire()
                message = WireMessage(kind, b"", size_bytes)
            if hub.express is not connection:
                self._asks = True
                connection.flush_lent()
                if not self._asks:
                    break  # the connection has gone
                self._asks = False
        else:
            self._asks = True
        message.expire()
        spare.expire()
        connection.flush_lent()
        taken_count = len(payloads) - length_hint(rest)
        return taken_count + self._deliver_rest(connection, kind, payloads[taken_count:])

    def _deliver_rest(self, connection: Inbound, kind: MessageKind, payloads: list[bytes]) -> int:
        """The clear form of ``deliver_run``."""
        handler: Callable[..., object] = self.deliver  # an ``Inbound`` is half an ``api.Connection``
        taken_count = 0
        for payload in payloads:
            if connection.status is not SessionStatus.ACTIVE:
                break
            message = WireMessage(kind, payload, len(payload))
            taken_count += 1
            handler(connection, message)
            message.expire()
            connection.flush_lent()
        return taken_count

    def _deliver_slowly(self, message: Message) -> None:
        if self.ended:
            return
        if isinstance(message, WireMessage):
            message.own()
        message.retain()
        if self._asks:
            self._asks = False
            self._current = message
            self._step(self._send, message)
        elif isinstance(self._wait, Receive):
            self._forget_wait()
            self._current = message
            self._step(self._send, message)
        else:
            self._keep(message)

    def _keep(self, message: Message) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        self._is_slow = True
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            self._connection.hold_back(True)

    def discard_waiting(self) -> None:
        """We close the connection: nobody could answer what was not handled yet."""
        for message in self._waiting:
            message.release()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._is_slow = True
        self._connection.hold_back(False)

    def connection_closed(self, then: Callable[[], object]) -> None:
        """The connection has gone. Calls ``then()`` when the coroutine has ended, perhaps within this call."""
        self._over = then
        self._is_slow = True
        if self.ended:
            then()
        elif self._asks:
            self._asks = False
            self._step(self._throw, StopAsyncIteration())
        elif isinstance(self._wait, Receive):
            self.interrupt(_closed())
        elif self._wait is not None:
            self._go_on(self._wind_up())
        # Else it runs just now, and ``_arrange`` will see.

    def drop(self) -> None:
        """End it now, because the reactor ends. What it does not want to end is reported."""
        self._cancelled = self._is_dropped = self._is_slow = True
        if self._wait is not None or self._asks:
            self.abort()
        # Else it has ended, or runs just now, and ``_arrange`` will see.

    def _go_on(self, following: Step | None) -> None:
        if following is not None:
            self._step(*following)

    def _is_request(self, awaited: object) -> bool:
        """Whether it asks for a message of its connection."""
        own = self._connection
        return awaited is own or (isinstance(awaited, Receive) and awaited.connection is own)

    def _arrange(self, awaited: object) -> Step | None:
        if self._is_dropped:
            self.abort()
            return None
        if self._is_request(awaited):
            return self._next_message(awaited)
        if isinstance(awaited, (MessageSource, Receive)):
            return self._throw, InvalidArgument(
                "a handler gets the messages of its own connection only", connection=repr(awaited)
            )
        following = super()._arrange(awaited)
        if following is None and self._over is not None:
            return self._wind_up()
        return following

    def _next_message(self, awaited: object) -> Step | None:
        """It asks for a message: give it one that waits, tell that there are no more, or let it wait."""
        self._let_go()
        if self._waiting:
            message = self._current = self._waiting.popleft()
            self._waiting_bytes -= len(message)
            self._is_slow = bool(self._waiting) or self._over is not None
            if 2 * len(self._waiting) < MAX_WAITING and 2 * self._waiting_bytes < MAX_WAITING_BYTES:
                self._connection.hold_back(False)
            return self._send, message
        self._is_slow = self._over is not None
        if self._over is not None:
            return self._throw, StopAsyncIteration() if awaited is self._connection else _closed()
        if awaited is self._connection:
            self._asks = True
            return None
        return super()._arrange(awaited)

    def _wind_up(self) -> Step | None:
        """The connection has gone while it waits: end the wait if it has nothing to finish; set a limit."""
        if self._patience is None:
            self._patience = self._limit()
        if self._cancelled or self._current is not None or self._waiting:
            return None
        self._cancelled = True
        self._forget_wait()
        return self._throw, _cancelled()

    def _limit(self) -> Cancelable:
        return self.runner.scheduler.schedule(self._connection.patience_ns, self._lose_patience)

    def _lose_patience(self) -> None:
        """It was given time, and still waits."""
        self._patience = self._limit()
        if self._cancelled:
            self.abort()
        else:
            self._cancelled = True
            self.discard_waiting()
            self.interrupt(_cancelled())

    def _let_go(self) -> None:
        message, self._current = self._current, None
        if message is not None:
            message.release()

    def _finished(self, error: Exception | None) -> None:
        self._let_go()
        self.discard_waiting()
        self._asks = False
        if self._patience is not None:
            self._patience.cancel()
        connection = self._connection
        is_open = connection.status is SessionStatus.ACTIVE
        if error is not None and (is_open or not isinstance(error, (Cancelled, Closed, StopAsyncIteration))):
            connection.application_failed(error, self._handler)
        elif is_open:
            connection.close()
        if self._over is not None:
            self._over()


def _cancelled() -> Cancelled:
    return Cancelled("the connection has gone, and with it the reason to wait")


def _closed() -> TransportClosed:
    return TransportClosed("the connection is closed: no more messages")


__all__ = ["MAX_WAITING", "MAX_WAITING_BYTES", "Conversation", "Partner"]
