"""Pinning: on a machine made of a dictionary, and on this one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.affinity import Affinity, AffinityState, Scope
from hioload_ws.api.errors import InvalidArgument, NotFound, NotSupported
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.internal.affinity import SYSTEM_CPU_MASKS, OneThread, SystemAffinity, SystemCpuMasks
from hioload_ws.internal.topology import SysTopology

OWN = 100
ALL = frozenset(map(CpuId, range(4)))


def cpus(*numbers: int) -> frozenset[CpuId]:
    return frozenset(map(CpuId, numbers))


class Masks:
    """A machine: thread to mask. ``permitted`` is its cpuset; ``before_set`` runs before each change."""

    def __init__(self, *threads: int) -> None:
        self.by_thread = dict.fromkeys((OWN, *threads), ALL)
        self.permitted = ALL
        self.before_set: Callable[[int], object] = lambda thread: None
        self.ghosts: list[int] = []

    def threads(self) -> Iterable[int]:
        return (*self.by_thread, *self.ghosts)

    def get(self, thread: int) -> frozenset[CpuId]:
        if thread not in self.by_thread:
            raise ProcessLookupError(thread)
        return self.by_thread[thread]

    def set(self, thread: int, mask: frozenset[CpuId]) -> None:
        self.before_set(thread)
        if thread not in self.by_thread:
            raise ProcessLookupError(thread)
        if not mask & self.permitted:
            raise OSError("no CPU left")
        self.by_thread[thread] = mask & self.permitted


@pytest.fixture
def topology(tmp_path: Path) -> SysTopology:
    """Six CPUs on three nodes: 0 and 1; 2 and 3; 4 (not usable) and 5 (offline)."""
    for path, text in {
        "cpu/present": "0-5", "cpu/online": "0-4", "node/online": "0-2",
        "node/node0/cpulist": "0-1", "node/node1/cpulist": "2-3", "node/node2/cpulist": "4-5",
    }.items():  # fmt: skip
        file = tmp_path / "sys/devices/system" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return SysTopology(tmp_path, allowed=lambda: range(4))


def test_a_pinned_thread_is_read_back_and_put_back(topology: SysTopology) -> None:
    masks = Masks(101)
    affinity: Affinity = SystemAffinity(Scope.THREAD, topology, masks)
    assert affinity.scope is Scope.THREAD
    assert affinity.state() == AffinityState(Scope.THREAD, ALL, frozenset({NodeId(0), NodeId(1)}), False)
    assert affinity.pin([CpuId(2)]) == AffinityState(Scope.THREAD, cpus(2), frozenset({NodeId(1)}), True)
    assert masks.by_thread == {OWN: cpus(2), 101: ALL}
    assert affinity.unpin() == AffinityState(Scope.THREAD, ALL, frozenset({NodeId(0), NodeId(1)}), False)
    assert masks.by_thread == {OWN: ALL, 101: ALL}


def test_unpin_goes_back_to_before_the_first_pin_and_is_idempotent(topology: SysTopology) -> None:
    masks = Masks()
    masks.by_thread[OWN] = cpus(0, 1, 2)
    affinity = SystemAffinity(Scope.THREAD, topology, masks)
    assert affinity.unpin().cpus == cpus(0, 1, 2)
    affinity.pin([CpuId(0)])
    affinity.pin([CpuId(1)])
    assert affinity.unpin().cpus == cpus(0, 1, 2)
    masks.by_thread[OWN] = cpus(3)  # somebody else's business from now on
    assert affinity.unpin() == AffinityState(Scope.THREAD, cpus(3), frozenset({NodeId(1)}), False)


def test_a_node_is_its_usable_cpus(topology: SysTopology) -> None:
    affinity = SystemAffinity(Scope.THREAD, topology, Masks())
    assert affinity.pin_node(NodeId(1)).cpus == cpus(2, 3)
    with pytest.raises(InvalidArgument):
        affinity.pin_node(NodeId(2))
    with pytest.raises(NotFound):
        affinity.pin_node(NodeId(7))
    assert affinity.state().cpus == cpus(2, 3)


@pytest.mark.parametrize("wanted", [[], [4], [5], [77], [0, 5], [-1]])
def test_cpus_that_are_absent_offline_or_not_usable_are_refused(
    topology: SysTopology, wanted: list[int]
) -> None:
    masks = Masks()
    affinity = SystemAffinity(Scope.PROCESS, topology, masks)
    with pytest.raises(InvalidArgument):
        affinity.pin(map(CpuId, wanted))
    assert masks.by_thread == {OWN: ALL} and not affinity.state().pinned


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("wanted", [[0], [0, 1]])
def test_what_the_system_does_not_permit_entirely_is_refused_and_put_back(
    topology: SysTopology, scope: Scope, wanted: list[int]
) -> None:
    masks = Masks(101)
    masks.permitted = cpus(1, 2, 3)
    masks.by_thread = {OWN: cpus(2, 3), 101: cpus(3)}
    affinity = SystemAffinity(scope, topology, masks)
    with pytest.raises(InvalidArgument):
        affinity.pin(map(CpuId, wanted))
    assert masks.by_thread == {OWN: cpus(2, 3), 101: cpus(3)} and not affinity.state().pinned


def test_a_refusal_half_way_through_a_process_puts_every_thread_back(topology: SysTopology) -> None:
    masks = Masks(101, 102)
    masks.by_thread[101] = cpus(2, 3)

    def fail(thread: int) -> None:
        if thread == 102 and masks.by_thread[OWN] == cpus(1):
            raise OSError("went offline")

    masks.before_set = fail
    affinity = SystemAffinity(Scope.PROCESS, topology, masks)
    affinity.pin([CpuId(2)])
    with pytest.raises(InvalidArgument):
        affinity.pin([CpuId(1)])
    assert masks.by_thread == dict.fromkeys((OWN, 101, 102), cpus(2))
    affinity.unpin()
    assert masks.by_thread == {OWN: ALL, 101: cpus(2, 3), 102: ALL}


def test_a_process_is_all_its_threads_each_put_back_to_its_own_mask(topology: SysTopology) -> None:
    masks = Masks(101, 102)
    masks.by_thread[102] = cpus(3)
    affinity = SystemAffinity(Scope.PROCESS, topology, masks)
    assert affinity.pin([CpuId(0)]).cpus == cpus(0)
    assert set(masks.by_thread.values()) == {cpus(0)}
    del masks.by_thread[101]  # ends
    masks.by_thread[103] = cpus(0)  # is started, pinned
    affinity.pin([CpuId(1)])
    assert set(masks.by_thread.values()) == {cpus(1)}
    masks.by_thread[104] = cpus(1)
    assert affinity.unpin().cpus == ALL
    assert masks.by_thread == {OWN: ALL, 102: cpus(3), 103: ALL, 104: ALL}


def test_threads_that_start_or_end_while_a_process_is_pinned_are_met(topology: SysTopology) -> None:
    masks = Masks(101, 102)

    def happen(thread: int) -> None:
        if thread == 101 and 102 in masks.by_thread:
            del masks.by_thread[102], masks.by_thread[101]
            masks.by_thread[103] = ALL  # started by one that was not pinned yet
            masks.by_thread[104] = cpus(0)  # started by one that was

    masks.before_set = happen
    masks.ghosts = [105]  # listed, and ended
    affinity = SystemAffinity(Scope.PROCESS, topology, masks)
    assert affinity.pin([CpuId(0)]).cpus == cpus(0)
    assert masks.by_thread == dict.fromkeys((OWN, 103, 104), cpus(0))
    assert not affinity.unpin().pinned
    assert masks.by_thread == dict.fromkeys((OWN, 103, 104), ALL)


def test_a_mask_that_cannot_be_put_back_stays_and_is_tried_again(topology: SysTopology) -> None:
    masks = Masks()
    masks.by_thread[OWN] = cpus(3)
    affinity = SystemAffinity(Scope.THREAD, topology, masks)
    affinity.pin([CpuId(0)])
    masks.permitted = cpus(0)
    assert affinity.unpin() == AffinityState(Scope.THREAD, cpus(0), frozenset({NodeId(0)}), True)
    masks.permitted = ALL
    assert affinity.unpin() == AffinityState(Scope.THREAD, cpus(3), frozenset({NodeId(1)}), False)


def test_leaving_the_block_or_closing_puts_back(topology: SysTopology) -> None:
    masks = Masks()
    with pytest.raises(ValueError, match="x"), SystemAffinity(Scope.THREAD, topology, masks) as affinity:
        affinity.pin([CpuId(0)])
        raise ValueError("x")
    assert masks.by_thread == {OWN: ALL}
    affinity.pin([CpuId(1)])
    affinity.close()
    affinity.close()
    assert masks.by_thread == {OWN: ALL}


def test_a_cpu_that_the_topology_does_not_know_has_no_node(topology: SysTopology) -> None:
    masks = Masks()
    masks.by_thread[OWN] = cpus(1, 9)
    state = SystemAffinity(Scope.THREAD, topology, masks).state()
    assert state.cpus == cpus(1, 9) and state.nodes == {0}


def test_a_system_that_cannot_pin_says_so_and_reports_what_is_online(topology: SysTopology) -> None:
    affinity = SystemAffinity(Scope.THREAD, topology, None)
    with pytest.raises(NotSupported):
        affinity.pin([CpuId(0)])
    everything = AffinityState(Scope.THREAD, cpus(0, 1, 2, 3, 4), frozenset(map(NodeId, range(3))), False)
    assert affinity.state() == everything == affinity.unpin()


@given(st.lists(st.sets(st.integers(0, 5))))
def test_any_run_of_pins_ends_where_it_began(steps: list[set[int]]) -> None:
    masks = Masks(101)
    masks.by_thread[101] = cpus(1, 2)
    flat = SysTopology(Path("/nonexistent"), allowed=lambda: None, cpu_count=lambda: 4)
    with SystemAffinity(Scope.PROCESS, flat, masks) as affinity:
        for step in steps:
            before = dict(masks.by_thread)
            if step and max(step) < 4:
                assert affinity.pin(map(CpuId, step)).cpus == step
                assert set(masks.by_thread.values()) == {frozenset(step)}
            else:
                with pytest.raises(InvalidArgument):
                    affinity.pin(map(CpuId, step))
                assert masks.by_thread == before
    assert masks.by_thread == {OWN: ALL, 101: cpus(1, 2)}


@pytest.fixture
def parked() -> Iterator[int]:
    """Return the number of a second thread of this process that waits until the test is over."""
    number: list[int] = []
    started, over = threading.Event(), threading.Event()

    def park() -> None:
        number.append(threading.get_native_id())
        started.set()
        over.wait(60)

    thread = threading.Thread(target=park)
    thread.start()
    assert started.wait(10)
    yield number[0]
    over.set()
    thread.join()


@pytest.mark.parametrize("scope", Scope)
def test_this_machine_pins_what_the_scope_says_and_puts_it_back(scope: Scope, parked: int) -> None:
    topology = SysTopology()
    before = os.sched_getaffinity(0)
    first = topology.usable_cpus()[0]
    with SystemAffinity(scope, topology) as affinity:
        state = affinity.pin([first])
        assert state.cpus == {first} == os.sched_getaffinity(0)
        assert state.nodes == {topology.node_of(first)} and state.pinned
        pinned_too = scope is Scope.PROCESS
        assert os.sched_getaffinity(parked) == ({first} if pinned_too else before)
    assert os.sched_getaffinity(0) == before == os.sched_getaffinity(parked)


def test_a_pinned_thread_is_put_back_from_another_one(parked: int) -> None:
    topology = SysTopology()
    before = os.sched_getaffinity(0)
    affinity = SystemAffinity(Scope.THREAD, topology)
    affinity.pin(topology.usable_cpus()[:1])
    other = threading.Thread(target=affinity.close)
    other.start()
    other.join()
    assert os.sched_getaffinity(0) == before


def test_the_threads_of_this_process_are_listed_the_calling_one_first(parked: int, tmp_path: Path) -> None:
    own = threading.get_native_id()
    for masks in (SYSTEM_CPU_MASKS, SystemCpuMasks(tmp_path / "hidden")):
        assert masks is not None
        threads = list(masks.threads())
        assert threads[0] == own and parked in threads and len(set(threads)) == len(threads)


def test_an_ended_thread_has_no_mask() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    masks, number = SystemCpuMasks(), thread.native_id
    assert number is not None
    # Joined in Python does not mean gone in the kernel yet: wait for that.
    while number in tuple(masks.threads()):
        pass
    with pytest.raises(ProcessLookupError):
        masks.get(number)
    with pytest.raises(ProcessLookupError):
        masks.set(number, cpus(0))


def test_another_thread_pins_the_one_whose_number_it_knows_and_puts_it_back(topology: SysTopology) -> None:
    masks = Masks(101)
    with SystemAffinity(Scope.THREAD, topology, OneThread(masks, 101)) as affinity:
        assert affinity.pin([CpuId(2)]) == AffinityState(Scope.THREAD, cpus(2), frozenset({NodeId(1)}), True)
        assert masks.by_thread == {OWN: ALL, 101: cpus(2)}
    assert masks.by_thread == {OWN: ALL, 101: ALL}
