"""Reconnect: a client that comes back. With callbacks:

    def make() -> Client:
        client = Client("wss://example.org/feed")
        client.on_message(show)
        return client

    Reconnect(make).run()

and with calls that wait:

    for attempt in reconnecting(lambda: connect("wss://example.org/feed")):
        with attempt as connection:
            for message in connection:
                print(message)

A connection has a state that no helper can bring back (what was subscribed to, what was not answered), so each
attempt is a new client, made by a function of yours, and what has to be said at the beginning is said again, in
``on_open`` or at the start of the block. A message that was on its way when a connection broke is not sent again.

How long it waits, and after what it gives up, is in ``backoff.py``. Both forms end when you say so (``stop``,
``break``) or when the connection closes in a way that says that all is done.
"""

from __future__ import annotations

import random as _random
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import TypeVar, cast

from ..api.clock import Clock
from ..api.errors import ConnectionLost, HioloadError, InvalidState, TransportClosed
from ..api.handler import CloseEvent
from ..api.poller import Poller
from ..api.types import Nanoseconds
from ..internal.clock import SystemClock
from ..internal.faults import ErrorHook, log_error, report
from ..internal.reactor import PollReactor
from .backoff import Backoff, IsTransient, Outcome, Retries, is_transient
from .blocking import BlockingConnection
from .client import Client
from .hub import ns

_WaitHandler = TypeVar("_WaitHandler", bound="Callable[[WaitEvent], object]")


class WaitEvent:
    """An attempt failed, or a connection ended, and there will be another one after ``delay_s`` seconds.

    ``outcome`` is the error or the ``CloseEvent``; ``failure_count`` counts failures in a row.
    """

    __slots__ = ("delay_s", "failure_count", "outcome")

    def __init__(self, outcome: Outcome, failure_count: int, delay_s: float) -> None:
        self.outcome = outcome
        self.failure_count = failure_count
        self.delay_s = delay_s


class Reconnect:
    """Makes a client, and another one whenever it should. Used once, like a client.

    Thread rules: the thread that turns it; ``post`` from any.
    """

    client: Client | None
    """The client of the current attempt; between two attempts ``None``."""
    closed_event: CloseEvent | None
    """How the last connection that was open ended."""
    failure: Exception | None
    """What the last attempt failed with; ``None`` after one that opened."""

    def __init__(
        self,
        make_client: Callable[[], Client],
        backoff: Backoff = Backoff(),
        *,
        is_transient: IsTransient = is_transient,
        random: Callable[[], float] = _random.random,
        clock: Clock | None = None,
        poller: Callable[[], Poller] | None = None,
        on_error: ErrorHook = log_error,
    ) -> None:
        """Prepare; nothing is opened yet. ``make_client`` returns a new client with its callbacks each time.

        ``is_transient`` says after which outcomes to come back; ``random`` draws from 0 to below 1. ``clock`` and
        ``poller`` are for the waits, as those of ``Client``. ``on_error`` gets what handlers raise.
        """
        self._make_client = make_client
        self._retries = Retries(backoff, is_transient, random)
        self._clock = SystemClock() if clock is None else clock
        self._make_poller = poller
        self._on_error = on_error
        self._wait_handlers: list[Callable[[WaitEvent], object]] = []
        self._room: PollReactor | None = None
        self._posted: deque[Callable[[], object]] = deque()
        self._open_since_ns: Nanoseconds | None = None
        self._due_ns = Nanoseconds(0)
        self._stopping = self._ended = False
        self.client = None
        self.closed_event = None
        self.failure = None

    def on_wait(self, handler: _WaitHandler) -> _WaitHandler:
        """Decorator: the function is called with a ``WaitEvent`` before each wait."""
        self._wait_handlers.append(handler)
        return handler

    @property
    def ended(self) -> bool:
        """Whether there will be no further attempt, and none is under way."""
        return self._ended

    def start(self) -> None:
        """Make the first attempt; ``turn`` goes on with it.

        Raises ``InvalidState`` the second time, and what ``make_client`` and ``Client.start`` raise for a fault of
        the caller's; everything is released then.
        """
        if self._room is not None or self._ended:
            raise InvalidState("it is used once")
        poller = None if self._make_poller is None else self._make_poller()
        # Where it waits between two attempts, so that a post wakes it there, too.
        self._room = PollReactor(poller, self._clock, on_error=self._on_error)
        try:
            self._attempt()
        except BaseException:
            self.close()
            raise

    def turn(self, timeout_ns: Nanoseconds | None = None) -> int:
        """Make one turn that waits at most ``timeout_ns``; return the work done.

        Raises what ``make_client`` raises and what is a fault of the caller's; it has ended then.
        """
        if self._room is None:
            raise InvalidState("it has not started")
        if self._posted:
            timeout_ns = 0
        work_count = 0
        client = self.client
        if client is not None:
            work_count = client.turn(timeout_ns)
            if client.ended:
                self._conclude(client)
        elif not self._ended:
            rest_ns = max(self._due_ns - self._clock.now_ns(), 0)
            if rest_ns:
                work_count = self._room.run_once(rest_ns if timeout_ns is None else min(rest_ns, timeout_ns))
            else:
                work_count = 1
                self._attempt()
        for _ in range(len(self._posted)):
            work_count += 1
            self._call(self._posted.popleft())
        return work_count

    def run(self) -> CloseEvent | None:
        """Connect, and again, until that is over; release everything; return how the last connection closed.

        ``None`` when ``stop`` ended it while there was no connection. Raises what the last attempt failed with,
        when that is not to be repeated or was repeated often enough, and what ``start`` raises.
        """
        try:
            self.start()
            while not self._ended:
                self.turn()
        finally:
            self.close()
        if self.failure is not None and not self._stopping:
            raise self.failure
        return None if self.failure is not None else self.closed_event

    def stop(self, code: int = 1000, reason: str = "") -> None:
        """Close an open connection politely and do not come back; without one it ends at once. Idempotent.

        Raises ``InvalidArgument`` for a code that may not be sent; nothing is changed then.
        """
        client = self.client
        if client is not None and client.connection is not None:
            client.connection.close(code, reason)
            self._stopping = True
            return
        self._stopping = self._ended = True
        if client is not None:
            client.close()
            self._conclude(client)

    def post(self, function: Callable[[], object]) -> bool:
        """Have ``function()`` run on this one's thread, from any thread; ``False`` before the start and after the
        end."""
        room = self._room
        if room is None or self._ended:
            return False
        self._posted.append(function)
        client = self.client  # as it is after the append: whoever comes later looks at what is posted first
        try:
            # Only where it waits now. An inbox that nobody empties would be full some day.
            (room if client is None else client).post(_nothing)
        except InvalidState:
            pass  # the client is being started, and will not wait
        return True

    def close(self) -> None:
        """Release everything at once; an open connection is dropped without a closing handshake. Idempotent."""
        self._ended = True
        client, self.client = self.client, None
        if client is not None:
            client.close()
        if self._room is not None:
            self._room.close()

    def _attempt(self) -> None:
        """Make a client and start it. What is the caller's fault, and so would be next time, is raised."""
        client = self._make_client()
        client.on_open(lambda event: self._opened())
        self._open_since_ns = None
        self.client = client
        try:
            client.start()
        except HioloadError as error:
            client.failure = error
            self._conclude(client)

    def _opened(self) -> None:
        self._open_since_ns = self._clock.now_ns()

    def _conclude(self, client: Client) -> None:
        """An attempt is over: wait for the next one, or end."""
        self.client = None
        client.close()
        self.closed_event = client.closed_event or self.closed_event
        self.failure = client.failure
        outcome = cast(Outcome, client.closed_event or client.failure)  # or it would not have ended
        since_ns = self._open_since_ns
        open_ns = 0 if since_ns is None else self._clock.now_ns() - since_ns
        delay_s = None if self._stopping else self._retries.wait_s(outcome, open_ns)
        if delay_s is None:
            self._ended = True
            return
        self._due_ns = self._clock.now_ns() + ns(delay_s)
        event = WaitEvent(outcome, self._retries.failure_count, delay_s)
        for handler in self._wait_handlers:
            self._call(partial(handler, event))

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:
            report(self._on_error, error, function)


