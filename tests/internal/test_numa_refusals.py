"""Every system call of NUMA against every refusal that matters, sets of nodes of any size, and this machine."""

from __future__ import annotations

import ctypes
import errno
import mmap
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.types import NodeId
from hioload_ws.internal.memory_policy import NOT_TOUCHED, MemoryPolicy
from hioload_ws.internal.syscalls import (
    MASK_BITS,
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_PREFERRED,
    NumaCalls,
    SystemNumaCalls,
    numbers_of,
)
from tests.internal.numa_kernel import FakeKernel

ONE: Final = NodeId(1)
X86: Final = numbers_of("linux", "x86_64", (1 << 63) - 1)
NOT_HERE: Final = (errno.EPERM, errno.ENOSYS)


@pytest.fixture
def mapping() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 4 * mmap.PAGESIZE) as made:
        yield made


def refusing(number: int) -> FakeKernel:
    kernel = FakeKernel()
    for call in ("mbind", "set_mempolicy", "get_mempolicy", "allowed_nodes", "move_pages", "getcpu"):
        kernel.refuse(call, number)
    return kernel


def uses(policy: MemoryPolicy, mapping: mmap.mmap) -> dict[str, Callable[[], object]]:
    """Return every use of a policy, by name."""

    def thread_on() -> bool:
        with policy.thread_on(ONE) as bound:
            return bound

    return {
        "bind": lambda: policy.bind(mapping, ONE),
        "allowed_nodes": policy.allowed_nodes,
        "thread_on": thread_on,
        "policy_of": lambda: policy.policy_of(mapping),
        "pages_by_node": lambda: policy.pages_by_node(mapping),
        "thread_policy": policy.thread_policy,
    }


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.ENOMEM, errno.EINVAL])
@pytest.mark.parametrize("use", ["bind", "allowed_nodes", "thread_on"])
def test_what_can_do_without_answers_no_when_nothing_is_there_and_raises_what_is_about_the_request(
    mapping: mmap.mmap, use: str, number: int
) -> None:
    policy = MemoryPolicy(refusing(number))
    if number in NOT_HERE:
        assert not uses(policy, mapping)[use]()
        assert policy.refusal is not None and policy.refusal.errno == number
        return
    with pytest.raises(OSError) as caught:
        uses(policy, mapping)[use]()
    assert caught.value.errno == number and policy.refusal is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EFAULT])
@pytest.mark.parametrize("use", ["policy_of", "pages_by_node", "thread_policy"])
def test_what_only_looks_passes_every_refusal_on(mapping: mmap.mmap, use: str, number: int) -> None:
    with pytest.raises(OSError) as caught:
        uses(MemoryPolicy(refusing(number)), mapping)[use]()
    assert caught.value.errno == number


def test_the_thread_gets_its_policy_back_whatever_the_block_raises() -> None:
    kernel = FakeKernel()
    kernel.thread = (MPOL_PREFERRED, frozenset({NodeId(0)}))
    with pytest.raises(KeyError), MemoryPolicy(kernel).thread_on(ONE) as bound:
        assert bound and kernel.thread == (MPOL_BIND, frozenset({ONE}))
        raise KeyError
    assert kernel.thread == (MPOL_PREFERRED, frozenset({NodeId(0)}))


@given(st.sets(st.integers(0, MASK_BITS - 1)), st.integers(0, 5))
def test_any_set_of_nodes_goes_to_the_kernel_and_comes_back(nodes: set[int], mode: int) -> None:
    kept: list[tuple[int, bytes]] = []

    def call(number: int, arguments: Sequence[int]) -> int:
        if number == 238:
            kept.append((arguments[0], ctypes.string_at(arguments[1], MASK_BITS // 8)))
            assert arguments[2] == MASK_BITS + 1, "the kernel takes one away"
        else:
            ctypes.c_int.from_address(arguments[0]).value = kept[0][0]
            ctypes.memmove(arguments[1], kept[0][1], MASK_BITS // 8)
        return 0

    calls: NumaCalls = SystemNumaCalls(call, X86)
    calls.set_mempolicy(mode, map(NodeId, nodes))
    assert int.from_bytes(kept[0][1], sys.byteorder) == sum(1 << node for node in nodes)
    assert calls.get_mempolicy(None) == (mode, frozenset(nodes))


def test_on_this_machine_memory_lies_where_it_was_bound_or_binding_is_refused() -> None:
    policy = MemoryPolicy()
    node = min(policy.allowed_nodes() or {NodeId(0)})
    mapping = mmap.mmap(-1, 4 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if not policy.bind(mapping, node):
        assert policy.refusal is not None
        return
    in_force = policy.policy_of(mapping)
    assert (in_force.mode, in_force.nodes) == (MPOL_BIND, frozenset({node}))
    mapping[0] = mapping[mmap.PAGESIZE] = 1
    assert policy.pages_by_node(mapping) == {node: 2, NOT_TOUCHED: 2}
    with pytest.raises(OSError) as caught:
        policy.bind(mapping, NodeId(MASK_BITS - 1))
    assert caught.value.errno == errno.EINVAL
    with policy.thread_on(node) as bound:
        assert bound and policy.thread_policy().nodes == {node}
    assert policy.thread_policy().mode == MPOL_DEFAULT
    mapping.close()  # raises when an export of it is left
