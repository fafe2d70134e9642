"""Placement: on machines that do not exist, and on this one."""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Callable, Iterable, Mapping

import pytest

from hioload_ws import Server
from hioload_ws.adapters.placement import Machine, Place, Placement, spread
from hioload_ws.api import InvalidArgument, NotFound, NotSupported
from hioload_ws.api.types import ANY_NODE, CpuId, NodeId
from hioload_ws.control import ServerConfig
from hioload_ws.fake import FakeCpuMasks, FakeTopology, Faults, permission_denied
from hioload_ws.internal.affinity import SYSTEM_CPU_MASKS
from hioload_ws.internal.syscalls import MPOL_BIND
from hioload_ws.internal.topology import SysTopology, allowed_cpus, count_cpus
from tests.adapters.live import echo_server, run_on
from tests.internal.numa_kernel import FakeKernel

needs_pinning = pytest.mark.skipif(SYSTEM_CPU_MASKS is None, reason="this system can't pin")


class World:
    """A machine in one line, its kernel, and the masks of this thread."""

    def __init__(self, description: str, *, faults: Faults | None = None, cpuset: Iterable[int] | None = None) -> None:
        self.topology = FakeTopology.parse(description)
        self.masks = FakeCpuMasks(
            self.topology, threads=(threading.get_native_id(),), faults=faults, cpuset=cpuset
        )
        self.kernel = FakeKernel(self.topology.nodes)
        self.machine = Machine(lambda: self.topology, self.masks, self.kernel)

    def placement(self, **settings: object) -> Placement:
        return Placement(ServerConfig.from_mapping(settings), self.machine)

    def mask(self) -> set[int]:
        return set(self.masks.get(threading.get_native_id()))


def cpus(*numbers: int) -> frozenset[CpuId]:
    return frozenset(map(CpuId, numbers))


def test_without_settings_nothing_is_asked_pinned_or_bound() -> None:
    def refuse() -> FakeTopology:
        raise AssertionError("the machine was read")

    placement = Placement(ServerConfig(), Machine(refuse, None))
    with placement.held():
        assert placement.place == Place()
        assert placement.state()["pinned"] is False
        assert placement.state()["cpus"] is None
    with placement.make_pool(ServerConfig()) as pool, pool.acquire(10):
        assert (pool.stats().binding, pool.stats().page_kind) == ("first-touch", "normal")


def test_a_node_keeps_the_thread_on_its_cpus_and_takes_memory_there() -> None:
    world = World("2x2")
    placement = world.placement(node=1)
    assert placement.place == Place(cpus(2, 3), NodeId(1))
    with placement.held():
        assert world.mask() == {2, 3}
        assert placement.state() == {
            "asked_cpus": [2, 3], "asked_memory_node": 1, "thread": threading.get_native_id(), "cpus": [2, 3],
            "pinned": True,
        }  # fmt: skip
    assert world.mask() == {0, 1, 2, 3}
    assert placement.state()["thread"] is None
    with placement.make_pool(ServerConfig()) as pool, pool.acquire(10):
        assert (pool.node, pool.stats().binding) == (1, "bound")
    assert world.kernel.bound[0][2:] == (MPOL_BIND, (1,))


def test_a_cpu_alone_pins_and_binds_nothing() -> None:
    world = World("2x2")
    placement = world.placement(cpu=3)
    assert placement.place == Place(cpus(3), None)
    with placement.held():
        assert world.mask() == {3}


def test_a_node_without_cpus_runs_on_the_nearest_and_one_without_memory_takes_it_there() -> None:
    world = World("3x1, memory-only 1, distance 10/40, distance 3->1=15, distance 2->0=20, memory 2=0")
    assert world.placement(node=3).place == Place(cpus(1), NodeId(3))
    assert world.placement(node=2).place == Place(cpus(2), NodeId(0))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"node": 9}, NotFound),
        ({"cpu": 9}, NotFound),
        ({"node": 0, "cpu": 2}, InvalidArgument),
        ({"cpu": 1}, InvalidArgument),
        ({"node": 1}, InvalidArgument),
    ],
    ids=str,
)
def test_what_is_absent_or_forbidden_or_does_not_fit_is_refused(
    settings: Mapping[str, object], error: type[Exception]
) -> None:
    world = World("2x2, usable 0")
    with pytest.raises(error):
        world.placement(**settings)
    with pytest.raises(error):
        Server("127.0.0.1", 0, machine=world.machine, **settings)  # type: ignore[arg-type]  # settings of a test


