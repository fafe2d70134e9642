"""Which node a thread is on, as far as anybody can tell."""

from __future__ import annotations

import errno

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.fake.topology import FakeTopology
from hioload_ws.internal.current_node import CurrentNode
from hioload_ws.internal.topology import SysTopology
from tests.internal.numa_kernel import FakeKernel

TWO = FakeTopology.parse("2x2, distance 10/21")


def test_the_kernel_is_believed() -> None:
    kernel = FakeKernel()
    current = CurrentNode(TWO, kernel)
    kernel.here = (CpuId(3), NodeId(1))
    assert current() == 1
    kernel.here = (CpuId(0), NodeId(0))
    assert current() == 0
    assert current.refusal is None


def test_a_node_that_is_not_served_is_answered_with_the_nearest_that_is() -> None:
    kernel = FakeKernel()
    current = CurrentNode(TWO, kernel, served=[NodeId(1)])
    assert current() == 1
    kernel.here = (CpuId(9), NodeId(9))  # the topology is older than the machine
    assert current() == 1
    with pytest.raises(InvalidArgument):
        CurrentNode(TWO, kernel, served=[NodeId(5)])


@pytest.mark.parametrize(
    ("allowed", "node"), [([2, 3], 1), ([0], 0), ([0, 2], 0), ([], 0), (None, 0), ([99], 0)]
)
def test_without_the_call_the_affinity_mask_decides_or_the_first_node(
    allowed: list[int] | None, node: int
) -> None:
    kernel = FakeKernel()
    kernel.refuse("getcpu", errno.ENOSYS)
    current = CurrentNode(TWO, kernel, allowed=lambda: allowed)
    assert [current(), current()] == [node, node]
    assert kernel.calls == ["getcpu"]  # asked once: it does not change its mind
    assert current.refusal is not None


def test_this_machine_has_an_answer() -> None:
    topology = SysTopology()
    assert CurrentNode(topology)() in topology.nodes
