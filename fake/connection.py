"""Connection for unit tests of handlers: no server, no transport, no codec.

    connection = FakeConnection("/rooms/7", params={"room": "7"})
    connection.deliver(talk, "hello")
    assert connection.sent == ["hello"]

``deliver`` does what the library does around a handler: the message is borrowed until the handler returns, a
handler that raises closes the connection with code 1011 (and here the test sees the exception), and nothing is
delivered once closing has begun. Sent bytes count as taken at once; with ``peer_reads`` false they stay pending,
until the send limit is met.

A coroutine handler is run as the library runs it, in virtual time. What it can do now it does within ``deliver``,
calls to workers included; for ``sleep`` and time-outs the test lets time pass:

    connection.begin(greet_after_a_second)
    connection.advance(1.0)
    assert connection.sent == ["hello"]
    connection.arrive("a message")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from types import coroutine

from ..adapters.connection import kind_and_view
from ..adapters.conversation import Conversation
from ..adapters.coroutine_handlers import CoroutineHandler, adapt
from ..adapters.message_source import MessageSource
from ..api.connection import SendableMessage
from ..api.errors import InvalidArgument, InvalidState, ResourceExhausted, TransportClosed
from ..api.handler import AnyHandler, ConnectionCoroutine, Handler
from ..api.http import HeaderFields, Request
from ..api.message import TEXT
from ..api.session import SessionStatus
from ..api.transport import Features, MemoryAddress
from ..api.types import Nanoseconds, ReadableMemory
from ..internal.coroutines import Routine, Runner, Wait
from ..internal.timers import TimerScheduler
from ..protocol.close import ABNORMAL, GOING_AWAY, INTERNAL_ERROR, NO_STATUS, build_close
from ..session.session import LiveSession
from .clock import VirtualClock
from .executor import FakeExecutor
from .memory import FakeBufferPool
from .message import fake_message
from .session import virtual_session

_MAX_PING_BYTES = 125  # RFC 6455 §5.5


_NS_PER_S = 1_000_000_000


class FakeConnection(MessageSource):
    """Implements ``api.connection.Connection``; open from the start. Thread rules: one thread.

    ``target`` is the request's, ``headers`` its header fields, ``params`` what a route would have found. ``drain``
    waits when more than ``high_water_bytes`` are pending, until ``take_bytes``. ``patience_s`` is how long a coroutine
    may go on when the connection has gone, as ``close_timeout_s`` of a server.
    """

    has_extensions = False
    close_reason = ""
    held_back = False
    """Whether so many messages wait for the coroutine that a server would not read on."""
    peer_address = MemoryAddress("fake-peer")
    local_address = MemoryAddress("fake-local")

    def __init__(
        self,
        target: str = "/",
        *,
        params: Mapping[str, str] | None = None,
        headers: HeaderFields = (),
        subprotocol: str | None = None,
        send_limit_bytes: int = 1 << 20,
        high_water_bytes: int = 1 << 16,
        patience_s: float = 10.0,
        peer_reads: bool = True,
        clock: VirtualClock | None = None,
    ) -> None:
        path, _, query = target.partition("?")
        self.request = Request("GET", target, tuple(headers), path, query)
        """The request that a client would have sent."""
        self.params: Mapping[str, str] = dict(params or {})
        self.subprotocol = subprotocol
        self.clock = VirtualClock() if clock is None else clock
        """The time of the session and of coroutines."""
        self.session: LiveSession = virtual_session(self.clock)
        """A real session in virtual time; cancelling it closes the connection with code 1001."""
        self.session.advance(SessionStatus.ACTIVE)
        self.session.on_done(lambda session: self._session_ended())
        self.pool = FakeBufferPool()
        """Where retained messages lie; ``pool.check_leaks()`` tells whether all were released."""
        self.sent: list[str | bytes] = []
        """The messages sent, text as ``str``."""
        self.pings: list[bytes] = []
        """The payloads of the pings sent."""
        self.pending_bytes = 0
        """What was sent and not taken; see ``take_bytes``."""
        self.close_sent: tuple[int | None, str] | None = None
        """Code (``None``: without one) and reason of the close frame that the peer was sent, ours or an answer."""
        self.close_code: int | None = None
        self._scheduler = TimerScheduler(self.clock, on_error=self.application_failed)
        self.executor = FakeExecutor(self.clock)
        """Runs blocking functions that a coroutine awaits."""
        self.runner = Runner(self._scheduler, self._post, self.executor)
        """Where coroutines run."""
        self.conversation: Conversation | None = None
        """The coroutine that handles the messages, once one has begun."""
        self.patience_ns: Nanoseconds = round(patience_s * _NS_PER_S)
        self.send_limit_bytes = send_limit_bytes
        self._attached: tuple[object, Handler] | None = None
        self._failures: list[BaseException] = []
        self._drains: list[Callable[[], object]] = []
        self._high_water_bytes = high_water_bytes
        self._peer_reads = peer_reads

    @property
    def status(self) -> SessionStatus:
        """The connection's status, which is its session's."""
        return self.session.status

    @property
    def path(self) -> str:
        """The request's path."""
        return self.request.path

    def features(self) -> Features:
        """There is no transport, so there is nothing it can do."""
        return Features("fake")

    def send(self, data: SendableMessage) -> int:
        """Keep a message in ``sent``; contract as ``api.connection.Connection.send``."""
        self._check_open()
        message: str | bytes
        if isinstance(data, str):
            try:
                size_bytes = len(data.encode())
            except UnicodeEncodeError as error:
                raise InvalidArgument("text with a lone surrogate has no UTF-8") from error
            message = data
        else:
            kind, view = kind_and_view(memoryview(data) if isinstance(data, bytes) else data)
            size_bytes = len(view)
            message = str(view, "utf-8") if kind == TEXT else bytes(view)
        if self.pending_bytes + size_bytes > self.send_limit_bytes:
            raise ResourceExhausted("the peer does not read", pending_bytes=self.pending_bytes, size_bytes=size_bytes)
        self.sent.append(message)
        if not self._peer_reads:
            self.pending_bytes += size_bytes
        return self.pending_bytes

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Keep a ping in ``pings``; contract as ``api.connection.Connection.ping``."""
        self._check_open()
        if len(payload) > _MAX_PING_BYTES:
            raise InvalidArgument("a ping has at most 125 bytes", size_bytes=len(payload))
        self.pings.append(bytes(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; contract as ``api.connection.Connection.close``. What was sent is in ``close_sent``;
        ``close_code`` comes with the peer's answer: ``peer_closes`` ends it."""
        if self.status is SessionStatus.ACTIVE:
            build_close(code, reason)
            self.close_sent, self.close_reason = (code, reason), reason
            self.session.advance(SessionStatus.CLOSING)
            if self.conversation is not None:
                self.conversation.discard_waiting()

    @coroutine
    def drain(self) -> Generator[object, None, None]:
        """Wait for ``take_bytes`` if too much is pending; contract as ``api.connection.Connection.drain``."""
        self._check_open()
        if self.pending_bytes > self._high_water_bytes:
            yield _Drain(self._drains)
        self._check_open()

    def begin(self, handler: ConnectionCoroutine) -> None:
        """Let the connection open with a coroutine handler, which runs up to its first wait; what it raises passes
        through. Messages then ``arrive``."""
        self._attach(handler)
        self._go_on()

    def arrive(self, data: str | bytes) -> None:
        """Let a message arrive for the coroutine that has begun; as ``deliver``. ``InvalidState`` where none has."""
        if self._attached is None:
            raise InvalidState("no coroutine has begun")
        self._take(self._attached[1], data)

    def deliver(self, handler: Handler, data: str | bytes) -> None:
        """Let a message arrive and ``handler`` process it; nothing happens once closing has begun.

        What the handler raises closes the connection with code 1011 and passes through. It may be a coroutine function
        of a connection and a message.
        """
        self._take(self._attach(handler), data)

    def _take(self, handler: Handler, data: str | bytes) -> None:
        if self.status is not SessionStatus.ACTIVE:
            return
        message = fake_message(data, self.pool)
        try:
            handler(self, message)
        except Exception as error:
            self.application_failed(error, handler)
        finally:
            message.expire()
        self._go_on()

    def advance(self, seconds: float) -> None:
        """Let time pass for coroutines, and everything that falls due happen; what a coroutine raises passes
        through."""
        end_ns = self.clock.now_ns() + round(seconds * _NS_PER_S)
        self._settle()
        while (due_ns := self._scheduler.next_deadline_ns()) is not None and due_ns <= end_ns:
            self.clock.advance(max(due_ns - self.clock.now_ns(), 0))
            self._settle()
        self.clock.advance(max(end_ns - self.clock.now_ns(), 0))
        self._go_on()

    def take_bytes(self) -> int:
        """Let the peer read what is pending; return how much that was. Whoever waits in ``drain`` goes on."""
        taken_bytes, self.pending_bytes = self.pending_bytes, 0
        self._wake_drains()
        self._go_on()
        return taken_bytes

    def hold_back(self, stalled: bool) -> None:
        """For the conversation: note that a server would stop to read, or go on."""
        self.held_back = stalled

    def application_failed(self, error: BaseException, origin: object) -> None:
        """For the conversation: keep what a handler raised for the test, and close with 1011."""
        self._failures.append(error)
        self.close(INTERNAL_ERROR, "internal error")

    def peer_closes(self, code: int | None = 1000, reason: str = "") -> None:
        """Let the peer's close frame arrive (``None``: without a code): it is answered, unless it is an answer, and
        the connection is closed. Nothing happens when it was."""
        if self.status is not SessionStatus.CLOSED:
            self.close_sent = self.close_sent or (code, "")
            self._end(NO_STATUS if code is None else code, reason)
            self._go_on()

    def peer_vanishes(self) -> None:
        """Let the connection break: it is closed with code 1006. Nothing happens when it was closed."""
        if self.status is not SessionStatus.CLOSED:
            self._end(ABNORMAL, "")
            self._go_on()

    def _end(self, code: int, reason: str) -> None:
        self.close_code, self.close_reason = code, reason or self.close_reason
        self.session.advance(SessionStatus.CLOSED)
        self._wake_drains()
        if self.conversation is not None:
            self.conversation.connection_closed(lambda: None)

    def _attach(self, handler: AnyHandler) -> Handler:
        """Return what takes the messages for ``handler``; its coroutine begins when it is first seen."""
        if self._attached is None or self._attached[0] is not handler:
            plain = adapt(handler)
            self._attached = handler, plain.attach(self) if isinstance(plain, CoroutineHandler) else plain
        return self._attached[1]

    def _post(self, function: Callable[[], object]) -> bool:
        self._scheduler.schedule(0, function)
        return True

    def _wake_drains(self) -> None:
        for function in self._drains:
            self._scheduler.schedule(0, function)
        self._drains.clear()

    def _settle(self) -> None:
        """Let everything happen that can happen now."""
        while self.executor.run_all() or self._scheduler.run_due(1):
            pass

    def _go_on(self) -> None:
        """As ``_settle``, and raise what went wrong."""
        self._settle()
        failures, self._failures = self._failures, []
        for error in failures:
            raise error

    def _session_ended(self) -> None:
        """The session was cancelled: the peer is told, and answers at once. (Or the connection has ended it.)"""
        if self.close_code is None:
            self.close_sent = self.close_sent or (GOING_AWAY, "session cancelled")
            self._end(self.close_sent[0] or GOING_AWAY, self.close_sent[1])

    def _check_open(self) -> None:
        if self.status is not SessionStatus.ACTIVE:
            raise TransportClosed("the connection is not open", status=self.status.name.lower())


class _Drain(Wait[None]):
    """Waits for ``take_bytes``."""

    __slots__ = ("_waiting",)

    def __init__(self, waiting: list[Callable[[], object]]) -> None:
        self._waiting = waiting

    def begin(self, routine: Routine) -> None:
        """Stand in line."""
        self._waiting.append(partial(routine.resume, self, None))

    def cancel(self) -> None:
        """Nothing to do: whoever does not wait is not resumed."""


__all__ = ["FakeConnection"]
