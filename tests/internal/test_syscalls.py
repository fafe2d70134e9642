"""The system calls of NUMA: what is passed by number, and what this machine answers."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Sequence

import pytest

from hioload_ws.api.types import NodeId
from hioload_ws.internal.syscalls import (
    MASK_BITS,
    MPOL_BIND,
    CallNumbers,
    LinuxCall,
    SystemNumaCalls,
    call_nothing,
    numbers_of,
    system_numa_calls,
)

BIG = (1 << 63) - 1
UNKNOWN = (("linux", "s390x", BIG), ("linux", "x86_64", 2**31 - 1), ("win32", "x86_64", BIG))
NUMBERS = CallNumbers(mbind=1, set_mempolicy=2, get_mempolicy=3, move_pages=4, getcpu=5)


class Recorder:
    """A ``RawCall`` that looks at the memory that it is pointed to, as a kernel does, and answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, tuple[int, ...]]] = []
        self.mask: list[int] = []

    def __call__(self, number: int, arguments: Sequence[int]) -> int:
        self.calls.append((number, tuple(arguments)))
        if number in (1, 2):
            self.mask = list((ctypes.c_uint64 * 16).from_address(arguments[3 if number == 1 else 1]))
        elif number == 3:
            ctypes.c_int.from_address(arguments[0]).value = MPOL_BIND
            mask = (ctypes.c_uint64 * 16).from_address(arguments[1])
            mask[0], mask[1] = 0b101, 1
        elif number == 4:
            places = (ctypes.c_int * arguments[1]).from_address(arguments[4])
            places[0] = 1
            places[1] = -errno.ENOENT
        else:
            answer = (ctypes.c_uint * 2).from_address(arguments[0])
            answer[0], answer[1] = 7, 3
        return 0


def test_masks_and_sizes_are_what_the_kernel_reads() -> None:
    recorder = Recorder()
    calls = SystemNumaCalls(recorder, NUMBERS)
    calls.mbind(4096, 8192, MPOL_BIND, [NodeId(0), NodeId(70)])
    number, arguments = recorder.calls[-1]
    assert (number, arguments[:3], arguments[4:]) == (1, (4096, 8192, MPOL_BIND), (MASK_BITS + 1, 0))
    assert recorder.mask == [1, 1 << 6, *[0] * 14]
    calls.set_mempolicy(MPOL_BIND, [NodeId(63)])
    assert recorder.mask[0] == 1 << 63
    assert calls.get_mempolicy(None) == (MPOL_BIND, frozenset(map(NodeId, (0, 2, 64))))
    assert recorder.calls[-1][1][3:] == (0, 0)
    calls.get_mempolicy(4096)
    assert recorder.calls[-1][1][3:] == (4096, 2)
    assert sorted(calls.allowed_nodes()) == [0, 2, 64]
    assert recorder.calls[-1][1][3:] == (0, 4)
    assert calls.move_pages([4096, 8192]) == [1, -errno.ENOENT]
    assert calls.getcpu() == (7, 3)


@pytest.mark.parametrize("node", [-1, MASK_BITS])
def test_a_node_that_no_kernel_has_never_reaches_it(node: int) -> None:
    recorder = Recorder()
    with pytest.raises(OSError, match="no kernel") as caught:
        SystemNumaCalls(recorder, NUMBERS).set_mempolicy(MPOL_BIND, [NodeId(node)])
    assert caught.value.errno == errno.EINVAL
    assert recorder.calls == []


def test_numbers_are_known_for_what_was_looked_up_and_nothing_else() -> None:
    x86, arm = numbers_of("linux", "x86_64", BIG), numbers_of("linux", "aarch64", BIG)
    assert x86 is not None
    assert arm is not None
    assert (x86.mbind, arm.mbind) == (237, 235)
    for system, machine, biggest in UNKNOWN:
        assert numbers_of(system, machine, biggest) is None


def test_without_numbers_every_call_is_enosys() -> None:
    calls = SystemNumaCalls(Recorder(), None)
    for call in (calls.getcpu, calls.allowed_nodes, lambda: calls.move_pages([0])):
        with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
            call()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        call_nothing(1, ())


def test_a_machine_that_is_not_known_refuses_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        system_numa_calls().getcpu()


@pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")
def test_the_kernel_answers_with_its_own_numbers() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        LinuxCall()(100_000, ())
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        memory[0] = 1
        try:
            cpu, node = system_numa_calls().getcpu()
        except OSError as error:
            assert error.errno in (errno.ENOSYS, errno.EPERM)
        else:
            assert cpu >= 0
            assert node >= 0
