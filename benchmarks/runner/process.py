"""Process: what a running process has used, read from Linux's /proc.

CPU time is ``schedstat`` (nanoseconds on the CPU) of every thread of the process and of its descendants, because a
server may have helpers; memory is the proportional set size (proc(5), ``smaps_rollup``), where what processes share
is counted once. Neither needs the cooperation of the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ..api.errors import NotSupported

_PROC: Final = Path("/proc")


def cpu_ns(pid: int) -> int:
    """Return the nanoseconds of CPU time that a process and its descendants have used.

    Of threads and children that have ended, nothing is counted. Raises ``NotSupported`` without /proc/PID/schedstat.
    """
    total = 0
    for each in _family(pid):
        for task in (_PROC / str(each) / "task").iterdir():
            try:
                total += int((task / "schedstat").read_text("ascii").split()[0])
            except FileNotFoundError:
                continue  # a thread that ended meanwhile
    return total


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process and its descendants in bytes. Raises ``NotSupported``."""
    return sum(_pss_bytes(each) for each in _family(pid))


def check_supported() -> None:
    """Raise ``NotSupported`` where a process can't be measured."""
    _require(_PROC / "self" / "schedstat")
    _require(_PROC / "self" / "smaps_rollup")


def share_cpus() -> tuple[frozenset[int], frozenset[int]]:
    """Return the CPUs for the server (one) and those for the load (the others; the same where there is one)."""
    usable = sorted(os.sched_getaffinity(0))
    rest = frozenset(usable[1:])
    return frozenset(usable[:1]), rest or frozenset(usable)


def _pss_bytes(pid: int) -> int:
    for line in (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise NotSupported("this kernel tells no proportional set size")


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for each in found:
        for task in (_PROC / str(each) / "task").iterdir():
            try:
                found += map(int, (task / "children").read_text("ascii").split())
            except FileNotFoundError:
                continue
    return found


def _require(path: Path) -> None:
    if not path.exists():
        raise NotSupported(f"a process is measured through {path}, which this system does not have")


__all__ = ["check_supported", "cpu_ns", "pss_bytes", "share_cpus"]
