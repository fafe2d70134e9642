"""An executor that is as plain as one can be, and right: threads, one lock, one queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ...api.errors import Cancelled, Closed, InvalidArgument, ResourceExhausted, TimedOut
from ...api.executor import ExecutorStats
from ...api.types import ANY_NODE


class Job:
    """A task."""

    def __init__(self, executor: Plain, function: Callable[[], object]) -> None:
        self.executor = executor
        self.function = function
        self.value: object = None
        self.error: BaseException | None = None
        self.callbacks: list[Callable[[], object]] = []
        self.over = threading.Event()
        self.running = self.cancelled = False

    @property
    def done(self) -> bool:
        return self.over.is_set()

    def cancel(self) -> bool:
        with self.executor.lock:
            if self not in self.executor.queue:
                return False
            self.executor.queue.remove(self)
            self.executor.cancelled += 1
            self.cancelled = True
            self.over.set()
        self.call_back()
        return True

    def result(self, timeout_ns: int | None = None) -> object:
        if not self.over.wait(None if timeout_ns is None else max(timeout_ns, 0) / 1e9):
            raise TimedOut("not yet")
        if self.cancelled:
            raise Cancelled("never ran")
        if self.error is not None:
            raise self.error
        return self.value

    def add_done_callback(self, function: Callable[[], object]) -> None:
        with self.executor.lock:
            late = self.done
            if not late:
                self.callbacks.append(function)
        if late:
            self.call(function)

    def run(self) -> None:
        try:
            self.value = self.function()
        except BaseException as error:
            self.error = error

    def call_back(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for function in callbacks:
            self.call(function)

    def call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            self.executor.faults.append(error)


class Plain:
    """Workers."""

    job: type[Job] = Job
    node = ANY_NODE

    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.queue: deque[Job] = deque()
        self.capacity = queue_capacity
        self.submitted = self.completed = self.failed = self.cancelled = self.running = self.refused = 0
        self.faults: list[BaseException] = []
        self.workers = 0
        self.threads: list[threading.Thread] = []
        self.closed = False
        self.size = worker_count
        self.grow()

    @property
    def worker_count(self) -> int:
        return self.size

    def grow(self) -> None:
        with self.lock:
            while self.workers < self.size:
                self.workers += 1
                thread = threading.Thread(target=self.work, daemon=True)
                self.threads.append(thread)
                thread.start()

    def submit(self, function: Callable[[], object], /) -> Job:
        with self.lock:
            self.check_open()
            if len(self.queue) >= self.capacity:
                return self.refuse(function)
            job = self.job(self, function)
            self.submitted += 1
            self.put(job)
            return job

    def put(self, job: Job) -> None:
        self.queue.append(job)
        self.changed.notify()

    def refuse(self, function: Callable[[], object]) -> Job:
        self.refused += 1
        raise ResourceExhausted("full")

    def work(self) -> None:
        while (job := self.take()) is not None:
            self.do(job)

    def take(self) -> Job | None:
        with self.lock:
            while self.workers <= self.size:
                if self.queue:
                    self.running += 1
                    return self.pick()
                if self.closed:
                    break
                self.changed.wait()
            self.workers -= 1
            return None

    def pick(self) -> Job:
        return self.queue.popleft()

    def do(self, job: Job) -> None:
        job.run()
        self.finish(job)

    def finish(self, job: Job) -> None:
        with self.lock:
            self.running -= 1
            if job.error is None:
                self.completed += 1
            else:
                self.failed += 1
            job.over.set()
        job.call_back()

    def resize(self, worker_count: int) -> None:
        if worker_count < 1:
            raise InvalidArgument("1 or more")
        with self.lock:
            self.check_open()
            self.size = worker_count
            self.grow()
            self.changed.notify_all()

    def stats(self) -> ExecutorStats:
        with self.lock:
            counts = self.submitted, self.completed, self.failed, self.cancelled, self.running
            return ExecutorStats(self.workers, *counts, len(self.queue), self.refused)

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: int | None = None) -> bool:
        with self.lock:
            self.closed = True
            self.changed.notify_all()
            queued = list(self.queue) if cancel_queued else []
        for job in queued:
            job.cancel()
        return self.join(timeout_ns)

    def join(self, timeout_ns: int | None) -> bool:
        end = None if timeout_ns is None else time.monotonic() + max(timeout_ns, 0) / 1e9
        for thread in self.threads:
            thread.join(None if end is None else max(end - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self.threads)

    def check_open(self) -> None:
        if self.closed:
            raise Closed("shut down")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.shutdown()


__all__ = ["Job", "Plain"]
