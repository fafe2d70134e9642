"""Executors whose races real threads hardly ever meet: their workers are in them, too."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..mutation import Gallery
from ..suites.executor import ExecutorContract
from .executor_plain import Job, Plain

GALLERY = Gallery(ExecutorContract)


@GALLERY.mutant(
    "EXE-30", "wakes its workers before the new size is set, so the next wake-up goes to one that leaves", races=True
)
class WakesTooEarly(Plain):
    def resize(self, worker_count: int) -> None:
        with self.lock:
            self.check_open()
            self.changed.notify_all()
        with self.lock:
            self.size = worker_count
            self.grow()


@GALLERY.mutant("EXE-30", "takes two locks in one order to cancel, and in the other to run", races=True)
class TwoOrders(Plain):
    class job(Job):  # noqa: N801 - the executor's attribute
        def __init__(self, executor: Plain, function: Callable[[], object]) -> None:
            super().__init__(executor, function)
            self.own = threading.Lock()

        def cancel(self) -> bool:
            with self.own:
                return super().cancel()

    def pick(self) -> Job:
        job = super().pick()
        assert isinstance(job, TwoOrders.job)
        with job.own:
            return job


__all__ = ["GALLERY"]
