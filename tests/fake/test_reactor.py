"""A real reactor in virtual time is turned by what a test says."""

from __future__ import annotations

import pytest

from hioload_ws.api import READABLE, Handle, InvalidState
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.reactor import virtual_reactor, virtual_scheduler


def test_everything_that_falls_due_happens_at_its_moment() -> None:
    table = virtual_reactor()
    seen: list[int] = []
    table.reactor.scheduler.schedule(10, lambda: seen.append(table.clock.now_ns()))
    table.reactor.scheduler.schedule_every(7, lambda: seen.append(table.clock.now_ns()))
    assert table.advance(20) == 3
    assert seen == [7, 10, 14]
    assert table.clock.now_ns() == 20
    table.reactor.close()


def test_settling_works_off_what_is_there() -> None:
    table = virtual_reactor(VirtualClock(5))
    seen: list[int] = []

    def once(readiness: int) -> None:
        seen.append(readiness)
        table.poller.set_ready(Handle(1), 0)

    table.reactor.register(Handle(1), READABLE, once)
    table.poller.set_ready(Handle(1), READABLE)
    assert table.settle() == 1
    assert (seen, table.clock.now_ns()) == ([READABLE], 5)
    table.reactor.close()


def test_what_callbacks_raise_reaches_the_test() -> None:
    table = virtual_reactor()
    table.reactor.post(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        table.settle()
    table.reactor.close()


def test_a_reactor_that_never_comes_to_rest_is_named() -> None:
    table = virtual_reactor()

    def again() -> None:
        table.reactor.post(again)

    again()
    with pytest.raises(InvalidState):
        table.settle(max_turns=10)
    table.reactor.close()


def test_a_scheduler_alone_runs_on_the_virtual_clock() -> None:
    clock = VirtualClock()
    scheduler = virtual_scheduler(clock)
    ran: list[int] = []
    scheduler.schedule(5, lambda: ran.append(1))
    clock.advance(4)
    assert scheduler.run_due(1) == 0
    clock.advance(1)
    assert scheduler.run_due(1) == 1
    assert ran == [1]
