"""Deadlines that move: a touch is one store, nothing expires early, and at most one tick late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument, InvalidState
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.internal.deadlines import Deadline, DeadlineWheel
from hioload_ws.internal.timers import TimerScheduler

TICK = 10


class Bench:
    """A wheel on a virtual clock, and a record of what expired when."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.timers = TimerScheduler(self.clock)
        self.reported: list[BaseException] = []
        self.wheel = DeadlineWheel(self.timers, TICK, lambda error, origin: self.reported.append(error))
        self.expired: list[tuple[str, int]] = []

    def deadline(self, name: str, deadline_ns: int) -> Deadline:
        made = Deadline(lambda: self.expired.append((name, self.clock.now_ns())), deadline_ns)
        self.wheel.file(made)
        return made

    def run_until(self, end_ns: int) -> None:
        while (next_ns := self.timers.next_deadline_ns()) is not None and next_ns <= end_ns:
            self.clock.advance(max(next_ns - self.clock.now_ns(), 0))
            self.timers.run_due(100)
        self.clock.advance(end_ns - self.clock.now_ns())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_deadline_expires_once_at_the_tick_after_it_passed(bench: Bench) -> None:
    deadline = bench.deadline("a", 42)
    bench.run_until(200)
    assert bench.expired == [("a", 50)]
    assert not deadline.filed and len(bench.wheel) == 0


def test_a_deadline_on_a_tick_expires_on_it(bench: Bench) -> None:
    bench.deadline("a", 40)
    bench.run_until(40)
    assert bench.expired == [("a", 40)]


def test_moving_a_deadline_back_costs_no_timer_and_postpones_it(bench: Bench) -> None:
    deadline = bench.deadline("a", 40)
    before = bench.timers._sequence
    for moment in range(1, 39):
        deadline.deadline_ns = 40 + moment
    assert bench.timers._sequence == before
    bench.run_until(70)
    assert bench.expired == []
    bench.run_until(80)
    assert bench.expired == [("a", 80)]


def test_filing_one_that_was_moved_back_leaves_it_where_it_is_until_it_is_looked_at(bench: Bench) -> None:
    deadline = bench.deadline("a", 40)
    deadline.deadline_ns = 95
    bench.wheel.file(deadline)
    assert len(bench.wheel) == 1 and bench.timers.next_deadline_ns() == 40
    bench.run_until(99)
    assert bench.expired == []
    bench.run_until(100)
    assert bench.expired == [("a", 100)]


def test_a_busy_connection_is_looked_at_once_per_span(bench: Bench) -> None:
    deadline = bench.deadline("a", 1000)
    looks = 0
    for now in range(0, 10_000, 5):
        bench.clock.advance(now - bench.clock.now_ns())
        deadline.deadline_ns = now + 1000
        looks += bench.timers.run_due(10)
    assert bench.expired == [] and looks <= 10


def test_moving_a_deadline_forward_needs_filing_and_then_expires_in_time(bench: Bench) -> None:
    deadline = bench.deadline("a", 1000)
    deadline.deadline_ns = 30
    bench.wheel.file(deadline)
    assert len(bench.wheel) == 1
    bench.run_until(2000)
    assert bench.expired == [("a", 30)]


def test_the_earlier_of_two_filed_in_any_order_comes_first(bench: Bench) -> None:
    bench.deadline("late", 90)
    bench.deadline("early", 20)
    bench.deadline("middle", 50)
    bench.run_until(100)
    assert bench.expired == [("early", 20), ("middle", 50), ("late", 90)]


def test_filing_anew_far_away_does_not_hide_a_nearer_one(bench: Bench) -> None:
    moved = bench.deadline("moved", 10)
    bench.deadline("near", 30)
    moved.deadline_ns = 500
    bench.run_until(1000)
    assert bench.expired == [("near", 30), ("moved", 500)]


def test_a_deadline_in_the_past_expires_at_the_next_look(bench: Bench) -> None:
    bench.clock.advance(100)
    bench.deadline("past", -7)
    assert bench.expired == []
    bench.run_until(100)
    assert bench.expired == [("past", 100)]


def test_a_withdrawn_deadline_never_expires_and_is_forgotten(bench: Bench) -> None:
    deadline = bench.deadline("a", 40)
    assert bench.wheel.withdraw(deadline) is True
    assert bench.wheel.withdraw(deadline) is False
    assert bench.wheel._filed == {} and not deadline.filed
    bench.run_until(100)
    assert bench.expired == []


