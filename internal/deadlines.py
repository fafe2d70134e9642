"""Deadlines that move all the time: idle and keep-alive time-outs of thousands of connections.

Each message a connection receives pushes its idle deadline back. A timer per connection would mean a cancel
and a heap operation per message; here a message costs *one store into an attribute*::

    self.idle.deadline_ns = now_ns + idle_ns        # touched: that is all

The trick is to look late instead of moving early. A deadline is filed under the moment it was set to first.
When that moment comes the wheel looks at ``deadline_ns`` again: passed, and it expires; moved back
meanwhile, and it is filed anew under where it is now. So a busy connection is looked at once per time-out
span, however many messages it gets in between. Only a deadline that moves *forward* must be filed again.

Thousands of connections have a deadline each, so there is none beside them: a connection *is* ``Timed``, two
references more, and may work out its ``deadline_ns`` from what it knows, instead of keeping it. ``Deadline`` is
for everything else.

Filing is by ticks: all deadlines of one tick share a set, and the whole wheel owns one timer, armed for the
first tick that has any. A deadline never expires early, and at most one tick late. An empty wheel has no
timer, so an idle server is not woken for nothing. (This is a coarse hashed timing wheel after Varghese and
Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, with a dictionary for the hash, so that no tick is
ever visited in vain.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from ..api.errors import InvalidArgument, InvalidState
from ..api.scheduler import Cancelable, Scheduler
from ..api.types import Nanoseconds
from .faults import ErrorHook, log_error, report

_NO_TIMER: Final = -1


class Timed(ABC):
    """What has a deadline, by being derived from this. Thread rules: those of its wheel."""

    __slots__ = ("_bucket",)

    _bucket: _Bucket | None

    def __init__(self) -> None:
        """Start without a wheel."""
        self._bucket = None

    @property
    def filed(self) -> bool:
        """Whether a wheel watches it: from ``file`` until it expires or is withdrawn."""
        return self._bucket is not None

    @property
    @abstractmethod
    def deadline_ns(self) -> Nanoseconds:
        """When it expires, by now. It may move back at any time; ``DeadlineWheel.file`` after it moved forward."""

    @abstractmethod
    def expire(self) -> object:
        """Called once, not filed any more, when the wheel finds that ``deadline_ns`` has passed."""


class _Bucket(dict[Timed, None]):
    """What is filed under one tick. A dict, not a set: it expires in the order it was filed."""

    __slots__ = ("tick", "wheel")

    def __init__(self, wheel: DeadlineWheel, tick: int) -> None:
        super().__init__()
        self.wheel = wheel
        self.tick = tick


class Deadline(Timed):
    """One deadline and what to do when it passes. Thread rules: those of its wheel.

    Move it back by assigning ``deadline_ns``; move it forward with ``DeadlineWheel.file``.
    """

    __slots__ = ("deadline_ns", "function")

    deadline_ns: Nanoseconds

    def __init__(self, function: Callable[[], object], deadline_ns: Nanoseconds = 0) -> None:
        """Run ``function()`` once, when the wheel finds that ``deadline_ns`` has passed."""
        super().__init__()
        self.function = function
        self.deadline_ns = deadline_ns

    def expire(self) -> object:
        """Call the function."""
        return self.function()


class DeadlineWheel:
    """Watches many deadlines with one timer. Thread rules: the scheduler's owning thread only."""

    __slots__ = ("_count", "_filed", "_on_error", "_scheduler", "_tick_ns", "_timer", "_timer_tick")

    def __init__(self, scheduler: Scheduler, tick_ns: Nanoseconds, on_error: ErrorHook = log_error) -> None:
        """Look every ``tick_ns`` (1 or more, else ``InvalidArgument``) where something is filed."""
        if tick_ns < 1:
            raise InvalidArgument("a tick is 1 or more", tick_ns=tick_ns)
        self._scheduler = scheduler
        self._tick_ns = tick_ns
        self._on_error = on_error
        self._filed: dict[int, _Bucket] = {}
        self._count = 0
        self._timer: Cancelable | None = None
        self._timer_tick = _NO_TIMER

    def __len__(self) -> int:
        """Return how many deadlines are filed."""
        return self._count

    def file(self, deadline: Timed) -> None:
        """Watch a deadline, or file it anew after it was moved forward; one that was moved back stays where it
        is until it is looked at.

        The wheel keeps a reference until it expires or is withdrawn. A deadline in the past expires at the
        next look, never within this call. A deadline belongs to one wheel at a time.
        """
        # Rounded up: when the tick has come, the deadline has passed.
        tick = max(-(-deadline.deadline_ns // self._tick_ns), 0)
        bucket = deadline._bucket
        if bucket is not None:
            if tick >= bucket.tick and bucket.wheel is self:
                return
            self.withdraw(deadline)
        bucket = self._filed.get(tick)
        if bucket is None:
            bucket = self._filed[tick] = _Bucket(self, tick)
        bucket[deadline] = None
        deadline._bucket = bucket
        self._count += 1
        if self._timer is None or tick < self._timer_tick:
            self._arm(tick)

    def withdraw(self, deadline: Timed) -> bool:
        """Stop watching a deadline, in constant time; ``False`` when it was not filed.

        Raises ``InvalidState`` when another wheel holds it.
        """
        bucket = deadline._bucket
        if bucket is None:
            return False
        if bucket.wheel is not self:
            raise InvalidState("the deadline is filed in another wheel", tick=bucket.tick)
        del bucket[deadline]
        if not bucket:
            del self._filed[bucket.tick]
        deadline._bucket = None
        self._count -= 1
        # The timer stays armed for this tick: at most one look in vain, cheaper than a search per withdrawal.
        # With nothing left to watch it goes, so that an idle reactor sleeps.
        if not self._count:
            self._disarm()
        return True

    def close(self) -> None:
        """Forget all deadlines; none expires. Idempotent; the wheel stays usable."""
        for bucket in self._filed.values():
            for deadline in bucket:
                deadline._bucket = None
        self._filed.clear()
        self._count = 0
        self._disarm()

    def _arm(self, tick: int) -> None:
        self._disarm()
        delay_ns = max(tick * self._tick_ns - self._scheduler.now_ns(), 0)
        self._timer = self._scheduler.schedule(delay_ns, self._look)
        self._timer_tick = tick

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Expire what has passed, file anew what was moved back, and sleep until the next filed tick."""
        self._timer = None
        now_ns = self._scheduler.now_ns()
        now_tick = now_ns // self._tick_ns
        due = [
            deadline
            for tick in sorted(tick for tick in self._filed if tick <= now_tick)
            for deadline in self._filed[tick]
        ]
        try:
            for deadline in due:
                # A function that ran before may have withdrawn this one or moved it.
                bucket = deadline._bucket
                if bucket is None or bucket.tick > now_tick:
                    continue
                self.withdraw(deadline)
                if deadline.deadline_ns > now_ns:
                    self.file(deadline)
                else:
                    self._expire(deadline)
        finally:
            # ``file`` above armed for what it filed; older buckets may come before that.
            first_tick = min(self._filed, default=_NO_TIMER)
            if self._filed and (self._timer is None or first_tick < self._timer_tick):
                self._arm(first_tick)

    def _expire(self, deadline: Timed) -> None:
        try:
            deadline.expire()
        except Exception as error:
            report(self._on_error, error, deadline.expire)


__all__ = ["Deadline", "DeadlineWheel", "Timed"]
