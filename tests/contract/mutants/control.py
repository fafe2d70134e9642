"""Broken controls and unusual ones. ``Correct`` is one lock around everything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from ...api.control import ReloadHook
from ...api.debug import Probe
from ...api.errors import AlreadyExists, InvalidArgument, InvalidState
from ..mutation import Gallery
from ..suites.control import ControlContract, Settings

GALLERY = Gallery(ControlContract)

Hook = ReloadHook[Settings]


class Correct:
    """A control over settings."""

    def __init__(self, config: Settings) -> None:
        self.now = config
        self.lock = threading.RLock()
        self.changing = False
        self.hooks: list[list[Hook]] = []
        self.probes: dict[str, Probe] = {}

    def config(self) -> Settings:
        return self.now

    def set_config(self, **changes: object) -> Settings:
        with self.lock:
            if self.changing:
                raise InvalidState("within a hook")
            self.changing = True
            try:
                return self.change(changes)
            finally:
                self.changing = False

    def change(self, changes: Mapping[str, object]) -> Settings:
        old = self.now
        wrong = self.wrong(changes)
        if wrong:
            raise InvalidArgument(f"wrong: {', '.join(wrong)}")
        new: Settings = replace(old, **changes)  # type: ignore[arg-type]  # the types were looked at
        if new != old:
            self.tell(old, new)
            self.now = new
        return self.now

    def wrong(self, changes: Mapping[str, object]) -> list[str]:
        kinds = {each.name: type(getattr(self.now, each.name)) for each in fields(Settings)}
        return [name for name, value in changes.items() if type(value) is not kinds.get(name)]

    def tell(self, old: Settings, new: Settings) -> None:
        told: list[Hook] = []
        try:
            for [hook] in list(self.hooks):
                hook(old, new)
                told.append(hook)
        except Exception:
            self.take_back(told, old, new)
            raise

    def take_back(self, told: list[Hook], old: Settings, new: Settings) -> None:
        for hook in reversed(told):
            hook(new, old)

    def on_reload(self, hook: Hook) -> Callable[[], None]:
        entry = [hook]
        self.hooks.append(entry)

        def remove() -> None:
            self.hooks = [each for each in self.hooks if each is not entry]

        return remove

    def stats(self) -> Mapping[str, object]:
        return {name: self.ask(probe) for name, probe in self.probes.items()}

    def ask(self, probe: Probe) -> object:
        try:
            return probe()
        except Exception as error:
            return error

    def register_debug_probe(self, name: str, probe: Probe) -> None:
        if name in self.probes:
            raise AlreadyExists("taken")
        self.probes[name] = probe


@GALLERY.mutant("CTL-01", "makes a new snapshot for each reader")
class ManySnapshots(Correct):
    def config(self) -> Settings:
        return replace(self.now)


@GALLERY.mutant("CTL-02", "sets the fields that are not named back")
class SetsBack(Correct):
    def change(self, changes: Mapping[str, object]) -> Settings:
        if not self.wrong(changes):
            changes = {each.name: changes.get(each.name, each.default) for each in fields(Settings)}
        return super().change(changes)


@GALLERY.mutant("CTL-03", "changes the snapshot in place")
class InPlace(Correct):
    def change(self, changes: Mapping[str, object]) -> Settings:
        old = self.now
        new = super().change(changes)
        for each in fields(Settings):
            object.__setattr__(old, each.name, getattr(new, each.name))
        self.now = old
        return old


@GALLERY.mutant("CTL-04", "ignores fields that it does not know")
class IgnoresUnknown(Correct):
    def change(self, changes: Mapping[str, object]) -> Settings:
        known = {each.name for each in fields(Settings)}
        return super().change({name: value for name, value in changes.items() if name in known})


@GALLERY.mutant("CTL-04", "changes what is right and refuses the rest")
class HalfChange(Correct):
    def change(self, changes: Mapping[str, object]) -> Settings:
        wrong = self.wrong(changes)
        done = super().change({name: value for name, value in changes.items() if name not in wrong})
        if wrong:
            raise InvalidArgument(f"wrong: {', '.join(wrong)}")
        return done


@GALLERY.mutant("CTL-05", "names the first field that is wrong")
class NamesOne(Correct):
    def wrong(self, changes: Mapping[str, object]) -> list[str]:
        return super().wrong(changes)[:1]


@GALLERY.mutant("CTL-06", "tells the last hook first")
class LastFirst(Correct):
    def on_reload(self, hook: Hook) -> Callable[[], None]:
        remove = super().on_reload(hook)
        self.hooks.insert(0, self.hooks.pop())
        return remove


@GALLERY.mutant("CTL-07", "puts the new one in force, then tells")
class InForceFirst(Correct):
    def tell(self, old: Settings, new: Settings) -> None:
        self.now = new
        try:
            super().tell(old, new)
        except Exception:
            self.now = old
            raise


@GALLERY.mutant("CTL-08", "tells of changes that are none")
class TellsAlways(Correct):
    def change(self, changes: Mapping[str, object]) -> Settings:
        before = self.now
        done = super().change(changes)
        if done == before:
            self.tell(before, done)
        return done


@GALLERY.mutant("CTL-09", "does not let hooks refuse")
class NoRefusal(Correct):
    def tell(self, old: Settings, new: Settings) -> None:
        for [hook] in list(self.hooks):
            self.ask(lambda hook=hook: hook(old, new))  # type: ignore[misc]  # bound on purpose


@GALLERY.mutant("CTL-10", "does not tell that a change was taken back")
class TakesNothingBack(Correct):
    def take_back(self, told: list[Hook], old: Settings, new: Settings) -> None:
        return None


@GALLERY.mutant("CTL-10", "takes back from the hook that refused, too")
class TakesRefusalBack(Correct):
    def take_back(self, told: list[Hook], old: Settings, new: Settings) -> None:
        super().take_back([hook for [hook] in self.hooks][: len(told) + 1], old, new)


@GALLERY.mutant("CTL-11", "lets a hook change what is being changed")
class ChangesWithin(Correct):
    def set_config(self, **changes: object) -> Settings:
        if self.changing and self.now.loud is False and "loud" in changes:
            return self.now
        return super().set_config(**changes)


@GALLERY.mutant("CTL-12", "fails when a hook is removed again")
class RemovesOnce(Correct):
    def on_reload(self, hook: Hook) -> Callable[[], None]:
        entry = [hook]
        self.hooks.append(entry)
        return lambda: self.hooks.remove(entry)


@GALLERY.mutant("CTL-13", "removes a hook with all its registrations")
class RemovesAll(Correct):
    def on_reload(self, hook: Hook) -> Callable[[], None]:
        self.hooks.append([hook])

        def remove() -> None:
            self.hooks = [each for each in self.hooks if each != [hook]]

        return remove


@GALLERY.mutant("CTL-14", "raises what a probe raises")
class RaisesProbes(Correct):
    def ask(self, probe: Probe) -> object:
        return probe()


@GALLERY.mutant("CTL-14", "asks a probe once")
class AsksOnce(Correct):
    def register_debug_probe(self, name: str, probe: Probe) -> None:
        value = self.ask(probe)
        super().register_debug_probe(name, lambda: value)


@GALLERY.mutant("CTL-15", "replaces a probe, and complains")
class ReplacesProbes(Correct):
    def register_debug_probe(self, name: str, probe: Probe) -> None:
        try:
            super().register_debug_probe(name, probe)
        except AlreadyExists:
            self.probes[name] = probe
            raise


@GALLERY.mutant("CTL-16", "reads, makes and writes without a lock")
class NoLock(Correct):
    def set_config(self, **changes: object) -> Settings:
        return self.change(changes)


GALLERY.oddball("one lock around everything")(Correct)


@GALLERY.oddball("takes back in the order of registration")
class InOrder(Correct):
    def take_back(self, told: list[Hook], old: Settings, new: Settings) -> None:
        super().take_back(told[::-1], old, new)


__all__ = ["GALLERY", "Correct"]
