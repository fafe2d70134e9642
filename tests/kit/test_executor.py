"""The contract of executors on those with threads, and on the one that is played."""

from __future__ import annotations

from collections.abc import Callable

from hioload_ws.contract import ExecutorContract
from hioload_ws.fake import FakeExecutor
from hioload_ws.internal import WorkerExecutor
from tests.kit.holding import hold


def ignore(error: BaseException, origin: object) -> None:
    """Callbacks that raise are part of it."""


def real(*, worker_count: int, queue_capacity: int) -> WorkerExecutor:
    return WorkerExecutor(worker_count, queue_capacity=queue_capacity, on_error=ignore)


def played(*, worker_count: int, queue_capacity: int) -> tuple[FakeExecutor, Callable[[], object]]:
    executor = FakeExecutor(worker_count=worker_count, queue_capacity=queue_capacity, on_error=ignore)
    return executor, executor.run_next


def test_workers_on_threads_are_conformant() -> None:
    hold(ExecutorContract, real, "WorkerExecutor")


def test_workers_that_are_played_are_conformant() -> None:
    hold(ExecutorContract, played, "FakeExecutor", unsupported={"threads": "tasks run when the test says so"})
