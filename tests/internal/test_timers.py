"""Timers: never early, never twice, never after a cancel, and painless by the hundred thousand."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hioload_ws.api.errors import InvalidArgument, WrongThread
from hioload_ws.api.scheduler import Cancelable, Scheduler
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.internal.timers import TimerScheduler


class Bench:
    """A scheduler on a virtual clock, and a record of what ran and what was reported."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.reported: list[tuple[BaseException, object]] = []
        self.timers = TimerScheduler(self.clock, lambda error, origin: self.reported.append((error, origin)))
        self.ran: list[str] = []

    def note(self, name: str) -> Callable[[], object]:
        return lambda: self.ran.append(name)

    def advance(self, duration_ns: int, budget: int = 1000) -> int:
        self.clock.advance(duration_ns)
        return self.timers.run_due(budget)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_timer_runs_when_its_delay_has_passed_and_not_before(bench: Bench) -> None:
    contract: Scheduler = bench.timers
    timer = contract.schedule(10, bench.note("a"))
    assert contract.next_deadline_ns() == 10
    assert bench.advance(9) == 0 and not timer.done
    assert bench.advance(1) == 1
    assert bench.ran == ["a"] and timer.done and not timer.cancelled and timer.error is None
    assert bench.advance(100) == 0 and contract.next_deadline_ns() is None


def test_a_delay_of_zero_runs_at_the_next_call_not_within_this_one(bench: Bench) -> None:
    bench.timers.schedule(0, bench.note("a"))
    assert bench.ran == []
    assert bench.advance(0) == 1


def test_equal_deadlines_run_in_the_order_of_scheduling(bench: Bench) -> None:
    for name in "abcde":
        bench.timers.schedule(5, bench.note(name))
    bench.advance(5)
    assert bench.ran == list("abcde")


def test_a_function_scheduled_meanwhile_waits_for_the_next_call(bench: Bench) -> None:
    def chain() -> None:
        bench.ran.append("first")
        bench.timers.schedule(0, bench.note("second"))

    bench.timers.schedule(0, chain)
    bench.timers.schedule(0, bench.note("third"))
    assert bench.advance(0) == 2
    assert bench.ran == ["first", "third"]
    assert bench.advance(0) == 1
    assert bench.ran[-1] == "second"


def test_the_budget_bounds_one_call_and_the_rest_stays_due(bench: Bench) -> None:
    for name in "abc":
        bench.timers.schedule(1, bench.note(name))
    assert bench.advance(1, budget=2) == 2
    assert bench.timers.next_deadline_ns() == 1
    assert bench.advance(0, budget=2) == 1
    assert bench.ran == list("abc")


def test_a_cancelled_timer_never_runs_and_frees_what_it_held(bench: Bench) -> None:
    timer = bench.timers.schedule(5, bench.note("a"))
    assert timer.cancel() is True
    assert timer.cancelled and timer.done and timer._function is None
    assert timer.cancel() is False
    assert len(bench.timers) == 0
    assert bench.advance(10) == 0 and bench.ran == []


def test_cancelling_after_the_run_says_false_and_changes_nothing(bench: Bench) -> None:
    timer = bench.timers.schedule(5, bench.note("a"))
    bench.advance(5)
    assert timer.cancel() is False
    assert timer.done and not timer.cancelled


def test_a_one_shot_timer_can_not_cancel_itself_any_more(bench: Bench) -> None:
    answers: list[bool] = []
    timer = bench.timers.schedule(1, lambda: answers.append(timer.cancel()))
    bench.advance(1)
    assert answers == [False] and not timer.cancelled


def test_one_timer_can_cancel_another_that_is_due_in_the_same_call(bench: Bench) -> None:
    bench.timers.schedule(1, lambda: victim.cancel())
    victim = bench.timers.schedule(1, bench.note("victim"))
    assert bench.advance(1) == 1
    assert bench.ran == [] and victim.cancelled and len(bench.timers) == 0


