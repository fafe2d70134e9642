"""The whole in one call: pools per node, bound where the machine binds."""

from __future__ import annotations

import errno

import pytest

from hioload_ws.api.errors import InvalidArgument, NotFound
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.fake.topology import FakeTopology
from hioload_ws.internal.memory_policy import MemoryPolicy
from hioload_ws.internal.syscalls import MPOL_BIND, MPOL_PREFERRED
from hioload_ws.pool.node_pools import node_pools, nodes_with_memory
from tests.internal.numa_kernel import FakeKernel

TWO = FakeTopology.parse("2x2, distance 10/21")
ONE = NodeId(1)


@pytest.mark.parametrize(("strict", "mode"), [(True, MPOL_BIND), (False, MPOL_PREFERRED)])
def test_each_pool_binds_its_memory_to_its_node(strict: bool, mode: int) -> None:
    kernel = FakeKernel()
    pools = node_pools(TWO, calls=kernel, strict=strict)
    for node in (NodeId(0), ONE):
        buffer = pools.acquire(5000, node)
        assert buffer.node == node
        buffer.release()
    assert [(bound[2], bound[3]) for bound in kernel.bound] == [(mode, (NodeId(0),)), (mode, (ONE,))]
    kernel.here = (CpuId(2), ONE)
    with pools.acquire(100) as near:
        assert near.node == ONE
    assert pools.stats().in_use_count == 0
    pools.close()


def test_a_machine_that_does_not_bind_has_working_pools() -> None:
    kernel = FakeKernel()
    kernel.refuse("mbind", errno.EPERM)
    pools = node_pools(TWO, calls=kernel)
    with pools.acquire(100, ONE) as buffer:
        buffer.data()[:] = bytes(100)
    pools.close()


def test_nodes_can_be_chosen_among_those_with_memory() -> None:
    kernel = FakeKernel()
    pools = node_pools(TWO, calls=kernel, nodes=[ONE])
    assert list(pools.nodes) == [ONE]
    pools.close()
    for wrong in (NodeId(4),):
        with pytest.raises(NotFound):
            node_pools(TWO, calls=kernel, nodes=[wrong])
    with pytest.raises(InvalidArgument):
        node_pools(TWO, calls=kernel, nodes=[])


def test_the_cpuset_limits_the_nodes_unless_it_leaves_none() -> None:
    kernel = FakeKernel()
    policy = MemoryPolicy(kernel)
    kernel.allowed = frozenset({ONE})
    assert nodes_with_memory(TWO, policy) == (ONE,)
    kernel.allowed = frozenset({NodeId(9)})
    assert nodes_with_memory(TWO, policy) == (0, 1)
    kernel.refuse("allowed_nodes", errno.ENOSYS)
    assert nodes_with_memory(TWO, policy) == (0, 1)


def test_this_machine_has_pools() -> None:
    with node_pools().acquire(10) as buffer:
        assert len(buffer) == 10
