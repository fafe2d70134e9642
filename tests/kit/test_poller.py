"""The contract of pollers on those of this system, and on those that are played."""

from __future__ import annotations

import selectors

import pytest

from hioload_ws.api import Poller
from hioload_ws.contract import PollerContract
from hioload_ws.contract.engine import Factory
from hioload_ws.internal import EpollPoller, PollPoller, SelectorPoller
from tests.kit.holding import hold
from tests.kit.lines import in_a_world, scripted

TELLS_NO_FAILURES = {"POL-11": "the module `selectors` knows reading and writing only"}
ONE_THREAD = {"threads": "everything played runs on one thread"}


def over_select() -> SelectorPoller:
    return SelectorPoller(selectors.SelectSelector())


@pytest.mark.parametrize("make", [EpollPoller, PollPoller])
def test_pollers_of_the_system_are_conformant(make: type[Poller]) -> None:
    hold(PollerContract, make, make.__name__)


@pytest.mark.parametrize(
    ("name", "make"), [("SelectorPoller", SelectorPoller), ("SelectorPoller over select", over_select)]
)
def test_pollers_over_selectors_are_conformant_but_tell_no_failures(name: str, make: Factory) -> None:
    hold(PollerContract, make, name, warned=TELLS_NO_FAILURES)


@pytest.mark.parametrize(("name", "make"), [("ScriptedPoller", scripted), ("SimNetwork, a poller of", in_a_world)])
def test_pollers_that_are_played_are_conformant(name: str, make: Factory) -> None:
    hold(PollerContract, make, name, unsupported=ONE_THREAD)