def test_a_periodic_timer_keeps_its_grid_without_drift(bench: Bench) -> None:
    moments: list[int] = []
    bench.timers.schedule_every(10, lambda: moments.append(bench.clock.now_ns()))
    for step in (10, 13, 7, 10):
        bench.advance(step)
    assert moments == [10, 23, 30, 40]


def test_missed_periods_are_skipped_not_made_up_for(bench: Bench) -> None:
    timer = bench.timers.schedule_every(10, bench.note("tick"))
    assert bench.advance(57) == 1
    assert bench.timers.next_deadline_ns() == 60
    assert not timer.done


def test_a_run_that_lasts_longer_than_its_period_skips_what_it_missed(bench: Bench) -> None:
    bench.timers.schedule_every(10, lambda: bench.clock.advance(25))
    assert bench.advance(10) == 1
    assert bench.timers.next_deadline_ns() == 40


def test_a_periodic_timer_can_cancel_itself(bench: Bench) -> None:
    answers: list[bool] = []
    timer = bench.timers.schedule_every(10, lambda: answers.append(timer.cancel()))
    bench.advance(10)
    bench.advance(10)
    assert answers == [True] and timer.cancelled and len(bench.timers) == 0


def test_an_exception_is_kept_and_reported_and_stops_nobody(bench: Bench) -> None:
    error = ValueError("x")

    def fail() -> None:
        raise error

    timer = bench.timers.schedule(1, fail)
    bench.timers.schedule(1, bench.note("next"))
    assert bench.advance(1) == 2
    assert timer.error is error and timer.done
    assert bench.reported == [(error, fail)]
    assert bench.ran == ["next"]


def test_a_periodic_timer_goes_on_after_an_exception_and_forgets_it_when_it_succeeds(bench: Bench) -> None:
    outcomes = iter([True, False])

    def sometimes() -> None:
        if next(outcomes):
            raise ValueError("once")

    timer = bench.timers.schedule_every(10, sometimes)
    bench.advance(10)
    assert isinstance(timer.error, ValueError) and not timer.done
    bench.advance(10)
    assert timer.error is None


