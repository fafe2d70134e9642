"""Pinning on machines that do not exist meets what pinning meets on those that do."""

from __future__ import annotations

import pytest

from hioload_ws.api import CpuId, InvalidArgument, NodeId, Scope
from hioload_ws.fake.affinity import FakeCpuMasks, fake_affinity, permission_denied
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.topology import FakeTopology

MACHINE = FakeTopology.parse("2x2, distance 10/21")


def test_a_node_is_pinned_and_put_back() -> None:
    affinity = fake_affinity(MACHINE)
    state = affinity.pin_node(NodeId(1))
    assert state.cpus == {2, 3}
    assert state.nodes == {1}
    assert state.pinned
    assert affinity.unpin().cpus == {0, 1, 2, 3}


def test_a_system_that_forbids_pinning_changes_nothing() -> None:
    with Faults() as faults:
        faults.on("set_affinity").fail(permission_denied())
        affinity = fake_affinity(MACHINE, FakeCpuMasks(MACHINE, faults=faults))
        with pytest.raises(InvalidArgument, match="not permitted"):
            affinity.pin([CpuId(0)])
        assert not affinity.state().pinned


def test_a_cpuset_that_leaves_less_is_found_out() -> None:
    masks = FakeCpuMasks(MACHINE, cpuset=[0, 1])
    affinity = fake_affinity(MACHINE, masks)
    with pytest.raises(InvalidArgument, match="only"):
        affinity.pin([CpuId(1), CpuId(2)])
    with pytest.raises(InvalidArgument):
        affinity.pin([CpuId(3)])
    assert affinity.pin([CpuId(1)]).cpus == {1}


def test_all_threads_of_a_process_are_pinned_also_those_that_come_later() -> None:
    masks = FakeCpuMasks(MACHINE, threads=[1, 2])
    affinity = fake_affinity(MACHINE, masks, Scope.PROCESS)
    affinity.pin([CpuId(0)])
    masks.start_thread(3, parent=2)
    masks.end_thread(2)
    assert [masks.get(thread) for thread in masks.threads()] == [{0}, {0}]
    with pytest.raises(ProcessLookupError):
        masks.get(2)
    affinity.unpin()
    assert masks.get(3) == {0, 1, 2, 3}
