"""What the checks in the guest share: the machine as QEMU was told to make it, and two ways to compare."""

from __future__ import annotations

import errno
import json
import time
from pathlib import Path
from typing import Final

from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.internal import MemoryPolicy

LIBRARY: Final = "/opt/library"
ABSENT: Final = NodeId(9)
SIZES: Final = (4096, 65536, 1 << 20, 3 << 20)
PAGE: Final = 4096
_SETTLE_S: Final = 5.0

MACHINE: Final = json.loads(Path("/machine.json").read_text())
NODES: Final = [NodeId(number) for number in range(len(MACHINE["nodes"]))]
CPUS: Final = {node: tuple(map(CpuId, MACHINE["nodes"][node]["cpus"])) for node in NODES}
WITH_MEMORY: Final = [node for node in NODES if MACHINE["nodes"][node]["memory_mib"]]
WITH_CPUS: Final = [node for node in NODES if CPUS[node]]


def expect(seen: object, wanted: object, what: str) -> None:
    """Raise when what was seen is not what was wanted."""
    if seen != wanted:
        raise AssertionError(f"{what}: {seen!r} instead of {wanted!r}")


def pages_of(policy: MemoryPolicy, memory: memoryview) -> dict[NodeId, int]:
    """Return how many pages of memory lie on which node, as the kernel says.

    A page that the kernel is moving just now is on none (-ENOENT, move_pages(2)): then it is asked again, for a while.
    """
    end = time.monotonic() + _SETTLE_S
    while True:
        found = dict(policy.pages_by_node(memory))
        if -errno.ENOENT not in found or time.monotonic() > end:
            return found