def test_a_system_that_can_not_pin_refuses_a_place() -> None:
    machine = Machine(lambda: FakeTopology.parse("1x2"), None)
    with pytest.raises(NotSupported):
        Placement(ServerConfig(cpu=0), machine)
    placement = Placement(ServerConfig(), machine)
    with pytest.raises(NotSupported):
        placement.follow(ServerConfig(), ServerConfig(cpu=0))


def test_a_cpu_that_the_system_takes_away_is_refused_and_the_mask_is_the_old_one() -> None:
    world = World("1x4", cpuset=(0, 1))
    with pytest.raises(InvalidArgument):
        with world.placement(cpu=3).held():
            raise AssertionError("it ran")
    assert world.mask() == {0, 1}
    faults = Faults()
    faults.on("set_affinity").fail(permission_denied())
    denied = World("1x4", faults=faults)
    with pytest.raises(InvalidArgument):
        with denied.placement(cpu=3).held():
            raise AssertionError("it ran")


def test_a_change_moves_the_thread_that_runs_from_whatever_thread_it_comes() -> None:
    world = World("2x2")
    placement = world.placement(node=0)
    old, new = ServerConfig(node=0), ServerConfig(node=0, cpu=1)

    def change(old: ServerConfig, new: ServerConfig) -> None:
        changer = threading.Thread(target=placement.follow, args=(old, new))
        changer.start()
        changer.join()

    with placement.held():
        change(old, new)
        assert world.mask() == {1}
        change(new, old)
        assert world.mask() == {0, 1}
        with pytest.raises(InvalidArgument):
            placement.follow(old, ServerConfig(node=0, cpu=2))
        assert world.mask() == {0, 1}
        assert placement.place == Place(cpus(0, 1), NodeId(0))
    assert world.mask() == {0, 1, 2, 3}


def test_a_change_while_nobody_runs_holds_for_the_next_run_and_can_be_taken_back() -> None:
    world = World("1x2")
    placement, free, kept = world.placement(), ServerConfig(), ServerConfig(cpu=1)
    placement.follow(free, ServerConfig(max_connections=5))
    placement.follow(free, kept)
    assert world.mask() == {0, 1}
    with placement.held():
        assert world.mask() == {1}
        placement.follow(kept, free)
        assert world.mask() == {0, 1}
        assert placement.state()["pinned"] is False
        placement.follow(free, kept)
        assert world.mask() == {1}
    assert world.mask() == {0, 1}


def test_a_worker_s_place_wins_over_the_configured_one() -> None:
    world = World("2x2")
    placement = world.placement()
    placement.settle(Place(cpus(2), NodeId(1)))
    with placement.held():
        assert world.mask() == {2}
    assert placement.make_pool(ServerConfig()).node == 1


def test_the_executor_has_all_cpus_of_the_node_also_when_the_reactor_has_one() -> None:
    world = World("2x3")
    placement = world.placement(cpu=4)
    with placement.make_executor(ServerConfig(), lambda error, origin: None) as executor:
        assert (executor.node, executor.worker_count) == (1, 3)
        executor.resize(1)
        executor.submit(lambda: None).result()
        assert world.mask() == {3, 4, 5}, "the fake machine takes every thread for this one"


def test_the_executor_without_a_place_is_as_large_as_the_machine_and_pins_nothing() -> None:
    placement = Placement(ServerConfig(), Machine(masks=None))
    with placement.make_executor(ServerConfig(), lambda error, origin: None) as executor:
        assert executor.node == ANY_NODE
        assert executor.worker_count == len(tuple(allowed_cpus() or range(count_cpus())))
        assert executor.submit(lambda: 5).result() == 5
        few, default = ServerConfig(executor_threads=2), ServerConfig()
        placement.resize(executor, default, few)
        assert executor.worker_count == 2
        placement.resize(executor, few, ServerConfig(executor_threads=2, max_connections=5))
        assert executor.worker_count == 2
        placement.resize(executor, few, default)
        assert executor.worker_count == placement.thread_count(default)


def test_huge_pages_are_tried_where_they_are_asked_for() -> None:
    flags: list[int] = []

    def map_memory(size_bytes: int, extra_flags: int) -> mmap.mmap:
        flags.append(extra_flags)
        if extra_flags:
            raise OSError(errno.ENOMEM, "none reserved")
        return mmap.mmap(-1, size_bytes)

    placement = Placement(ServerConfig(), Machine(map_memory=map_memory))
    for huge_pages, tried in (("never", False), ("try", True)):
        flags.clear()
        with placement.make_pool(ServerConfig(huge_pages=huge_pages)) as pool, pool.acquire(10):
            assert any(flags) is tried