def test_an_empty_wheel_keeps_no_timer(bench: Bench) -> None:
    deadline = bench.deadline("a", 40)
    assert bench.timers.next_deadline_ns() == 40
    bench.wheel.withdraw(deadline)
    assert bench.timers.next_deadline_ns() is None


def test_a_look_in_vain_arms_for_what_is_left(bench: Bench) -> None:
    gone = bench.deadline("gone", 20)
    bench.deadline("left", 60)
    bench.wheel.withdraw(gone)
    bench.run_until(100)
    assert bench.expired == [("left", 60)]


def test_an_expiring_function_may_withdraw_a_neighbour_of_the_same_tick(bench: Bench) -> None:
    killer = Deadline(lambda: bench.wheel.withdraw(victim), 10)
    bench.wheel.file(killer)
    victim = bench.deadline("victim", 10)
    bench.run_until(100)
    assert bench.expired == [] and len(bench.wheel) == 0


def test_an_expiring_function_may_file_itself_again(bench: Bench) -> None:
    moments: list[int] = []

    def again() -> None:
        moments.append(bench.clock.now_ns())
        deadline.deadline_ns += 25
        bench.wheel.file(deadline)

    deadline = Deadline(again, 25)
    bench.wheel.file(deadline)
    bench.run_until(100)
    assert moments == [30, 50, 80, 100]


def test_an_exception_is_reported_and_the_others_still_expire(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError("x")

    bench.wheel.file(Deadline(fail, 10))
    bench.deadline("next", 10)
    bench.run_until(10)
    assert [str(error) for error in bench.reported] == ["x"]
    assert bench.expired == [("next", 10)]


def test_a_keyboard_interrupt_loses_no_other_deadline(bench: Bench) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    bench.wheel.file(Deadline(interrupted, 10))
    bench.deadline("next", 10)
    with pytest.raises(KeyboardInterrupt):
        bench.run_until(10)
    bench.run_until(20)
    assert [name for name, _ in bench.expired] == ["next"]


def test_close_forgets_all_and_the_wheel_stays_usable(bench: Bench) -> None:
    deadline = bench.deadline("a", 10)
    bench.wheel.close()
    bench.wheel.close()
    assert not deadline.filed and len(bench.wheel) == 0
    bench.deadline("b", 20)
    bench.run_until(100)
    assert bench.expired == [("b", 20)]


def test_a_deadline_of_another_wheel_is_refused(bench: Bench) -> None:
    deadline = bench.deadline("a", 10)
    with pytest.raises(InvalidState):
        DeadlineWheel(bench.timers, TICK).withdraw(deadline)
    assert deadline.filed


def test_a_tick_below_one_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidArgument):
        DeadlineWheel(bench.timers, 0)


Step = tuple[str, int, int]
ACTIONS = st.sampled_from(["file", "touch", "withdraw", "run"])
STEPS = st.tuples(ACTIONS, st.integers(0, 4), st.integers(0, 60))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_random_use_expires_each_deadline_within_one_tick_of_where_it_ended_up(steps: list[Step]) -> None:
    bench = Bench()
    expired: dict[int, int] = {}

    def expire(number: int) -> Callable[[], object]:
        return lambda: expired.setdefault(number, bench.clock.now_ns())

    deadlines = [Deadline(expire(number)) for number in range(5)]
    for action, number, amount in steps:
        deadline, now = deadlines[number], bench.clock.now_ns()
        if action == "file":
            deadline.deadline_ns = now + amount
            bench.wheel.file(deadline)
        elif action == "touch" and deadline.filed:
            deadline.deadline_ns += amount
        elif action == "withdraw":
            was_filed = deadline.filed
            assert bench.wheel.withdraw(deadline) is was_filed
        elif action == "run":
            watched = {index: each.deadline_ns for index, each in enumerate(deadlines) if each.filed}
            expired.clear()
            bench.run_until(now + amount)
            for index, moment in expired.items():
                assert watched[index] <= moment < max(watched[index], now) + TICK
            assert {index for index, due in watched.items() if due <= now + amount - TICK} <= set(expired)
        assert len(bench.wheel) == sum(each.filed for each in deadlines)
