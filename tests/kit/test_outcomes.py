"""Outcomes: what an implementation comes to, whose fault it is, and what can neither be fooled nor hang."""

from __future__ import annotations

import threading
import time

import pytest
from hioload_ws.contract import (
    Contract,
    Outcome,
    RingContract,
    Trial,
    Verdict,
    check,
    must,
    refusal,
    requirement,
    should,
)
from hioload_ws.contract.report import Entry
from hioload_ws.pool import SpscRing


class Lamp:
    """What the contract of this file is about."""

    dims = False

    def __init__(self) -> None:
        self.level = 0

    def switch(self) -> int:
        self.level = 100 - self.level
        return self.level

    def dim(self, level: int) -> int:
        if not self.dims:
            raise NotImplementedError
        self.level = level
        return level


class LampContract(
    Contract,
    name="lamp",
    requirements=(
        must("LMP-01", "It is off at first."),
        must("LMP-02", "A switch turns it on.", "LMP-01"),
        must("LMP-03", "Another switch turns it off.", "LMP-02"),
        must("LMP-04", "It has the level that was asked for.", capability="dims"),
        must("LMP-05", "Level 0 is off.", "LMP-04", capability="dims"),
        should("LMP-06", "It tells its level.", since="1.1"),
    ),
):
    """What every lamp owes."""

    def make(self) -> Lamp:
        raise NotImplementedError

    def declared(self, trial: Trial) -> frozenset[str]:
        return frozenset({"dims"}) if trial.make(self.make).dims else frozenset()

    def lamp(self, trial: Trial) -> Lamp:
        return trial.make(self.make)

    @requirement("LMP-01")
    def off_at_first(self, trial: Trial) -> None:
        trial.equal(self.lamp(trial).level, 0, "the level of a new lamp")

    @requirement("LMP-02")
    def turns_on(self, trial: Trial) -> None:
        trial.equal(self.lamp(trial).switch(), 100, "the answer")

    @requirement("LMP-03")
    def turns_off(self, trial: Trial) -> None:
        lamp = self.lamp(trial)
        trial.equal([lamp.switch(), lamp.switch()], [100, 0], "the answers")

    @requirement("LMP-04")
    def dims_to_level(self, trial: Trial) -> None:
        trial.equal(self.lamp(trial).dim(30), 30, "the answer")

    @requirement("LMP-05")
    def dims_to_nothing(self, trial: Trial) -> None:
        trial.equal(self.lamp(trial).dim(0), 0, "the answer")

    @refusal("dims")
    def refuses_to_dim(self, trial: Trial) -> None:
        lamp = self.lamp(trial)
        trial.raises(NotImplementedError, "dim(30)", lambda: lamp.dim(30))
        trial.equal(lamp.level, 0, "the level")

    @requirement("LMP-06")
    def tells_level(self, trial: Trial) -> None:
        trial.true(isinstance(self.lamp(trial).level, int), "the level is a number")


class Dimmable(Lamp):
    dims = True


def outcomes(make: object, **options: float) -> str:
    """Return the outcomes of a run, in order."""
    report = check(LampContract, make, **options)  # type: ignore[arg-type]  # anything may be called
    return " ".join(each.outcome.value for each in report.entries)


def entry(make: object, id: str, **options: float) -> Entry:
    return check(LampContract, make, **options)[id]  # type: ignore[arg-type]  # anything may be called


def test_a_capability_that_is_not_declared_is_unsupported_when_it_refuses() -> None:
    assert outcomes(Lamp) == "pass pass pass unsupported unsupported pass"
    assert check(LampContract, Lamp).verdict is Verdict.CONFORMANT
    assert outcomes(Dimmable) == "pass pass pass pass pass pass"


def test_one_that_works_although_it_is_not_declared_is_a_warning() -> None:
    class Shy(Dimmable):
        dims = False

        def dim(self, level: int) -> int:
            self.level = level
            return level

    assert outcomes(Shy) == "pass pass pass warn unsupported pass"
    finding = entry(Shy, "LMP-04").finding
    assert finding is not None and finding.summary == "dims works, although it is not declared"
    assert check(LampContract, Shy).verdict is Verdict.WARNINGS


def test_one_that_neither_works_nor_refuses_is_a_failure() -> None:
    class Silent(Lamp):
        def dim(self, level: int) -> int:
            return 0

    assert outcomes(Silent) == "pass pass pass fail blocked pass"


def test_one_that_changes_something_before_it_refuses_is_a_failure() -> None:
    class Half(Lamp):
        def dim(self, level: int) -> int:
            self.level = level
            raise NotImplementedError

    assert entry(Half, "LMP-04").outcome is Outcome.FAIL


def test_one_root_cause_is_one_failure() -> None:
    class Dark(Lamp):
        def switch(self) -> int:
            return 0

    report = check(LampContract, Dark)
    assert [each.requirement.id for each in report.failures] == ["LMP-02"]
    assert report["LMP-03"].blocked_by == "LMP-02"
    assert report.blocked_by("LMP-02") == ("LMP-03",)


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(0), AssertionError()])
def test_whatever_a_factory_raises_is_a_failure_and_no_skip(error: BaseException) -> None:
    def make() -> Lamp:
        raise error

    report = check(LampContract, make)
    assert report["LMP-01"].outcome is Outcome.FAIL
    assert report.verdict is Verdict.NOT_CONFORMANT


@pytest.mark.parametrize("made", [None, 3, object()])
def test_a_factory_that_makes_something_else_is_a_failure(made: object) -> None:
    found = entry(lambda: made, "LMP-01")
    assert found.outcome is Outcome.FAIL
    assert found.finding is not None and "AttributeError" in found.finding.summary


