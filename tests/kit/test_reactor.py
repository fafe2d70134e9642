"""The contract of reactors on the real one, over every poller, and in virtual time."""

from __future__ import annotations

import pytest

from hioload_ws.contract import ReactorContract
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.lines import Lines
from hioload_ws.fake import ScriptedPoller, VirtualClock
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


def scripted() -> tuple[PollReactor, Lines]:
    clock = VirtualClock()
    poller = ScriptedPoller(clock)
    return PollReactor(poller, clock, on_error=ignore), ScriptedLines(poller, clock)


def in_a_world() -> tuple[PollReactor, Lines]:
    world = World()
    return PollReactor(WorldPoller(world, "it"), world.clock, on_error=ignore), WorldLines(world)


@pytest.mark.parametrize("make", [over_epoll, over_poll, over_selectors, one_at_a_time])
def test_the_reactor_is_conformant_over_every_poller(make: Factory) -> None:
    hold(ReactorContract, make)


@pytest.mark.parametrize("make", [scripted, in_a_world])
def test_the_reactor_is_conformant_in_virtual_time(make: Factory) -> None:
    hold(ReactorContract, make, unsupported=["threads"])
