"""The executor: every accepted task exactly once, whatever is resized, cancelled or stopped meanwhile."""

from __future__ import annotations

import functools
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.errors import Cancelled, Closed, InvalidArgument, ResourceExhausted
from hioload_ws.api.executor import Executor, ExecutorStats
from hioload_ws.api.types import ANY_NODE, NodeId
from hioload_ws.internal.executor import WorkerExecutor, start_thread
from hioload_ws.internal.task import WorkerTask

LONG_NS = 10_000_000_000


def balanced(stats: ExecutorStats) -> None:
    assert stats.submitted_count == (
        stats.completed_count
        + stats.failed_count
        + stats.cancelled_count
        + stats.running_count
        + stats.queued_count
    )
    assert min(stats.running_count, stats.queued_count, stats.worker_count) >= 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the time limit of the test ends it otherwise."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.0005)


class Gate:
    """Tasks that keep workers busy until ``open``."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self) -> int:
        self.entered.release()
        assert self._open.wait(60)
        return threading.get_ident()

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


def test_tasks_run_on_workers_in_order_of_submission() -> None:
    ran: list[int] = []
    executor: Executor = WorkerExecutor(1, NodeId(3), name="node3")
    with executor:
        names = [executor.submit(lambda: threading.current_thread().name).result(LONG_NS)]
        tasks = [executor.submit(functools.partial(ran.append, number)) for number in range(20)]
    assert executor.node == 3 and names == ["node3-0"]
    assert ran == list(range(20)) and all(task.done for task in tasks)


def test_without_a_node_it_is_any() -> None:
    with WorkerExecutor(1) as executor:
        assert executor.node == ANY_NODE and executor.worker_count == 1


def test_numbers_out_of_range_are_refused_and_start_nothing() -> None:
    before = threading.active_count()
    for worker_count, queue_capacity in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(InvalidArgument):
            WorkerExecutor(worker_count, queue_capacity=queue_capacity)
    assert threading.active_count() == before


def test_a_full_queue_refuses_and_keeps_nothing(gate: Gate) -> None:
    with WorkerExecutor(1, queue_capacity=2) as executor:
        executor.submit(gate)
        assert gate.entered.acquire(timeout=10)
        first, second = executor.submit(lambda: 1), executor.submit(lambda: 2)
        ran: list[int] = []
        with pytest.raises(ResourceExhausted):
            executor.submit(lambda: ran.append(1))
        assert executor.stats() == ExecutorStats(1, 3, 0, 0, 0, 1, 2, 1)
        assert first.cancel()  # a cancelled task gives its place back at once
        third = executor.submit(lambda: 3)
        gate.open()
        assert (second.result(LONG_NS), third.result(LONG_NS), ran) == (2, 3, [])
    assert executor.stats() == ExecutorStats(0, 4, 3, 0, 1, 0, 0, 1)


def test_growing_runs_more_tasks_at_a_time(gate: Gate) -> None:
    with WorkerExecutor(1) as executor:
        tasks = [executor.submit(gate) for _ in range(3)]
        assert gate.entered.acquire(timeout=10)
        assert executor.stats().running_count == 1
        executor.resize(3)
        for _ in range(2):
            assert gate.entered.acquire(timeout=10)
        assert executor.stats() == ExecutorStats(3, 3, 0, 0, 0, 3, 0, 0) and executor.worker_count == 3
        gate.open()
        assert len({task.result(LONG_NS) for task in tasks}) == 3


def test_shrinking_waits_for_nobody_and_interrupts_nothing(gate: Gate) -> None:
    with WorkerExecutor(3) as executor:
        busy = [executor.submit(gate) for _ in range(3)]
        for _ in range(3):
            assert gate.entered.acquire(timeout=10)
        queued = [executor.submit(threading.get_ident) for _ in range(10)]
        executor.resize(1)
        assert executor.worker_count == 1 and executor.stats().worker_count == 3
        gate.open()
        assert len({task.result(LONG_NS) for task in busy}) == 3
        assert len({task.result(LONG_NS) for task in queued}) == 1
        wait_until(lambda: executor.stats().worker_count == 1)


def test_idle_workers_that_are_too_many_leave_and_growing_again_starts_new_ones() -> None:
    with WorkerExecutor(4) as executor:
        executor.resize(1)
        wait_until(lambda: executor.stats().worker_count == 1)
        executor.resize(3)
        assert executor.stats().worker_count == 3
        assert executor.submit(lambda: 5).result(LONG_NS) == 5


def test_a_shrink_that_is_taken_back_in_time_costs_no_worker(gate: Gate) -> None:
    with WorkerExecutor(2) as executor:
        tasks = [executor.submit(gate) for _ in range(2)]
        for _ in range(2):
            assert gate.entered.acquire(timeout=10)
        executor.resize(1)
        executor.resize(2)
        gate.open()
        first = {task.result(LONG_NS) for task in tasks}
        again = Gate()
        more = [executor.submit(again) for _ in range(2)]
        for _ in range(2):
            assert again.entered.acquire(timeout=10)
        again.open()
        assert {task.result(LONG_NS) for task in more} == first


def test_a_size_below_one_is_refused_and_changes_nothing() -> None:
    with WorkerExecutor(2) as executor:
        with pytest.raises(InvalidArgument):
            executor.resize(0)
        assert executor.worker_count == 2


def test_shutdown_runs_what_is_queued_and_refuses_the_rest(gate: Gate) -> None:
    executor = WorkerExecutor(1)
    executor.submit(gate)
    queued = executor.submit(lambda: 7)
    assert not executor.shutdown(timeout_ns=1_000_000)
    for call in (lambda: executor.submit(int), lambda: executor.resize(2)):
        with pytest.raises(Closed):
            call()
    gate.open()
    assert executor.shutdown(timeout_ns=LONG_NS) and executor.shutdown()
    assert queued.result(0) == 7
    assert executor.stats() == ExecutorStats(0, 2, 2, 0, 0, 0, 0, 0)


def test_shutdown_cancels_what_is_queued_if_told_to_also_later(gate: Gate) -> None:
    executor = WorkerExecutor(1)
    running = executor.submit(gate)
    assert gate.entered.acquire(timeout=10)
    queued = [executor.submit(int) for _ in range(3)]
    assert not executor.shutdown(timeout_ns=0)
    assert not executor.shutdown(cancel_queued=True, timeout_ns=-1)
    assert all(task.cancelled for task in queued) and not running.done
    gate.open()
    assert executor.shutdown()
    assert executor.stats() == ExecutorStats(0, 4, 1, 0, 3, 0, 0, 0)


def test_a_worker_that_shuts_its_executor_down_does_not_wait_for_itself() -> None:
    executor = WorkerExecutor(2)
    both = threading.Barrier(2)

    def stop() -> bool:
        both.wait(10)
        return executor.shutdown()

    answers = [executor.submit(stop) for _ in range(2)]
    assert [task.result(LONG_NS) for task in answers] == [False, False]
    assert executor.shutdown(timeout_ns=LONG_NS)


def test_leaving_the_block_waits_whatever_it_raised() -> None:
    ran: list[int] = []
    with pytest.raises(ValueError, match="x"), WorkerExecutor(1) as executor:
        executor.submit(lambda: ran.append(1))
        raise ValueError("x")
    assert ran == [1] and executor.stats().worker_count == 0


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1)])
def test_every_worker_is_prepared_and_works_also_when_that_fails(error: BaseException) -> None:
    prepared: list[int] = []
    faults: list[tuple[BaseException, object]] = []

    def prepare() -> None:
        prepared.append(threading.get_ident())
        if len(prepared) > 1:
            raise error

    with WorkerExecutor(1, prepare=prepare, on_error=lambda *fault: faults.append(fault)) as executor:
        first = executor.submit(threading.get_ident).result(LONG_NS)
        executor.resize(2)
        wait_until(lambda: len(faults) == 1)
    assert prepared[0] == first and len(prepared) == 2 and faults == [(error, prepare)]


def limited_start(limit: int) -> Callable[[str, Callable[[], object]], threading.Thread]:
    """Return a starter for a system that has ``limit`` threads."""
    names: list[str] = []

    def start(name: str, function: Callable[[], object]) -> threading.Thread:
        names.append(name)
        if len(names) > limit:
            raise RuntimeError("can't start new thread")
        return start_thread(name, function)

    return start


def test_a_system_without_a_thread_for_all_workers_leaves_none_running() -> None:
    before = threading.active_count()
    with pytest.raises(ResourceExhausted) as caught:
        WorkerExecutor(5, start=limited_start(2))
    assert caught.value.context == {"wanted": 5, "reached": 2}
    assert threading.active_count() == before


def test_growing_stops_at_what_the_system_has() -> None:
    with WorkerExecutor(1, start=limited_start(3)) as executor:
        with pytest.raises(ResourceExhausted):
            executor.resize(9)
        assert executor.worker_count == 3 == executor.stats().worker_count
        assert executor.submit(lambda: 1).result(LONG_NS) == 1


def test_a_signal_handler_may_submit_whatever_it_interrupts() -> None:
    ran: list[int] = []
    with WorkerExecutor(1, queue_capacity=1000) as executor:
        before = signal.signal(
            signal.SIGUSR1, lambda number, frame: executor.submit(lambda: ran.append(1)) and None
        )
        try:
            with executor._lock:
                signal.raise_signal(signal.SIGUSR1)
            for _ in range(50):
                executor.submit(lambda: ran.append(0))
                signal.raise_signal(signal.SIGUSR1)
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert Counter(ran) == {0: 50, 1: 51}


def act(executor: WorkerExecutor, dice: random.Random, tasks: list[WorkerTask[int]], ran: list[int]) -> None:
    """Do one random thing to an executor."""
    action = dice.random()
    if action < 0.7:
        number = len(tasks)

        def work() -> int:
            ran.append(number)
            if number % 7 == 3:
                raise ValueError(number)
            return number

        try:
            tasks.append(executor.submit(work))
        except ResourceExhausted:
            pass
    elif action < 0.85:
        executor.resize(dice.randint(1, 5))
    elif tasks:
        dice.choice(tasks).cancel()
    balanced(executor.stats())


@pytest.mark.parametrize("seed", range(8))
def test_a_storm_of_resizes_and_cancels_runs_each_task_once_or_cancels_it(seed: int) -> None:
    dice = random.Random(seed)
    executor = WorkerExecutor(2, queue_capacity=20)
    tasks: list[WorkerTask[int]] = []
    ran: list[int] = []
    for _ in range(600):
        act(executor, dice, tasks, ran)
    assert executor.shutdown(cancel_queued=seed % 2 == 0, timeout_ns=LONG_NS)
    settled(executor, tasks, ran)


def settled(executor: WorkerExecutor, tasks: list[WorkerTask[int]], ran: list[int]) -> None:
    """Assert that after shutdown each task has one outcome, and ran as often as that says."""
    times = Counter(ran)
    failed_count = 0
    for number, task in enumerate(tasks):
        assert task.done
        assert times[number] == (0 if task.cancelled else 1)
        try:
            assert task.result(0) == number
        except Cancelled:
            assert task.cancelled
        except ValueError as error:
            assert error.args == (number,) and number % 7 == 3
            failed_count += 1
    stats = executor.stats()
    balanced(stats)
    assert (stats.submitted_count, stats.failed_count) == (len(tasks), failed_count)
    assert stats.cancelled_count == sum(task.cancelled for task in tasks)
    assert stats.running_count == stats.queued_count == stats.worker_count == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_from_many_threads_that_ends_in_a_stop_loses_and_repeats_nothing(seed: int) -> None:
    """Each thread counts what it had accepted; the stop comes in the middle, from one of them."""
    executor = WorkerExecutor(2, queue_capacity=16)
    lock = threading.Lock()
    ran: Counter[tuple[int, int]] = Counter()
    accepted: dict[tuple[int, int], WorkerTask[None]] = {}

    def work(key: tuple[int, int]) -> None:
        with lock:
            ran[key] += 1

    def storm(who: int) -> None:
        dice = random.Random(seed * 100 + who)
        own: list[WorkerTask[None]] = []
        for number in range(400):
            key = (who, number)
            try:
                if who == 0 and number == 300:
                    executor.shutdown(cancel_queued=seed % 2 == 1)
                elif dice.random() < 0.1:
                    executor.resize(dice.randint(1, 4))
                elif own and dice.random() < 0.2:
                    dice.choice(own).cancel()
                else:
                    own.append(executor.submit(functools.partial(work, key)))
                    accepted[key] = own[-1]
            except ResourceExhausted:
                continue
            except Closed:
                break
            balanced(executor.stats())

    threads = [threading.Thread(target=storm, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert executor.shutdown(timeout_ns=LONG_NS)
    assert all(task.done for task in accepted.values())
    assert dict(ran) == {key: 1 for key, task in accepted.items() if not task.cancelled}
    stats = executor.stats()
    assert (stats.submitted_count, stats.completed_count) == (len(accepted), sum(ran.values()))
    assert stats.running_count == stats.queued_count == stats.worker_count == stats.failed_count == 0


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(), st.integers(0, 60))
def test_any_run_of_calls_leaves_balanced_books(
    worker_count: int, capacity: int, seed: int, step_count: int
) -> None:
    # A seed, and no drawn steps: what can be done next depends on how far the workers are.
    dice = random.Random(seed)
    executor = WorkerExecutor(worker_count, queue_capacity=capacity)
    tasks: list[WorkerTask[int]] = []
    ran: list[int] = []
    try:
        for _ in range(step_count):
            act(executor, dice, tasks, ran)
    finally:
        assert executor.shutdown(timeout_ns=LONG_NS)
    settled(executor, tasks, ran)
