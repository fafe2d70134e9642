"""The contract of rings on every ring there is, and what a factory that raises comes to."""

from __future__ import annotations

import pytest

from hioload_ws.contract import MpmcRingContract, Outcome, RingContract, Verdict, check
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


def test_a_factory_that_raises_is_not_conformant() -> None:
    def fail(capacity: int) -> object:
        raise RuntimeError("no ring today")

    assert check(RingContract, fail).verdict is not Verdict.CONFORMANT
