"""The contract of ``Control``: a configuration that changes whole or not at all, while everybody reads it.

The configuration is one of the kit's own, ``Settings``: an implementation that holds frozen dataclasses can hold
it. What can't change live, and what is out of range, only the implementation knows how to say; its refusals are
tried with what every configuration has: unknown fields and wrong types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ...api.control import Control, ReloadHook
from ...api.errors import AlreadyExists, InvalidArgument, InvalidState
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

CONTROL = (
    must("CTL-01", "config is the configuration it was made with, the same object until it changes."),
    must(
        "CTL-02",
        "set_config replaces the named fields, keeps the others, and answers what is in force.",
        "CTL-01",
    ),
    must("CTL-03", "A snapshot that was read never changes.", "CTL-02"),
    must(
        "CTL-04",
        "An unknown field or a wrong type raises InvalidArgument that names it; nothing changes.",
        "CTL-02",
    ),
    must("CTL-05", "What is wrong is named all together, and no hook is called for it.", "CTL-04"),
    must("CTL-06", "Hooks are called once per change, with old and new, in the order of registration.", "CTL-02"),
    must("CTL-07", "While hooks run the old configuration is in force.", "CTL-06"),
    must("CTL-08", "A change to equal values calls no hook.", "CTL-06"),
    must(
        "CTL-09",
        "A hook that raises refuses: the error is passed on, the old snapshot stays in force.",
        "CTL-06",
    ),
    must("CTL-10", "After a refusal those hooks that ran are called again, with the roles exchanged.", "CTL-09"),
    must("CTL-11", "set_config within a hook raises InvalidState.", "CTL-06"),
    must("CTL-12", "A hook that was removed is called no more; removing it again is harmless.", "CTL-06"),
    must("CTL-13", "A hook that is registered twice is called twice, and removed once at a time.", "CTL-12"),
    must("CTL-14", "stats shows what probes say now, by name; one that raises stops no other."),
    must("CTL-15", "A probe's name that is taken raises AlreadyExists, and the first one stays.", "CTL-14"),
    must("CTL-16", "Of two threads that change different fields, both changes are kept.", "CTL-02"),
)


@dataclass(frozen=True)
class Settings:
    """The configuration of the checks."""

    port: int = 80
    name: str = "first"
    loud: bool = False


class ControlContract(Contract, name="control", requirements=CONTROL):
    """What every control owes; override ``make``."""

    def make(self, config: Settings) -> Control[Settings]:
        """Return a new control over ``config``."""
        raise NotImplementedError

    def fresh(self, trial: Trial) -> Desk:
        """Return a fresh control with a log of what hooks were told."""
        config = Settings()
        return Desk(trial, trial.make(self.make, config), config)

    @requirement("CTL-01")
    def first_config_is_kept(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        for _ in range(2):
            trial.equal(desk.control.config(), desk.first, "config()")
        trial.same(desk.control.config(), desk.control.config(), "config(), asked again")

    @requirement("CTL-02")
    def fields_are_replaced(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        told = desk.set(port=81)
        trial.equal(told, Settings(port=81), "what set_config answers")
        trial.same(desk.control.config(), told, "config()")
        told = desk.set(name="second", loud=True)
        trial.equal(told, Settings(81, "second", True), "what set_config answers")
        trial.same(desk.control.config(), told, "config()")

    @requirement("CTL-03")
    def snapshots_stay(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        before = desk.control.config()
        desk.set(port=81, name="second")
        trial.equal(before, Settings(), "the snapshot that was read before the change")

    @requirement("CTL-04")
    def nonsense_is_refused(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        for changes in ({"colour": 1}, {"port": "x"}, {"name": 7}, {"port": 81, "colour": 1}, {"port": 1.5}):
            wrong = "colour" if "colour" in changes else next(iter(changes))
            call = f"set_config(**{changes})"
            error = trial.raises(InvalidArgument, call, partial(desk.control.set_config, **changes))
            trial.true(wrong in str(error), f"the error names {wrong}", got=str(error))
            trial.equal(desk.control.config(), desk.first, "config() after it")

    @requirement("CTL-05")
    def all_nonsense_is_named(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        desk.hook("a")
        changes: dict[str, object] = {"port": "x", "name": 7, "colour": 1, "loud": True}
        error = trial.raises(InvalidArgument, f"set_config(**{changes})", partial(desk.control.set_config, **changes))
        for name in ("port", "name", "colour"):
            trial.true(name in str(error), f"the error names {name}", got=str(error))
        trial.equal((desk.log, desk.control.config()), ([], desk.first), "what hooks were told, and config()")

    @requirement("CTL-06")
    def hooks_are_told(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        for name in ("a", "b", "c"):
            desk.hook(name)
        trial.equal(desk.log, [], "what hooks were told before a change")
        first, second = desk.set(port=81), desk.set(loud=True)
        wanted = [(name, desk.first, first) for name in "abc"] + [(name, first, second) for name in "abc"]
        trial.equal(desk.log, wanted, "what hooks were told: name, old, new")

    @requirement("CTL-07")
    def old_one_is_in_force(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        seen: list[Settings] = []
        for _ in range(2):
            desk.control.on_reload(lambda old, new: seen.append(desk.control.config()))
        desk.set(port=81)
        trial.equal(seen, [desk.first] * 2, "config() within the hooks")
        trial.equal(desk.control.config(), Settings(port=81), "config() after them")

    @requirement("CTL-08")
    def equal_values_are_no_change(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        desk.hook("a")
        for changes in ({}, {"port": 80}, {"port": 80, "name": "first", "loud": False}):
            told = desk.set(**changes)
            trial.equal((told, desk.log), (desk.first, []), "what set_config answers, and what hooks were told")

    @requirement("CTL-09")
    def hooks_may_refuse(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        fault = _Fault("no")
        desk.hook("a")
        desk.hook("b", lambda: _raise(fault))
        desk.hook("c")
        before = desk.control.config()
        call = "set_config(port=81), which the second of three hooks refuses"
        error = trial.raises(_Fault, call, partial(desk.set, port=81))
        trial.same(error, fault, "the error")
        trial.same(desk.control.config(), before, "config() after it")
        trial.true("c" not in [each[0] for each in desk.log], "the third hook was not told", got=desk.log)

    @requirement("CTL-10")
    def refusals_are_taken_back(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        refusing = [True]
        for name in ("a", "b"):
            desk.hook(name)
        desk.hook("c", lambda: _raise(_Fault()) if refusing[0] else None)
        desk.hook("d")
        new = Settings(port=81)
        trial.raises(_Fault, "set_config(port=81), which the third of four hooks refuses", partial(desk.set, port=81))
        trial.equal(desk.log[:3], [(name, desk.first, new) for name in "abc"], "what was told up to the refusal")
        back = sorted(desk.log[3:], key=lambda each: each[0])
        trial.equal(back, [(name, new, desk.first) for name in "ab"], "what was told after it")
        refusing.clear()
        refusing.append(False)
        desk.log.clear()
        trial.equal(desk.set(port=82), Settings(port=82), "what the next change answers")
        trial.equal(desk.log, [(name, desk.first, Settings(port=82)) for name in "abcd"], "what it told")

    @requirement("CTL-11")
    def hooks_change_nothing(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        caught: list[Exception] = []

        def hook() -> None:
            try:
                desk.control.set_config(loud=True)
            except Exception as error:
                caught.append(error)

        desk.hook("a", hook)
        trial.equal(desk.set(port=81), Settings(port=81), "what the outer set_config answers")
        trial.equal([type(each) for each in caught], [InvalidState], "what set_config within the hook raised")
        desk.control.set_config(port=82)
        trial.equal(desk.control.config(), Settings(port=82), "config() after another change")

    @requirement("CTL-12")
    def hooks_are_removed(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        remove = desk.hook("a")
        desk.hook("b")
        trial.did("remove a, twice")
        remove()
        remove()
        desk.set(port=81)
        trial.equal([each[0] for each in desk.log], ["b"], "who was told")

    @requirement("CTL-13")
    def registrations_count(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        told: list[Settings] = []

        def hook(old: Settings, new: Settings) -> None:
            told.append(new)

        first, second = desk.control.on_reload(hook), desk.control.on_reload(hook)
        for remove, port, wanted in ((None, 81, 2), (first, 82, 1), (first, 83, 1), (second, 84, 0)):
            if remove is not None:
                trial.did("remove one registration")
                remove()
            told.clear()
            desk.set(port=port)
            trial.equal(len(told), wanted, "how often the hook was called")

    @requirement("CTL-14")
    def probes_are_asked(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        values = [1]
        desk.control.register_debug_probe("mine.value", lambda: values[0])
        desk.control.register_debug_probe("mine.broken", lambda: _raise(_Fault()))
        desk.control.register_debug_probe("mine.last", lambda: "last")
        for value in (1, 2):
            values[0] = value
            trial.did("stats()")
            stats = desk.control.stats()
            trial.equal((stats["mine.value"], stats["mine.last"]), (value, "last"), "what the probes say")

    @requirement("CTL-15")
    def names_are_taken(self, trial: Trial) -> None:
        desk = self.fresh(trial)
        desk.control.register_debug_probe("mine", lambda: "first")
        call = "register_debug_probe('mine'), again"
        trial.raises(AlreadyExists, call, lambda: desk.control.register_debug_probe("mine", lambda: "second"))
        trial.equal(desk.control.stats()["mine"], "first", "what stats shows")

    @requirement("CTL-16")
    def threads_lose_nothing(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            desk = self.fresh(trial)
            trial.did(f"hold set_config(port=81) at step {schedule.at}, and set_config(loud=True) on another thread")
            change = desk.control.set_config
            schedule.run(partial(change, port=81), partial(change, loud=True))
            trial.equal(desk.control.config(), Settings(port=81, loud=True), "config() after both")


class Desk:
    """A control at work, and the log of what its hooks were told."""

    def __init__(self, trial: Trial, control: Control[Settings], first: Settings) -> None:
        self.trial = trial
        self.control = control
        self.first = first
        self.log: list[tuple[str, Settings, Settings]] = []

    def set(self, **changes: object) -> Settings:
        """Change the configuration."""
        self.trial.did(f"set_config({', '.join(f'{key}={value!r}' for key, value in changes.items())})")
        return self.control.set_config(**changes)

    def hook(self, name: str, then: Callable[[], object] | None = None) -> Callable[[], None]:
        """Register a hook that writes into the log; return what removes it."""

        def told(old: Settings, new: Settings) -> None:
            self.log.append((name, old, new))
            if then is not None:
                then()

        self.trial.did(f"on_reload({name})")
        hook: ReloadHook[Settings] = told
        return self.control.on_reload(hook)


class _Fault(Exception):
    """Raised by a hook or a probe."""


def _raise(error: Exception) -> None:
    raise error


SUITES = (ControlContract,)

__all__ = ["SUITES", "ControlContract", "Desk", "Settings"]
