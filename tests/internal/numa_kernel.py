"""A kernel for the tests of NUMA: it keeps policies and places of pages, and refuses what it is told to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence

from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.internal.syscalls import MPOL_DEFAULT


class FakeKernel:
    """Implements ``NumaCalls``; ``refuse(call, number)`` makes a call fail with an error number."""

    def __init__(self, nodes: Iterable[int] = (0, 1)) -> None:
        self.nodes = frozenset(NodeId(node) for node in nodes)
        self.allowed = self.nodes
        self.here = (CpuId(0), NodeId(0))
        self.thread: tuple[int, frozenset[NodeId]] = (MPOL_DEFAULT, frozenset())
        self.bound: list[tuple[int, int, int, tuple[NodeId, ...]]] = []
        self.places: dict[int, int] = {}
        self.calls: list[str] = []
        self._refused: dict[str, int] = {}

    def refuse(self, call: str, number: int) -> None:
        """From now on ``call`` fails with ``number``; 0 lets it work again."""
        self._refused[call] = number

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        number = self._refused.get(call, 0)
        if number:
            raise OSError(number, os.strerror(number))

    def _check(self, nodes: Iterable[NodeId]) -> tuple[NodeId, ...]:
        wanted = tuple(nodes)
        if not set(wanted) <= self.allowed:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return wanted

    def mbind(self, address: int, size_bytes: int, mode: int, nodes: Iterable[NodeId]) -> None:
        self._enter("mbind")
        self.bound.append((address, size_bytes, mode, self._check(nodes)))

    def set_mempolicy(self, mode: int, nodes: Iterable[NodeId]) -> None:
        self._enter("set_mempolicy")
        self.thread = (mode, frozenset(self._check(nodes)))

    def get_mempolicy(self, address: int | None) -> tuple[int, frozenset[NodeId]]:
        self._enter("get_mempolicy")
        if address is None:
            return self.thread
        for start, size_bytes, mode, nodes in reversed(self.bound):
            if start <= address < start + size_bytes:
                return mode, frozenset(nodes)
        return MPOL_DEFAULT, frozenset()

    def allowed_nodes(self) -> frozenset[NodeId]:
        self._enter("allowed_nodes")
        return self.allowed

    def move_pages(self, addresses: Sequence[int]) -> Sequence[int]:
        self._enter("move_pages")
        return [self.places.get(address, -errno.ENOENT) for address in addresses]

    def getcpu(self) -> tuple[CpuId, NodeId]:
        self._enter("getcpu")
        return self.here
