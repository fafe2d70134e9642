"""Servers: what takes part, and how each is started.

A server runs in a process of its own, ``python -m hioload_ws.bench.serve NAME``, pinned to the server's CPU. It says
its port in a line of JSON and ends when its standard input does. Peers are optional: one that is not installed is
named and left out, never guessed at.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from .. import __version__
from ..api.errors import InternalError
from .scenario import COROUTINES, NO_CTYPES, OURS, RAW, UNCOUNTED, WORKERS

_START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that can take part. ``needs``: the distributions it is made of; ``raw``: it knows no WebSocket;
    ``workers``: processes that serve at the same time where each has a CPU."""

    title: str
    needs: tuple[str, ...] = ()
    raw: bool = False
    workers: int = 1

    def missing(self) -> list[str]:
        """Return what is not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def versions(self) -> str:
        """Return what was measured, with versions."""
        if not self.needs:
            return "" if self.raw else __version__
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in self.needs)


KINDS: Final[Mapping[str, Kind]] = {
    OURS: Kind("hioload-ws, callbacks"),
    COROUTINES: Kind("hioload-ws, coroutines"),
    NO_CTYPES: Kind("hioload-ws, no ctypes"),
    UNCOUNTED: Kind("hioload-ws, nothing counted"),
    WORKERS: Kind("hioload-ws, 2 workers", workers=2),
    RAW: Kind("raw TCP echo, pure Python", raw=True),
    "picows": Kind("picows + uvloop", ("picows", "uvloop")),
    "websockets": Kind("websockets", ("websockets",)),
    "aiohttp": Kind("aiohttp", ("aiohttp",)),
}
"""Every server, by the name that scenarios and the command line use."""


class Running:
    """A server process. Use it in a ``with`` block: it ends with the block."""

    def __init__(self, name: str, cpus: Collection[int]) -> None:
        """Start the server and wait until it listens. Raises ``InternalError`` with what it said when it does
        not."""
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{_package()}.serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise InternalError(f"the server {name} did not start: its complaint is above")
        self.port: int = json.loads(line)["port"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _package() -> str:
    return __package__ or ""


__all__ = ["KINDS", "Kind", "Running"]
