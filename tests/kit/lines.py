"""Handles for the pollers that are played: what the contracts of pollers and reactors are run on."""

from __future__ import annotations

import itertools

from hioload_ws.api.poller import FAILED, READABLE, WRITABLE, Readiness
from hioload_ws.api.types import Handle
from hioload_ws.contract.suites.lines import Line, Lines
from hioload_ws.fake import ScriptedPoller, VirtualClock
from hioload_ws.fake.sim_poller import WorldPoller
from hioload_ws.fake.world import Watcher, World


class ScriptedLine:
    """A number that a ``ScriptedPoller`` watches."""

    def __init__(self, poller: ScriptedPoller, number: int) -> None:
        self.handle = Handle(number)
        self._poller = poller

    def set(self, *, readable: bool, writable: bool) -> None:
        self._poller.set_ready(self.handle, bits(readable, writable))

    def hang_up(self) -> None:
        self._poller.set_ready(self.handle, READABLE | WRITABLE | FAILED)

    def close(self) -> None:
        self._poller.set_ready(self.handle, 0)


class ScriptedLines:
    """Numbers."""

    threads = False

    def __init__(self, poller: ScriptedPoller, clock: VirtualClock) -> None:
        self._poller = poller
        self._numbers = itertools.count(3)
        self.now_ns = clock.now_ns

    def add(self) -> ScriptedLine:
        return ScriptedLine(self._poller, next(self._numbers))

    def refused(self) -> None:
        return None


class WorldLine:
    """Something in a ``World``."""

    def __init__(self, world: World, number: int) -> None:
        self.handle = Handle(number)
        self._world = world
        self._readiness: Readiness = 0
        self._watcher: Watcher | None = None
        world.sources[self.handle] = self

    def readiness(self) -> Readiness:
        return self._readiness

    def watched_by(self, watcher: Watcher | None) -> None:
        self._watcher = watcher

    def set(self, *, readable: bool, writable: bool) -> None:
        self._become(bits(readable, writable))

    def hang_up(self) -> None:
        self._become(READABLE | WRITABLE | FAILED)

    def close(self) -> None:
        self._become(0)
        self._world.sources.pop(self.handle, None)

    def _become(self, readiness: Readiness) -> None:
        self._readiness = readiness
        if self._watcher is not None:
            self._watcher.touch(self.handle)


class WorldLines:
    """Things in a ``World``."""

    threads = False

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(3)
        self.now_ns = world.clock.now_ns

    def add(self) -> WorldLine:
        return WorldLine(self._world, next(self._numbers))

    def refused(self) -> Handle:
        return Handle(999)


def bits(readable: bool, writable: bool) -> Readiness:
    return (READABLE if readable else 0) | (WRITABLE if writable else 0)


def scripted() -> tuple[ScriptedPoller, Lines]:
    clock = VirtualClock()
    poller = ScriptedPoller(clock)
    return poller, ScriptedLines(poller, clock)


def in_a_world() -> tuple[WorldPoller, Lines]:
    world = World()
    return WorldPoller(world, "the one on trial"), WorldLines(world)


__all__ = ["Line", "in_a_world", "scripted"]
