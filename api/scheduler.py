"""Scheduler: run a function later, and be able to take that back.

Deadlines are monotonic nanoseconds, and exact: ``now_ns()`` at the call plus the delay, never rounded to a
coarser tick. A timer never fires early, fires at most once (a periodic one: once a period), and never after
``cancel`` returned ``True``. Timers with equal deadlines fire in the order they were scheduled. How late one
fires is the owner's affair: ``run_due`` runs all whose deadline has come, as far as its budget goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .types import Nanoseconds


class Cancelable(Protocol):
    """A handle on work that was scheduled: three states, pending, done (ran or failed) and cancelled; the
    last two are final."""

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` came in time."""

    @property
    def done(self) -> bool:
        """Whether nothing will run any more: it ran, it failed, or it was cancelled."""

    @property
    def error(self) -> BaseException | None:
        """What the function raised when it ran last; ``None`` when it did not run or returned normally."""

    def cancel(self) -> bool:
        """Prevent the (next) run, in constant time.

        ``True`` when that was still possible; ``False`` when it is done already. Never raises.
        """


class Scheduler(Protocol):
    """Runs functions at points of a clock.

    Thread rules: the owning thread only; others post to the owner's reactor.
    """

    def now_ns(self) -> Nanoseconds:
        """Return the monotonic time that deadlines are measured on."""

    def schedule(self, delay_ns: Nanoseconds, function: Callable[[], object]) -> Cancelable:
        """Run ``function()`` once, ``delay_ns`` (0 or more, else ``InvalidArgument``) from now, never
        within this call.

        What the function raises is kept in the handle's ``error`` and reported to the owner's error hook;
        it does not stop other timers.
        """

    def schedule_every(self, period_ns: Nanoseconds, function: Callable[[], object]) -> Cancelable:
        """Run ``function()`` each ``period_ns`` (1 or more, else ``InvalidArgument``), first one period
        from now, without drift.

        Runs are due at ``start + k * period_ns``; those missed while the owner was busy are skipped, not
        made up for. An exception in one run is kept and reported, and the next run still comes.
        """

    def next_deadline_ns(self) -> Nanoseconds | None:
        """Return when the earliest pending timer is due, or ``None`` when there is none."""

    def run_due(self, budget: int) -> int:
        """Run at most ``budget`` (1 or more) functions that are due and return how many ran.

        A function scheduled meanwhile waits for the next call.
        """

    def __len__(self) -> int:
        """Return the number of pending timers; cancelled ones do not count."""


__all__ = ["Cancelable", "Scheduler"]
