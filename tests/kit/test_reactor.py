"""The contract of reactors on the real one, over every poller, and in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hioload_ws.contract import ReactorContract
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.lines import Lines
from hioload_ws.fake import ScriptedPoller, VirtualClock, virtual_reactor
from hioload_ws.fake.sim_poller import WorldPoller
from hioload_ws.fake.world import World
from hioload_ws.internal import EpollPoller, PollPoller, PollReactor, SelectorPoller
from tests.kit.holding import hold
from tests.kit.lines import ScriptedLines, WorldLines


def ignore(error: BaseException, origin: object) -> None:
    """Callbacks that raise are part of it."""


def over_epoll() -> PollReactor:
    return PollReactor(EpollPoller(), on_error=ignore)


def over_poll() -> PollReactor:
    return PollReactor(PollPoller(), on_error=ignore)


def over_selectors() -> PollReactor:
    return PollReactor(SelectorPoller(), on_error=ignore)


def one_at_a_time() -> PollReactor:
    return PollReactor(budget=1, spin_ns=100_000, on_error=ignore)


def virtual() -> tuple[PollReactor, Lines]:
    parts = virtual_reactor()
    return parts.reactor, ScriptedLines(parts.poller, parts.clock)


def scripted() -> tuple[PollReactor, Lines]:
    clock = VirtualClock()
    poller = ScriptedPoller(clock)
    return PollReactor(poller, clock, on_error=ignore), ScriptedLines(poller, clock)


def in_a_world() -> tuple[PollReactor, Lines]:
    world = World()
    return PollReactor(WorldPoller(world, "it"), world.clock, on_error=ignore), WorldLines(world)


REAL: Mapping[str, Factory] = {
    "PollReactor, EpollPoller": over_epoll,
    "PollReactor, PollPoller": over_poll,
    "PollReactor, SelectorPoller": over_selectors,
    "PollReactor, a budget of 1": one_at_a_time,
}
PLAYED: Mapping[str, Factory] = {
    "virtual_reactor()": virtual,
    "ScriptedPoller under a PollReactor": scripted,
    "SimNetwork, a poller of, under a PollReactor": in_a_world,
}


@pytest.mark.parametrize("name", REAL)
def test_the_reactor_is_conformant_over_every_poller(name: str) -> None:
    hold(ReactorContract, REAL[name], name)


@pytest.mark.parametrize("name", PLAYED)
def test_the_reactor_is_conformant_in_virtual_time(name: str) -> None:
    hold(ReactorContract, PLAYED[name], name, unsupported={"threads": "everything played runs on one thread"})