def places(description: str, count: int, node: NodeId | None = None) -> list[tuple[list[int], int | None]]:
    found = spread(FakeTopology.parse(description), count, node=node, calls=FakeKernel(range(8)))
    return [(sorted(place.cpus), place.memory) for place in found]


def test_workers_take_turns_over_nodes_and_cores_before_they_share_one() -> None:
    assert places("2x4, threads 2", 8) == [
        ([0], 0), ([4], 1), ([2], 0), ([6], 1), ([1], 0), ([5], 1), ([3], 0), ([7], 1)
    ]  # fmt: skip
    assert places("2x2", 3, NodeId(1)) == [([2], 1), ([3], 1), ([2], 1)]
    assert places("1x4, threads 2, usable 1-3", 2) == [([1], 0), ([2], 0)]
    assert places("2x1, memory 1=0", 2) == [([0], 0), ([1], 0)]


def test_workers_without_a_cpu_or_below_one_are_refused() -> None:
    for description, count, node in (("1x2", 0, None), ("1x1, memory-only 1", 1, NodeId(1))):
        with pytest.raises(InvalidArgument):
            places(description, count, node)
    with pytest.raises(NotFound):
        places("1x2", 1, NodeId(7))


def on_server(app: Server, ask: Callable[[], object]) -> object:
    """Return what ``ask()`` says on the server's thread."""
    answers: list[object] = []
    run_on(app, lambda: answers.append(ask()))
    return answers[0]


@needs_pinning
def test_a_server_is_pinned_moved_while_it_runs_and_put_back() -> None:
    topology = SysTopology()
    usable = topology.usable_cpus()
    first, last, node = usable[0], usable[-1], topology.node_of(usable[0])
    before = os.sched_getaffinity(0)
    app = echo_server(node=int(node), cpu=int(first))
    with app.background():
        assert on_server(app, lambda: os.sched_getaffinity(0)) == {first}
        seen = app.probes.dump_state()["placement"]
        assert isinstance(seen, Mapping)
        assert (seen["asked_cpus"], seen["cpus"], seen["pinned"]) == ([first], [first], True)
        assert app.pool.node == node
        if topology.node_of(last) == node:
            app.control.set_config(cpu=int(last))
            assert on_server(app, lambda: os.sched_getaffinity(0)) == {last}
        with pytest.raises(NotFound):
            app.control.set_config(cpu=8000)
        with pytest.raises(InvalidArgument, match="built with it"):
            app.control.set_config(node=None)
        near = set(topology.usable_cpus(node))
        assert app.executor.submit(lambda: os.sched_getaffinity(0)).result() == near
        app.control.set_config(executor_threads=1)
        assert app.executor.worker_count == 1
    assert os.sched_getaffinity(0) == before


@needs_pinning
def test_a_thread_that_runs_a_server_is_put_back_whatever_ended_it() -> None:
    before = os.sched_getaffinity(0)
    app = echo_server(cpu=int(min(before)))

    def interrupt() -> None:
        raise KeyboardInterrupt

    app.start()
    app.post(interrupt)
    with pytest.raises(KeyboardInterrupt):
        app.run()
    assert os.sched_getaffinity(0) == before


@needs_pinning
def test_a_server_whose_place_was_taken_away_before_its_run_ends_and_says_so() -> None:
    world = World("1x2", cpuset=(0,))
    app = echo_server(machine=world.machine, cpu=1)
    with pytest.raises(InvalidArgument):
        app.run()
    assert app.shutdown()


def test_each_worker_gets_a_cpu_as_far_as_there_are_enough() -> None:
    world = World("2x2")
    placement = world.placement(workers=3)

    def places(**settings: object) -> list[set[int]]:
        config = ServerConfig.from_mapping({"workers": 3, **settings})
        return [set(place.cpus) for place in placement.places(config)]

    assert places() == [{0}, {2}, {1}]
    assert places(workers=2, node=1) == [{2}, {3}]
    assert places(node=1) == []
    assert places(workers=5) == []
    assert places(worker_pinning="off") == []
    with pytest.raises(InvalidArgument, match="one worker"):
        places(cpu=1)
    assert Placement(ServerConfig(), Machine(lambda: world.topology, None)).places(ServerConfig(workers=2)) == ()
