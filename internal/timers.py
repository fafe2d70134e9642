"""Timers: a scheduler over a binary heap, in which cancelling costs nothing.

A network server sets far more timers than ever fire: a time-out for each request, cancelled when the answer
comes. So the heap is lazy. ``cancel`` only marks the timer and drops its function; the entry stays where it
is until it surfaces. That makes cancelling O(1) and scheduling O(log n), but leaves garbage, so the heap is
rebuilt without it once more than half is cancelled: each rebuild is paid for by the cancels before it, and
the heap never holds more than twice what is pending (plus a small constant).

Entries are tuples ``(deadline_ns, sequence, timer)``: tuples of integers compare in C, and the sequence makes
timers with equal deadlines fire in the order they were scheduled (the third element is never compared).

For deadlines that move with every message (idle time-outs) see ``deadlines``: no timer should be touched
there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from ..api.clock import Clock
from ..api.errors import InvalidArgument
from ..api.types import Nanoseconds
from .faults import ErrorHook, log_error, report

_PENDING: Final = 0  # In the heap, will run.
_RUNNING: Final = 1  # A periodic timer whose function runs now: not in the heap, will be put back.
_DONE: Final = 2
_CANCELLED: Final = 3

_SMALL_HEAP: Final = 64
"""Below this size, rebuilding costs more than the garbage."""


class Timer:
    """Handle on a scheduled function. Implements ``api.scheduler.Cancelable``.

    Thread rules: those of its scheduler. A one-shot timer is done from the moment its function starts, since
    nothing can prevent the run then.
    """

    __slots__ = ("_error", "_function", "_period_ns", "_scheduler", "_state")

    def __init__(
        self, scheduler: TimerScheduler, function: Callable[[], object], period_ns: Nanoseconds
    ) -> None:
        """Made by the scheduler only; ``period_ns`` 0 is a one-shot timer."""
        self._scheduler = scheduler
        self._function: Callable[[], object] | None = function
        self._period_ns = period_ns
        self._state = _PENDING
        self._error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` came in time."""
        return self._state == _CANCELLED

    @property
    def done(self) -> bool:
        """Whether nothing will run any more."""
        return self._state >= _DONE

    @property
    def error(self) -> BaseException | None:
        """What the last run raised; ``None`` when it returned or there was none."""
        return self._error

    def cancel(self) -> bool:
        """Prevent the (next) run, in constant time; ``False`` when it is done already. Never raises."""
        state = self._state
        if state >= _DONE:
            return False
        self._state = _CANCELLED
        # What the function holds (a connection, a buffer) must not live until the entry surfaces.
        self._function = None
        if state == _PENDING:
            self._scheduler._cancelled_count += 1
        return True


