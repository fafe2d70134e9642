"""Probes: named questions to the inside of a running process.

Rooms push their probes in (``pool.stats``, a reactor's counters); this room never reaches out to them. A dump
asks each in turn and is made for bad days: a probe that raises is shown with what it raised, one that does not
answer in time is shown as late, and the rest of the dump goes on.

A function can't be interrupted, so probes are asked on a thread that lives as long as the dump. A late one keeps
that thread, and another one asks the rest; until it is through, later dumps name it at once and leave it alone, so
a probe that hangs for ever costs one thread, however often a dump is made.

``platform_probe`` is the one probe that belongs here: what this process runs on. """

from __future__ import annotations

import mmap
import os
import platform
import sys
import sysconfig
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Final

from ..api.debug import Probe
from ..api.errors import AlreadyExists, InvalidArgument, NotFound, TimedOut

PROBE_LIMIT_S: Final = 1.0
"""How long a dump waits for one probe."""


class ProbeRegistry:
    """Probes by name; implements ``api.Debug``, whose contract holds here. Any thread."""

    __slots__ = ("_late", "_limit_s", "_lock", "_probes")

    def __init__(self, limit_s: float | None = PROBE_LIMIT_S) -> None:
        """Wait at most ``limit_s`` for each probe; with ``None``, ask on the dumping thread and wait without end."""
        self._limit_s = limit_s
        self._lock = threading.RLock()
        self._probes: dict[str, Probe] = {}
        # Probes that were late, and the threads they keep.
        self._late: dict[str, threading.Thread] = {}

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
        """Ask every probe, without holding a lock; one that raised has its exception as value, and one that is
        late a ``TimedOut``."""
        probes = self._probes.copy()
        if self._limit_s is None:
            return MappingProxyType({name: _ask(probe) for name, probe in probes.items()})
        state: dict[str, object] = {}
        while len(state) < len(probes):
            self._ask_until_late({name: probe for name, probe in probes.items() if name not in state}, state)
        return MappingProxyType(state)

    def _ask_until_late(self, probes: Mapping[str, Probe], state: dict[str, object]) -> None:
        """Note answers in ``state``, in order, until one is late, which is noted as well."""
        answers: SimpleQueue[object] = SimpleQueue()
        given_up = threading.Event()

        def ask() -> None:
            for name, probe in probes.items():
                if given_up.is_set():
                    return
                answers.put(self._late_answer(name) or _ask(probe))

        thread = threading.Thread(target=ask, name="probes", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left: a bad day indeed
            ask()
        for name in probes:
            try:
                state[name] = answers.get(timeout=self._limit_s)
            except Empty:
                given_up.set()
                self._late[name] = thread
                state[name] = TimedOut("the probe did not answer in time", probe=name, limit_s=self._limit_s)
                return
        if thread.ident is not None:
            thread.join()

    def _late_answer(self, name: str) -> TimedOut | None:
        """Return what to say of a probe that is still busy with an earlier dump; ``None`` of all others."""
        thread = self._late.get(name)
        if thread is not None and thread.is_alive():
            return TimedOut("the probe is still busy with an earlier dump", probe=name)
        self._late.pop(name, None)
        return None


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


__all__ = ["PROBE_LIMIT_S", "ProbeRegistry", "platform_probe"]
