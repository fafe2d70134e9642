"""The kit on trial: each broken implementation is caught by what it breaks, each odd one that is right passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hioload_ws.contract import RingContract, catalogue
from hioload_ws.contract.mutation import Mutant, Oddball
from hioload_ws.contract.selftest import try_mutant, try_oddball

MUTANTS = catalogue.mutants()
ODDBALLS = catalogue.oddballs()


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: f"{each.suite.name} {each.kills} {each.make.__name__}")
def test_what_is_broken_is_caught_by_the_requirement_it_breaks(mutant: Mutant) -> None:
    assert try_mutant(mutant, 1).fault == ""


@pytest.mark.slow
@pytest.mark.parametrize("oddball", ODDBALLS, ids=lambda each: f"{each.suite.name} {each.make.__name__}")
def test_what_is_odd_and_right_passes(oddball: Oddball) -> None:
    assert try_oddball(oddball, 1).fault == ""


@pytest.mark.parametrize("error", [ValueError, AttributeError])
def test_a_mutant_that_can_not_be_made_counts_as_stillborn(error: type[Exception]) -> None:
    def make(capacity: int) -> object:
        raise error("a mistake in the mutant")

    proof = try_mutant(Mutant(RingContract, "RNG-01", "broken in another way than it should be", make), 1)
    assert proof.fault.startswith("stillborn")


def test_only_a_race_may_be_met_by_what_the_requirement_builds_on() -> None:
    earlier = next(each for each in MUTANTS if each.suite is RingContract and each.kills == "RNG-03")
    late = replace(earlier, kills="RNG-04")  # which builds on RNG-03
    assert try_mutant(late, 1).fault == "killed by RNG-03 and not by RNG-04"
    assert try_mutant(replace(late, races=True), 1).fault == ""


def test_requirements_checks_refusals_and_mutants_agree() -> None:
    assert list(catalogue.faults()) == []
