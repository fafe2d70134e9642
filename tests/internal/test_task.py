"""Tasks: outcomes, waiting, callbacks, and what they let go of."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.errors import Cancelled, TimedOut
from hioload_ws.api.executor import Task
from hioload_ws.internal.executor import WorkerExecutor
from hioload_ws.internal.task import lock_seconds

LONG_NS = 10_000_000_000


class Bench:
    """An executor of one worker, which ``block`` keeps busy until ``free``."""

    def __init__(self) -> None:
        self.faults: list[tuple[BaseException, object]] = []
        self.executor = WorkerExecutor(1, on_error=lambda error, origin: self.faults.append((error, origin)))
        self.gate = threading.Event()

    def block(self) -> Task[bool]:
        taken = threading.Event()

        def wait() -> bool:
            taken.set()
            return self.gate.wait(60)

        task = self.executor.submit(wait)
        assert taken.wait(10)
        return task

    def drain(self) -> None:
        """Wait until everything that was submitted has its outcome and its callbacks have run."""
        self.gate.set()
        self.executor.submit(lambda: None).result(LONG_NS)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.gate.set()
    assert made.executor.shutdown(timeout_ns=LONG_NS)


class Marker:
    """Something that a weak reference can watch."""


class Watched(Exception):
    """The same; exceptions of Python's own can't be watched."""


def fail_with(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_result_is_kept_and_may_be_none(bench: Bench) -> None:
    task: Task[int] = bench.executor.submit(lambda: 42)
    assert [task.result(), task.result(), task.result(0)] == [42] * 3
    assert task.done and not task.cancelled and not task.cancel()
    nothing: Task[None] = bench.executor.submit(lambda: None)
    assert nothing.result() is None


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_of_any_kind_is_the_outcome_and_the_worker_lives_on(
    bench: Bench, error: BaseException
) -> None:
    task = bench.executor.submit(fail_with(error))
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            task.result(LONG_NS)
        assert caught.value is error
    assert task.done and not task.cancelled
    assert bench.executor.submit(lambda: 1).result(LONG_NS) == 1
    assert bench.faults == []


def test_the_traceback_leads_to_the_function_and_not_through_the_worker(bench: Bench) -> None:
    task = bench.executor.submit(fail_with(ValueError("x")))
    with pytest.raises(ValueError, match="x") as caught:
        task.result(LONG_NS)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "fail" and "_run" not in names


def test_an_exception_of_a_function_in_c_has_no_frame_of_its_own(bench: Bench) -> None:
    empty: list[int] = []
    with pytest.raises(IndexError):
        bench.executor.submit(empty.pop).result(LONG_NS)


def test_waiting_ends_in_time_and_the_task_goes_on(bench: Bench) -> None:
    task = bench.block()
    for timeout_ns in (0, -5, 1_000_000):
        with pytest.raises(TimedOut):
            task.result(timeout_ns)
    assert not task.done and not task.cancel()
    bench.gate.set()
    assert task.result(10**30) is True


def test_many_threads_wait_for_one_task(bench: Bench) -> None:
    task = bench.block()
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(task.result(LONG_NS))) for _ in range(5)]
    for thread in threads:
        thread.start()
    bench.gate.set()
    for thread in threads:
        thread.join()
    assert got == [True] * 5


def test_a_queued_task_is_cancelled_once_and_never_runs(bench: Bench) -> None:
    bench.block()
    ran: list[int] = []
    task = bench.executor.submit(lambda: ran.append(1))
    assert task.cancel() and not task.cancel()
    assert task.done and task.cancelled
    with pytest.raises(Cancelled):
        task.result()
    bench.drain()
    assert ran == []


def test_cancelling_wakes_who_waits_for_the_result(bench: Bench) -> None:
    bench.block()
    task = bench.executor.submit(lambda: None)
    outcome: list[str] = []

    def wait() -> None:
        try:
            task.result(LONG_NS)
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=wait)
    thread.start()
    assert task.cancel()
    thread.join()
    assert outcome == ["cancelled"]


def test_callbacks_run_once_in_order_on_the_thread_that_makes_the_outcome_final(bench: Bench) -> None:
    task = bench.block()
    ran: list[tuple[str, int]] = []
    task.add_done_callback(lambda: ran.append(("first", threading.get_ident())))
    task.add_done_callback(lambda: ran.append(("second", threading.get_ident())))
    queued = bench.executor.submit(lambda: None)
    queued.add_done_callback(lambda: ran.append(("cancelled", threading.get_ident())))
    own = threading.get_ident()
    assert queued.cancel()
    assert ran == [("cancelled", own)]
    bench.drain()
    task.add_done_callback(lambda: ran.append(("late", threading.get_ident())))
    assert [name for name, _ in ran] == ["cancelled", "first", "second", "late"]
    assert [thread == own for _, thread in ran] == [True, False, False, True]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1)])
def test_what_a_callback_raises_is_reported_and_the_others_run(bench: Bench, error: BaseException) -> None:
    task = bench.block()
    ran: list[int] = []
    failing = fail_with(error)
    task.add_done_callback(failing)
    task.add_done_callback(lambda: ran.append(1))
    bench.drain()
    assert ran == [1] and bench.faults == [(error, failing)]
    task.add_done_callback(failing)
    assert bench.faults == [(error, failing)] * 2


def test_a_callback_sees_the_final_outcome(bench: Bench) -> None:
    task = bench.block()
    seen: list[object] = []
    task.add_done_callback(lambda: seen.extend([task.done, task.result(0)]))
    bench.drain()
    assert seen == [True, True]


def test_neither_function_nor_result_outlive_their_use(bench: Bench) -> None:
    argument, result = Marker(), Marker()
    alive = [weakref.ref(argument), weakref.ref(result)]

    def work(argument: Marker = argument, result: list[Marker] = [result]) -> Marker:
        return result.pop()

    task = bench.executor.submit(work)
    gc.disable()
    try:
        task.result(LONG_NS)
        bench.drain()  # the worker has moved on
        del work, argument, result
        assert alive[0]() is None and alive[1]() is not None
        del task
        bench.drain()
        assert alive[1]() is None
    finally:
        gc.enable()


def test_a_kept_exception_makes_no_cycle_with_its_task(bench: Bench) -> None:
    def fail() -> None:
        raise Watched  # made here: an exception that its own function holds is a cycle already

    task = bench.executor.submit(fail)
    gc.disable()
    try:
        try:
            task.result(LONG_NS)
        except Watched as error:
            alive = weakref.ref(error)
        bench.drain()
        del task
        bench.drain()  # without a GIL, it is the thread that made an object which lets go of it
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("timeout_ns", "seconds"),
    [(None, None), (0, 0), (-1, 0), (1_500_000_000, 1.5), (10**40, int(threading.TIMEOUT_MAX))],
)
def test_time_outs_become_seconds_that_a_lock_takes(timeout_ns: int | None, seconds: float | None) -> None:
    assert lock_seconds(timeout_ns) == seconds
