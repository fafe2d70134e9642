"""Absent transports: those that have a place in the design and no implementation in this version.

They are registered all the same, so that asking for one gets an answer instead of "unknown": that it is not
implemented, and, as far as looking tells without side effects, what this machine would bring along for it. A
reason is made anew at every question, because machines change while processes run.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from ..api.errors import NotSupported
from ..api.registry import Availability, ConnectOptions, ListenOptions
from ..api.transport import Address, Features

Look = Callable[[Path], str]
"""Says what the machine whose root directory is given has for a transport. Never raises but ``OSError``."""


class AbsentProvider:
    """Implements ``api.registry.TransportProvider`` by refusing, with the reason. Any thread."""

    __slots__ = ("_look", "_name", "_root")

    def __init__(self, name: str, look: Look, root: Path = Path("/")) -> None:
        """Stand in for transport ``name``; ``look`` inspects the machine under ``root``."""
        self._name = name
        self._look = look
        self._root = root

    @property
    def name(self) -> str:
        """The name of the transport that is not there."""
        return self._name

    def availability(self) -> Availability:
        """Return that it is not available, and why."""
        try:
            found = self._look(self._root)
        except OSError as error:
            found = f"looking for it failed: {error}"
        return Availability(False, f"{self._name} is not implemented in this version ({found})")

    def features(self) -> Features:
        """Return no features at all: what is not there can do nothing."""
        return Features(self._name, half_close=False)

    def listen(self, address: Address, options: ListenOptions) -> NoReturn:
        """Raise ``NotSupported`` with the reason."""
        raise NotSupported(self.availability().reason, transport=self._name, address=str(address))

    def connect(self, address: Address, options: ConnectOptions) -> NoReturn:
        """Raise ``NotSupported`` with the reason."""
        raise NotSupported(self.availability().reason, transport=self._name, address=str(address))


def look_for_io_uring(root: Path) -> str:
    """Read the switch that kernels with io_uring have (since 6.6), io_uring_setup(2)."""
    switch = root / "proc/sys/kernel/io_uring_disabled"
    if not switch.exists():
        return "this kernel does not say whether it has io_uring"
    states = {"0": "on", "1": "on for privileged processes", "2": "off"}
    return f"this kernel has io_uring, switched {states.get(switch.read_text().strip(), 'in an unknown way')}"


def look_for_iocp(root: Path) -> str:
    """I/O completion ports are a part of Windows."""
    return f"I/O completion ports belong to Windows; this system is {sys.platform}"


def look_for_rdma(root: Path) -> str:
    """List the adapters that the kernel's InfiniBand layer knows."""
    adapters = root / "sys/class/infiniband"
    names = sorted(entry.name for entry in adapters.iterdir()) if adapters.is_dir() else []
    return f"RDMA adapters of this machine: {', '.join(names) or 'none'}"


def look_for_dpdk(root: Path) -> str:
    """Look for what DPDK needs from the kernel: user-space drivers' devices and huge pages."""
    vfio = "has" if (root / "dev/vfio/vfio").exists() else "has no"
    pages = root / "proc/sys/vm/nr_hugepages"
    count = pages.read_text().strip() if pages.exists() else "0"
    return f"this machine {vfio} VFIO device and {count} huge pages; DPDK carries frames, not streams"


def look_for_shared_memory(root: Path) -> str:
    """Look for the file system that holds shared memory, shm_overview(7)."""
    directory = root / "dev/shm"
    usable = directory.is_dir() and os.access(directory, os.W_OK)
    return f"this machine has {'a' if usable else 'no'} usable /dev/shm"


def look_for_af_packet(root: Path) -> str:
    """Try to open a packet socket, packet(7): it takes CAP_NET_RAW."""
    if not hasattr(socket, "AF_PACKET"):
        return "this system has no packet sockets"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return "this process may not open packet sockets; they carry frames, not streams"
        raise
    return "this process may open packet sockets; they carry frames, not streams"


def absent_providers() -> Sequence[AbsentProvider]:
    """Return a provider for every transport that is planned and not there."""
    return (
        AbsentProvider("shared-memory", look_for_shared_memory),
        AbsentProvider("io_uring", look_for_io_uring),
        AbsentProvider("iocp", look_for_iocp),
        AbsentProvider("rdma", look_for_rdma),
        AbsentProvider("dpdk", look_for_dpdk),
        AbsentProvider("af_packet", look_for_af_packet),
    )


__all__ = [
    "AbsentProvider",
    "absent_providers",
    "look_for_af_packet",
    "look_for_dpdk",
    "look_for_io_uring",
    "look_for_iocp",
    "look_for_rdma",
    "look_for_shared_memory",
]