class Attempt:
    """One open connection of ``reconnecting``: a context that says afterwards how it ended."""

    __slots__ = ("_connection", "_is_transient", "entered", "outcome")

    entered: bool
    """Whether ``with`` was used."""
    outcome: Outcome | None
    """What broke the connection, if it is worth coming back for."""

    def __init__(self, connection: BlockingConnection, is_transient: IsTransient) -> None:
        self._connection = connection
        self._is_transient = is_transient
        self.entered = False
        self.outcome = None

    def __enter__(self) -> BlockingConnection:
        """Return the connection; leaving the block closes it."""
        self.entered = True
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Close the connection. A loss of it is kept for the next round; every other exception passes."""
        event = self._connection.closed_event
        self._connection.__exit__(kind, error, trace)
        outcome: Outcome | None = event
        if isinstance(error, ConnectionLost):
            outcome = error
        elif error is not None and not isinstance(error, TransportClosed):
            return False
        if outcome is not None and self._is_transient(outcome):
            self.outcome = outcome
            return True
        return False


def reconnecting(
    connect: Callable[[], BlockingConnection],
    backoff: Backoff = Backoff(),
    *,
    is_transient: IsTransient = is_transient,
    random: Callable[[], float] = _random.random,
    wait: Callable[[float], object] = time.sleep,
    clock: Clock | None = None,
) -> Iterator[Attempt]:
    """Yield an attempt with an open connection, and after it broke another one.

    Use ``with attempt as connection``: the block is left without an exception when the connection is lost, closed
    by the peer or not, in a way that is worth coming back for; the next round begins after a wait. The loop ends when
    the block ends with the connection still open, or closed for good; ``break`` when all is done. Raises what
    ``connect`` raises when that is not transient, or when the attempts are used up; the same for what broke the last
    connection (``ConnectionLost`` for a close). ``wait(seconds)`` waits; ``clock`` measures how long a connection was
    open.
    """
    clock = SystemClock() if clock is None else clock
    retries = Retries(backoff, is_transient, random)
    while True:
        since_ns = None
        outcome: Outcome | None
        try:
            connection = connect()
        except HioloadError as error:
            outcome = error
        else:
            since_ns = clock.now_ns()
            attempt = Attempt(connection, is_transient)
            try:
                yield attempt
            finally:
                connection.drop()
            if not attempt.entered:
                raise InvalidState("an attempt is used with: with attempt as connection")
            outcome = attempt.outcome
            if outcome is None:
                return
        delay_s = retries.wait_s(outcome, 0 if since_ns is None else clock.now_ns() - since_ns)
        if delay_s is None:
            raise _given_up(outcome, retries.failure_count)
        wait(delay_s)


def _given_up(outcome: Outcome, failure_count: int) -> Exception:
    if isinstance(outcome, Exception):
        return outcome
    lost = ConnectionLost("the connection closed again and again", code=outcome.code, failures=failure_count)
    lost.__cause__ = outcome.error
    return lost


def _nothing() -> None:
    """Wake somebody up."""


__all__ = ["Attempt", "Reconnect", "WaitEvent", "reconnecting"]
