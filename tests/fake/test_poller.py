"""The scripted poller obeys the rules of the real ones, in virtual time."""

from __future__ import annotations

import pytest

from hioload_ws.api.errors import AlreadyExists, Closed, InvalidArgument, InvalidState, NotFound
from hioload_ws.api.poller import FAILED, READABLE, WRITABLE, Poller
from hioload_ws.api.types import Handle
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller

A, B, C = Handle(1), Handle(2), Handle(3)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def poller(clock: VirtualClock) -> ScriptedPoller:
    return ScriptedPoller(clock)


def test_readiness_is_masked_by_interest_but_failures_always_show(poller: ScriptedPoller) -> None:
    contract: Poller = poller
    contract.register(A, READABLE)
    poller.set_ready(A, READABLE | WRITABLE)
    assert list(contract.poll(0, 8)) == [(A, READABLE)]
    contract.modify(A, 0)
    assert list(contract.poll(0, 8)) == []
    poller.set_ready(A, FAILED | READABLE)
    assert list(contract.poll(0, 8)) == [(A, FAILED)]


def test_a_poll_jumps_to_the_next_scripted_moment(poller: ScriptedPoller, clock: VirtualClock) -> None:
    poller.register(A, READABLE)
    poller.at(70, A, READABLE)
    poller.at(70, A, 0)
    poller.at(90, A, READABLE)
    assert list(poller.poll(None, 8)) == [(A, READABLE)]
    assert clock.now_ns() == 90


def test_a_poll_without_readiness_ends_at_its_timeout(poller: ScriptedPoller, clock: VirtualClock) -> None:
    poller.at(500, A, READABLE)
    assert list(poller.poll(200, 8)) == []
    assert clock.now_ns() == 200
    assert poller.timeouts_ns == [200]


def test_a_timeout_below_zero_does_not_wait(poller: ScriptedPoller, clock: VirtualClock) -> None:
    assert list(poller.poll(-3, 8)) == []
    assert clock.now_ns() == 0


def test_a_poll_that_would_wait_for_ever_names_the_deadlock(poller: ScriptedPoller) -> None:
    with pytest.raises(InvalidState, match="deadlock"):
        poller.poll(None, 8)


def test_a_wake_ends_one_poll(poller: ScriptedPoller) -> None:
    poller.wake()
    assert list(poller.poll(None, 8)) == []
    with pytest.raises(InvalidState):
        poller.poll(None, 8)


def test_whoever_was_left_out_comes_first(poller: ScriptedPoller) -> None:
    for handle in (A, B, C):
        poller.register(handle, READABLE)
        poller.set_ready(handle, READABLE)
    seen = [handle for _ in range(3) for handle, _ in poller.poll(0, 2)]
    assert seen == [A, B, C, A, B, C]


def test_books_and_errors_are_those_of_the_contract(poller: ScriptedPoller) -> None:
    poller.register(A, READABLE)
    with pytest.raises(AlreadyExists):
        poller.register(A, READABLE)
    with pytest.raises(NotFound):
        poller.modify(B, READABLE)
    with pytest.raises(NotFound):
        poller.unregister(B)
    for handle, interest in ((B, 2), (Handle(-1), READABLE)):
        with pytest.raises(InvalidArgument):
            poller.register(handle, interest)
    with pytest.raises(InvalidArgument):
        poller.poll(0, 0)
    assert len(poller) == 1
    poller.unregister(A)
    assert len(poller) == 0


def test_after_close_only_wake_and_close_are_allowed(poller: ScriptedPoller) -> None:
    poller.register(A, READABLE)
    poller.close()
    poller.close()
    poller.wake()
    assert len(poller) == 0
    for call in (
        lambda: poller.register(A, 0),
        lambda: poller.modify(A, 0),
        lambda: poller.unregister(A),
        lambda: poller.poll(0, 1),
    ):
        with pytest.raises(Closed):
            call()
