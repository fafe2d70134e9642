"""Executor without threads: tasks run when the test says so, one after the other, in virtual time.

Threads make a test depend on who comes first; here the test decides. ``run_next`` plays a worker that takes one
task, ``run_all`` works off the queue. Asking a task for its ``result`` does what waiting does in a real one: the
workers go on, so the queue is worked off up to that task; each task takes ``task_ns`` on the clock, and a time-out
that is shorter passes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from ..api.errors import Cancelled, Closed, InvalidArgument, ResourceExhausted, TimedOut
from ..api.executor import ExecutorStats
from ..api.types import ANY_NODE, Nanoseconds, NodeId
from ..internal.faults import ErrorHook, log_error, report
from .clock import VirtualClock
from .faults import Faults

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class FakeTask(Generic[T_co]):
    """Implements ``api.executor.Task``. Made by a ``FakeExecutor``."""

    __slots__ = ("_callbacks", "_error", "_executor", "_function", "_value", "cancelled", "done")

    def __init__(self, executor: FakeExecutor, function: Callable[[], T_co]) -> None:
        self._executor = executor
        self._function = function
        self._value: object = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], object]] = []
        self.done = False
        """Whether the outcome is final."""
        self.cancelled = False
        """Whether it was cancelled."""

    def cancel(self) -> bool:
        """Withdraw the task if it still waits; whether that succeeded."""
        return self._executor._cancel(self)

    def result(self, timeout_ns: Nanoseconds | None = None) -> T_co:
        """Work the queue off up to this task, in ``timeout_ns`` of virtual time at most; return or raise its
        outcome. Raises ``TimedOut`` and ``Cancelled``."""
        self._executor._work_until(self, timeout_ns)
        if self.cancelled:
            raise Cancelled("the task was cancelled before a worker took it")
        if self._error is not None:
            raise self._error
        return cast(T_co, self._value)

    def add_done_callback(self, function: Callable[[], object]) -> None:
        """Call ``function()`` once the outcome is final."""
        if self.done:
            self._call(function)
        else:
            self._callbacks.append(function)

    def _run(self) -> bool:
        """Run the function; whether it returned."""
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        return self._error is None

    def _finish(self) -> None:
        self.done = True
        callbacks, self._callbacks = self._callbacks, []
        for function in callbacks:
            self._call(function)

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            report(self._executor._on_error, error, function)


class FakeExecutor:
    """Implements ``api.executor.Executor`` on a ``VirtualClock``. Thread rules: one thread.

    ``task_ns`` is how long each task takes (0 or more). ``faults`` is applied at each ``submit``: ``exhaust``
    plays a full queue. Raises ``InvalidArgument`` for numbers out of range.
    """

    __slots__ = (
        "_capacity",
        "_clock",
        "_closed",
        "_counts",
        "_faults",
        "_on_error",
        "_queue",
        "_running_count",
        "_task_ns",
        "node",
        "worker_count",
    )

    def __init__(
        self,
        clock: VirtualClock | None = None,
        *,
        worker_count: int = 1,
        node: NodeId = ANY_NODE,
        queue_capacity: int = 1024,
        task_ns: Nanoseconds = 0,
        faults: Faults | None = None,
        on_error: ErrorHook = log_error,
    ) -> None:
        if worker_count < 1 or queue_capacity < 1 or task_ns < 0:
            raise InvalidArgument("workers and places are 1 or more, a task takes 0 or more", task_ns=task_ns)
        self._clock = VirtualClock() if clock is None else clock
        self._capacity = queue_capacity
        self._task_ns = task_ns
        self._faults = Faults() if faults is None else faults
        self._on_error = on_error
        self._queue: deque[FakeTask[object]] = deque()
        self._counts = dict.fromkeys(("submitted", "completed", "failed", "cancelled", "refused"), 0)
        self._running_count = 0
        self._closed = False
        self.node = node
        """The node it stands for."""
        self.worker_count = worker_count
        """The size last asked for; work is done one task at a time all the same."""

    def submit(self, function: Callable[[], T], /) -> FakeTask[T]:
        """Queue a function. Raises ``ResourceExhausted`` when the queue is full and ``Closed`` after shutdown."""
        self._check_open()
        try:
            self._faults.apply("submit")
            if len(self._queue) >= self._capacity:
                raise ResourceExhausted("the executor's queue is full", capacity=self._capacity)
        except ResourceExhausted:
            self._counts["refused"] += 1
            raise
        task = FakeTask(self, function)
        self._queue.append(task)
        self._counts["submitted"] += 1
        return task

    def run_next(self) -> bool:
        """Play a worker that takes the oldest task and finishes it; ``False`` when none waits."""
        if not self._queue:
            return False
        task = self._queue.popleft()
        self._running_count += 1
        self._clock.advance(self._task_ns)
        has_returned = task._run()
        self._running_count -= 1
        self._counts["completed" if has_returned else "failed"] += 1
        task._finish()
        return True

    def run_all(self) -> int:
        """Work off the queue, with what tasks add to it meanwhile; return how many ran."""
        ran_count = 0
        while self.run_next():
            ran_count += 1
        return ran_count

    def resize(self, worker_count: int) -> None:
        """Note another size. Raises ``InvalidArgument`` below 1 and ``Closed`` after shutdown."""
        if worker_count < 1:
            raise InvalidArgument("an executor has 1 worker or more", worker_count=worker_count)
        self._check_open()
        self.worker_count = worker_count

    def stats(self) -> ExecutorStats:
        """Return the books; workers go when all is done after shutdown."""
        has_work = bool(self._queue or self._running_count)
        return ExecutorStats(
            worker_count=self.worker_count if has_work or not self._closed else 0,
            submitted_count=self._counts["submitted"],
            completed_count=self._counts["completed"],
            failed_count=self._counts["failed"],
            cancelled_count=self._counts["cancelled"],
            running_count=self._running_count,
            queued_count=len(self._queue),
            refused_count=self._counts["refused"],
        )

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: Nanoseconds | None = None) -> bool:
        """Refuse new tasks, run (or cancel) the queued ones; whether all ended within ``timeout_ns``."""
        self._closed = True
        for task in tuple(self._queue) if cancel_queued else ():
            task.cancel()
        end_ns = None if timeout_ns is None else self._clock.now_ns() + timeout_ns
        # Called by one of its own tasks it would wait for itself.
        while not self._running_count and self._has_time(end_ns) and self.run_next():
            pass
        return not (self._queue or self._running_count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.shutdown()

    def _has_time(self, end_ns: Nanoseconds | None) -> bool:
        return end_ns is None or self._clock.now_ns() + self._task_ns <= end_ns

    def _work_until(self, task: FakeTask[T], timeout_ns: Nanoseconds | None) -> None:
        end_ns = None if timeout_ns is None else self._clock.now_ns() + max(timeout_ns, 0)
        # A time-out of 0 or less does not wait: no worker gets to run meanwhile.
        waits = timeout_ns is None or timeout_ns > 0
        while not task.done and waits and self._has_time(end_ns) and self.run_next():
            pass
        if not task.done:
            if end_ns is not None:
                self._clock.advance(max(end_ns - self._clock.now_ns(), 0))
            raise TimedOut("the task has no outcome yet", timeout_ns=timeout_ns)

    def _cancel(self, task: FakeTask[T]) -> bool:
        if task not in self._queue:
            return False
        self._queue.remove(task)
        self._counts["cancelled"] += 1
        task.cancelled = True
        task._finish()
        return True

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the executor was shut down", node=self.node)


__all__ = ["FakeExecutor", "FakeTask"]
