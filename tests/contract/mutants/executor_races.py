"""Executors that are right as long as one thread uses them, and lose to two."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ..mutation import Gallery
from ..suites.executor import ExecutorContract
from .executor_plain import Job, Plain

GALLERY = Gallery(ExecutorContract)


@GALLERY.mutant("EXE-21", "one task at a time, however many workers")
class OneAtATime(Plain):
    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        self.turn = threading.Lock()
        super().__init__(worker_count=worker_count, queue_capacity=queue_capacity)

    def do(self, job: Job) -> None:
        with self.turn:
            super().do(job)


@GALLERY.mutant("EXE-21", "never grows")
class NeverGrows(Plain):
    def resize(self, worker_count: int) -> None:
        before = self.workers
        self.workers = worker_count
        super().resize(worker_count)
        self.workers = before


@GALLERY.mutant("EXE-14", "runs again, in the same go, what was running while it was resized")
class RunsHeldAgain(Plain):
    resize_count = 0

    def resize(self, worker_count: int) -> None:
        super().resize(worker_count)
        self.resize_count += 1

    def do(self, job: Job) -> None:
        function, before = job.function, self.resize_count

        def repeated() -> object:
            result = function()
            return function() if self.resize_count != before else result

        job.function = repeated
        super().do(job)


@GALLERY.mutant("EXE-22", "counts submissions as C would: read, add, write")
class LosesCounts(Plain):
    def submit(self, function: Callable[[], object], /) -> Job:
        count = self.submitted
        job = super().submit(function)
        self.submitted = count + 1
        return job


@GALLERY.mutant("EXE-22", "has one place for the task that comes next, and no lock around it", races=True)
class OnePlace(Plain):
    next_function: Callable[[], object]

    def submit(self, function: Callable[[], object], /) -> Job:
        self.next_function = function
        return super().submit(self.next_function)


@GALLERY.mutant("EXE-23", "looks whether a task is queued, and then cancels it")
class LooksThenCancels(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def cancel(self) -> bool:
            if self not in self.executor.queue:
                return False
            self.cancelled = True
            with self.executor.lock:
                if self in self.executor.queue:
                    self.executor.queue.remove(self)
                    self.executor.cancelled += 1
                    self.over.set()
            self.call_back()
            return True


@GALLERY.mutant("EXE-24", "moves its tasks to another queue when it is resized, without a lock", races=True)
class MovesTasks(Plain):
    def resize(self, worker_count: int) -> None:
        super().resize(worker_count)
        waiting = deque(self.queue)
        self.queue = waiting


@GALLERY.mutant("EXE-25", "looks whether it is open before it takes the lock")
class LooksBeforeLock(Plain):
    def submit(self, function: Callable[[], object], /) -> Job:
        self.check_open()
        with self.lock:
            closed, self.closed = self.closed, False
            job = super().submit(function)
            self.closed = closed
            if closed:
                self.queue.clear()  # also where a worker is still on its way out, which would run it
            return job


@GALLERY.mutant("EXE-26", "adds a callback to a list that nobody looks at any more")
class AddsTooLate(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def add_done_callback(self, function: Callable[[], object]) -> None:
            if self.done:
                self.call(function)
            else:
                self.callbacks.append(function)


@GALLERY.mutant("EXE-26", "looks again after adding, and calls what was called already")
class CallsAgain(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def add_done_callback(self, function: Callable[[], object]) -> None:
            self.callbacks.append(function)
            if self.done:
                self.call(function)


@GALLERY.mutant("EXE-27", "wakes one of those who wait")
class WakesOne(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def __init__(self, executor: Plain, function: Callable[[], object]) -> None:
            super().__init__(executor, function)
            self.waiters = 0

        def result(self, timeout_ns: int | None = None) -> object:
            with self.executor.lock:
                self.waiters += 1
                is_first = self.waiters == 1
            if not (is_first or self.done):
                timeout_ns = 0
            return super().result(timeout_ns)


@GALLERY.mutant("EXE-28", "says that all has ended when the time is over")
class SaysEnded(Plain):
    def join(self, timeout_ns: int | None) -> bool:
        super().join(timeout_ns)
        return True


@GALLERY.mutant("EXE-28", "does not wait when it is asked a second time")
class WaitsOnce(Plain):
    asked = False

    def join(self, timeout_ns: int | None) -> bool:
        answer = super().join(timeout_ns) if not self.asked else False
        self.asked = timeout_ns is not None
        return answer


@GALLERY.mutant("EXE-29", "leaves a thread behind")
class LeavesThread(Plain):
    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        super().__init__(worker_count=worker_count, queue_capacity=queue_capacity)
        self.left = threading.Event()
        threading.Thread(target=self.left.wait, args=(5,), daemon=True).start()

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: int | None = None) -> bool:
        if cancel_queued:
            self.left.set()  # at the end of the check
        return super().shutdown(cancel_queued=cancel_queued, timeout_ns=timeout_ns)


__all__ = ["GALLERY"]
