"""The contract of ``Debug``: named probes into a running process."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial

from ...api.debug import Debug
from ...api.errors import AlreadyExists, InvalidArgument, NotFound
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

DEBUG = (
    must("DBG-01", "dump_state shows what each probe says, by name, in the order of registration."),
    must("DBG-02", "Probes are asked anew for each dump, and not when they are registered.", "DBG-01"),
    must(
        "DBG-03",
        "A probe that raises has its exception as value; the others are shown, nothing is raised.",
        "DBG-01",
    ),
    must("DBG-04", "A name that is taken raises AlreadyExists, and the first probe stays.", "DBG-01"),
    must("DBG-05", "An empty name raises InvalidArgument, and nothing is registered.", "DBG-01"),
    must(
        "DBG-06",
        "A probe that was removed is asked no more, and its name is free; removing it again: NotFound.",
        "DBG-01",
    ),
    must("DBG-07", "A probe may register, remove and dump while it is asked.", "DBG-02"),
    must("DBG-08", "A dump does not change when probes come and go.", "DBG-06"),
    must("DBG-09", "Two threads that register one name: one gets it, the other AlreadyExists.", "DBG-04"),
)


class DebugContract(Contract, name="debug", requirements=DEBUG):
    """What every registry of probes owes; override ``make``. It may have probes of its own."""

    def make(self) -> Debug:
        """Return a new registry."""
        raise NotImplementedError

    @requirement("DBG-01")
    def all_are_shown(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        values: dict[str, object] = {"z": 1, "a": None, "m": object(), "a.b c": "text", "": 0}
        del values[""]
        for name, value in values.items():
            debug.register_probe(name, partial(values.get, name))
        trial.did("dump_state()")
        dump = debug.dump_state()
        trial.equal([name for name in dump if name in values], list(values), "the names, in their order")
        trial.true(all(dump[name] is value for name, value in values.items()), "the values are those of the probes")

    @requirement("DBG-02")
    def probes_are_asked_anew(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        numbers = itertools.count(1)
        trial.did("register_probe('count', a probe that counts how often it was asked)")
        debug.register_probe("count", lambda: next(numbers))
        trial.equal([debug.dump_state()["count"] for _ in range(3)], [1, 2, 3], "what three dumps show")

    @requirement("DBG-03")
    def faults_are_values(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        fault = _Fault("broken")

        def broken() -> object:
            raise fault

        debug.register_probe("first", lambda: 1)
        debug.register_probe("broken", broken)
        debug.register_probe("last", lambda: 2)
        trial.did("dump_state(), with a probe that raises")
        dump = debug.dump_state()
        trial.equal((dump["first"], dump["last"]), (1, 2), "the values of the others")
        trial.same(dump["broken"], fault, "the value of the broken one")

    @requirement("DBG-04")
    def names_are_taken(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        debug.register_probe("a", lambda: "first")
        for _ in range(2):
            call = "register_probe('a'), again"
            trial.raises(AlreadyExists, call, lambda: debug.register_probe("a", lambda: "second"))
        trial.equal(debug.dump_state()["a"], "first", "what the dump shows")

    @requirement("DBG-05")
    def names_are_needed(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        trial.raises(InvalidArgument, "register_probe('')", lambda: debug.register_probe("", lambda: 1))
        trial.true("" not in debug.dump_state(), "nothing was registered")

    @requirement("DBG-06")
    def probes_are_removed(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        debug.register_probe("a", lambda: 1)
        debug.register_probe("b", lambda: 2)
        trial.did("unregister_probe('a')")
        debug.unregister_probe("a")
        dump = debug.dump_state()
        trial.equal(("a" in dump, dump.get("b")), (False, 2), "the removed one and the other in the dump")
        for name in ("a", "never", ""):
            trial.raises(NotFound, f"unregister_probe({name!r})", partial(debug.unregister_probe, name))
        debug.register_probe("a", lambda: 3)
        trial.equal([each for each in debug.dump_state().items() if each[0] in "ab"], [("b", 2), ("a", 3)], "the dump")

    @requirement("DBG-07")
    def probes_may_use_it(self, trial: Trial) -> None:
        debug = trial.make(self.make)

        def probe() -> object:
            debug.unregister_probe("probe")
            debug.unregister_probe("other")
            debug.register_probe("new", lambda: "new")
            return "b" in debug.dump_state()

        debug.register_probe("probe", probe)
        debug.register_probe("other", lambda: 1)
        debug.register_probe("b", lambda: 2)
        trial.did("dump_state(), with a probe that removes, registers and dumps")
        dump = debug.dump_state()
        trial.equal((dump["probe"], dump["b"]), (True, 2), "what the dump shows of it and another")
        trial.equal(debug.dump_state()["new"], "new", "what the next dump shows of the new one")

    @requirement("DBG-08")
    def dumps_stay(self, trial: Trial) -> None:
        debug = trial.make(self.make)
        debug.register_probe("a", lambda: 1)
        dump: Mapping[str, object] = debug.dump_state()
        before = dict(dump)
        trial.did("unregister_probe('a'), register_probe('b'), after a dump")
        debug.unregister_probe("a")
        debug.register_probe("b", lambda: 2)
        trial.equal(dict(dump), before, "the dump from before")

    @requirement("DBG-09")
    def threads_register_once(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            debug = trial.make(self.make)

            def register(value: str, debug: Debug = debug) -> str:
                try:
                    debug.register_probe("a", lambda: value)
                except AlreadyExists:
                    return ""
                return value

            trial.did(f"hold register_probe('a') at step {schedule.at}, and register_probe('a') on another thread")
            answers = schedule.run(partial(register, "1"), partial(register, "2"))
            winners = [each for each in answers if each]
            trial.equal(len(winners), 1, "how many got the name")
            trial.equal(debug.dump_state()["a"], winners[0], "whose probe is asked")


class _Fault(Exception):
    """Raised by a probe."""


SUITES = (DebugContract,)

__all__ = ["SUITES", "DebugContract"]
