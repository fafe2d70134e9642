"""The reactor in virtual time: turns, budgets, stale readiness, faults, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from hioload_ws.api.errors import AlreadyExists, Closed, InvalidArgument, InvalidState, NotFound
from hioload_ws.api.poller import FAILED, READABLE, WRITABLE, Readiness
from hioload_ws.api.reactor import Reactor
from hioload_ws.api.types import Handle
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.internal.inbox import Inbox
from hioload_ws.internal.reactor import PollReactor

A, B, C = Handle(1), Handle(2), Handle(3)


class Bench:
    """A reactor on a virtual clock and a scripted poller, with a record of what happened."""

    def __init__(self, budget: int = 16, spin_ns: int = 0, inbox_capacity: int = 64) -> None:
        self.clock = VirtualClock()
        self.poller = ScriptedPoller(self.clock)
        self.faults: list[tuple[BaseException, object]] = []
        self.log: list[str] = []
        self.reactor = PollReactor(
            self.poller,
            self.clock,
            Inbox(inbox_capacity),
            budget=budget,
            spin_ns=spin_ns,
            on_error=lambda error, origin: self.faults.append((error, origin)),
        )

    def note(self, name: str) -> Callable[[], object]:
        return lambda: self.log.append(name)

    def on_ready(self, name: str) -> Callable[[Readiness], None]:
        return lambda readiness: self.log.append(f"{name}:{readiness}")

    def ready(self, *handles: Handle, readiness: Readiness = READABLE) -> None:
        for handle in handles:
            self.poller.set_ready(handle, readiness)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reactor.close()


def test_ready_handles_have_their_callbacks_called_with_the_readiness(bench: Bench) -> None:
    contract: Reactor = bench.reactor
    contract.register(A, READABLE, bench.on_ready("a"))
    contract.register(B, WRITABLE, bench.on_ready("b"))
    bench.ready(A, B, readiness=READABLE | WRITABLE | FAILED)
    assert contract.run_once(0) == 2
    assert bench.log == [f"a:{READABLE | FAILED}", f"b:{WRITABLE | FAILED}"]
    contract.modify(A, WRITABLE)
    contract.unregister(B)
    assert contract.run_once(0) == 1
    assert bench.log[2:] == [f"a:{WRITABLE | FAILED}"]
    assert contract.stats().handle_count == 1


def test_errors_of_the_poller_reach_the_caller_and_change_nothing(bench: Bench) -> None:
    bench.reactor.register(A, READABLE, bench.on_ready("first"))
    with pytest.raises(AlreadyExists):
        bench.reactor.register(A, READABLE, bench.on_ready("second"))
    with pytest.raises(NotFound):
        bench.reactor.unregister(B)
    with pytest.raises(NotFound):
        bench.reactor.modify(B, READABLE)
    bench.ready(A)
    bench.reactor.run_once(0)
    assert bench.log == ["first:1"]


def test_readiness_collected_before_an_unregister_is_dropped(bench: Bench) -> None:
    bench.reactor.register(A, READABLE, lambda readiness: bench.reactor.unregister(B))
    bench.reactor.register(B, READABLE, bench.on_ready("b"))
    bench.ready(A, B)
    bench.reactor.run_once(0)
    assert bench.log == []


def test_a_reused_number_does_not_get_the_readiness_of_its_predecessor(bench: Bench) -> None:
    def replace(readiness: Readiness) -> None:
        bench.reactor.unregister(B)
        bench.reactor.register(B, READABLE, bench.on_ready("new"))
        bench.reactor.unregister(A)

    bench.reactor.register(A, READABLE, replace)
    bench.reactor.register(B, READABLE, bench.on_ready("old"))
    bench.ready(A, B)
    bench.reactor.run_once(0)
    assert bench.log == []
    bench.reactor.run_once(0)
    assert bench.log == ["new:1"]


def test_a_number_reused_and_given_up_again_in_one_turn_is_never_called(bench: Bench) -> None:
    def churn(readiness: Readiness) -> None:
        for _ in range(2):
            bench.reactor.unregister(B)
            bench.reactor.register(B, READABLE, bench.on_ready("never"))
        bench.reactor.modify(B, READABLE)
        bench.reactor.unregister(B)
        bench.reactor.unregister(A)

    bench.reactor.register(A, READABLE, churn)
    bench.reactor.register(B, READABLE, bench.on_ready("old"))
    bench.ready(A, B)
    bench.reactor.run_once(0)
    bench.reactor.run_once(0)
    assert bench.log == [] and bench.reactor.stats().handle_count == 0


def test_a_handle_registered_by_a_callback_takes_part_in_the_next_turn(bench: Bench) -> None:
    bench.reactor.register(A, READABLE, lambda _: bench.reactor.register(C, READABLE, bench.on_ready("c")))
    bench.ready(A, C)
    bench.reactor.run_once(0)
    bench.reactor.unregister(A)
    bench.reactor.run_once(0)
    assert bench.log == ["c:1"]


def test_a_turn_goes_events_posts_timers_end(bench: Bench) -> None:
    bench.reactor.at_turn_end(bench.note("end"))
    bench.reactor.scheduler.schedule(0, bench.note("timer"))
    bench.reactor.post(bench.note("post"))
    bench.reactor.register(A, READABLE, bench.on_ready("event"))
    bench.ready(A)
    assert bench.reactor.run_once(None) == 3
    assert bench.log == ["event:1", "post", "timer", "end"]


def test_the_time_of_a_turn_is_read_once_when_it_begins_to_handle_events(bench: Bench) -> None:
    contract: Reactor = bench.reactor
    times: list[int] = []

    def work(readiness: Readiness) -> None:
        bench.clock.advance(5)
        times.append(contract.turn_ns)

    contract.register(A, READABLE, work)
    contract.register(B, READABLE, work)
    assert contract.turn_ns == 0
    bench.clock.advance(100)
    bench.ready(A, B)
    bench.reactor.run_once(0)
    bench.reactor.run_once(0)
    assert times == [100, 100, 110, 110]


def test_posts_run_in_order_and_a_full_inbox_refuses_and_counts() -> None:
    bench = Bench(inbox_capacity=2)
    assert [bench.reactor.post(bench.note(name)) for name in "abc"] == [True, True, False]
    bench.reactor.run_once(None)
    stats = bench.reactor.stats()
    assert bench.log == ["a", "b"]
    assert (stats.posted_count, stats.refused_post_count) == (2, 1)
    assert bench.reactor.post(bench.note("d"))


def test_a_budget_splits_posts_and_timers_over_turns_that_do_not_sleep() -> None:
    bench = Bench(budget=2)
    for name in "abc":
        bench.reactor.post(bench.note("post " + name))
        bench.reactor.scheduler.schedule(0, bench.note("timer " + name))
    assert bench.reactor.run_once(None) == 4
    assert bench.reactor.run_once(None) == 2
    assert bench.log == ["post a", "post b", "timer a", "timer b", "post c", "timer c"]
    assert bench.poller.timeouts_ns == [0, 0]


def test_a_budget_splits_events_and_everybody_has_a_turn() -> None:
    bench = Bench(budget=2)
    for handle in (A, B, C):
        bench.reactor.register(handle, READABLE, bench.on_ready(str(handle)))
    bench.ready(A, B, C)
    bench.reactor.run_once(0)
    bench.reactor.run_once(0)
    assert bench.log == ["1:1", "2:1", "3:1", "1:1"]


def test_a_post_that_posts_again_does_not_keep_the_turn_from_ending() -> None:
    bench = Bench(budget=3)

    def again() -> None:
        bench.log.append("again")
        bench.reactor.post(again)

    bench.reactor.post(again)
    assert bench.reactor.run_once(0) == 3


def test_the_poll_waits_until_the_next_timer_and_not_longer(bench: Bench) -> None:
    bench.reactor.scheduler.schedule(500, bench.note("timer"))
    assert bench.reactor.run_once(200) == 0
    assert bench.reactor.run_once(1000) == 1
    assert bench.poller.timeouts_ns == [200, 300]
    assert bench.clock.now_ns() == 500


def test_a_late_timer_does_not_wait_and_its_lag_is_told(bench: Bench) -> None:
    bench.reactor.scheduler.schedule(10, bench.note("timer"))
    bench.clock.advance(35)
    bench.reactor.run_once(None)
    stats = bench.reactor.stats()
    assert bench.poller.timeouts_ns == [0]
    assert (stats.timer_count, stats.timer_lag_ns) == (1, 25)


def test_an_idle_reactor_asks_to_sleep_without_end(bench: Bench) -> None:
    with pytest.raises(InvalidState, match="deadlock"):
        bench.reactor.run()
    assert bench.poller.timeouts_ns == [None]


def test_turn_end_functions_run_once_in_order_and_those_they_add_in_the_same_phase(bench: Bench) -> None:
    def first() -> None:
        bench.log.append("first")
        bench.reactor.at_turn_end(bench.note("added"))

    bench.reactor.at_turn_end(first)
    bench.reactor.at_turn_end(bench.note("second"))
    assert bench.reactor.run_once(None) == 0
    bench.reactor.run_once(0)
    assert bench.log == ["first", "second", "added"]


def test_a_turn_end_function_that_always_asks_again_is_cut_and_goes_on_next_turn(bench: Bench) -> None:
    def again() -> None:
        bench.log.append("again")
        bench.reactor.at_turn_end(again)

    bench.reactor.at_turn_end(again)
    bench.reactor.run_once(None)
    assert len(bench.log) == 100
    bench.reactor.run_once(None)
    assert len(bench.log) == 200
    assert bench.poller.timeouts_ns == [0, 0]


def test_whatever_raises_is_counted_and_reported_and_stops_nobody(bench: Bench) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("x")

    bench.reactor.register(A, READABLE, fail)
    bench.reactor.register(B, READABLE, bench.on_ready("b"))
    bench.reactor.post(fail)
    bench.reactor.post(bench.note("post"))
    bench.reactor.scheduler.schedule(0, fail)
    bench.reactor.scheduler.schedule(0, bench.note("timer"))
    bench.reactor.at_turn_end(fail)
    bench.reactor.at_turn_end(bench.note("end"))
    bench.ready(A, B)
    assert bench.reactor.run_once(0) == 6
    assert bench.log == ["b:1", "post", "timer", "end"]
    assert bench.reactor.stats().error_count == 4
    assert [origin for _, origin in bench.faults] == [fail] * 4


def test_a_keyboard_interrupt_ends_the_run_and_loses_nothing(bench: Bench) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    def replace_and_interrupt(readiness: Readiness) -> None:
        bench.reactor.unregister(A)
        bench.reactor.register(A, READABLE, bench.on_ready("a"))
        raise KeyboardInterrupt

    bench.reactor.register(A, READABLE, replace_and_interrupt)
    bench.ready(A)
    bench.reactor.post(interrupted)
    bench.reactor.post(bench.note("post"))
    bench.reactor.at_turn_end(interrupted)
    bench.reactor.at_turn_end(bench.note("end"))
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            bench.reactor.run()
    bench.reactor.run_once(0)
    assert bench.log == ["a:1", "a:1", "post", "a:1", "end"]
    assert bench.reactor.stats().error_count == 0


def test_spinning_polls_without_sleep_for_its_time_after_work_and_then_sleeps() -> None:
    bench = Bench(spin_ns=100)
    bench.reactor.run_once(7)
    bench.reactor.post(bench.note("work"))
    bench.reactor.run_once(7)
    bench.reactor.run_once(7)
    bench.clock.advance(99)
    bench.reactor.run_once(7)
    bench.clock.advance(1)
    bench.reactor.run_once(7)
    bench.reactor.scheduler.schedule(5, bench.note("timer"))
    bench.reactor.run_once(None)
    assert bench.poller.timeouts_ns == [7, 0, 0, 0, 7, 5]


def test_stop_before_run_makes_it_return_at_once_and_only_once(bench: Bench) -> None:
    bench.reactor.stop()
    bench.reactor.stop()
    bench.reactor.run()
    assert bench.poller.timeouts_ns == []
    bench.reactor.post(bench.reactor.stop)
    bench.reactor.run()
    assert len(bench.poller.timeouts_ns) == 1


def test_a_pending_stop_keeps_run_once_from_waiting_and_stays(bench: Bench) -> None:
    bench.reactor.stop()
    assert bench.reactor.run_once(None) == 0
    bench.reactor.run()


def test_stop_lets_the_turn_under_way_finish(bench: Bench) -> None:
    bench.reactor.post(bench.reactor.stop)
    bench.reactor.post(bench.note("after"))
    bench.reactor.at_turn_end(bench.note("end"))
    bench.reactor.run()
    assert bench.log == ["after", "end"]


def test_close_drops_what_waits_and_refuses_what_comes(bench: Bench) -> None:
    held = bench.reactor.scheduler.schedule(5, bench.note("timer"))
    bench.reactor.register(A, READABLE, bench.on_ready("a"))
    bench.reactor.post(bench.note("post"))
    bench.reactor.at_turn_end(bench.note("end"))
    bench.reactor.close()
    bench.reactor.close()
    bench.reactor.stop()
    assert held.cancelled
    assert bench.reactor.post(bench.note("late")) is False
    for call in (
        bench.reactor.run,
        lambda: bench.reactor.run_once(0),
        lambda: bench.reactor.register(A, READABLE, bench.on_ready("a")),
        lambda: bench.reactor.unregister(A),
    ):
        with pytest.raises(Closed):
            call()
    assert bench.log == [] and bench.reactor.stats().handle_count == 0


def test_the_copy_that_a_child_of_fork_has_is_closed_though_it_runs(bench: Bench) -> None:
    def forked() -> None:
        with pytest.raises(InvalidState):
            bench.reactor.close()
        bench.reactor.close_after_fork()

    bench.reactor.post(forked)
    with pytest.raises(Closed):
        bench.reactor.run()
    assert bench.reactor.post(bench.note("late")) is False


def test_numbers_out_of_range_are_refused() -> None:
    for budget, spin_ns in ((0, 0), (1, -1)):
        with pytest.raises(InvalidArgument):
            PollReactor(budget=budget, spin_ns=spin_ns)


def test_the_clock_and_the_turns_work_time_are_told(bench: Bench) -> None:
    assert bench.reactor.clock is bench.clock
    bench.reactor.post(lambda: bench.clock.advance(30))
    bench.reactor.run_once(None)
    bench.reactor.post(bench.note("x"))
    assert bench.reactor.stats().loop_ns == 30
    assert bench.reactor.stats().waiting_post_count == 1


def test_turns_and_lags_are_counted_by_powers_of_two(bench: Bench) -> None:
    for work_ns in (0, 1, 2, 3, 4, 5, 1024, 1025):
        bench.reactor.post(partial(bench.clock.advance, work_ns))
        bench.reactor.run_once(None)
    bench.reactor.scheduler.schedule(0, bench.note("x"))
    bench.clock.advance(9)
    bench.reactor.run_once(None)
    stats = bench.reactor.stats()
    counts = {2**index: count for index, count in enumerate(stats.loop_counts) if count}
    assert counts == {1: 1, 2: 3, 4: 2, 8: 1, 1024: 1, 2048: 1}  # the turn of the timer took no time
    assert stats.loop_total_ns == 2064
    assert {2**index: count for index, count in enumerate(stats.timer_lag_counts) if count} == {16: 1}
    assert stats.timer_lag_total_ns == 9
