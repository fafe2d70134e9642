"""Broken registries of probes and unusual ones. ``Correct`` is a dictionary with a lock."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ...api.debug import Probe
from ...api.errors import AlreadyExists, InvalidArgument, NotFound
from ..mutation import Gallery
from ..suites.debug import DebugContract

GALLERY = Gallery(DebugContract)


class Correct:
    """A registry of probes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.probes: dict[str, Probe] = {}

    def register_probe(self, name: str, probe: Probe) -> None:
        if not name:
            raise InvalidArgument("no name")
        with self.lock:
            if name in self.probes:
                raise AlreadyExists("taken")
            self.probes[name] = probe

    def unregister_probe(self, name: str) -> None:
        with self.lock:
            if self.probes.pop(name, None) is None:
                raise NotFound("no such probe")

    def dump_state(self) -> Mapping[str, object]:
        return {name: self.ask(probe) for name, probe in list(self.probes.items())}

    def ask(self, probe: Probe) -> object:
        try:
            return probe()
        except Exception as error:
            return error


@GALLERY.mutant("DBG-01", "sorts by name")
class Sorted(Correct):
    def dump_state(self) -> Mapping[str, object]:
        return dict(sorted(super().dump_state().items()))


@GALLERY.mutant("DBG-01", "shows texts, and not values")
class Texts(Correct):
    def ask(self, probe: Probe) -> object:
        return repr(super().ask(probe))


@GALLERY.mutant("DBG-02", "asks when a probe is registered")
class AsksEarly(Correct):
    def register_probe(self, name: str, probe: Probe) -> None:
        value = self.ask(probe)
        super().register_probe(name, lambda: value)


@GALLERY.mutant("DBG-03", "leaves out what raises")
class LeavesOut(Correct):
    def dump_state(self) -> Mapping[str, object]:
        return {name: value for name, value in super().dump_state().items() if not isinstance(value, Exception)}


@GALLERY.mutant("DBG-03", "raises what a probe raises")
class Raises(Correct):
    def ask(self, probe: Probe) -> object:
        return probe()


@GALLERY.mutant("DBG-04", "lets the last one have the name")
class LastWins(Correct):
    def register_probe(self, name: str, probe: Probe) -> None:
        try:
            super().register_probe(name, probe)
        except AlreadyExists:
            self.probes[name] = probe
            raise


@GALLERY.mutant("DBG-05", "takes an empty name")
class NoName(Correct):
    def register_probe(self, name: str, probe: Probe) -> None:
        super().register_probe(name or "unnamed", probe)


@GALLERY.mutant("DBG-06", "removes what is not there")
class RemovesNothing(Correct):
    def unregister_probe(self, name: str) -> None:
        self.probes.pop(name, None)


@GALLERY.mutant("DBG-06", "remembers the names of removed probes")
class RemembersNames(Correct):
    def unregister_probe(self, name: str) -> None:
        if name not in self.probes or self.probes[name] is _nothing:
            raise NotFound("no such probe")
        self.probes[name] = _nothing

    def dump_state(self) -> Mapping[str, object]:
        return {name: value for name, value in super().dump_state().items() if self.probes[name] is not _nothing}


def _nothing() -> object:
    return None


@GALLERY.mutant("DBG-07", "walks over the probes while they are asked")
class WalksLive(Correct):
    def dump_state(self) -> Mapping[str, object]:
        return {name: self.ask(probe) for name, probe in self.probes.items()}


@GALLERY.mutant("DBG-08", "has one dump, and keeps it up to date")
class OneDump(Correct):
    def __init__(self) -> None:
        super().__init__()
        self.dump: dict[str, object] = {}

    def dump_state(self) -> Mapping[str, object]:
        self.dump.clear()
        self.dump.update(super().dump_state())
        return self.dump

    def unregister_probe(self, name: str) -> None:
        super().unregister_probe(name)
        self.dump.pop(name, None)


@GALLERY.mutant("DBG-09", "looks for the name, then takes it, without a lock")
class NoLock(Correct):
    def register_probe(self, name: str, probe: Probe) -> None:
        if not name:
            raise InvalidArgument("no name")
        if name in self.probes:
            raise AlreadyExists("taken")
        self.probes[name] = probe


GALLERY.oddball("a dictionary with a lock")(Correct)


@GALLERY.oddball("has probes of its own, first and last")
class OwnProbes(Correct):
    def dump_state(self) -> Mapping[str, object]:
        return {"own.first": 1, **super().dump_state(), "own.last": 2}


__all__ = ["GALLERY", "Correct"]
