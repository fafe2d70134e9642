"""Coroutines on a reactor: what may be awaited, how one goes on, and how it is ended from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from hioload_ws.api import Cancelled, InvalidArgument, ResourceExhausted
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.executor import FakeExecutor
from hioload_ws.internal.coroutines import Routine, Runner, Wait, in_worker, sleep
from hioload_ws.internal.executor import WorkerExecutor
from hioload_ws.internal.reactor import PollReactor
from hioload_ws.internal.timers import TimerScheduler

SECOND = 1_000_000_000


class Stage(Routine):
    """A routine that keeps how it ended."""

    outcome: object = "not ended"

    def _finished(self, error: Exception | None) -> None:
        self.outcome = error


class Theatre:
    """A runner in virtual time, with workers that work when told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.scheduler = TimerScheduler(self.clock, on_error=self._raise)
        self.executor = FakeExecutor(self.clock, queue_capacity=2)
        self.runner = Runner(self.scheduler, self._post, self.executor)

    def _raise(self, error: BaseException, origin: object) -> None:
        raise error

    def _post(self, function: Callable[[], object]) -> bool:
        self.scheduler.schedule(0, function)
        return True

    def play(self, coroutine: Coroutine[object, object, object]) -> Stage:
        """Start a coroutine."""
        stage = Stage(coroutine, self.runner)
        stage.start()
        return stage

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass; workers finish what they have."""
        self.clock.advance(round(seconds * SECOND))
        while self.executor.run_all() or self.scheduler.run_due(1):
            pass


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()


def test_a_coroutine_that_never_waits_ends_at_once(theatre: Theatre) -> None:
    async def nothing() -> None:
        return

    stage = theatre.play(nothing())
    assert stage.ended
    assert stage.outcome is None


def test_sleep_goes_on_when_the_time_has_come_and_not_before(theatre: Theatre) -> None:
    seen: list[str] = []

    async def nap() -> None:
        await sleep(0)
        seen.append("first")
        await sleep(1.5)
        seen.append("second")

    stage = theatre.play(nap())
    assert seen == []
    theatre.advance()
    assert seen == ["first"]
    theatre.advance(1.499)
    assert not stage.ended
    theatre.advance(0.001)
    assert (seen, stage.outcome) == (["first", "second"], None)


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidArgument):
        sleep(seconds)


def test_a_worker_s_result_is_that_of_the_await(theatre: Theatre) -> None:
    async def ask() -> list[int]:
        results.append(await in_worker(divmod, 7, 2))
        results.append(await in_worker(sorted, [2, 1], reverse=False))
        return []

    results: list[object] = []
    stage = theatre.play(ask())
    assert not stage.ended
    theatre.advance()
    assert results == [(3, 1), [1, 2]]
    assert stage.ended


def test_what_a_worker_s_function_raises_is_raised_at_the_await(theatre: Theatre) -> None:
    async def ask() -> None:
        with pytest.raises(ZeroDivisionError):
            await in_worker(divmod, 1, 0)
        await in_worker(divmod, 2, 0)

    stage = theatre.play(ask())
    theatre.advance()
    assert isinstance(stage.outcome, ZeroDivisionError)


def test_a_full_executor_is_an_error_at_the_await(theatre: Theatre) -> None:
    async def ask() -> None:
        await in_worker(int)

    stages = [theatre.play(ask()) for _ in range(3)]
    assert isinstance(stages[2].outcome, ResourceExhausted)
    theatre.advance()
    assert [stage.outcome for stage in stages[:2]] == [None, None]


async def _none() -> None:
    await asyncio.sleep(0)


async def _future() -> None:
    loop = asyncio.new_event_loop()
    try:
        await loop.create_future()
    finally:
        loop.close()


@pytest.mark.parametrize(("foreign", "name"), [(_none, "NoneType"), (_future, "Future")])
def test_what_is_not_ours_can_not_be_awaited_and_the_error_says_what_can(
    theatre: Theatre, foreign: Callable[[], Awaitable[None]], name: str
) -> None:
    async def wait() -> None:
        try:
            await foreign()
        except InvalidArgument as error:
            caught.append(error)
        await sleep(1)  # and it may go on

    caught: list[InvalidArgument] = []
    stage = theatre.play(wait())
    assert caught[0].context["awaited"] == name
    assert "in_worker()" in caught[0].message
    theatre.advance(1)
    assert stage.outcome is None


def test_an_interrupted_coroutine_cleans_up_and_may_wait_meanwhile(theatre: Theatre) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await sleep(1)
            seen.append("given back")

    async def work() -> None:
        async with resource():
            try:
                await sleep(3600)
            finally:
                seen.append("finally")

    stage = theatre.play(work())
    stage.interrupt(Cancelled("enough"))
    assert (seen, stage.ended) == (["finally"], False)
    theatre.advance(1)
    assert seen == ["finally", "given back"]
    assert isinstance(stage.outcome, Cancelled)
    assert len(theatre.scheduler) == 0  # the first sleep's timer was taken back


def test_an_interrupted_call_to_a_worker_is_withdrawn_or_its_result_dropped(theatre: Theatre) -> None:
    async def ask() -> None:
        try:
            await in_worker(called.append, 1)
        except Cancelled:
            await in_worker(called.append, 2)

    called: list[int] = []
    stage = theatre.play(ask())
    stage.interrupt(Cancelled("enough"))
    theatre.advance()
    assert (called, stage.outcome) == ([2], None)

    # The function has run, and its result is on its way.
    late = theatre.play(ask())
    theatre.executor.run_next()
    late.interrupt(Cancelled("enough"))
    theatre.advance()
    assert called == [2, 1, 2]
    assert late.outcome is None


def test_a_result_that_nobody_waits_for_any_more_changes_nothing(theatre: Theatre) -> None:
    kept: list[tuple[Routine, Wait[object]]] = []

    class Kept(Wait[object]):
        def begin(self, routine: Routine) -> None:
            kept.append((routine, self))

        def cancel(self) -> None:
            pass

    async def wait_twice() -> None:
        await Kept()
        await Kept()

    stage = theatre.play(wait_twice())
    routine, first = kept[0]
    routine.resume(first, None)
    routine.resume(first, None)
    routine.fail(first, ValueError())
    assert not stage.ended
    routine.fail(kept[1][1], ValueError("now"))
    assert isinstance(stage.outcome, ValueError)


async def sleep_once() -> None:
    await sleep(1)


def test_an_aborted_coroutine_runs_its_finally_and_can_not_wait(theatre: Theatre) -> None:
    seen: list[str] = []

    async def polite() -> None:
        try:
            await sleep(1)
        finally:
            seen.append("finally")

    async def stubborn() -> None:
        try:
            await sleep(1)
        finally:
            await sleep(1)

    stage = theatre.play(polite())
    stage.abort()
    assert (seen, stage.outcome) == (["finally"], None)
    unstarted = Stage(sleep_once(), theatre.runner)
    unstarted.abort()
    assert unstarted.outcome is None
    stage = theatre.play(stubborn())
    stage.abort()
    assert isinstance(stage.outcome, RuntimeError)


def test_ctrl_c_in_a_coroutine_is_for_whoever_runs_the_reactor(theatre: Theatre) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    stage = Stage(interrupted(), theatre.runner)
    with pytest.raises(KeyboardInterrupt):
        stage.start()
    assert stage.ended


def test_results_of_real_workers_come_to_the_reactor_s_thread() -> None:
    reactor = PollReactor()
    executor = WorkerExecutor(2)
    runner = Runner(reactor.scheduler, reactor.post, executor)
    threads: list[int] = []

    async def ask() -> None:
        threads.append(await in_worker(threading.get_ident))
        threads.append(threading.get_ident())
        reactor.stop()

    stage = Stage(ask(), runner)
    stage.start()
    reactor.run()
    assert stage.outcome is None
    assert threads[0] != threads[1] == threading.get_ident()
    runner.close()
    executor.shutdown()
    reactor.close()


def test_a_worker_whose_post_is_refused_tries_again_until_there_is_room_or_the_end() -> None:
    answers = iter([False, False, True])
    scheduler = TimerScheduler(VirtualClock())
    runner = Runner(scheduler, lambda function: next(answers), FakeExecutor())
    runner.post(lambda: None)
    assert next(answers, "used up") == "used up"
    runner = Runner(scheduler, lambda function: False, FakeExecutor())
    runner.close()
    runner.post(lambda: None)  # returns: nobody waits for it


def test_a_result_that_is_there_at_once_is_delivered_later_all_the_same(theatre: Theatre) -> None:
    class Eager(FakeExecutor):
        def submit(self, function):  # type: ignore[no-untyped-def]  # as its parent
            task = super().submit(function)
            self.run_all()
            return task

    theatre.runner.executor = Eager(theatre.clock)

    async def ask() -> None:
        results.append(await in_worker(int, "7"))

    results: list[int] = []
    theatre.play(ask())
    assert results == []
    theatre.advance()
    assert results == [7]
