"""Reactor: one thread that owns its connections, timers and buffers, and touches them without locks.

The loop is poll, dispatch, run what others posted, run what is due, sleep. Every step works in batches
under a budget, so that one busy connection cannot starve the rest. Work from other threads enters through a
bounded ring and a wake-up, and in no other way: that is why nothing else needs a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from .clock import Clock
from .poller import Interest, Readiness
from .scheduler import Scheduler
from .types import Handle, Nanoseconds

ReadyCallback: TypeAlias = Callable[[Readiness], None]
"""Called on the reactor's thread with what its handle is ready for."""


@dataclass(frozen=True, slots=True)
class ReactorStats:
    """Counters since the reactor was made; monotonic, read at any time from any thread."""

    poll_count: int
    event_count: int
    posted_count: int
    refused_post_count: int
    timer_count: int
    error_count: int
    """Callbacks, posted functions and timers that raised."""
    handle_count: int
    """Handles registered now."""
    timer_lag_ns: Nanoseconds
    """How late the last batch of timers ran."""
    loop_ns: Nanoseconds
    """How long the last turn worked, sleep not counted."""
    waiting_post_count: int = 0
    """Posts that wait for the loop now."""
    inbox_capacity: int = 0
    """Most posts that may wait."""
    loop_counts: tuple[int, ...] = ()
    """Turns by how long they worked: entry n is for more than 2^(n-1) and at most 2^n ns; 0 ns is in entry 1.
    Empty where it is not counted."""
    loop_total_ns: Nanoseconds = 0
    """How long all turns worked together."""
    timer_lag_counts: tuple[int, ...] = ()
    """Batches of timers by how late they ran, as ``loop_counts``."""
    timer_lag_total_ns: Nanoseconds = 0
    """The sum of what ``timer_lag_counts`` counts."""


class Reactor(Protocol):
    """An event loop that belongs to the thread that runs it.

    Thread rules: ``post``, ``stop`` and ``stats`` from any thread and from signal handlers; all else from
    the owning thread (or from any one thread before ``run``), else ``WrongThread``. An exception that
    escapes a callback is counted and given to the error hook; the loop goes on.
    """

    @property
    def clock(self) -> Clock:
        """The clock of the timers and deadlines."""

    @property
    def scheduler(self) -> Scheduler:
        """The reactor's timers."""

    @property
    def turn_ns(self) -> Nanoseconds:
        """The clock's time when the turn under way (outside one: the last) began to handle events.

        For whoever notes when something was heard of, thousands of times a turn: it is as old as the turn, and
        costs no look at the clock. Never goes back.
        """

    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        """Call ``callback(readiness)`` whenever the handle is ready for ``interest`` or has failed.

        Errors as ``Poller.register``.
        """

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Change what a registered handle is watched for. Errors as ``Poller.modify``."""

    def unregister(self, handle: Handle) -> None:
        """Stop calling the handle's callback, also for readiness that was already collected in this turn. A
        handle that is registered anew meanwhile takes part from the next turn on. Raises ``NotFound``.

        Unregister before closing a descriptor: its number may be reused at once.
        """

    def post(self, function: Callable[[], object]) -> bool:
        """Have ``function()`` run on the reactor's thread, soon and in order per posting thread; ``False``
        when the inbox is full or the reactor closed."""

    def at_turn_end(self, function: Callable[[], object]) -> None:
        """Run ``function()`` once, at the end of the turn under way: after its events, posts and timers, and
        before the reactor sleeps again. Outside a turn: at the end of the next one, which then does not wait.

        For work that is cheaper once per turn than once per event, above all sending what was queued.
        Registering is not deduplicated: whoever needs one run per turn remembers that it has asked. Functions
        run in order of registration; those registered by one of them run in the same phase, except that a
        chain of a hundred generations is cut and goes on at the end of the next turn, after events were
        looked at. Exceptions are counted and reported; these runs are not part of ``run_once``'s work count.
        """

    def run(self) -> None:
        """Turn until ``stop``; the calling thread becomes the owner.

        Raises ``InvalidState`` when it is running already, ``Closed`` after close.
        """

    def run_once(self, timeout_ns: Nanoseconds | None) -> int:
        """Make one turn that waits at most ``timeout_ns`` (``None``: without end) and return the work done:
        events, posts and timers."""

    def stop(self) -> None:
        """Make ``run`` return after the turn under way; before ``run``, make it return at once.

        Idempotent.
        """

    def stats(self) -> ReactorStats:
        """Return a snapshot of the counters."""

    def close(self) -> None:
        """Release poller and wake-up and drop what is still posted or scheduled; handles stay open.

        Idempotent. ``InvalidState`` while running.
        """


__all__ = ["Reactor", "ReactorStats", "ReadyCallback"]
