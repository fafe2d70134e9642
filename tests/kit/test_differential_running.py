"""Executors, timers and pollers: the same script on the real thing and on its fake has the same trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api import FAILED, READABLE, WRITABLE, Cancelable, NotFound, Poller, Reactor
from hioload_ws.api.executor import Task
from hioload_ws.api.types import Handle
from hioload_ws.contract.suites.lines import Line, Lines, SocketLine
from hioload_ws.fake import FakeExecutor, virtual_reactor
from hioload_ws.internal import EpollPoller, PollPoller, PollReactor, SystemClock, WorkerExecutor
from tests.kit.lines import in_a_world, scripted
from tests.kit.scripts import Operation, Trace, attempt, scripts

Events: TypeAlias = "Sequence[tuple[Handle, int]]"

WAIT_NS: Final = 30_000_000_000


class Crew:
    """Plays operations on an executor of one worker: what is submitted waits until ``go``.

    The real worker is held by a task of the player, which the books leave out.
    """

    def __init__(self, executor: WorkerExecutor | FakeExecutor) -> None:
        self._executor = executor
        self._tasks: list[Task[object]] = []
        self._ran: list[str] = []
        self._held_count = 0
        self._hold()

    def play(self, script: Sequence[Operation], *, cancel_queued: bool) -> Trace:
        try:
            trace = [attempt(partial(getattr(self, name), first, second)) for name, first, second in script]
            self._executor.shutdown(cancel_queued=cancel_queued, timeout_ns=1)
        finally:
            self._gate.set()
            ended = self._executor.shutdown()
        after = [attempt(partial(self.submit, 0, 0)), attempt(partial(self.resize, 1, 1))]
        return [*trace, ended, after, self._outcomes(), list(self._ran), self.books(0, 0)]

    def submit(self, kind: int, number: int) -> None:
        name = f"task {len(self._tasks)}"

        def work() -> object:
            self._ran.append(name)
            if kind % 3 == 2:
                raise NotFound("it fails", number=number)
            return number

        task = self._executor.submit(work)
        task.add_done_callback(lambda: self._ran.append(f"{name} done"))
        self._tasks.append(task)

    def cancel(self, index: int, number: int) -> object:
        return self._tasks[index % len(self._tasks)].cancel() if self._tasks else None

    def ask(self, index: int, number: int) -> object:
        """Ask for an outcome without waiting."""
        return attempt(partial(self._tasks[index % len(self._tasks)].result, 0)) if self._tasks else None

    def resize(self, worker_count: int, number: int) -> object:
        self._executor.resize(min(worker_count, 1))
        return self._executor.worker_count

    def go(self, index: int, number: int) -> Trace:
        """Let everything run."""
        self._gate.set()
        if isinstance(self._executor, FakeExecutor):
            self._executor.run_all()
        outcomes = self._outcomes()
        end = self._executor.submit(lambda: None)  # behind everything, callbacks too
        end.result(WAIT_NS)
        self._held_count += 1
        self._hold()
        return [outcomes, list(self._ran), self.books(0, 0)]

    def books(self, index: int, number: int) -> object:
        stats = self._executor.stats()
        counts = stats.submitted_count - self._held_count, stats.failed_count, stats.cancelled_count
        return counts, stats.queued_count, stats.refused_count, stats.worker_count

    def _outcomes(self) -> Trace:
        return [(attempt(partial(task.result, WAIT_NS)), task.done, task.cancelled) for task in self._tasks]

    def _hold(self) -> None:
        self._gate = threading.Event()
        if isinstance(self._executor, WorkerExecutor):
            held, gate = threading.Event(), self._gate

            def hold() -> None:
                held.set()
                gate.wait()

            self._executor.submit(hold)
            held.wait()
            self._held_count += 1


@settings(max_examples=40)
@given(scripts(("submit", "submit", "cancel", "ask", "resize", "go", "books"), 9, 9), st.booleans())
def test_executors_answer_the_same(script: list[Operation], cancel_queued: bool) -> None:
    real = Crew(WorkerExecutor(1, queue_capacity=4)).play(script, cancel_queued=cancel_queued)
    assert Crew(FakeExecutor(queue_capacity=4)).play(script, cancel_queued=cancel_queued) == real


class StandingClock(SystemClock):
    """The machine's time, which stands still until it is let go: deadlines do not depend on how busy it is."""

    __slots__ = ("_stands_ns",)

    def __init__(self) -> None:
        self._stands_ns: int | None = time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() if self._stands_ns is None else self._stands_ns

    def go(self) -> None:
        self._stands_ns = None


