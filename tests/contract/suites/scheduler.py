"""The contract of ``Scheduler``: functions that run later, and can be taken back.

Time is a virtual clock that the checks advance, so nothing waits and every moment is exact. ``make`` gets that
clock. What runs is written down with the time at which it ran.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ...api.clock import Clock
from ...api.errors import InvalidArgument
from ...api.scheduler import Cancelable, Scheduler
from ...fake.clock import VirtualClock
from ..model import Operation, explore
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

SCHEDULER = (
    must("SCH-01", "A new scheduler has nothing pending, and tells the time of its clock."),
    must("SCH-02", "A function runs once, not before its deadline, and not within schedule.", "SCH-01"),
    must("SCH-03", "A delay of 0 is due at once, but only for run_due.", "SCH-02"),
    must("SCH-04", "What is due runs in the order of the deadlines, equal ones as scheduled.", "SCH-02"),
    must("SCH-05", "A negative delay raises InvalidArgument, and nothing is scheduled.", "SCH-01"),
    must("SCH-06", "cancel answers True in time, and the function never runs then.", "SCH-02"),
    must("SCH-07", "cancel answers False when it is done already, whether run or cancelled.", "SCH-06"),
    must("SCH-08", "One due function can cancel another that is due in the same call.", "SCH-06"),
    must("SCH-09", "A handle is pending, then done or cancelled, and stays that.", "SCH-06"),
    must("SCH-10", "What a function raises is in its handle's error and stops no other.", "SCH-02"),
    must("SCH-11", "run_due runs at most budget functions, answers how many, and leaves the rest due.", "SCH-04"),
    must("SCH-12", "A function scheduled while others run waits for the next call.", "SCH-03"),
    must("SCH-13", "next_deadline_ns is that of the earliest pending timer; cancelled ones are none.", "SCH-06"),
    must("SCH-14", "The length counts pending timers; cancelled and done ones do not count.", "SCH-06"),
    must("SCH-15", "A periodic function runs at start + k * period, without drift.", "SCH-02"),
    must("SCH-16", "Periods that were missed are skipped and not made up for.", "SCH-15"),
    must("SCH-17", "A period below 1 raises InvalidArgument, and nothing is scheduled.", "SCH-01"),
    must("SCH-18", "A periodic function that is cancelled runs no more, also by itself while it runs.", "SCH-15"),
    must("SCH-19", "An exception in one period is kept, and the next period still comes.", "SCH-15", "SCH-10"),
    must("SCH-20", "Any mixture of calls does what a sorted list of deadlines does.", "SCH-04", "SCH-14"),
    must("SCH-21", "Of hundreds of timers those that were not cancelled run, once and in order.", "SCH-04", "SCH-14"),
)


class SchedulerContract(Contract, name="scheduler", requirements=SCHEDULER):
    """What every scheduler owes; override ``make``."""

    def make(self, clock: Clock) -> Scheduler:
        """Return a new scheduler that measures on ``clock``."""
        raise NotImplementedError

    def fresh(self, trial: Trial) -> Desk:
        """Return a fresh scheduler with its clock and its log."""
        clock = VirtualClock(start_ns=1_000_000)
        return Desk(trial, trial.make(self.make, clock), clock)

    @requirement("SCH-01")
    def new_one_is_idle(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        scheduler = desk.scheduler
        found = (len(scheduler), scheduler.next_deadline_ns(), scheduler.run_due(10))
        trial.equal(found, (0, None, 0), "length, next deadline, and how many ran")
        for _ in range(2):
            trial.equal(scheduler.now_ns(), desk.clock.now_ns(), "now_ns()")
            desk.clock.advance(12345)

    @requirement("SCH-02")
    def runs_once_when_due(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        desk.schedule(100, "a")
        trial.equal(desk.log, [], "what ran within schedule()")
        for step_ns, wanted in ((0, []), (99, []), (1, ["a"]), (0, ["a"]), (1000, ["a"])):
            desk.pass_ns(step_ns)
            desk.run()
            trial.equal(desk.log, wanted, "what ran")

    @requirement("SCH-03")
    def zero_is_due_at_once(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        desk.schedule(0, "a")
        trial.equal(desk.log, [], "what ran within schedule()")
        trial.equal(desk.run(), 1, "how many ran")
        trial.equal(desk.log, ["a"], "what ran")

    @requirement("SCH-04")
    def order_is_that_of_deadlines(self, trial: Trial) -> None:
        for _ in range(trial.rounds(20, 300)):
            desk = self.fresh(trial)
            delays = [trial.rng.randint(0, 5) for _ in range(12)]
            for number, delay_ns in enumerate(delays):
                desk.schedule(delay_ns, number)
            desk.pass_ns(5)
            desk.run()
            wanted = sorted(range(12), key=lambda number: delays[number])
            trial.equal(desk.log, wanted, "the order in which they ran")

    @requirement("SCH-05")
    def negative_delay_is_refused(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        call = "schedule(-1, function)"
        trial.raises(InvalidArgument, call, lambda: desk.scheduler.schedule(-1, desk.entry("a")))
        trial.equal((len(desk.scheduler), desk.run(), desk.log), (0, 0, []), "length, how many ran, and what")

    @requirement("SCH-06")
    def cancelled_never_runs(self, trial: Trial) -> None:
        for wait_ns in (0, 99, 100, 500):
            desk = self.fresh(trial)
            handle = desk.schedule(100, "a")
            other = desk.schedule(100, "b")
            desk.pass_ns(wait_ns)
            trial.did("cancel() of a")
            trial.same(handle.cancel(), True, "what cancel() answers in time")
            desk.pass_ns(1000)
            desk.run()
            trial.equal(desk.log, ["b"], "what ran")
            trial.true(other.done and not other.cancelled, "the other timer is done and not cancelled")

    @requirement("SCH-07")
    def late_cancel_is_false(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        ran, cancelled = desk.schedule(10, "a"), desk.schedule(20, "b")
        cancelled.cancel()
        desk.pass_ns(100)
        desk.run()
        for name, handle in (("a timer that ran", ran), ("a cancelled one", cancelled)):
            for _ in range(2):
                trial.did(f"cancel() of {name}")
                trial.same(handle.cancel(), False, f"what cancel() of {name} answers")
        trial.equal((ran.cancelled, cancelled.cancelled), (False, True), "cancelled, of both")

    @requirement("SCH-08")
    def due_cancels_due(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        handles: list[Cancelable] = []
        desk.schedule(10, "a", lambda: handles[0].cancel())
        handles.append(desk.schedule(10, "b"))
        desk.schedule(10, "c")
        desk.pass_ns(10)
        desk.run()
        trial.equal(desk.log, ["a", "c"], "what ran")
        trial.true(handles[0].cancelled, "the timer is cancelled")

    @requirement("SCH-09")
    def handles_tell_their_state(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        ran, cancelled = desk.schedule(10, "a"), desk.schedule(10, "b")
        for handle in (ran, cancelled):
            trial.equal((handle.done, handle.cancelled, handle.error), (False, False, None), "a pending timer")
        cancelled.cancel()
        desk.pass_ns(10)
        desk.run()
        for _ in range(2):
            trial.equal((ran.done, ran.cancelled, ran.error), (True, False, None), "a timer that ran")
            found = (cancelled.done, cancelled.cancelled, cancelled.error)
            trial.equal(found, (True, True, None), "a cancelled timer")
            desk.pass_ns(1000)
            desk.run()

    @requirement("SCH-10")
    def errors_stay_with_their_timer(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        fault = _Fault("raised by the first")
        first = desk.schedule(10, "a", lambda: _raise(fault))
        second = desk.schedule(10, "b")
        desk.pass_ns(10)
        trial.equal(desk.run(), 2, "how many ran")
        trial.equal(desk.log, ["a", "b"], "what ran")
        trial.same(first.error, fault, "the error of the first")
        trial.equal((first.done, first.cancelled, second.error), (True, False, None), "done, cancelled, other error")

    @requirement("SCH-11")
    def budget_is_kept(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        for number in range(7):
            desk.schedule(number, number)
        desk.pass_ns(100)
        for budget, wanted in ((1, 1), (3, 3), (3, 3), (5, 0)):
            trial.equal(desk.run(budget), wanted, "how many ran")
        trial.equal(desk.log, list(range(7)), "what ran in all")

    @requirement("SCH-12")
    def newcomers_wait(self, trial: Trial) -> None:
        desk = self.fresh(trial)

        def again() -> None:
            desk.schedule(0, "new")

        desk.schedule(10, "a", again)
        desk.schedule(10, "b")
        desk.pass_ns(10)
        trial.equal(desk.run(), 2, "how many ran")
        trial.equal(desk.log, ["a", "b"], "what ran")
        trial.equal(desk.run(), 1, "how many ran in the next call")
        trial.equal(desk.log, ["a", "b", "new"], "what ran in all")

    @requirement("SCH-13")
    def next_deadline_is_the_earliest(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        start_ns = desk.clock.now_ns()
        handles = [desk.schedule(delay_ns, str(delay_ns)) for delay_ns in (300, 100, 200)]
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 100, "the next deadline of three")
        trial.did("cancel() of the earliest")
        handles[1].cancel()
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 200, "the next deadline of two")
        desk.pass_ns(200)
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 200, "a deadline that is due and did not run")
        desk.run()
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 300, "the next deadline of one")
        handles[0].cancel()
        trial.equal(desk.scheduler.next_deadline_ns(), None, "the next deadline of none")

    @requirement("SCH-14")
    def length_counts_pending(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        handles = [desk.schedule(number, number) for number in range(10)]
        trial.equal(len(desk.scheduler), 10, "the length")
        handles[9].cancel()
        handles[9].cancel()
        trial.equal(len(desk.scheduler), 9, "the length after a cancel (twice the same)")
        desk.pass_ns(4)
        desk.run()
        trial.equal(len(desk.scheduler), 4, "the length after five ran")
        handles[0].cancel()
        trial.equal(len(desk.scheduler), 4, "the length after cancelling one that ran")

    @requirement("SCH-15")
    def periods_do_not_drift(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        start_ns = desk.clock.now_ns()
        times: list[int] = []
        trial.did("schedule_every(100, function)")
        desk.scheduler.schedule_every(100, lambda: times.append(desk.clock.now_ns() - start_ns))
        desk.run()
        trial.equal(times, [], "the runs at the start")
        for _ in range(5):
            desk.pass_ns(99)
            desk.run()
            desk.pass_ns(1)
            desk.run()
        trial.equal(times, [100, 200, 300, 400, 500], "the times of the runs")
        desk.pass_ns(130)  # late by 30: the next one is due at 700 all the same
        desk.run()
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 700, "the next deadline after a late run")

    @requirement("SCH-16")
    def missed_periods_are_skipped(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        start_ns = desk.clock.now_ns()
        trial.did("schedule_every(100, function)")
        desk.scheduler.schedule_every(100, desk.entry("a"))
        desk.pass_ns(1050)
        trial.equal((desk.run(), desk.run()), (1, 0), "how many ran after ten periods, in two calls")
        trial.equal(desk.scheduler.next_deadline_ns(), start_ns + 1100, "the next deadline")
        trial.equal(len(desk.scheduler), 1, "the length")

    @requirement("SCH-17")
    def period_below_one_is_refused(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        for period_ns in (0, -1):
            call = f"schedule_every({period_ns}, function)"
            every = desk.scheduler.schedule_every
            trial.raises(InvalidArgument, call, lambda n=period_ns: every(n, desk.entry("a")))  # type: ignore[misc]
        trial.equal((len(desk.scheduler), desk.run()), (0, 0), "length, and how many ran")

    @requirement("SCH-18")
    def periodic_can_be_cancelled(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        handle = desk.scheduler.schedule_every(100, desk.entry("a"))
        handles: list[Cancelable] = []
        handles.append(desk.scheduler.schedule_every(100, desk.entry("b", lambda: handles[0].cancel())))
        desk.pass_ns(100)
        desk.run()
        trial.did("cancel() of a, from outside; b has cancelled itself")
        trial.same(handle.cancel(), True, "what cancel() answers")
        for _ in range(3):
            desk.pass_ns(100)
            desk.run()
        trial.equal(desk.log, ["a", "b"], "what ran")
        trial.equal((handles[0].cancelled, handles[0].done, len(desk.scheduler)), (True, True, 0), "in the end")

    @requirement("SCH-19")
    def periodic_survives_errors(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        fault = _Fault("raised each time")
        handle = desk.scheduler.schedule_every(100, desk.entry("a", lambda: _raise(fault)))
        for count in (1, 2, 3):
            desk.pass_ns(100)
            desk.run()
            trial.equal(desk.log, ["a"] * count, "what ran")
            trial.same(handle.error, fault, "the error")
            trial.true(not handle.done, "the timer goes on")

    @requirement("SCH-20")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(30, 500))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        desk = self.fresh(trial)
        pending: dict[int, tuple[int, int]] = {}  # number: deadline and number, the order in which they run
        handles: list[Cancelable] = []
        wanted: list[int] = []
        for name, value in script:
            now_ns = desk.clock.now_ns()
            if name == "schedule":
                number = len(handles)
                handles.append(desk.schedule(value, number))
                pending[number] = (now_ns + value, number)
            elif name == "cancel" and handles:
                number = value % len(handles)
                trial.did(f"cancel() of {number}")
                in_time = pending.pop(number, None) is not None
                trial.same(handles[number].cancel(), in_time, "what cancel() answers")
            elif name == "pass":
                desk.pass_ns(value)
            elif name == "run":
                due = sorted(key for key in pending.values() if key[0] <= now_ns)[: value + 1]
                trial.equal(desk.run(value + 1), len(due), "how many ran")
                wanted += [pending.pop(number)[1] for _, number in due]
            trial.equal(desk.log, wanted, "what ran in all")
            trial.equal(len(desk.scheduler), len(pending), "the length")
            first = min(pending.values())[0] if pending else None
            trial.equal(desk.scheduler.next_deadline_ns(), first, "the next deadline")


    @requirement("SCH-21")
    def hundreds_lose_none(self, trial: Trial) -> None:
        for count, kept_count in ((300, 1), (300, 40), (1000, 150)):
            desk = self.fresh(trial)
            delays = [trial.rng.randint(0, 400) for _ in range(count)]
            handles = [desk.schedule(delay_ns, number) for number, delay_ns in enumerate(delays)]
            order = sorted(range(count), key=lambda number: delays[number])
            early_count = desk.run(count)  # those without a delay
            wanted = order[:early_count]
            trial.did(f"cancel() of all but {kept_count} of those that wait, in mixed order")
            waiting = set(order[early_count:])
            for number in trial.rng.sample(sorted(waiting), max(len(waiting) - kept_count, 0)):
                waiting.remove(number)
                trial.same(handles[number].cancel(), True, "what cancel() answers in time")
                trial.equal(len(desk.scheduler), len(waiting), "the length")
            for _ in range(8):
                desk.pass_ns(50)
                desk.run(count)
            wanted += [number for number in order if number in waiting]
            trial.equal(desk.log, wanted, "what ran in all")
            trial.equal((desk.run(count), desk.scheduler.next_deadline_ns()), (0, None), "what is left")


class _Fault(Exception):
    """Raised by a scheduled function."""


def _raise(error: Exception) -> None:
    raise error


def _draw(rng: random.Random) -> Operation:
    return rng.choice(("schedule", "schedule", "cancel", "pass", "run")), rng.randint(0, 6)


class Desk:
    """A scheduler at work: its clock, and the log of what ran."""

    def __init__(self, trial: Trial, scheduler: Scheduler, clock: VirtualClock) -> None:
        self.trial = trial
        self.scheduler = scheduler
        self.clock = clock
        self.log: list[object] = []

    def entry(self, name: object, then: Callable[[], object] | None = None) -> Callable[[], object]:
        """Return a function that writes its name into the log."""

        def function() -> None:
            self.log.append(name)
            if then is not None:
                then()

        return function

    def schedule(self, delay_ns: int, name: object, then: Callable[[], object] | None = None) -> Cancelable:
        """Schedule such a function."""
        self.trial.did(f"schedule({delay_ns}, {name!r})")
        return self.scheduler.schedule(delay_ns, self.entry(name, then))

    def pass_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        self.trial.did(f"{duration_ns} ns pass")
        self.clock.advance(duration_ns)

    def run(self, budget: int = 100) -> int:
        """Run what is due."""
        self.trial.did(f"run_due({budget})")
        return self.scheduler.run_due(budget)


SUITES = (SchedulerContract,)

__all__ = ["SUITES", "Desk", "SchedulerContract"]