@pytest.mark.parametrize("periodic", [False, True])
def test_a_keyboard_interrupt_passes_through_with_the_books_right(bench: Bench, periodic: bool) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    timer = (bench.timers.schedule_every if periodic else bench.timers.schedule)(1, interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.advance(1)
    assert isinstance(timer.error, KeyboardInterrupt)
    assert timer.done is not periodic
    assert len(bench.timers) == int(periodic)
    assert bench.reported == []


def test_arguments_out_of_range_are_refused(bench: Bench) -> None:
    for call in (
        lambda: bench.timers.schedule(-1, bench.note("a")),
        lambda: bench.timers.schedule_every(0, bench.note("a")),
        lambda: bench.timers.run_due(0),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert len(bench.timers) == 0


def test_a_guard_can_refuse_and_then_nothing_is_scheduled() -> None:
    def guard() -> None:
        raise WrongThread("no")

    timers = TimerScheduler(VirtualClock(), guard=guard)
    with pytest.raises(WrongThread):
        timers.schedule(1, guard)
    assert len(timers) == 0


def test_close_cancels_everything(bench: Bench) -> None:
    pending = [bench.timers.schedule(5, bench.note("a")), bench.timers.schedule_every(5, bench.note("b"))]
    bench.timers.close()
    bench.timers.close()
    assert all(timer.cancelled for timer in pending)
    assert bench.advance(100) == 0 and len(bench.timers) == 0


def test_a_hundred_thousand_timers_leave_no_garbage_behind(bench: Bench) -> None:
    timers = [bench.timers.schedule(1000 + number % 7, bench.note("x")) for number in range(100_000)]
    for timer in timers[:-5]:
        timer.cancel()
    assert len(bench.timers) == 5
    bench.timers.next_deadline_ns()
    assert len(bench.timers._heap) == 5
    assert bench.advance(2000) == 5


@pytest.mark.usefixtures("frozen_heap")
def test_a_hundred_thousand_timers_of_which_half_are_cancelled_run_within_a_second(bench: Bench) -> None:
    count, ran = 100_000, [0]

    def run() -> None:
        ran[0] += 1

    # CPU time of this thread: what other programs do meanwhile is not counted.
    start_s = time.thread_time()
    timers = [bench.timers.schedule(number * 7919 % 1_000_003, run) for number in range(count)]
    for timer in timers[::2]:
        timer.cancel()
    assert len(bench.timers) == count // 2
    turn_count = 0
    while (deadline_ns := bench.timers.next_deadline_ns()) is not None:
        bench.clock.advance(deadline_ns - bench.clock.now_ns())
        turn_count += 1
        assert bench.timers.run_due(256) >= 1
    spent_s = time.thread_time() - start_s
    assert ran == [count // 2] == [turn_count], "all deadlines differ, so each has a turn of its own"
    assert all(timer.done for timer in timers)
    # Traced by a coverage tool, every line costs many times as much.
    assert spent_s < 1 or sys.gettrace() is not None, f"{spent_s:.2f} s"


def test_request_timeouts_that_are_always_cancelled_keep_the_heap_small(bench: Bench) -> None:
    for _ in range(10_000):
        bench.timers.schedule(10**9, bench.note("timeout")).cancel()
        assert len(bench.timers._heap) <= 130


class TimerMachine(RuleBasedStateMachine):
    """Random use against the simplest model: a list that is searched for what is due."""

    @initialize()
    def begin(self) -> None:
        self.clock = VirtualClock()
        self.timers = TimerScheduler(self.clock)
        self.names = itertools.count()
        self.ran: list[int] = []
        self.handles: dict[int, Cancelable] = {}
        self.pending: dict[int, tuple[int, int]] = {}  # name -> deadline, period

    @rule(delay=st.integers(0, 20))
    def schedule(self, delay: int) -> None:
        name = next(self.names)
        self.handles[name] = self.timers.schedule(delay, lambda: self.ran.append(name))
        self.pending[name] = (self.clock.now_ns() + delay, 0)

    @rule(period=st.integers(1, 20))
    def schedule_every(self, period: int) -> None:
        name = next(self.names)
        self.handles[name] = self.timers.schedule_every(period, lambda: self.ran.append(name))
        self.pending[name] = (self.clock.now_ns() + period, period)

    @rule(count=st.integers(1, 60))
    def schedule_and_cancel_many(self, count: int) -> None:
        for _ in range(count):
            assert self.timers.schedule(3, lambda: self.ran.append(-1)).cancel()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.handles:
            name = data.draw(st.sampled_from(sorted(self.handles)))
            assert self.handles[name].cancel() is (self.pending.pop(name, None) is not None)

    @rule(step=st.integers(0, 25), budget=st.integers(1, 5))
    def advance(self, step: int, budget: int) -> None:
        self.clock.advance(step)
        now = self.clock.now_ns()
        # A name grows with each scheduling, so it is also the order among equal deadlines.
        due = sorted((deadline, name) for name, (deadline, _) in self.pending.items() if deadline <= now)
        expected = [name for _, name in due[:budget]]
        for name in expected:
            deadline, period = self.pending.pop(name)
            if period:
                while deadline <= now:
                    deadline += period
                self.pending[name] = (deadline, period)
        self.ran.clear()
        assert self.timers.run_due(budget) == len(expected)
        assert self.ran == expected

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "timers"):
            return
        deadlines = [deadline for deadline, _ in self.pending.values()]
        assert self.timers.next_deadline_ns() == min(deadlines, default=None)
        assert len(self.timers) == len(deadlines)
        assert {name for name, handle in self.handles.items() if not handle.done} == set(self.pending)


TestTimerMachine = TimerMachine.TestCase
TestTimerMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
