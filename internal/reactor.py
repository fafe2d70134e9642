"""Reactor: the loop that one thread turns, and everything that belongs to that thread.

A turn has five steps: *poll* (sleep until something happens), *dispatch* the ready handles, run what others
*posted*, run the *timers* that are due, run what was asked for at the *end of the turn*. Each takes at most a
budget; what is left keeps the next poll from sleeping, so nothing starves and nothing waits for nothing.

Three things are less obvious than they look:

*Sleeping without missing a post.* The owner announces that it may sleep (``_may_sleep``) and only then looks
whether anything waits. A post enqueues first and wakes second. Other threads wake always: whether the owner
sleeps they can't know without a lock. The owner's own posts wake only between announcement and return from
the poll, which happens when a signal handler posts while its thread sleeps in the kernel.

*Stale readiness.* A callback may unregister a handle whose readiness was collected in the same poll, and
close it; the next ``accept`` gets the same number. Readiness of the old handle must not reach the new
callback. So a number that was unregistered during dispatch and registered again takes part only after the
dispatch: its callback waits in ``_late``. Nothing is checked per event; an event costs one dictionary lookup
and one call (and not even that in a ``lane``, which gets all events of a turn at once).

*Spinning* is polling without sleep. It shortens the reaction by a wake-up's few microseconds and burns a
core, so it is off unless asked for, and then lasts only ``spin_ns`` after the last work.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from typing import Final, TypeAlias

from ..api.clock import Clock
from ..api.errors import Closed, InvalidArgument, InvalidState, WrongThread
from ..api.poller import Interest, Poller, Readiness
from ..api.reactor import ReactorStats, ReadyCallback
from ..api.ring import EMPTY, Ring
from ..api.types import Handle, Nanoseconds
from .clock import SystemClock
from .faults import ErrorHook, log_error, report
from .inbox import Inbox
from .pollers import default_poller
from .signal_wakeup import SignalWakeup
from .timers import TimerScheduler

DEFAULT_BUDGET: Final = 256
"""Most events, posts and timers (each) per turn: long enough to amortise the system call, short enough that a
turn of small messages lasts some milliseconds."""

DEFAULT_INBOX_CAPACITY: Final = 4096
_MAX_GENERATIONS: Final = 100
"""How often end-of-turn functions may register further ones before events are looked at again."""

Event: TypeAlias = tuple[Handle, Readiness]
Lane: TypeAlias = Callable[[Sequence[Event], Mapping[Handle, ReadyCallback]], Sequence[Event]]


class PollReactor:
    """Implements ``api.reactor.Reactor`` over any poller, clock and ring.

    Ownership: the thread in ``run`` owns it until ``run`` returns; a thread that called ``run_once`` owns it
    until another one calls ``run``. Without an owner any one thread may use it.
    """

    __slots__ = (
        "_budget",
        "_callbacks",
        "_clock",
        "_closed",
        "_dropped",
        "_dispatching",
        "_error_count",
        "_event_count",
        "_inbox",
        "_last_work_ns",
        "_lag_counts",
        "_lag_total_ns",
        "_late",
        "_loop_counts",
        "_loop_ns",
        "_loop_total_ns",
        "_may_sleep",
        "_now_ns",
        "_on_error",
        "_owner",
        "_poll_count",
        "_poller",
        "_posted_count",
        "_refusals_lock",
        "_refused_count",
        "_running",
        "_scheduler",
        "_signals",
        "_spin_ns",
        "_stop_asked",
        "_timer_count",
        "_timer_lag_ns",
        "_turn_end",
        "lane",
        "turn_ns",
    )

    def __init__(
        self,
        poller: Poller | None = None,
        clock: Clock | None = None,
        inbox: Ring[Callable[[], object]] | None = None,
        *,
        budget: int = DEFAULT_BUDGET,
        spin_ns: Nanoseconds = 0,
        on_error: ErrorHook = log_error,
    ) -> None:
        """Take over ``poller`` (default: the system's best), ``clock`` and ``inbox`` (a ring for many
        producers that may be used from signal handlers; default: 4096 places).

        ``budget``: most events, posts and timers, each, per turn, 1 or more. ``spin_ns``: how long to poll
        without sleep after work, 0 or more; 0 never spins. ``on_error`` gets what callbacks raise. Raises
        ``InvalidArgument`` for numbers out of range and ``OSError`` when descriptors have run out.
        """
        if budget < 1 or spin_ns < 0:
            raise InvalidArgument("budget is 1 or more, spin_ns 0 or more", budget=budget, spin_ns=spin_ns)
        self._clock: Clock = SystemClock() if clock is None else clock
        self._now_ns = self._clock.now_ns
        self._inbox = Inbox(DEFAULT_INBOX_CAPACITY) if inbox is None else inbox
        self._poller = default_poller() if poller is None else poller
        self._scheduler = TimerScheduler(self._clock, self.fault, self._check_thread)
        self._budget = budget
        self._spin_ns = spin_ns
        self._on_error = on_error
        self._callbacks: dict[Handle, ReadyCallback] = {}
        # Invariant: both are empty outside dispatch; ``_late`` is a part of what ``_dropped`` names.
        self._dropped: set[Handle] = set()
        self._late: dict[Handle, ReadyCallback] = {}
        self._turn_end: deque[Callable[[], object]] = deque()
        self._owner: int | None = None
        self._running = self._dispatching = self._may_sleep = self._stop_asked = self._closed = False
        self._poll_count = self._event_count = self._posted_count = self._timer_count = self._error_count = 0
        self._refused_count = self._timer_lag_ns = self._lag_total_ns = self._loop_ns = self._loop_total_ns = 0
        # By the bit length of ns - 1: a list and an addition is all that a histogram may cost per turn.
        self._loop_counts, self._lag_counts = [0] * 65, [0] * 65
        # Off the hot path: only refused posts take it. Re-entrant, for signal handlers.
        self._refusals_lock = threading.RLock()
        self._last_work_ns = -spin_ns
        self._signals = SignalWakeup()
        self.lane: Lane | None = None
        """Is shown all events of a turn first, and the callbacks: it handles those that it is made for, many in one
        loop, and returns the others, for which the callbacks are called. What escapes it ends the run: it reports
        errors to ``fault`` itself."""
        self.turn_ns: Nanoseconds = self._now_ns()
        """The clock's time when the turn under way, or the last one, began to handle events. Read only."""

    @property
    def clock(self) -> Clock:
        """The clock of the timers and deadlines."""
        return self._clock

    @property
    def scheduler(self) -> TimerScheduler:
        """The reactor's timers."""
        return self._scheduler

    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        """Call ``callback(readiness)`` whenever the handle is ready; errors as ``Poller.register``, and
        ``WrongThread``. The callback is held until ``unregister`` or ``close``."""
        if get_ident() != self._owner:
            self._check_thread()
        self._poller.register(handle, interest)
        if handle in self._dropped:
            self._late[handle] = callback
        else:
            self._callbacks[handle] = callback

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Change what a handle is watched for; errors as ``Poller.modify``, and ``WrongThread``."""
        self._check_thread()
        self._poller.modify(handle, interest)

    def unregister(self, handle: Handle) -> None:
        """Never call the handle's callback again, also not for readiness collected in this turn.

        Raises ``NotFound``, ``WrongThread`` and, after close, ``Closed``.
        """
        if get_ident() != self._owner:
            self._check_thread()
        self._poller.unregister(handle)
        if self._late.pop(handle, None) is None:
            del self._callbacks[handle]
        if self._dispatching:
            self._dropped.add(handle)

    def post(self, function: Callable[[], object]) -> bool:
        """Have ``function()`` run on the reactor's thread; ``False`` when full or closed. Any thread, also
        from signal handlers. What is accepted while ``close`` runs on another thread may be dropped by it."""
        if self._closed or not self._inbox.try_enqueue(function):
            with self._refusals_lock:
                self._refused_count += 1
            return False
        if get_ident() != self._owner or self._may_sleep:
            self._poller.wake()
        return True

    def at_turn_end(self, function: Callable[[], object]) -> None:
        """Run ``function()`` once, at the end of the turn under way; as ``api.reactor.Reactor.at_turn_end``.
        Raises ``WrongThread``."""
        self._check_thread()
        self._turn_end.append(function)

    def run(self) -> None:
        """Turn until ``stop``; the calling thread owns the reactor meanwhile. On the main thread signals end its sleep.

        Raises ``InvalidState`` when it is running already and ``Closed`` after close. ``KeyboardInterrupt``
        and ``SystemExit`` from a callback end the run and pass through; it may be run again.
        """
        self._begin()
        try:
            with self._signals.watched_by(self):
                while not self._stop_asked:
                    self._turn(None)
            self._stop_asked = False
        finally:
            self._running = False
            self._owner = None

    def run_once(self, timeout_ns: Nanoseconds | None) -> int:
        """Make one turn that waits at most ``timeout_ns`` and return the work done; errors as ``run``, and
        ``WrongThread`` when another thread owns it. A pending ``stop`` keeps it from waiting, and stays."""
        self._check_thread()
        self._begin()
        try:
            return self._turn(timeout_ns)
        finally:
            self._running = False

    def stop(self) -> None:
        """Make ``run`` return after the turn under way, or at once. Any thread, also from signal handlers.
        Idempotent."""
        self._stop_asked = True
        if get_ident() != self._owner or self._may_sleep:
            self._poller.wake()

    def stats(self) -> ReactorStats:
        """Return the counters; any thread. Posts are counted when they run."""
        return ReactorStats(
            poll_count=self._poll_count,
            event_count=self._event_count,
            posted_count=self._posted_count,
            refused_post_count=self._refused_count,
            timer_count=self._timer_count,
            error_count=self._error_count,
            handle_count=len(self._poller),
            timer_lag_ns=self._timer_lag_ns,
            loop_ns=self._loop_ns,
            waiting_post_count=len(self._inbox),
            inbox_capacity=self._inbox.capacity,
            loop_counts=tuple(self._loop_counts),
            loop_total_ns=self._loop_total_ns,
            timer_lag_counts=tuple(self._lag_counts),
            timer_lag_total_ns=self._lag_total_ns,
        )

    def close(self) -> None:
        """Release poller and wake-up; drop posts, timers, end-of-turn functions and callbacks; handles stay
        open. Idempotent. Raises ``InvalidState`` while running; any thread may close one that is not."""
        if self._running:
            raise InvalidState("a running reactor can not be closed: stop it first", state="running")
        self._closed = True
        self._poller.close()
        self._scheduler.close()
        self._callbacks.clear()
        self._turn_end.clear()
        while self._inbox.try_dequeue() is not EMPTY:
            pass

    def close_after_fork(self) -> None:
        """In a child of fork(2), also of one from within ``run``: close the child's copy. The parent's goes on."""
        self._running = False
        self._signals.close()
        self.close()

    def _check_thread(self) -> None:
        owner = self._owner
        if owner is not None and get_ident() != owner:
            raise WrongThread("the reactor belongs to another thread: post to it", owner=owner)

    def _begin(self) -> None:
        if self._closed:
            raise Closed("the reactor is closed")
        if self._running:
            raise InvalidState("the reactor is running already", state="running")
        self._running = True
        self._owner = get_ident()

    def _turn(self, timeout_ns: Nanoseconds | None) -> int:
        """Make one turn and return the work done: events, posts and timers."""
        self._may_sleep = True  # Before looking at what waits: see the module's docstring.
        try:
            events = self._poller.poll(self._wait_ns(timeout_ns), self._budget)
        finally:
            self._may_sleep = False
        self._poll_count += 1
        self.turn_ns = started_ns = self._now_ns()
        work_count = 0
        if events:
            work_count = len(events)
            self._event_count += work_count
            self._dispatching = True
            get = self._callbacks.get
            try:
                if self.lane is not None:
                    events = self.lane(events, self._callbacks)
                for handle, readiness in events:
                    callback = get(handle)
                    if callback is not None:
                        try:
                            callback(readiness)
                        except Exception as error:
                            self.fault(error, callback)
            finally:
                self._end_dispatch()
        if len(self._inbox):
            work_count += self._run_posted()
        deadline_ns = self._scheduler.next_deadline_ns()
        if deadline_ns is not None:
            work_count += self._run_timers(deadline_ns)
        if self._turn_end:
            self._run_turn_end()
        ended_ns = self._now_ns()
        self._loop_ns = loop_ns = ended_ns - started_ns
        self._loop_counts[(loop_ns - 1).bit_length()] += 1
        self._loop_total_ns += loop_ns
        if work_count:
            self._last_work_ns = ended_ns
        return work_count

    def _wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        """Return how long the poll of this turn may sleep."""
        if self._stop_asked or self._turn_end or len(self._inbox):
            return 0
        deadline_ns = self._scheduler.next_deadline_ns()
        if deadline_ns is None and not self._spin_ns:
            return timeout_ns
        now_ns = self._now_ns()
        if self._spin_ns and now_ns - self._last_work_ns < self._spin_ns:
            return 0
        if deadline_ns is None:
            return timeout_ns
        rest_ns = max(deadline_ns - now_ns, 0)
        return rest_ns if timeout_ns is None else min(rest_ns, timeout_ns)

    def _end_dispatch(self) -> None:
        """Let the numbers that were registered anew during dispatch take part from now on."""
        self._dispatching = False
        if self._dropped:
            self._callbacks.update(self._late)
            self._late.clear()
            self._dropped.clear()

    def _run_posted(self) -> int:
        # One at a time, so that a KeyboardInterrupt from one function loses none of the others.
        ran_count = 0
        while ran_count < self._budget:
            function = self._inbox.try_dequeue()
            if function is EMPTY:
                break
            ran_count += 1
            self._posted_count += 1
            self._call(function)
        return ran_count

    def _run_timers(self, deadline_ns: Nanoseconds) -> int:
        lag_ns = self._now_ns() - deadline_ns
        if lag_ns < 0:
            return 0
        self._timer_lag_ns = lag_ns
        self._lag_counts[(lag_ns - 1).bit_length()] += 1
        self._lag_total_ns += lag_ns
        ran_count = self._scheduler.run_due(self._budget)
        self._timer_count += ran_count
        return ran_count

    def _run_turn_end(self) -> None:
        waiting = self._turn_end
        for _ in range(_MAX_GENERATIONS):
            for _ in range(len(waiting)):
                self._call(waiting.popleft())
            if not waiting:
                break

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:
            self.fault(error, function)

    def fault(self, error: BaseException, origin: object) -> None:
        """Count what escaped a function that was called here, and tell the error hook. The reactor's thread."""
        self._error_count += 1
        report(self._on_error, error, origin)


__all__ = ["DEFAULT_BUDGET", "DEFAULT_INBOX_CAPACITY", "Event", "Lane", "PollReactor"]
