"""Task: one function that was accepted by an executor, and its outcome.

A task has four states and three transitions, all made while the executor's lock is held, because the
executor's books count the states and must never disagree with them::

    queued --a worker takes it--> running --returned or raised--> done
       |
       +--cancel--> cancelled

The lock is re-entrant, so a signal handler or a finaliser that interrupts its holder may ask for a task as
well. What belongs to the user (the function, the callbacks) runs outside of it.

An outcome is kept until the task is forgotten, so an exception must not keep more alive than itself. Its
traceback refers to frames and these to what they work on; therefore our own frame is cut off where the
exception arrives, and both frames of ours that it has met let go of the task.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from ..api.errors import Cancelled, TimedOut
from ..api.types import Nanoseconds
from .faults import report

if TYPE_CHECKING:
    from .executor import WorkerExecutor

T_co = TypeVar("T_co", covariant=True)

QUEUED: Final = 0
RUNNING: Final = 1
DONE: Final = 2
CANCELLED: Final = 3

_MAX_WAIT_NS: Final = int(threading.TIMEOUT_MAX) * 1_000_000_000


def lock_seconds(timeout_ns: Nanoseconds | None) -> float | None:
    """Convert a time-out to what ``threading`` takes: no end, or seconds within what the system can count."""
    if timeout_ns is None:
        return None
    return min(max(timeout_ns, 0), _MAX_WAIT_NS) / 1e9


class WorkerTask(Generic[T_co]):
    """Implements ``api.executor.Task``, whose contract holds here. Made by an executor only.

    Thread rules: any thread. A task that waits for another one of the same executor occupies a worker
    meanwhile; when all do, they wait for ever.
    """

    __slots__ = ("_callbacks", "_error", "_executor", "_finished", "_function", "_state", "_value")

    def __init__(self, executor: WorkerExecutor, function: Callable[[], T_co]) -> None:
        self._executor = executor
        self._function: Callable[[], T_co] | None = function
        self._state = QUEUED
        self._value: object = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], object]] = []
        # Made when somebody waits: most tasks end unwatched, and an event costs more than the task.
        self._finished: threading.Event | None = None

    @property
    def done(self) -> bool:
        """Whether the outcome is final."""
        return self._state >= DONE

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == CANCELLED

    def cancel(self) -> bool:
        """Withdraw the task if no worker has taken it; ``False`` otherwise, also when it was cancelled
        before. Its callbacks then run on the calling thread."""
        return self._executor._cancel(self)

    def result(self, timeout_ns: Nanoseconds | None = None) -> T_co:
        """Wait for the outcome and return or raise it.

        Raises ``TimedOut`` when ``timeout_ns`` (``None``: no end; 0 or less: don't wait) passes, and
        ``Cancelled``. The exception of the function is the same object each time.
        """
        with self._executor._lock:
            if not self.done and self._finished is None:
                self._finished = threading.Event()
            finished = self._finished
        # Without an event it was final by then.
        if finished is not None and not finished.wait(lock_seconds(timeout_ns)):
            raise TimedOut("the task has no outcome yet", timeout_ns=timeout_ns)
        if self._state == CANCELLED:
            raise Cancelled("the task was cancelled before a worker took it")
        error = self._error
        if error is None:
            return cast(T_co, self._value)
        try:
            raise error
        finally:
            # Else: error -> traceback -> this frame -> error, and the task with all it holds.
            del error, self

    def add_done_callback(self, function: Callable[[], object]) -> None:
        """Call ``function()`` once the outcome is final: on the thread that makes it so (the worker's, or the
        one that cancels), or at once. What it raises goes to the executor's error hook."""
        with self._executor._lock:
            if not self.done:
                self._callbacks.append(function)
                return
        self._call(function)

    def _run(self) -> None:
        """Run the function; for the worker that took the task. Never raises what the function raises."""
        function = self._function
        assert function is not None  # only tasks with an outcome have none
        value: object = None
        error: BaseException | None = None
        try:
            value = function()
        except BaseException as raised:
            # Also SystemExit and KeyboardInterrupt: they are addressed to whoever asks for the result.
            traceback = raised.__traceback__
            error = raised.with_traceback(traceback and traceback.tb_next)
            del traceback
        self._executor._finish(self, value, error)
        # The function's frame, which the traceback keeps, refers back to this one, which called it.
        del self, function, value, error

    def _settle(self, state: int, value: object = None, error: BaseException | None = None) -> None:
        """Make the outcome final; the caller holds the lock, and calls ``_announce`` after leaving it."""
        self._value = value
        self._error = error
        # What the function holds (a connection, a buffer) must not live as long as the outcome.
        self._function = None
        # Last: ``done`` is read without the lock.
        self._state = state
        if self._finished is not None:
            self._finished.set()

    def _announce(self) -> None:
        """Run the callbacks. Nobody adds any once the outcome is final."""
        callbacks, self._callbacks = self._callbacks, []
        for function in callbacks:
            self._call(function)

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            # A worker that dies of a callback would take its place in the executor with it.
            report(self._executor._on_error, error, function)


__all__ = ["CANCELLED", "DONE", "QUEUED", "RUNNING", "WorkerTask", "lock_seconds"]
