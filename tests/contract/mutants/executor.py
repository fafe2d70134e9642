"""Broken executors, by what becomes of tasks; ``executor_races.py`` has those that lose to two threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType

from ...api.errors import TimedOut
from ...api.executor import ExecutorStats
from ..mutation import Gallery
from ..suites.executor import ExecutorContract
from .executor_plain import Job, Plain

GALLERY = Gallery(ExecutorContract)


@GALLERY.mutant("EXE-01", "gives a result away once")
class ResultOnce(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            value = super().result(timeout_ns)
            self.value = None
            return value


@GALLERY.mutant("EXE-01", "takes an exception that was returned for one that was raised")
class RaisesValues(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            value = super().result(timeout_ns)
            if isinstance(value, BaseException):
                raise value
            return value


@GALLERY.mutant("EXE-02", "loses a worker to SystemExit")
class DiesOfExit(Plain):
    def work(self) -> None:
        while (job := self.take()) is not None:
            self.do(job)
            if isinstance(job.error, SystemExit):
                return


@GALLERY.mutant("EXE-02", "wraps what the function raised")
class WrapsErrors(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            try:
                return super().result(timeout_ns)
            except ValueError as error:
                raise RuntimeError("the task failed") from error


@GALLERY.mutant("EXE-03", "runs every hundredth task twice")
class RunsTwice(Plain):
    def do(self, job: Job) -> None:
        if self.completed % 100 == 99:
            job.run()
        super().do(job)


@GALLERY.mutant("EXE-03", "forgets what tasks submit")
class ForgetsInner(Plain):
    def put(self, job: Job) -> None:
        if threading.current_thread() not in self.threads:
            super().put(job)


@GALLERY.mutant("EXE-04", "calls a task done when it is taken")
class DoneWhenTaken(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        @property
        def done(self) -> bool:
            return self not in self.executor.queue


@GALLERY.mutant("EXE-05", "runs what was cancelled")
class RunsCancelled(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def cancel(self) -> bool:
            answer = super().cancel()
            if answer:
                self.function()
            return answer


@GALLERY.mutant("EXE-05", "answers None for what was cancelled")
class NoneForCancelled(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            return None if self.cancelled else super().result(timeout_ns)


@GALLERY.mutant("EXE-06", "says that it cancelled a task that runs")
class CancelsRunning(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def cancel(self) -> bool:
            return super().cancel() or not self.done


@GALLERY.mutant("EXE-06", "cancels twice")
class CancelsTwice(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def cancel(self) -> bool:
            return super().cancel() or self.cancelled


@GALLERY.mutant("EXE-07", "raises the error of the standard library")
class OtherTimeout(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            try:
                return super().result(timeout_ns)
            except TimedOut as error:
                if timeout_ns is not None and timeout_ns <= 0:
                    raise TimeoutError from error
                raise


@GALLERY.mutant("EXE-07", "gives a task up when somebody is tired of waiting")
class TimeoutCancels(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            try:
                return super().result(timeout_ns)
            except TimedOut:
                self.cancel()
                raise


@GALLERY.mutant("EXE-07", "waits for ever when the time-out is 0")
class ZeroIsForever(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def result(self, timeout_ns: int | None = None) -> object:
            return super().result(timeout_ns or None)


@GALLERY.mutant("EXE-08", "forgets callbacks that come late")
class ForgetsLate(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def add_done_callback(self, function: Callable[[], object]) -> None:
            self.callbacks.append(function)


@GALLERY.mutant("EXE-08", "calls nobody back when a task is cancelled")
class SilentCancel(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def call_back(self) -> None:
            if not self.cancelled:
                super().call_back()


@GALLERY.mutant("EXE-08", "calls back before the function runs, and after it")
class CallsBackTwice(Plain):
    def do(self, job: Job) -> None:
        callbacks = list(job.callbacks)
        super().do(job)
        for function in callbacks:
            job.call(function)


@GALLERY.mutant("EXE-09", "stops at a callback that raises")
class StopsAtCallback(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def call_back(self) -> None:
            try:
                for function in self.callbacks:
                    function()
            except BaseException as error:
                self.executor.faults.append(error)


@GALLERY.mutant("EXE-09", "passes on what a late callback raises")
class RaisesLate(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def add_done_callback(self, function: Callable[[], object]) -> None:
            if self.done:
                function()
            else:
                super().add_done_callback(function)


@GALLERY.mutant("EXE-10", "drops the oldest task when the queue is full")
class DropsOldest(Plain):
    def refuse(self, function: Callable[[], object]) -> Job:
        if self.refused:
            self.queue.popleft()
            self.submitted -= 1
        return super().refuse(function)


@GALLERY.mutant("EXE-10", "refuses a function, and runs it all the same")
class RefusesAndRuns(Plain):
    def refuse(self, function: Callable[[], object]) -> Job:
        self.put(self.job(self, function))
        self.submitted += 1
        return super().refuse(function)


@GALLERY.mutant("EXE-10", "has no bound")
class Boundless(Plain):
    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        super().__init__(worker_count=worker_count, queue_capacity=1 << 40)


@GALLERY.mutant("EXE-11", "counts what it refused as submitted")
class CountsRefused(Plain):
    def refuse(self, function: Callable[[], object]) -> Job:
        self.submitted += 1
        return super().refuse(function)


@GALLERY.mutant("EXE-11", "counts failures as successes")
class CountsNoFailures(Plain):
    def stats(self) -> ExecutorStats:
        with self.lock:
            self.completed += self.failed
            self.failed = 0
            return super().stats()


@GALLERY.mutant("EXE-11", "does not count what runs")
class CountsNoRunning(Plain):
    def take(self) -> Job | None:
        job = super().take()
        with self.lock:
            self.running -= job is not None
        return job

    def finish(self, job: Job) -> None:
        with self.lock:
            self.running += 1
            super().finish(job)


@GALLERY.mutant("EXE-12", "tells how many workers there are, not how many were asked for")
class TellsWorkers(Plain):
    @property
    def worker_count(self) -> int:
        return self.workers

    def resize(self, worker_count: int) -> None:
        super().resize(max(worker_count, self.size))


@GALLERY.mutant("EXE-13", "takes 0 for a size")
class TakesZero(Plain):
    def resize(self, worker_count: int) -> None:
        super().resize(worker_count or 2)


@GALLERY.mutant("EXE-13", "changes its size before it complains about it")
class ChangesFirst(Plain):
    def resize(self, worker_count: int) -> None:
        self.size = worker_count
        super().resize(worker_count)


@GALLERY.mutant("EXE-14", "begins a new queue when it is resized")
class NewQueue(Plain):
    def resize(self, worker_count: int) -> None:
        super().resize(worker_count)
        self.queue = deque()


@GALLERY.mutant("EXE-14", "lets a surplus worker leave with a task in its hands, where several wait")
class LeavesWithTask(Plain):
    def take(self) -> Job | None:
        with self.lock:
            if self.workers > self.size and len(self.queue) > 1:
                self.pick()
                self.completed += 1
            return super().take()


@GALLERY.mutant("EXE-14", "queues again what runs while it is resized")
class RunsAgain(Plain):
    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        self.last: Job | None = None
        super().__init__(worker_count=worker_count, queue_capacity=queue_capacity)

    def do(self, job: Job) -> None:
        self.last = job
        super().do(job)

    def resize(self, worker_count: int) -> None:
        last = self.last
        super().resize(worker_count)
        if last is not None and not hasattr(last.function, "opened"):
            last.run()


@GALLERY.mutant("EXE-15", "drops what is queued when it is shut down")
class ShutdownDrops(Plain):
    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: int | None = None) -> bool:
        with self.lock:
            self.submitted -= len(self.queue)
            self.queue.clear()
        return super().shutdown(cancel_queued=cancel_queued, timeout_ns=timeout_ns)


@GALLERY.mutant("EXE-15", "answers None to shutdown")
class ShutdownSaysNothing(Plain):
    def join(self, timeout_ns: int | None) -> bool:
        super().join(timeout_ns)
        return None  # type: ignore[return-value]  # that is what is wrong with it


@GALLERY.mutant("EXE-15", "fails at the second shutdown")
class SecondShutdownFails(Plain):
    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: int | None = None) -> bool:
        if not cancel_queued:
            self.check_open()
        return super().shutdown(cancel_queued=cancel_queued, timeout_ns=timeout_ns)


@GALLERY.mutant("EXE-16", "accepts after shutdown what will never run")
class AcceptsAfterShutdown(Plain):
    def submit(self, function: Callable[[], object], /) -> Job:
        return self.job(self, function) if self.closed else super().submit(function)


@GALLERY.mutant("EXE-16", "raises RuntimeError after shutdown")
class OtherClosed(Plain):
    def check_open(self) -> None:
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")


@GALLERY.mutant("EXE-17", "runs what it was told to cancel")
class CancelsNothing(Plain):
    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: int | None = None) -> bool:
        return super().shutdown(timeout_ns=timeout_ns)


@GALLERY.mutant("EXE-18", "swallows what the block raised")
class Swallows(Plain):
    def __exit__(  # type: ignore[override]  # that is what is wrong with it
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        self.shutdown()
        return True


@GALLERY.mutant("EXE-18", "does not shut down when the block raised")
class StaysOpen(Plain):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is None:
            self.shutdown()


__all__ = ["GALLERY"]
