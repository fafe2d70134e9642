"""Unusual executors that are right."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue

from ..mutation import Gallery
from ..suites.executor import ExecutorContract
from .executor_plain import Job, Plain

GALLERY = Gallery(ExecutorContract)

GALLERY.oddball("threads, one lock, one queue")(Plain)


@GALLERY.oddball("the youngest task first")
class YoungestFirst(Plain):
    def pick(self) -> Job:
        return self.queue.pop()


@GALLERY.oddball("workers that wait for work in C code, where nobody sees them")
class WaitsInC(Plain):
    def __init__(self, *, worker_count: int, queue_capacity: int) -> None:
        # One for each task, and for each worker that may have to leave; those that are too many do no harm.
        self.tickets: SimpleQueue[None] = SimpleQueue()
        super().__init__(worker_count=worker_count, queue_capacity=queue_capacity)

    def put(self, job: Job) -> None:
        self.queue.append(job)
        self.tickets.put(None)

    def take(self) -> Job | None:
        while True:
            self.tickets.get()
            with self.lock:
                if self.workers <= self.size and self.queue:
                    self.running += 1
                    return self.pick()
                if self.workers > self.size or self.closed:
                    self.workers -= 1
                    self.tickets.put(None)
                    return None

    def resize(self, worker_count: int) -> None:
        super().resize(worker_count)
        for _ in self.threads:
            self.tickets.put(None)

    def join(self, timeout_ns: int | None) -> bool:
        for _ in self.threads:
            self.tickets.put(None)
        return super().join(timeout_ns)


@GALLERY.oddball("no threads: each step runs a task")
def steps(*, worker_count: int, queue_capacity: int) -> tuple[Plain, Callable[[], object]]:
    executor = Stepped(worker_count=worker_count, queue_capacity=queue_capacity)
    return executor, executor.step


class Stepped(Plain):
    """Workers that run when they are told, on the thread that tells them."""

    def grow(self) -> None:
        """There are none."""

    def step(self) -> bool:
        if not self.queue:
            return False
        self.running += 1
        self.do(self.pick())
        return True

    def join(self, timeout_ns: int | None) -> bool:
        while timeout_ns is None and self.step():
            pass
        return not self.queue


__all__ = ["GALLERY"]
