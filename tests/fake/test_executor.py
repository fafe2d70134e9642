"""The executor without threads keeps the contract of those with threads."""

from __future__ import annotations

import sys

import pytest

from hioload_ws.api import (
    Cancelled,
    Closed,
    Executor,
    InvalidArgument,
    NodeId,
    ResourceExhausted,
    Task,
    TimedOut,
)
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.executor import FakeExecutor
from hioload_ws.fake.faults import Faults


def check_books(executor: FakeExecutor) -> None:
    books = executor.stats()
    ended = books.completed_count + books.failed_count + books.cancelled_count
    assert books.submitted_count == ended + books.running_count + books.queued_count


def fail() -> int:
    raise OSError("disk")


def test_tasks_run_when_told_in_order_and_take_their_time() -> None:
    clock = VirtualClock()
    executor = FakeExecutor(clock, task_ns=5)
    ran: list[int] = []
    for number in range(3):
        executor.submit(lambda number=number: ran.append(number))  # type: ignore[misc]  # a default is no argument
    assert ran == []
    assert executor.run_next()
    assert (ran, clock.now_ns()) == ([0], 5)
    assert executor.run_all() == 2
    assert not executor.run_next()
    assert ran == [0, 1, 2]
    check_books(executor)


def test_asking_for_a_result_works_the_queue_off() -> None:
    executor: Executor = FakeExecutor()
    first: Task[int] = executor.submit(lambda: 1)
    second = executor.submit(fail)
    with pytest.raises(OSError):
        second.result()
    assert (first.done, first.result(0)) == (True, 1)


def test_a_time_out_passes_in_virtual_time() -> None:
    clock = VirtualClock()
    executor = FakeExecutor(clock, task_ns=10)
    executor.submit(lambda: 0)
    task = executor.submit(lambda: 7)
    for timeout_ns in (0, -1, 15):
        with pytest.raises(TimedOut):
            task.result(timeout_ns)
    assert clock.now_ns() == 15
    assert task.result(10) == 7


def test_a_task_that_waits_for_itself_is_found_out() -> None:
    executor = FakeExecutor()
    tasks: list[Task[object]] = []

    def wait() -> object:
        return tasks[0].result()

    tasks.append(executor.submit(wait))
    with pytest.raises(TimedOut):
        tasks[0].result()


def test_a_queued_task_can_be_cancelled_and_a_done_one_not() -> None:
    executor = FakeExecutor()
    told: list[str] = []
    task = executor.submit(lambda: 1)
    task.add_done_callback(lambda: told.append("cancelled"))
    assert task.cancel()
    assert not task.cancel()
    assert (task.cancelled, told) == (True, ["cancelled"])
    with pytest.raises(Cancelled):
        task.result()
    other = executor.submit(lambda: 1)
    executor.run_all()
    assert not other.cancel()
    other.add_done_callback(lambda: told.append("late"))
    assert told == ["cancelled", "late"]
    check_books(executor)


def test_what_callbacks_raise_is_reported() -> None:
    errors: list[BaseException] = []
    executor = FakeExecutor(on_error=lambda error, origin: errors.append(error))
    task = executor.submit(lambda: 1)
    task.add_done_callback(fail)
    task.add_done_callback(lambda: sys.exit("a worker goes on all the same"))
    executor.run_all()
    assert [type(error) for error in errors] == [OSError, SystemExit]


def test_a_full_queue_refuses_and_so_does_a_scripted_shortage() -> None:
    with Faults() as faults:
        faults.on("submit").exhaust()
        executor = FakeExecutor(queue_capacity=1, faults=faults, node=NodeId(3))
        with pytest.raises(ResourceExhausted):
            executor.submit(lambda: 1)
        executor.submit(lambda: 1)
        with pytest.raises(ResourceExhausted):
            executor.submit(lambda: 1)
        assert (executor.stats().refused_count, executor.node) == (2, 3)
        check_books(executor)


def test_shutdown_runs_or_cancels_what_is_queued() -> None:
    with FakeExecutor() as executor:
        task = executor.submit(lambda: 1)
    assert task.done
    for call in (lambda: executor.submit(lambda: 1), lambda: executor.resize(1)):
        with pytest.raises(Closed):
            call()
    other = FakeExecutor()
    queued = other.submit(lambda: 1)
    assert other.shutdown(cancel_queued=True)
    assert queued.cancelled


def test_shutdown_ends_in_time_or_says_so() -> None:
    executor = FakeExecutor(task_ns=10)
    executor.submit(lambda: 1)
    assert not executor.shutdown(timeout_ns=5)
    assert executor.shutdown(timeout_ns=10)


def test_a_task_that_shuts_its_executor_down_does_not_wait_for_itself() -> None:
    executor = FakeExecutor()
    task = executor.submit(executor.shutdown)
    assert task.result() is False


def test_sizes_are_checked() -> None:
    executor = FakeExecutor(worker_count=2)
    executor.resize(3)
    assert executor.worker_count == executor.stats().worker_count == 3
    with pytest.raises(InvalidArgument):
        executor.resize(0)
    with pytest.raises(InvalidArgument):
        FakeExecutor(worker_count=0)
