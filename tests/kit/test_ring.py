"""The contract of rings on every ring there is, and what a factory that raises comes to."""

from __future__ import annotations

import pytest

from hioload_ws.contract import MpmcRingContract, RingContract, Verdict, check
from hioload_ws.contract.suite import Contract
from hioload_ws.fake import FakeRing
from hioload_ws.internal import Inbox
from hioload_ws.pool import MpmcRing, SpscRing
from tests.kit.holding import hold


@pytest.mark.parametrize(
    ("suite", "ring"),
    [
        (RingContract, SpscRing),
        (RingContract, MpmcRing),
        (RingContract, FakeRing),
        (MpmcRingContract, MpmcRing),
        (MpmcRingContract, Inbox),
    ],
)
def test_every_ring_of_ours_is_conformant(suite: type[Contract], ring: type) -> None:
    hold(suite, ring, ring.__name__)


def test_the_fake_is_for_one_thread_as_the_ledger_says() -> None:
    """``DIV-01``."""
    report = check(MpmcRingContract, FakeRing)
    assert [each.requirement.id for each in report.failures] == ["RNG-21"]
    assert report.blocked_by("RNG-21") == ("RNG-24", "RNG-25")


def test_a_factory_that_raises_is_not_conformant() -> None:
    def fail(capacity: int) -> object:
        raise RuntimeError("no ring today")

    assert check(RingContract, fail).verdict is not Verdict.CONFORMANT
