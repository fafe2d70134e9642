"""The contract of rings, on every ring we have, on broken ones, and on odd ones that are right."""

from __future__ import annotations

import pytest

from hioload_ws.contract import MpmcRingContract, Outcome, RingContract, Verdict, check
from hioload_ws.contract.mutants.ring import GALLERY
from hioload_ws.contract.mutation import Mutant, Oddball
from hioload_ws.contract.selftest import try_mutant, try_oddball
from hioload_ws.contract.suite import Contract
from hioload_ws.internal import Inbox
from hioload_ws.pool import MpmcRing, SpscRing


@pytest.mark.parametrize(
    ("suite", "ring"),
    [
        (RingContract, SpscRing),
        (RingContract, MpmcRing),
        (MpmcRingContract, MpmcRing),
        (MpmcRingContract, Inbox),
    ],
)
def test_every_ring_of_ours_is_conformant(suite: type[Contract], ring: type) -> None:
    report = check(suite, ring)
    assert report.verdict is Verdict.CONFORMANT
    assert [entry for entry in report.entries if entry.outcome is not Outcome.PASS] == []
    assert len(report.entries) == len(suite.requirements)


@pytest.mark.parametrize("mutant", GALLERY.mutants, ids=lambda mutant: f"{mutant.kills} {mutant.make.__name__}")
def test_a_broken_ring_is_caught_by_the_requirement_it_breaks(mutant: Mutant) -> None:
    proof = try_mutant(mutant, 1)
    assert proof.fault == ""


@pytest.mark.parametrize("oddball", GALLERY.oddballs, ids=lambda oddball: oddball.make.__name__)
def test_an_odd_ring_that_is_right_passes(oddball: Oddball) -> None:
    proof = try_oddball(oddball, 1)
    assert proof.fault == ""


def test_a_factory_that_raises_is_not_conformant() -> None:
    def fail(capacity: int) -> object:
        raise RuntimeError("no ring today")

    assert check(RingContract, fail).verdict is not Verdict.CONFORMANT