def fired(reactor: Reactor, script: Sequence[Operation], go: Callable[[], object]) -> Trace:
    """Return what timers did, in order: a third of them cancels another one."""
    trace: Trace = []
    timers: list[Cancelable] = []
    for name, delay, other in script:
        number = len(timers)
        if name == "cancel":
            trace.append(timers[other % number].cancel() if timers else None)
            continue

        def fire(name: str = name, number: int = number, other: int = other) -> None:
            trace.append(number)
            if name == "rival":
                trace.append(timers[other % len(timers)].cancel())
            elif name == "fail":
                raise NotFound("it fails")

        timers.append(reactor.scheduler.schedule(delay * 500_000, fire))
    go()
    while len(reactor.scheduler):
        reactor.run_once(None)
    return [*trace, [(each.done, each.cancelled, type(each.error).__name__) for each in timers]]


@settings(max_examples=40)
@given(scripts(("plain", "rival", "fail", "cancel"), 4, 9))
def test_timers_fire_in_the_same_order(script: list[Operation]) -> None:
    clock = StandingClock()
    reactor = PollReactor(clock=clock, on_error=lambda error, origin: None)
    real = fired(reactor, script, clock.go)
    reactor.close()
    table = virtual_reactor()
    assert fired(table.reactor, script, lambda: None) == real
    table.reactor.close()


def polled(poller: Poller, lines: Sequence[Line], script: Sequence[Operation]) -> Trace:
    """Return what a poller answers about its lines, by their places."""
    places = {line.handle: place for place, line in enumerate(lines)}
    gone: set[int] = set()
    trace: Trace = []
    for name, first, second in script:
        place = first % len(lines)
        handle = lines[place].handle
        if name == "set" and place not in gone:
            lines[place].set(readable=bool(second & 1), writable=bool(second & 2))
        elif name == "hang up":
            gone.add(place)
            lines[place].hang_up()
        elif name in ("register", "modify"):
            interest = (0, READABLE, WRITABLE, READABLE | WRITABLE, FAILED)[second % 5]
            trace.append(attempt(partial(getattr(poller, name), handle, interest)))
        elif name == "unregister":
            trace.append(attempt(partial(poller.unregister, handle)))
        elif name == "close":
            poller.close()
        events = attempt(partial(poller.poll, 0, 9))
        if not isinstance(events, str):
            seen = [(places[each], ready & ~FAILED, bool(ready & FAILED)) for each, ready in cast(Events, events)]
            events = sorted(seen)
        trace.append((events, len(poller)))
    poller.close()
    for line in lines:
        line.close()
    return trace


POLLED = scripts(("set", "set", "register", "register", "modify", "unregister", "hang up", "close"), 2, 9)


@pytest.mark.parametrize("real", [EpollPoller, PollPoller])
@pytest.mark.parametrize("make", [scripted, in_a_world])
def test_pollers_answer_the_same(make: Callable[[], tuple[Poller, Lines]], real: type[Poller]) -> None:
    @settings(max_examples=40)
    @given(POLLED)
    def compare(script: list[Operation]) -> None:
        poller, lines = make()
        wanted = polled(real(), [SocketLine() for _ in range(3)], script)
        assert polled(poller, [lines.add() for _ in range(3)], script) == wanted

    compare()
