"""A process that forbids itself the system calls of NUMA, as the seccomp filter of a container does, and then
uses pools. Prints the binding that the statistics tell, the errno of mbind, and the node of a buffer.

The filter is a classic BPF program (seccomp(2)): load the number of the call, compare it with each of the five,
answer EPERM to those and allow the rest. Exit code 77: this system lets nobody install a filter.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import struct
import sys

from hioload_ws.api.types import NodeId
from hioload_ws.internal.memory_policy import MemoryPolicy
from hioload_ws.pool import node_pools

FORBIDDEN = (237, 238, 239, 279, 309)  # x86-64: mbind, set_mempolicy, get_mempolicy, move_pages, getcpu
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ANSWER_EPERM = 0x7FFF0000, 0x00050000 | errno.EPERM
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


class Program(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def forbid() -> bool:
    """Install the filter for this process, for good; whether the system allowed it."""
    steps = [struct.pack("HBBI", LOAD_NUMBER, 0, 0, 0)]
    for index, number in enumerate(FORBIDDEN):
        steps.append(struct.pack("HBBI", JUMP_IF_EQUAL, len(FORBIDDEN) - index, 0, number))
    steps.append(struct.pack("HBBI", RETURN, 0, 0, ALLOW))
    steps.append(struct.pack("HBBI", RETURN, 0, 0, ANSWER_EPERM))
    program = Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    result: int = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return result == 0


def main() -> int:
    if not forbid():
        print("no seccomp filters here")
        return 77
    with node_pools(huge_pages="try") as pools, pools.acquire(5000) as buffer:
        buffer.data()[:] = b"\1" * 5000
        told, node = pools.stats().binding, buffer.node
    policy = MemoryPolicy()
    with mmap.mmap(-1, mmap.PAGESIZE) as mapping:
        policy.bind(mapping, NodeId(0))
    number = policy.refusal.errno if policy.refusal is not None else None
    print(told, errno.errorcode.get(number or 0), node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
