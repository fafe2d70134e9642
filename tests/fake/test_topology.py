"""Machines that do not exist are as their descriptions say."""

from __future__ import annotations

import pytest

from hioload_ws.api import CpuId, InvalidArgument, NodeId, NotFound, Topology
from hioload_ws.fake.topology import GIB, FakeTopology


def test_two_nodes_with_eight_cpus_each() -> None:
    machine: Topology = FakeTopology.parse("2x8, distance 10/21")
    assert list(machine.nodes) == [0, 1]
    assert machine.nodes[NodeId(1)].cpus == tuple(range(8, 16))
    assert dict(machine.nodes[NodeId(1)].distances) == {0: 21, 1: 10}
    assert machine.nodes[NodeId(0)].memory_bytes == GIB
    assert machine.node_of(CpuId(9)) == 1
    assert machine.usable_cpus() == tuple(range(16))
    assert machine.nearest(NodeId(1)) == (1, 0)


def test_everything_that_is_strange_about_machines_can_be_said() -> None:
    machine = FakeTopology.parse(
        "2x4, nodes 0,4,9, memory-only 1, cpus 0-3,100-103, threads 2, offline 3,101, usable 0-2,100, "
        "memory 16GiB, memory 9=512MiB, distance 10/20, distance 0->4=17, distance 4->0=33"
    )
    assert list(machine.nodes) == [0, 4, 9]
    assert machine.nodes[NodeId(9)].cpus == ()
    assert machine.nodes[NodeId(9)].memory_bytes == 512 << 20
    assert machine.nodes[NodeId(4)].free_bytes == 16 * GIB
    assert machine.nodes[NodeId(4)].cpus == (100, 101, 102, 103)
    assert machine.cpus[CpuId(102)].siblings == (102, 103)
    assert (machine.cpus[CpuId(3)].online, machine.cpus[CpuId(3)].usable) == (False, False)
    assert (machine.cpus[CpuId(102)].online, machine.cpus[CpuId(102)].usable) == (True, False)
    assert machine.usable_cpus() == (0, 1, 2, 100)
    assert machine.usable_cpus(NodeId(4)) == (100,)
    assert machine.usable_cpus(NodeId(9)) == ()
    assert machine.nearest(NodeId(4)) == (4, 9, 0)
    assert machine.nearest(NodeId(0)) == (0, 4, 9)


def test_hotplug_makes_another_snapshot() -> None:
    machine = FakeTopology.parse("1x4, offline 3")
    later = machine.hotplug(offline=[0], online=[3])
    assert machine.usable_cpus() == (0, 1, 2)
    assert later.usable_cpus() == (1, 2, 3)
    with pytest.raises(NotFound):
        machine.hotplug(offline=[4])


def test_what_is_absent_is_not_found() -> None:
    machine = FakeTopology.parse("1x1")
    with pytest.raises(NotFound):
        machine.node_of(CpuId(1))
    with pytest.raises(NotFound):
        machine.usable_cpus(NodeId(1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "0x8",
        "1x0",
        "2x8, colour red",
        "2x8, distance",
        "2x8, distance near",
        "2x8, threads 0",
        "2x8, threads two",
        "2x8, memory much",
        "2x8, nodes 0",
        "2x8, cpus 0-3",
        "2x8, offline 16",
        "2x8, memory 5=1GiB",
        "2x8, distance 0->2=10",
        "2x8, offline 3-1",
    ],
)
def test_a_description_that_makes_no_machine_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        FakeTopology.parse(text)
