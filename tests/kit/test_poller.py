"""The contract of pollers on those of this system, and on those that are played."""

from __future__ import annotations

import selectors

import pytest

from hioload_ws.contract import PollerContract
from hioload_ws.contract.engine import Factory
from hioload_ws.internal import EpollPoller, PollPoller, SelectorPoller
from tests.kit.holding import hold
from tests.kit.lines import in_a_world, scripted

TELLS_NO_FAILURES = ["POL-11"]
"""The module ``selectors`` knows reading and writing only."""


def over_select() -> SelectorPoller:
    return SelectorPoller(selectors.SelectSelector())


@pytest.mark.parametrize("make", [EpollPoller, PollPoller])
def test_pollers_of_the_system_are_conformant(make: Factory) -> None:
    hold(PollerContract, make)


@pytest.mark.parametrize("make", [SelectorPoller, over_select])
def test_pollers_over_selectors_are_conformant_but_tell_no_failures(make: Factory) -> None:
    hold(PollerContract, make, warned=TELLS_NO_FAILURES)


@pytest.mark.parametrize("make", [scripted, in_a_world])
def test_pollers_that_are_played_are_conformant(make: Factory) -> None:
    hold(PollerContract, make, unsupported=["threads"])
