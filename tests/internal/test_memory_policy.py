"""Memory is put on a node, or it is said that it is not."""

from __future__ import annotations

import ctypes
import errno
import mmap
from collections.abc import Iterator

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.types import NodeId
from hioload_ws.internal.memory_policy import NOT_TOUCHED, MemoryPolicy, Policy
from hioload_ws.internal.syscalls import MPOL_BIND, MPOL_DEFAULT, MPOL_PREFERRED
from tests.internal.numa_kernel import FakeKernel

PAGES = 6000
ONE = NodeId(1)


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as mapping:
        yield mapping


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


@pytest.mark.parametrize(("strict", "mode"), [(True, MPOL_BIND), (False, MPOL_PREFERRED)])
def test_a_mapping_is_bound_as_strictly_as_asked(
    kernel: FakeKernel, memory: mmap.mmap, strict: bool, mode: int
) -> None:
    policy = MemoryPolicy(kernel, strict=strict)
    assert policy.bind(memory, ONE)
    assert policy.policy_of(memory) == Policy(mode, frozenset({ONE}))
    assert policy.refusal is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_machine_that_refuses_at_all_is_remembered_and_memory_stays_usable(
    kernel: FakeKernel, memory: mmap.mmap, number: int
) -> None:
    kernel.refuse("mbind", number)
    policy = MemoryPolicy(kernel)
    assert not policy.bind(memory, ONE)
    assert policy.refusal is not None
    assert policy.refusal.errno == number
    memory[0] = 1


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOMEM])
def test_a_request_that_is_refused_is_an_error(kernel: FakeKernel, memory: mmap.mmap, number: int) -> None:
    kernel.refuse("mbind", number)
    policy = MemoryPolicy(kernel)
    with pytest.raises(OSError) as caught:
        policy.bind(memory, ONE)
    assert caught.value.errno == number
    assert policy.refusal is None


def test_an_absent_node_is_refused(kernel: FakeKernel, memory: mmap.mmap) -> None:
    with pytest.raises(OSError, match="Invalid"):
        MemoryPolicy(kernel).bind(memory, NodeId(7))


def test_pages_are_counted_where_they_are(kernel: FakeKernel, memory: mmap.mmap) -> None:
    start = address_of(memory)
    kernel.places = {start: 1, start + mmap.PAGESIZE: 0, start + 5000 * mmap.PAGESIZE: 1}
    kernel.places[start + 2 * mmap.PAGESIZE] = -errno.EFAULT
    policy = MemoryPolicy(kernel)
    assert policy.pages_by_node(memory) == {1: 2, 0: 1, NOT_TOUCHED: PAGES - 3}
    with memoryview(memory) as view, view[10 : mmap.PAGESIZE + 1] as part:
        assert policy.pages_by_node(part) == {1: 1, 0: 1}


def test_memory_that_has_no_address_is_refused(kernel: FakeKernel) -> None:
    for memory in (memoryview(b"read-only"), memoryview(bytearray())):
        with pytest.raises(InvalidArgument):
            MemoryPolicy(kernel).pages_by_node(memory)


def test_allowed_nodes_are_told_or_unknown(kernel: FakeKernel) -> None:
    policy = MemoryPolicy(kernel)
    assert sorted(policy.allowed_nodes() or ()) == [0, 1]
    kernel.refuse("allowed_nodes", errno.ENOSYS)
    assert policy.allowed_nodes() is None


def test_a_thread_takes_memory_from_a_node_for_a_while(kernel: FakeKernel) -> None:
    policy = MemoryPolicy(kernel)
    with policy.thread_on(ONE) as done:
        assert done
        assert policy.thread_policy() == Policy(MPOL_BIND, frozenset({ONE}))
    assert policy.thread_policy() == Policy(MPOL_DEFAULT, frozenset())


def test_a_thread_that_may_not_choose_goes_on(kernel: FakeKernel) -> None:
    kernel.refuse("set_mempolicy", errno.EPERM)
    with MemoryPolicy(kernel).thread_on(ONE) as done:
        assert not done
    kernel.refuse("set_mempolicy", 0)
    with pytest.raises(OSError, match="Invalid"), MemoryPolicy(kernel).thread_on(NodeId(9)):
        raise AssertionError("never entered")


def test_this_machine_binds_or_says_that_it_does_not(memory: mmap.mmap) -> None:
    policy = MemoryPolicy()
    if policy.bind(memory, NodeId(0)):
        memory[: mmap.PAGESIZE] = bytes(mmap.PAGESIZE)
        assert policy.pages_by_node(memory)[NodeId(0)] >= 1
    else:
        assert policy.refusal is not None