def test_a_subject_that_ends_the_process_ends_its_check() -> None:
    class Exits(Lamp):
        def switch(self) -> int:
            raise SystemExit(0)

    assert outcomes(Exits).startswith("pass fail blocked")


def test_what_never_returns_is_ended_and_told_with_the_stacks() -> None:
    class Stuck(Lamp):
        def __init__(self) -> None:
            super().__init__()
            self.closed = threading.Event()

        def switch(self) -> int:
            self.closed.wait()
            return 0

        def close(self) -> None:
            self.closed.set()

    begin = time.monotonic()
    finding = entry(Stuck, "LMP-02", patience_seconds=0.1).finding
    assert finding is not None and finding.hung
    assert "in switch" in finding.trace and "self.closed.wait()" in finding.trace
    assert time.monotonic() - begin < 60


def test_a_call_that_has_to_return_and_waits_is_what_the_check_found_and_no_hang() -> None:
    class Waits(Lamp):
        def __init__(self) -> None:
            super().__init__()
            self.closed = threading.Event()

        def dim(self, level: int) -> int:
            self.closed.wait()
            return level

        def close(self) -> None:
            self.closed.set()

    finding = entry(Waits, "LMP-04", patience_seconds=0.1).finding
    assert finding is not None and not finding.hung
    assert finding.summary.startswith("dim(30) did not return within 0.")
    assert (finding.got, finding.wanted) == ("it still waits", "it returns")
    assert finding.did[-1] == "dim(30)" and "in dim" in finding.trace


def test_what_a_check_waited_for_before_is_not_what_it_hangs_in() -> None:
    class StuckLater(Lamp):
        def switch(self) -> int:
            while True:
                pass

    class Careful(LampContract, name="careful-lamp", requirements=()):
        @requirement("LMP-02")
        def turns_on(self, trial: Trial) -> None:
            lamp = self.lamp(trial)
            trial.raises(NotImplementedError, "dim", lambda: lamp.dim(0))
            lamp.switch()

    finding = check(Careful, StuckLater, only=("LMP-02",), patience_seconds=0.1)["LMP-02"].finding
    assert finding is not None and finding.hung and finding.summary.startswith("no sign of life")


def test_a_loop_in_python_is_ended_too() -> None:
    class Loops(Lamp):
        def switch(self) -> int:
            while True:
                pass

    finding = entry(Loops, "LMP-02", patience_seconds=0.1).finding
    assert finding is not None and finding.hung
    assert not [each for each in threading.enumerate() if each.name.startswith("contract LMP")]


def test_a_check_or_a_helper_that_is_overridden_is_told_as_tampered() -> None:
    class Cheating(LampContract):
        def make(self) -> Lamp:
            return Lamp()

        def turns_on(self, trial: Trial) -> None:
            return

    report = check(Cheating)
    finding = report["LMP-02"].finding
    assert finding is not None and finding.summary == "tampered: the class under test overrides turns_on of the suite"
    assert report["LMP-01"].outcome is Outcome.PASS

    class CheatingMore(LampContract):
        def make(self) -> Lamp:
            return Lamp()

        def lamp(self, trial: Trial) -> Lamp:
            return Lamp()

    assert {each.outcome for each in check(CheatingMore).entries} == {Outcome.FAIL, Outcome.BLOCKED}


def test_a_mistake_in_a_check_is_the_kits_and_nobody_elses() -> None:
    class Wrong(
        Contract, name="wrong", requirements=(must("WRG-01", "Something is so."), must("WRG-02", "More.", "WRG-01"))
    ):
        @requirement("WRG-01")
        def before_anything(self, trial: Trial) -> None:
            raise ZeroDivisionError

        @requirement("WRG-02")
        def builds_on_it(self, trial: Trial) -> None:
            return

    report = check(Wrong, Lamp)
    assert [each.outcome for each in report.entries] == [Outcome.KIT_ERROR, Outcome.BLOCKED]
    assert report.verdict is Verdict.NOTHING or report.verdict is Verdict.INCOMPLETE
    assert not report.conformant


def test_a_version_leaves_out_what_is_newer() -> None:
    report = check(LampContract, Lamp, since="1.0")
    assert [each.requirement.id for each in report.entries] == [f"LMP-0{number}" for number in range(1, 6)]
    assert report.conformant


def test_an_id_that_is_not_there_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError, match="LampContract has no requirement LMP-99"):
        check(LampContract, Lamp, only=["LMP-99"])


def test_the_same_seed_draws_the_same_also_for_one_requirement_alone() -> None:
    seen: list[float] = []

    class Drawn(Contract, name="drawn", requirements=(must("DRW-01", "It draws."), must("DRW-02", "It draws."))):
        @requirement("DRW-01")
        def first(self, trial: Trial) -> None:
            trial.rng.random()

        @requirement("DRW-02")
        def second(self, trial: Trial) -> None:
            seen.append(trial.rng.random())

    check(Drawn, Lamp, seed=7)
    check(Drawn, Lamp, seed=7, only=["DRW-02"])
    check(Drawn, Lamp, seed=8, only=["DRW-02"])
    assert seen[0] == seen[1] != seen[2]


def test_each_check_gets_a_fresh_subject() -> None:
    made: list[Lamp] = []

    def make() -> Lamp:
        made.append(Lamp())
        return made[-1]

    check(LampContract, make)
    # One for each of four checks, one for the refusal, one to ask what is declared.
    assert len(made) == len({id(each) for each in made}) == 6
    assert check(RingContract, SpscRing).conformant
