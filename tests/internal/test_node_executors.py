"""Work is done near its memory, and none of it is lost or done twice."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from hioload_ws.api.errors import Closed, InvalidArgument, InvalidState, NotFound, ResourceExhausted
from hioload_ws.api.types import ANY_NODE, CpuId, NodeId
from hioload_ws.fake.topology import FakeTopology
from hioload_ws.internal.executor import start_thread
from hioload_ws.internal.node_executors import NodeExecutors
from hioload_ws.internal.task import WorkerTask
from hioload_ws.internal.topology import SysTopology

TWO = FakeTopology.parse("2x2, distance 10/21")
ZERO, ONE = NodeId(0), NodeId(1)


def test_each_node_has_workers_of_its_own_and_any_node_is_the_caller_s() -> None:
    here = [ONE]
    with NodeExecutors(TWO, 1, masks=None, current_node=lambda: here[0]) as executors:
        assert list(executors.executors) == [ZERO, ONE]
        assert not executors.pinned
        names = [
            executors.submit(lambda: threading.current_thread().name, node).result(5_000_000_000)
            for node in (ZERO, ONE, ANY_NODE)
        ]
        assert [name.partition("-")[0] for name in names] == ["node0", "node1", "node1"]
        assert executors.executor_for().node == ONE
        here[0] = ZERO
        assert executors.executor_for().node == ZERO
        with pytest.raises(NotFound):
            executors.submit(lambda: None, NodeId(7))
        assert sum(stats.completed_count for stats in executors.stats().values()) == 3


def test_without_a_number_there_are_as_many_workers_as_usable_cpus() -> None:
    with NodeExecutors(TWO, masks=None, current_node=lambda: ZERO) as executors:
        assert [executor.worker_count for executor in executors.executors.values()] == [2, 2]
        executors.resize(3)
        executors.resize(1, ONE)
        assert [executor.worker_count for executor in executors.executors.values()] == [3, 1]


class OffTopology:
    """A machine whose CPUs are all forbidden."""

    nodes = TWO.nodes

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        return ()


def test_a_machine_without_a_usable_cpu_is_refused() -> None:
    with pytest.raises(InvalidState):
        NodeExecutors(OffTopology(), masks=None)  # type: ignore[arg-type]  # as much of one as is asked
    with pytest.raises(InvalidArgument):
        NodeExecutors(TWO, 0, masks=None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't pin")
def test_workers_run_on_the_cpus_of_their_node() -> None:
    topology = SysTopology()
    with NodeExecutors(topology, 2) as executors:
        assert executors.pinned
        for node, executor in executors.executors.items():
            mask = executor.submit(lambda: os.sched_getaffinity(0)).result(5_000_000_000)
            assert mask == set(topology.usable_cpus(node))


def storm(executors: NodeExecutors, dice: random.Random) -> None:
    """Resize, cancel and stop at random; every task runs once or is cancelled."""
    runs: list[int] = []
    tasks: list[tuple[int, WorkerTask[None]]] = []
    for number in range(30):
        choice = dice.randrange(6)
        if choice == 0:
            executors.resize(dice.randrange(1, 4), dice.choice((None, ZERO, ONE)))
        elif choice == 1 and tasks:
            dice.choice(tasks)[1].cancel()
        else:
            task = executors.submit(partial(runs.append, number), dice.choice((ZERO, ONE)))
            tasks.append((number, task))
    assert executors.shutdown(cancel_queued=dice.random() < 0.3, timeout_ns=20_000_000_000)
    cancelled = {number for number, task in tasks if task.cancelled}
    assert sorted(runs) == sorted({number for number, _ in tasks} - cancelled)
    with pytest.raises(Closed):
        executors.submit(lambda: None)


@pytest.mark.parametrize("block", range(10))
def test_a_hundred_storms_lose_and_double_nothing(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        storm(NodeExecutors(TWO, 1, masks=None, current_node=lambda: ZERO), random.Random(seed))


def test_shutdown_without_enough_time_says_so_and_can_be_waited_for() -> None:
    release = threading.Event()
    executors = NodeExecutors(TWO, 1, masks=None, current_node=lambda: ZERO)
    blocked = executors.submit(release.wait)
    assert not executors.shutdown(timeout_ns=1_000_000)
    release.set()
    assert executors.shutdown()
    assert blocked.done


class Masks:
    """A made-up machine that pins: each thread has a mask of its own, and starts with all CPUs."""

    def __init__(self, *cpus: int) -> None:
        self.all = frozenset(map(CpuId, cpus))
        self.by_thread: dict[int, frozenset[CpuId]] = {}

    def threads(self) -> Iterable[int]:
        return [threading.get_native_id()]

    def get(self, thread: int) -> frozenset[CpuId]:
        return self.by_thread.get(thread, self.all)

    def set(self, thread: int, cpus: frozenset[CpuId]) -> None:
        self.by_thread[thread] = cpus


def test_every_worker_is_pinned_to_its_node_those_that_a_resize_starts_too() -> None:
    topology = FakeTopology.parse("2x2, nodes 0,4,5, cpus 0-1,8-9, offline 9, memory-only 1")
    masks = Masks(0, 1, 8)
    together = threading.Barrier(3)

    def mask() -> frozenset[CpuId]:
        together.wait(20)  # so that each of the three workers takes one
        return masks.get(threading.get_native_id())

    with NodeExecutors(topology, 1, masks=masks, current_node=lambda: ZERO) as executors:
        assert executors.pinned
        executors.resize(3)
        for node, cpus in ((ZERO, {0, 1}), (NodeId(4), {8})):
            tasks = [executors.submit(mask, node) for _ in range(3)]
            assert [task.result(20_000_000_000) for task in tasks] == [cpus] * 3


def test_work_for_a_node_without_usable_cpus_goes_to_the_nearest_that_has_some() -> None:
    topology = FakeTopology.parse("2x1, memory-only 1, distance 2->1=15")
    with NodeExecutors(topology, 1, masks=None, current_node=lambda: NodeId(2)) as executors:
        assert list(executors.executors) == [0, 1]
        assert executors.executor_for(NodeId(2)).node == 1
        assert executors.submit(lambda: 7).result(20_000_000_000) == 7
        assert executors.stats()[ONE].completed_count == 1


def test_a_system_without_threads_for_the_last_node_keeps_none_of_the_first() -> None:
    started: list[threading.Thread] = []

    def start(name: str, function: Callable[[], object]) -> threading.Thread:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(start_thread(name, function))
        return started[-1]

    with pytest.raises(ResourceExhausted):
        NodeExecutors(TWO, masks=None, current_node=lambda: ZERO, start=start)
    assert len(started) == 3 and not any(thread.is_alive() for thread in started)


def test_a_worker_that_can_not_be_pinned_is_reported_and_works() -> None:
    class Stubborn(Masks):
        def set(self, thread: int, cpus: frozenset[CpuId]) -> None:
            raise PermissionError("not here")

    reported: list[BaseException] = []
    with NodeExecutors(
        TWO, 1, masks=Stubborn(0, 1, 2, 3), current_node=lambda: ZERO,
        on_error=lambda error, origin: reported.append(error),
    ) as executors:  # fmt: skip
        assert executors.submit(lambda: 7, ONE).result(20_000_000_000) == 7
    assert len(reported) == 2 and all(isinstance(error, InvalidArgument) for error in reported)
