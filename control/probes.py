"""Probes: named questions to the inside of a running process.

Rooms push their probes in (``pool.stats``, a reactor's counters); this room never reaches out to them. A dump
asks each in turn and is made for bad days: a probe that raises is shown with what it raised, and the rest of
the dump goes on. ``platform_probe`` is the one probe that belongs here: what this process runs on. """

from __future__ import annotations

import mmap
import os
import platform
import sys
import sysconfig
import threading
from collections.abc import Mapping
from types import MappingProxyType

from ..api.debug import Probe
from ..api.errors import AlreadyExists, InvalidArgument, NotFound


class ProbeRegistry:
    """Probes by name; implements ``api.Debug``, whose contract holds here. Any thread."""

    __slots__ = ("_lock", "_probes")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._probes: dict[str, Probe] = {}

    def register_probe(self, name: str, probe: Probe) -> None:
        """Add a probe; ``AlreadyExists`` when the name is taken, ``InvalidArgument`` when it is empty."""
        if not name:
            raise InvalidArgument("a probe needs a name")
        with self._lock:
            if name in self._probes:
                raise AlreadyExists("the probe's name is taken", name=name)
            self._probes[name] = probe

    def unregister_probe(self, name: str) -> None:
        """Remove a probe. Raises ``NotFound``."""
        with self._lock:
            if self._probes.pop(name, None) is None:
                raise NotFound("no such probe", name=name)

    def dump_state(self) -> Mapping[str, object]:
        """Ask every probe, without holding a lock; one that raised has its exception as value."""
        return MappingProxyType({name: _ask(probe) for name, probe in self._probes.copy().items()})


def _ask(probe: Probe) -> object:
    try:
        return probe()
    except Exception as error:
        return error


def platform_probe() -> Mapping[str, object]:
    """Return what this process runs on; ``None`` where the platform can't say. Any thread."""
    gil_enabled = getattr(sys, "_is_gil_enabled", None)  # since Python 3.13
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return MappingProxyType(
        {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "gil_enabled": True if gil_enabled is None else gil_enabled(),
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "byte_order": sys.byteorder,
            "pointer_bits": sys.maxsize.bit_length() + 1,
            "cpu_count": os.cpu_count(),
            "usable_cpu_count": None if affinity is None else len(affinity(0)),
            "page_bytes": mmap.PAGESIZE,
            "process_id": os.getpid(),
        }
    )


__all__ = ["ProbeRegistry", "platform_probe"]
