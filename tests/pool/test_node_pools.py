"""The whole in one call: pools per node, bound where the machine binds."""

from __future__ import annotations

import errno
import mmap
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from hioload_ws.api.errors import InvalidArgument, NotFound, ResourceExhausted
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.fake.topology import FakeTopology
from hioload_ws.internal.memory_policy import MemoryPolicy
from hioload_ws.internal.syscalls import MPOL_BIND, MPOL_PREFERRED
from hioload_ws.pool.node_pools import node_pools, nodes_with_memory
from hioload_ws.pool.slab import MAP_HUGE_2M, map_anonymous
from tests.internal.numa_kernel import FakeKernel

TWO = FakeTopology.parse("2x2, distance 10/21")
ONE = NodeId(1)
CALLS: Final = ("mbind", "set_mempolicy", "get_mempolicy", "allowed_nodes", "move_pages", "getcpu")
FILTERED: Final = Path(__file__).with_name("filtered_process.py")


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
    assert pools.stats().binding == "bound"
    pools.close()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_machine_that_does_not_bind_has_working_pools_that_say_so(number: int) -> None:
    kernel = FakeKernel()
    for call in CALLS:
        kernel.refuse(call, number)
    with node_pools(TWO, calls=kernel) as pools:
        with pools.acquire(100, ONE) as buffer, pools.acquire(100) as other:
            buffer.data()[:] = bytes(100)
            assert (buffer.node, other.node) == (ONE, 0)
        assert {stats.binding for stats in pools.stats().nodes.values()} == {"refused"}
        assert pools.stats().binding == "refused"


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EINVAL])
def test_a_node_that_has_no_room_is_an_exhausted_pool_and_no_other_node(number: int) -> None:
    kernel = FakeKernel()
    kernel.refuse("mbind", number)
    with node_pools(TWO, calls=kernel) as pools:
        with pytest.raises(ResourceExhausted) as caught:
            pools.acquire(100, ONE)
        assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == number
        assert pools.stats().mapped_bytes == 0 and pools.stats().refused_count == 1
        kernel.refuse("mbind", 0)
        pools.acquire(100, ONE).release()


def test_a_node_without_memory_gets_no_pool_and_its_threads_use_the_nearest() -> None:
    kernel = FakeKernel(range(3))
    machine = FakeTopology.parse("3x1, memory 1=0, distance 1->2=11")
    with node_pools(machine, calls=kernel) as pools:
        assert list(pools.nodes) == [0, 2]
        kernel.here = (CpuId(1), ONE)
        assert pools.pool_for().node == 2
        with pytest.raises(NotFound):
            pools.acquire(10, ONE)


def test_where_no_memory_is_told_every_node_gets_a_pool() -> None:
    with node_pools(FakeTopology.parse("2x1, memory 0"), calls=FakeKernel()) as pools:
        assert list(pools.nodes) == [0, 1]


def test_the_limit_and_the_pages_are_those_of_each_pool() -> None:
    asked: list[tuple[int, int]] = []

    def map_memory(size_bytes: int, flags: int) -> mmap.mmap:
        asked.append((size_bytes, flags))
        if flags:
            raise OSError(errno.ENOMEM, "none reserved")
        return map_anonymous(size_bytes)

    kernel = FakeKernel()
    limit_bytes = 4 << 20
    with node_pools(
        TWO, calls=kernel, limit_bytes=limit_bytes, huge_pages="try", map_memory=map_memory
    ) as pools:
        for node in (NodeId(0), ONE):
            buffers = [pools.pool_for(node).try_acquire(1 << 20) for _ in range(5)]
            assert [buffer is None for buffer in buffers] == [False] * 4 + [True]
            for buffer in buffers:
                if buffer is not None:
                    buffer.release()
        assert pools.stats().mapped_bytes == 2 * limit_bytes
    assert asked[0] == (2 << 20, MAP_HUGE_2M) and asked[1] == (2 << 20, 0)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the filter is for Linux on x86-64"
)
def test_behind_a_real_seccomp_filter_pools_work_unbound_and_say_so() -> None:
    done = subprocess.run(
        [sys.executable, str(FILTERED)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["refused", "EPERM", "0"]


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