class TimerScheduler:
    """Implements ``api.scheduler.Scheduler`` over any clock. Thread rules: the owning thread only.

    It sleeps never and starts no thread: whoever owns it asks ``next_deadline_ns`` and calls ``run_due``.
    """

    __slots__ = ("_cancelled_count", "_clock_now", "_guard", "_heap", "_on_error", "_sequence")

    def __init__(
        self,
        clock: Clock,
        on_error: ErrorHook = log_error,
        guard: Callable[[], object] | None = None,
    ) -> None:
        """Measure on ``clock``; report what functions raise to ``on_error``.

        ``guard`` is called before each scheduling and may refuse it by raising: a reactor passes its check
        for the right thread.
        """
        self._clock_now = clock.now_ns
        self._on_error = on_error
        self._guard = guard
        self._heap: list[tuple[Nanoseconds, int, Timer]] = []
        self._sequence = 0
        # Invariant: the number of entries in the heap whose timer is cancelled.
        self._cancelled_count = 0

    def now_ns(self) -> Nanoseconds:
        """Return the clock's monotonic time."""
        return self._clock_now()

    def schedule(self, delay_ns: Nanoseconds, function: Callable[[], object]) -> Timer:
        """Run ``function()`` once, ``delay_ns`` from now, never within this call.

        Raises ``InvalidArgument`` for a negative delay, and what the guard raises; nothing is scheduled then.
        """
        if delay_ns < 0:
            raise InvalidArgument("a delay is 0 or more", delay_ns=delay_ns)
        return self._add(self._clock_now() + delay_ns, function, 0)

    def schedule_every(self, period_ns: Nanoseconds, function: Callable[[], object]) -> Timer:
        """Run ``function()`` at each ``start + k * period_ns``, k from 1; runs that were missed are skipped.

        A period counts as missed when the next one has begun by the time the function returns. Raises
        ``InvalidArgument`` for a period below 1, and what the guard raises; nothing is scheduled then.
        """
        if period_ns < 1:
            raise InvalidArgument("a period is 1 or more", period_ns=period_ns)
        return self._add(self._clock_now() + period_ns, function, period_ns)

    def next_deadline_ns(self) -> Nanoseconds | None:
        """Return when the earliest pending timer is due, or ``None`` when there is none."""
        heap = self._heap
        if self._cancelled_count:
            self._sweep()
        return heap[0][0] if heap else None

    def run_due(self, budget: int) -> int:
        """Run at most ``budget`` (1 or more, else ``InvalidArgument``) due functions; return how many ran.

        Due is what the clock says when the call begins. A function scheduled meanwhile waits for the next
        call. ``KeyboardInterrupt`` and ``SystemExit`` pass through, after the books are right.
        """
        if budget < 1:
            raise InvalidArgument("a budget is 1 or more", budget=budget)
        heap = self._heap
        now_ns = self._clock_now()
        newcomer = self._sequence
        ran_count = 0
        while ran_count < budget and heap and heap[0][0] <= now_ns:
            # Invariant: an entry scheduled during this call is not before any older due entry, since the
            # clock never goes back and its sequence is higher. So meeting one ends the call.
            if heap[0][1] >= newcomer:
                break
            deadline_ns, sequence, timer = heapq.heappop(heap)
            if timer._state == _CANCELLED:
                self._cancelled_count -= 1
                continue
            ran_count += 1
            self._run(timer, deadline_ns, sequence)
        return ran_count

    def __len__(self) -> int:
        """Return the number of pending timers."""
        return len(self._heap) - self._cancelled_count

    def close(self) -> None:
        """Cancel everything that is pending. The scheduler stays usable; idempotent."""
        for _, _, timer in self._heap:
            timer.cancel()
        self._heap.clear()
        self._cancelled_count = 0

    def _add(self, deadline_ns: Nanoseconds, function: Callable[[], object], period_ns: Nanoseconds) -> Timer:
        if self._guard is not None:
            self._guard()
        if self._cancelled_count * 2 > len(self._heap):
            self._sweep()
        timer = Timer(self, function, period_ns)
        heapq.heappush(self._heap, (deadline_ns, self._sequence, timer))
        self._sequence += 1
        return timer

    def _run(self, timer: Timer, deadline_ns: Nanoseconds, sequence: int) -> None:
        """Run a timer that was just taken from the heap, and put a periodic one back."""
        function = timer._function
        assert function is not None  # Only cancelled and finished timers have none.
        timer._error = None
        if timer._period_ns:
            timer._state = _RUNNING
        else:
            timer._state = _DONE
            timer._function = None
        try:
            function()
        except Exception as error:
            timer._error = error
            report(self._on_error, error, function)
        except BaseException as error:
            timer._error = error
            raise
        finally:
            if timer._state == _RUNNING:
                timer._state = _PENDING
                # The next moment of the fixed grid that lies ahead: no drift, and no burst after a stall.
                late_ns = self._clock_now() - deadline_ns
                next_ns = deadline_ns + timer._period_ns * (late_ns // timer._period_ns + 1)
                heapq.heappush(self._heap, (next_ns, sequence, timer))

    def _sweep(self) -> None:
        """Drop cancelled entries: all when they are the majority, else those at the top."""
        heap = self._heap
        if len(heap) > _SMALL_HEAP and self._cancelled_count * 2 > len(heap):
            # In place: ``run_due`` holds the list while functions run.
            heap[:] = [entry for entry in heap if entry[2]._state != _CANCELLED]
            heapq.heapify(heap)
            self._cancelled_count = 0
        while heap and heap[0][2]._state == _CANCELLED:
            heapq.heappop(heap)
            self._cancelled_count -= 1


__all__ = ["Timer", "TimerScheduler"]
