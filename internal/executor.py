"""Executor: worker threads for functions that block or compute.

One lock guards everything: the queue, the states of the tasks, the set of workers and the books. A task costs
some microseconds anyway, and one lock is what makes the equation ``submitted == completed + failed +
cancelled + running + queued`` hold in every snapshot. Nothing of the user's runs while it is held.

*Resizing* sets how many workers are meant to be, and nothing else. Growing starts the missing ones. Shrinking
wakes everybody; a worker that looks for its next task and finds that there are too many leaves instead. It
looks between two tasks only, so nothing is interrupted, and a task that was taken is always finished.

*No wake-up is lost to a worker that leaves:* there are too many workers only after a ``resize``, and that
wakes every waiting one. So whoever waits for a task afterwards has seen that he may stay.

*Stopping* refuses new tasks; the workers leave when the queue is empty. Workers are daemon threads: a program
that fails elsewhere must not hang at its end because nobody stopped its executor. Stop it in order, with a
``with`` block, and every accepted task runs.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from ..api.errors import Closed, InvalidArgument, ResourceExhausted
from ..api.executor import ExecutorStats
from ..api.types import ANY_NODE, Nanoseconds, NodeId
from .faults import ErrorHook, log_error, report
from .task import CANCELLED, DONE, RUNNING, WorkerTask, lock_seconds

T = TypeVar("T")

DEFAULT_QUEUE_CAPACITY: Final = 1024


def do_nothing() -> None:
    """The preparation of workers that need none."""


def start_thread(name: str, function: Callable[[], object]) -> threading.Thread:
    """Start a daemon thread. Raises ``RuntimeError`` when the system has no more."""
    thread = threading.Thread(target=function, name=name, daemon=True)
    thread.start()
    return thread


class WorkerExecutor:
    """Implements ``api.executor.Executor`` with threads, whose contract holds here.

    ``queue_capacity`` bounds the tasks that wait (those that run are not counted), 1 or more. ``prepare()``
    runs on each worker first: pin it to the node there. ``on_error`` gets what preparations and callbacks
    raise; a worker whose preparation failed works all the same. ``start`` starts a thread with a name.

    Raises ``InvalidArgument`` for numbers below 1 and ``ResourceExhausted`` when the system has no thread
    left; none keeps running then. Thread rules: any thread, also signal handlers and finalisers.
    """

    __slots__ = (
        "_capacity",
        "_closed",
        "_counts",
        "_lock",
        "_name",
        "_node",
        "_on_error",
        "_prepare",
        "_queue",
        "_refused_count",
        "_running_count",
        "_start",
        "_submitted_count",
        "_target",
        "_threads",
        "_work_or_end",
        "_worker_count",
    )

    def __init__(
        self,
        worker_count: int,
        node: NodeId = ANY_NODE,
        *,
        queue_capacity: int = DEFAULT_QUEUE_CAPACITY,
        prepare: Callable[[], object] = do_nothing,
        on_error: ErrorHook = log_error,
        name: str = "worker",
        start: Callable[[str, Callable[[], object]], threading.Thread] = start_thread,
    ) -> None:
        if worker_count < 1 or queue_capacity < 1:
            raise InvalidArgument(
                "workers and queue places are 1 or more",
                worker_count=worker_count,
                queue_capacity=queue_capacity,
            )
        self._node = node
        self._capacity = queue_capacity
        self._prepare = prepare
        self._on_error = on_error
        self._name = name
        self._start = start
        # Re-entrant, so that a signal handler or a finaliser which interrupts its holder can submit too.
        self._lock = threading.RLock()
        self._work_or_end = threading.Condition(self._lock)
        # Ordered, and any task can leave in constant time: cancelled ones must not fill the queue.
        self._queue: OrderedDict[WorkerTask[object], bool] = OrderedDict()
        self._counts = {"completed": 0, "failed": 0, "cancelled": 0}
        self._submitted_count = self._running_count = self._refused_count = 0
        self._target = worker_count
        # Invariant: workers that have not decided to leave; ``_threads`` has those, and some that ended.
        self._worker_count = 0
        self._threads: list[threading.Thread] = []
        self._closed = False
        try:
            self._grow()
        except ResourceExhausted:
            self.shutdown()
            raise

    @property
    def node(self) -> NodeId:
        """The node its workers run on, or ``ANY_NODE``."""
        return self._node

    @property
    def worker_count(self) -> int:
        """The size last asked for; less where the system had no thread left for it."""
        return self._target

    def submit(self, function: Callable[[], T], /) -> WorkerTask[T]:
        """Queue a function. Raises ``ResourceExhausted`` when the queue is full, ``Closed`` after
        shutdown."""
        task = WorkerTask(self, function)
        with self._lock:
            self._refuse_closed("submit")
            if len(self._queue) >= self._capacity:
                self._refused_count += 1
                raise ResourceExhausted("the executor's queue is full", capacity=self._capacity)
            self._queue[task] = True
            self._submitted_count += 1
            self._work_or_end.notify()
        return task

    def resize(self, worker_count: int) -> None:
        """Grow or shrink to ``worker_count`` without losing or repeating a task; does not wait.

        Raises ``InvalidArgument`` below 1, ``Closed`` after shutdown, and ``ResourceExhausted`` when the
        system has no thread left: then it stays at the size that was reached.
        """
        if worker_count < 1:
            raise InvalidArgument("an executor has 1 worker or more", worker_count=worker_count)
        with self._lock:
            self._refuse_closed("resize")
            self._target = worker_count
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._grow()
            self._work_or_end.notify_all()

    def stats(self) -> ExecutorStats:
        """Return a consistent snapshot; ``worker_count`` is how many workers there are now."""
        with self._lock:
            return ExecutorStats(
                worker_count=self._worker_count,
                submitted_count=self._submitted_count,
                completed_count=self._counts["completed"],
                failed_count=self._counts["failed"],
                cancelled_count=self._counts["cancelled"],
                running_count=self._running_count,
                queued_count=len(self._queue),
                refused_count=self._refused_count,
            )

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: Nanoseconds | None = None) -> bool:
        """Refuse new tasks, run (or cancel) the queued ones, and wait for the workers; whether all ended.

        ``timeout_ns`` bounds the waiting (``None``: no end). Idempotent, and may be called again to wait on
        or to cancel. A worker that calls it would wait for itself, so there it returns ``False`` at once.
        """
        with self._lock:
            self._closed = True
            self._work_or_end.notify_all()
            threads = tuple(self._threads)
            queued = tuple(self._queue) if cancel_queued else ()
        for task in queued:
            self._cancel(task)
        if threading.current_thread() in threads:
            return False
        end_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        for thread in threads:
            thread.join(lock_seconds(None if end_ns is None else end_ns - time.monotonic_ns()))
        return not any(thread.is_alive() for thread in threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.shutdown()

    def _refuse_closed(self, call: str) -> None:
        if self._closed:
            raise Closed(f"{call} after shutdown of the executor", node=self._node)

    def _grow(self) -> None:
        """Start the workers that are missing."""
        with self._lock:
            while self._worker_count < self._target:
                try:
                    thread = self._start(f"{self._name}-{self._worker_count}", self._work)
                except RuntimeError as error:
                    wanted_count, self._target = self._target, self._worker_count
                    raise ResourceExhausted(
                        "the system has no thread left", wanted=wanted_count, reached=self._worker_count
                    ) from error
                self._worker_count += 1
                self._threads.append(thread)

    def _work(self) -> None:
        """Be a worker: run tasks until there are too many workers, or no more tasks to come."""
        try:
            self._prepare()
        except BaseException as error:
            report(self._on_error, error, self._prepare)
        while (task := self._next_task()) is not None:
            task._run()
            del task  # while this worker waits, nothing of the last task may live on

    def _next_task(self) -> WorkerTask[object] | None:
        """Wait for a task and take it; ``None`` when this worker is to leave."""
        with self._lock:
            while self._worker_count <= self._target:
                if self._queue:
                    task, _ = self._queue.popitem(last=False)
                    task._state = RUNNING
                    self._running_count += 1
                    return task
                if self._closed:
                    break
                self._work_or_end.wait()
            self._worker_count -= 1
            return None

    def _finish(self, task: WorkerTask[object], value: object, error: BaseException | None) -> None:
        """Make the outcome of a running task final."""
        with self._lock:
            self._running_count -= 1
            self._counts["completed" if error is None else "failed"] += 1
            task._settle(DONE, value, error)
        task._announce()

    def _cancel(self, task: WorkerTask[object]) -> bool:
        """Withdraw a task that is queued; ``False`` when it is not."""
        with self._lock:
            # The queue decides, in one step: what is not in it was taken or cancelled.
            if not self._queue.pop(task, False):
                return False
            self._counts["cancelled"] += 1
            task._settle(CANCELLED)
        task._announce()
        return True


__all__ = ["DEFAULT_QUEUE_CAPACITY", "WorkerExecutor", "do_nothing", "start_thread"]
