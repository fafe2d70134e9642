"""System calls that Python does not wrap: where memory lies, and which CPU this thread runs on.

Six calls of Linux, each as one method that takes and returns plain Python values and raises ``OSError`` with
the number the kernel gave. That is all this module does: what a refusal *means* is decided by
``memory_policy`` and ``current_node``. ``NumaCalls`` is the seam; a test that needs a kernel which answers
``ENOMEM`` to the third ``mbind`` writes ten lines of Python.

The calls go through ``syscall(2)`` of the C library by number, since neither glibc nor musl wraps them (the
wrappers are in libnuma, which need not be installed). Numbers differ by architecture, and a wrong one would
be *another call*, so an architecture that is not in the table, a 32-bit process or another system is answered
``ENOSYS``, exactly like a kernel without NUMA.

A set of nodes travels as a bit mask of machine words, node n being bit n, with its size in bits. The size is
one more than the bits that count: the kernel subtracts one (get_nodes() in mm/mempolicy.c)::

    word 0                             word 1
    +---+---+---+-- ... --+---+        +---+---+-- ... --+
    | 0 | 1 | 2 |         | 63|        | 64| 65|         |     MASK_BITS in all
    +---+---+---+-- ... --+---+        +---+---+-- ... --+

Sources: mbind(2), set_mempolicy(2), get_mempolicy(2), move_pages(2), getcpu(2); numbers from
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of the Linux kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from ..api.types import CpuId, NodeId

# linux/mempolicy.h
MPOL_DEFAULT: Final = 0
MPOL_PREFERRED: Final = 1
MPOL_BIND: Final = 2
_MPOL_F_ADDR: Final = 1 << 1
_MPOL_F_MEMS_ALLOWED: Final = 1 << 2

MASK_BITS: Final = 1024
"""Nodes that a mask has room for: the most that Linux can be built for (CONFIG_NODES_SHIFT is 10 at most)."""
_WORD_BITS: Final = 64

RawCall: TypeAlias = Callable[[int, Sequence[int]], int]
"""Makes one system call by number with up to six integers; the result, or ``OSError``."""


@dataclass(frozen=True, slots=True)
class CallNumbers:
    """The numbers of the calls on one architecture."""

    mbind: int
    set_mempolicy: int
    get_mempolicy: int
    move_pages: int
    getcpu: int


_GENERIC: Final = CallNumbers(mbind=235, set_mempolicy=237, get_mempolicy=236, move_pages=239, getcpu=168)
_BY_MACHINE: Final = {
    "x86_64": CallNumbers(mbind=237, set_mempolicy=238, get_mempolicy=239, move_pages=279, getcpu=309),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
}


def numbers_of(system: str, machine: str, biggest_int: int) -> CallNumbers | None:
    """Return the numbers for ``sys.platform``, ``platform.machine()`` and ``sys.maxsize``; ``None`` where
    they are not known, which includes a 32-bit Python on a 64-bit kernel: it has other numbers."""
    if system != "linux" or biggest_int < 1 << 32:
        return None
    return _BY_MACHINE.get(machine)


class LinuxCall:
    """``RawCall`` of this machine, through ``syscall(2)``. Thread rules: any."""

    __slots__ = ("_syscall",)

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        # Declared for good: a plain Python int would be passed as a C int and lose half of an address.
        self._syscall.argtypes = [ctypes.c_long] * 7

    def __call__(self, number: int, arguments: Sequence[int]) -> int:
        """Make the call. Raises ``OSError`` with the kernel's number."""
        result: int = self._syscall(number, *arguments, *(0,) * (6 - len(arguments)))
        if result == -1:
            number_of_fault = ctypes.get_errno()
            raise OSError(number_of_fault, os.strerror(number_of_fault))
        return result


def call_nothing(number: int, arguments: Sequence[int]) -> int:
    """Refuse every call: the ``RawCall`` of a system that has none of them. Raises ``OSError``."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


class NumaCalls(Protocol):
    """The calls as values: the seam to the kernel. Every method raises ``OSError`` as the kernel says: EPERM
    (a seccomp filter), ENOSYS (no NUMA), EINVAL (an absent node), ENOMEM. Thread rules: any; two methods
    are about the calling thread."""

    def mbind(self, address: int, size_bytes: int, mode: int, nodes: Iterable[NodeId]) -> None:
        """Set the policy of the pages from ``address`` (on a page) on; touched pages stay where they are."""

    def set_mempolicy(self, mode: int, nodes: Iterable[NodeId]) -> None:
        """Set the calling thread's policy for memory it touches first."""

    def get_mempolicy(self, address: int | None) -> tuple[int, frozenset[NodeId]]:
        """Return mode and nodes of the policy at an address, or of the calling thread (``None``)."""

    def allowed_nodes(self) -> frozenset[NodeId]:
        """Return the nodes that the calling thread may take memory from (cpuset(7))."""

    def move_pages(self, addresses: Sequence[int]) -> Sequence[int]:
        """Return where the page at each address lies: its node, or minus an error number (ENOENT: not
        touched yet). Moves nothing."""

    def getcpu(self) -> tuple[CpuId, NodeId]:
        """Return the CPU and the node that the calling thread ran on a moment ago."""


