"""Broken schedulers and unusual ones. ``Correct`` is a plain list of timers that is sorted when needed."""

from __future__ import annotations

from collections.abc import Callable

from ...api.clock import Clock
from ...api.errors import InvalidArgument
from ..mutation import Gallery
from ..suites.scheduler import SchedulerContract

GALLERY = Gallery(SchedulerContract)


class Timer:
    """A handle."""

    def __init__(self, deadline_ns: int, number: int, function: Callable[[], object], period_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self.number = number
        self.function = function
        self.period_ns = period_ns
        self.cancelled = self.done = False
        self.error: BaseException | None = None

    def cancel(self) -> bool:
        if self.done:
            return False
        self.cancelled = self.done = True
        return True


class Correct:
    """A scheduler over a list."""

    timer = Timer

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.timers: list[Timer] = []
        self.number = 0

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def add(self, delay_ns: int, function: Callable[[], object], period_ns: int) -> Timer:
        self.number += 1
        timer = self.timer(self.now_ns() + delay_ns, self.number, function, period_ns)
        self.timers.append(timer)
        return timer

    def schedule(self, delay_ns: int, function: Callable[[], object]) -> Timer:
        if delay_ns < 0:
            raise InvalidArgument("a delay is 0 or more")
        return self.add(delay_ns, function, 0)

    def schedule_every(self, period_ns: int, function: Callable[[], object]) -> Timer:
        if period_ns < 1:
            raise InvalidArgument("a period is 1 or more")
        return self.add(period_ns, function, period_ns)

    def pending(self) -> list[Timer]:
        self.timers = [each for each in self.timers if not each.done]
        return sorted(self.timers, key=self.key)

    def key(self, timer: Timer) -> tuple[int, int]:
        return timer.deadline_ns, timer.number

    def next_deadline_ns(self) -> int | None:
        pending = self.pending()
        return pending[0].deadline_ns if pending else None

    def due(self) -> list[Timer]:
        now_ns = self.now_ns()
        return [each for each in self.pending() if each.deadline_ns <= now_ns]

    def run_due(self, budget: int) -> int:
        count = 0
        for timer in self.due():
            if count == budget:
                break
            if not timer.done:
                count += 1
                self.run(timer)
        return count

    def run(self, timer: Timer) -> None:
        timer.done = not timer.period_ns
        timer.error = None
        try:
            timer.function()
        except Exception as error:
            timer.error = error
        if not timer.done:
            self.renew(timer)

    def renew(self, timer: Timer) -> None:
        periods = (self.now_ns() - timer.deadline_ns) // timer.period_ns + 1
        timer.deadline_ns += periods * timer.period_ns

    def __len__(self) -> int:
        return len(self.pending())


@GALLERY.mutant("SCH-01", "tells a time of its own")
class OwnTime(Correct):
    def now_ns(self) -> int:
        return self.clock.now_ns() // 1000 * 1000


@GALLERY.mutant("SCH-02", "runs a nanosecond early")
class RunsEarly(Correct):
    def due(self) -> list[Timer]:
        return [each for each in self.pending() if each.deadline_ns <= self.now_ns() + 1]


@GALLERY.mutant("SCH-02", "runs a timer twice")
class RunsTwice(Correct):
    def run(self, timer: Timer) -> None:
        super().run(timer)
        if timer.period_ns == 0 and timer.number == 1:
            timer.function()


@GALLERY.mutant("SCH-03", "runs what has no delay within schedule")
class RunsAtOnce(Correct):
    def schedule(self, delay_ns: int, function: Callable[[], object]) -> Timer:
        timer = super().schedule(delay_ns, function)
        if delay_ns == 0:
            self.run(timer)
        return timer


@GALLERY.mutant("SCH-04", "runs equal deadlines last in, first out")
class LastInFirstOut(Correct):
    def key(self, timer: Timer) -> tuple[int, int]:
        return timer.deadline_ns, -timer.number


@GALLERY.mutant("SCH-05", "takes a negative delay for none")
class NegativeIsZero(Correct):
    def schedule(self, delay_ns: int, function: Callable[[], object]) -> Timer:
        return super().schedule(max(delay_ns, 0), function)


class _TooLate(Timer):
    def cancel(self) -> bool:
        answer = super().cancel()
        self.done = self.done and not answer
        return answer


@GALLERY.mutant("SCH-06", "fires a cancelled timer")
class FiresCancelled(Correct):
    timer = _TooLate


class _AlwaysTrue(Timer):
    def cancel(self) -> bool:
        super().cancel()
        return True


@GALLERY.mutant("SCH-07", "says that it came in time, always")
class SaysInTime(Correct):
    timer = _AlwaysTrue


@GALLERY.mutant("SCH-08", "has decided what to run before it runs the first")
class DecidesFirst(Correct):
    def run_due(self, budget: int) -> int:
        due = self.due()[:budget]
        for timer in due:
            self.run(timer)
        return len(due)


@GALLERY.mutant("SCH-09", "says that a timer that ran was cancelled, an hour later")
class ForgetsState(Correct):
    def pending(self) -> list[Timer]:
        for timer in self.timers:
            if timer.done and self.now_ns() > timer.deadline_ns + 500:
                timer.cancelled = True
        kept = self.timers
        found = super().pending()
        self.timers = kept
        return found


@GALLERY.mutant("SCH-10", "stops at the first error")
class StopsAtError(Correct):
    def run(self, timer: Timer) -> None:
        super().run(timer)
        if timer.error is not None and not timer.period_ns:
            raise timer.error


@GALLERY.mutant("SCH-10", "does not keep errors")
class DropsErrors(Correct):
    def run(self, timer: Timer) -> None:
        super().run(timer)
        timer.error = None


@GALLERY.mutant("SCH-11", "runs one more than it may")
class OneTooMany(Correct):
    def run_due(self, budget: int) -> int:
        return super().run_due(budget + 1)


@GALLERY.mutant("SCH-12", "runs newcomers in the same call, for ever if they go on")
class RunsNewcomers(Correct):
    def run_due(self, budget: int) -> int:
        count = 0
        while count < budget and (due := self.due()):
            self.run(due[0])
            count += 1
        return count


@GALLERY.mutant("SCH-13", "tells the deadline of a cancelled timer")
class TellsCancelled(Correct):
    def next_deadline_ns(self) -> int | None:
        found = [each.deadline_ns for each in self.timers if not each.done or each.cancelled]
        return min(found, default=None)


@GALLERY.mutant("SCH-14", "counts a cancel twice when it is called twice")
class CountsCancels(Correct):
    def __len__(self) -> int:
        return len([each for each in self.timers if not each.done or each.cancelled])


@GALLERY.mutant("SCH-15", "drifts: the next period begins when the function ran")
class Drifts(Correct):
    def renew(self, timer: Timer) -> None:
        timer.deadline_ns = self.now_ns() + timer.period_ns


@GALLERY.mutant("SCH-16", "makes up for missed periods")
class MakesUp(Correct):
    def renew(self, timer: Timer) -> None:
        late_ns = self.now_ns() - timer.deadline_ns
        if late_ns < timer.period_ns:
            super().renew(timer)
        else:
            timer.deadline_ns += timer.period_ns


@GALLERY.mutant("SCH-17", "takes a period of 0")
class TakesZero(Correct):
    def schedule_every(self, period_ns: int, function: Callable[[], object]) -> Timer:
        return super().schedule_every(max(period_ns, 1), function)


@GALLERY.mutant("SCH-18", "puts a periodic timer back that has cancelled itself")
class PutsBack(Correct):
    def run(self, timer: Timer) -> None:
        super().run(timer)
        if timer.period_ns and timer.cancelled:
            timer.done = False
            timer.cancelled = False
            self.renew(timer)


@GALLERY.mutant("SCH-19", "ends a periodic timer that raised")
class EndsPeriodic(Correct):
    def run(self, timer: Timer) -> None:
        super().run(timer)
        timer.done = timer.done or timer.error is not None


@GALLERY.mutant("SCH-20", "runs two of three that are due, once something was cancelled")
class LosesOne(Correct):
    cancelled = False

    def pending(self) -> list[Timer]:
        self.cancelled = self.cancelled or any(each.cancelled for each in self.timers)
        return super().pending()

    def due(self) -> list[Timer]:
        found = super().due()
        return found[:2] if self.cancelled and len(found) == 3 else found


@GALLERY.mutant("SCH-21", "loses the last timer when it throws out many that were cancelled")
class LosesAtCleaning(Correct):
    def pending(self) -> list[Timer]:
        found = [each for each in self.timers if not each.done]
        if len(self.timers) - len(found) > 100:
            self.timers = found[:-1]
        return sorted(found, key=self.key)


@GALLERY.mutant("SCH-21", "sorts the first hundred timers only")
class SortsHundred(Correct):
    def pending(self) -> list[Timer]:
        self.timers = [each for each in self.timers if not each.done]
        return sorted(self.timers[:100], key=self.key) + self.timers[100:]


GALLERY.oddball("a plain list, sorted each time")(Correct)


@GALLERY.oddball("looks for spurious wake-ups: everything is tried before it is due")
class Spurious(Correct):
    def run_due(self, budget: int) -> int:
        self.next_deadline_ns()
        return super().run_due(budget) if self.due() else 0


__all__ = ["GALLERY"]
