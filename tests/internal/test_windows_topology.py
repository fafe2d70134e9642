"""Windows through its seam: a kernel32 made of two dictionaries."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from hioload_ws.api.errors import NotFound
from hioload_ws.api.topology import Topology
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.internal.topology import SysTopology
from hioload_ws.internal.windows_topology import GroupAffinity, Kernel32Calls, WindowsTopology, system_topology


class Kernel32:
    """Answers as the documentation says: 0 where a call fails, else what is asked for through the pointer."""

    def __init__(self, masks: dict[int, tuple[int, int]], memory: dict[int, int], highest: int | None = None) -> None:
        self.masks, self.memory = masks, memory
        self.highest = max(masks, default=None) if highest is None else highest

    def GetNumaHighestNodeNumber(self, number: Any) -> int:
        if self.highest is None:
            return 0
        number._obj.value = self.highest
        return 1

    def GetNumaNodeProcessorMaskEx(self, node: ctypes.c_uint16, affinity: Any) -> int:
        if node.value not in self.masks:
            return 0
        affinity._obj.group, affinity._obj.mask = self.masks[node.value]
        return 1

    def GetNumaAvailableMemoryNodeEx(self, node: ctypes.c_uint16, size: Any) -> int:
        if node.value not in self.memory:
            return 0
        size._obj.value = self.memory[node.value]
        return 1


def machine(kernel32: Kernel32) -> WindowsTopology:
    return WindowsTopology(Kernel32Calls(kernel32), lambda: 3)


def test_nodes_and_cpus_of_several_groups() -> None:
    topology: Topology = machine(Kernel32({0: (0, 0b1111), 2: (1, 0b101)}, {0: 1 << 30}))
    assert list(topology.nodes) == [0, 2], "node 1 is absent"
    assert topology.nodes[NodeId(0)].cpus == (0, 1, 2, 3) and topology.nodes[NodeId(2)].cpus == (64, 66)
    assert [info.memory_bytes for info in topology.nodes.values()] == [1 << 30, 0]
    assert topology.nodes[NodeId(2)].distances == {0: 20, 2: 10}
    assert (topology.node_of(CpuId(66)), topology.usable_cpus(NodeId(2))) == (2, (64, 66))
    assert topology.usable_cpus() == tuple(topology.cpus) == (0, 1, 2, 3, 64, 66)
    assert topology.nearest(NodeId(2)) == (2, 0)
    assert topology.cpus[CpuId(64)].siblings == (64,)


def test_a_node_without_cpus_is_one_and_the_highest_bit_counts() -> None:
    topology = machine(Kernel32({0: (0, 1 << 63), 1: (0, 0)}, {}))
    assert topology.usable_cpus() == (63,) and topology.nodes[NodeId(1)].cpus == ()


@pytest.mark.parametrize("kernel32", [Kernel32({}, {}), Kernel32({}, {}, highest=2), Kernel32({0: (0, 0)}, {})])
def test_without_an_answer_the_machine_is_one_node_with_the_cpus_that_python_counts(kernel32: Kernel32) -> None:
    topology = machine(kernel32)
    assert list(topology.nodes) == [0] and topology.usable_cpus() == (0, 1, 2)


def test_what_is_absent_is_refused() -> None:
    topology = machine(Kernel32({0: (0, 1)}, {}))
    for attempt in (
        lambda: topology.node_of(CpuId(9)), lambda: topology.usable_cpus(NodeId(9)),
        lambda: topology.nearest(NodeId(9)),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            attempt()


def test_a_group_affinity_is_laid_out_as_windows_has_it() -> None:
    assert (GroupAffinity.mask.offset, GroupAffinity.group.offset) == (0, ctypes.sizeof(ctypes.c_size_t))
    assert ctypes.sizeof(GroupAffinity) == ctypes.sizeof(ctypes.c_size_t) + 8


def test_the_system_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: Kernel32({0: (0, 0b11)}, {}), raising=False)
    assert system_topology("win32").usable_cpus() == (0, 1)
    assert isinstance(system_topology("linux"), SysTopology)