class SystemNumaCalls:
    """``NumaCalls`` of the machine; ``raw`` makes a call by number. Thread rules: any.

    ``numbers`` of ``None`` means that no number is known; then every method raises ``ENOSYS``.
    """

    __slots__ = ("_numbers", "_raw")

    def __init__(self, raw: RawCall, numbers: CallNumbers | None) -> None:
        self._raw = call_nothing if numbers is None else raw
        self._numbers = numbers or _GENERIC

    def mbind(self, address: int, size_bytes: int, mode: int, nodes: Iterable[NodeId]) -> None:
        """Set the policy of a range of pages: mbind(2)."""
        mask = _mask_of(nodes)
        where = ctypes.addressof(mask)
        self._raw(self._numbers.mbind, (address, size_bytes, mode, where, MASK_BITS + 1, 0))

    def set_mempolicy(self, mode: int, nodes: Iterable[NodeId]) -> None:
        """Set the calling thread's policy: set_mempolicy(2)."""
        mask = _mask_of(nodes)
        self._raw(self._numbers.set_mempolicy, (mode, ctypes.addressof(mask), MASK_BITS + 1))

    def get_mempolicy(self, address: int | None) -> tuple[int, frozenset[NodeId]]:
        """Return a policy: get_mempolicy(2)."""
        return self._get_mempolicy(address or 0, 0 if address is None else _MPOL_F_ADDR)

    def allowed_nodes(self) -> frozenset[NodeId]:
        """Return the nodes of this thread's cpuset: get_mempolicy(2) with MPOL_F_MEMS_ALLOWED."""
        return self._get_mempolicy(0, _MPOL_F_MEMS_ALLOWED)[1]

    def _get_mempolicy(self, address: int, flags: int) -> tuple[int, frozenset[NodeId]]:
        mode, mask = ctypes.c_int(0), _mask_of(())
        where = ctypes.addressof(mask)
        self._raw(
            self._numbers.get_mempolicy, (ctypes.addressof(mode), where, MASK_BITS + 1, address, flags)
        )
        bits = (NodeId(index * _WORD_BITS + bit) for index in range(len(mask)) for bit in _bits(mask[index]))
        return mode.value, frozenset(bits)

    def move_pages(self, addresses: Sequence[int]) -> Sequence[int]:
        """Return where pages lie: move_pages(2) without target nodes, of this process (0)."""
        pages = (ctypes.c_void_p * len(addresses))(*addresses)
        places = (ctypes.c_int * len(addresses))()
        where, result = ctypes.addressof(pages), ctypes.addressof(places)
        self._raw(self._numbers.move_pages, (0, len(addresses), where, 0, result, 0))
        return list(places)

    def getcpu(self) -> tuple[CpuId, NodeId]:
        """Return CPU and node: getcpu(2)."""
        # One array of its own per call: threads would overwrite each other's answer in a shared one.
        answer = (ctypes.c_uint * 2)()
        where = ctypes.addressof(answer)
        self._raw(self._numbers.getcpu, (where, where + 4))
        return CpuId(answer[0]), NodeId(answer[1])


def _mask_of(nodes: Iterable[NodeId]) -> ctypes.Array[ctypes.c_uint64]:
    """Return the bit mask of nodes. Raises ``OSError`` (EINVAL) for one that no kernel can have."""
    mask = (ctypes.c_uint64 * (MASK_BITS // _WORD_BITS))()
    for node in nodes:
        if not 0 <= node < MASK_BITS:
            raise OSError(errno.EINVAL, f"no kernel has a node {node}")
        mask[node // _WORD_BITS] |= 1 << node % _WORD_BITS
    return mask


def _bits(word: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [bit for bit in range(_WORD_BITS) if word >> bit & 1]


def system_numa_calls() -> NumaCalls:
    """Return the calls of this machine; on a system without them each answers ``ENOSYS``."""
    numbers = numbers_of(sys.platform, platform.machine(), sys.maxsize)
    return SystemNumaCalls(call_nothing if numbers is None else LinuxCall(), numbers)


__all__ = [
    "MASK_BITS",
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "CallNumbers",
    "LinuxCall",
    "NumaCalls",
    "RawCall",
    "SystemNumaCalls",
    "call_nothing",
    "numbers_of",
    "system_numa_calls",
]
