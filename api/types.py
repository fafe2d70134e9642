"""Small vocabulary shared by all interfaces: ids, units and the kinds of memory a call accepts.

An id is a ``NewType``: free at run time, and a type checker stops a CPU number from being passed as a node
number. Times are integers in nanoseconds everywhere, on the monotonic clock unless a name says otherwise; a
duration in float seconds appears only in the user-facing constructors, where people type it by hand.
"""

from __future__ import annotations

from typing import Final, NewType, TypeAlias

NodeId = NewType("NodeId", int)
"""Number of a NUMA node as the operating system counts it. Ids may be sparse."""

CpuId = NewType("CpuId", int)
"""Number of a logical CPU as the operating system counts it. Ids may be sparse."""

Handle = NewType("Handle", int)
"""What a poller watches: a file descriptor on POSIX, a socket handle on Windows, a token in a
simulation."""

SessionId = NewType("SessionId", str)
"""Identifier of a session, unique within one server."""

Nanoseconds: TypeAlias = int
"""A duration, or a point on a monotonic clock, in nanoseconds."""

ANY_NODE: Final = NodeId(-1)
"""No preference: the pool or executor chooses the node (normally the one that the calling thread runs
on)."""

ReadableMemory: TypeAlias = "bytes | bytearray | memoryview"
"""Contiguous memory that a call reads and never writes.

Borrowed for the duration of the call unless stated otherwise.
"""

WritableMemory: TypeAlias = "bytearray | memoryview"
"""Contiguous, writable memory of byte format ``B`` that a call fills.

Borrowed for the duration of the call.
"""

__all__ = [
    "ANY_NODE",
    "CpuId",
    "Handle",
    "Nanoseconds",
    "NodeId",
    "ReadableMemory",
    "SessionId",
    "WritableMemory",
]
