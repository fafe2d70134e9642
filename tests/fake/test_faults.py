"""Fault scripts fire at the call they name, in order, and complain when they never do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.api import ConnectionLost, InvalidArgument, InvalidState, NodeId, ResourceExhausted
from hioload_ws.fake.clock import DEFAULT_UNIX_NS, VirtualClock
from hioload_ws.fake.faults import Delay, Duplicate, Faults, OutOfMemory, Partial, Reset


def test_the_third_call_and_the_one_after_it_are_hit() -> None:
    with Faults() as faults:
        faults.on("send", nth=3).partial(7).then.reset()
        taken = [list(faults.take("send")) for _ in range(5)]
        assert taken == [[], [], [Partial(7)], [Reset()], []]
        assert faults.fired == [("send", Partial(7)), ("send", Reset())]


def test_actions_without_then_belong_to_one_call() -> None:
    with Faults() as faults:
        faults.on("send").delay(5).duplicate()
        assert faults.take("recv") == []
        assert faults.take("send") == [Delay(5), Duplicate()]


def test_only_calls_with_the_details_count() -> None:
    with Faults() as faults:
        faults.on("acquire", nth=2, node=1).out_of_memory(1)
        nodes = [NodeId(0), NodeId(1), NodeId(0), NodeId(1)]
        assert [list(faults.take("acquire", node=node)) for node in nodes] == [[], [], [], [OutOfMemory(nodes[1])]]


def test_skipped_calls_pass_unharmed_and_the_last_step_repeats() -> None:
    with Faults() as faults:
        faults.on("send").skip(2).then.partial(1).forever()
        assert [list(faults.take("send")) for _ in range(4)] == [
            [Delay(0)],
            [Delay(0)],
            [Partial(1)],
            [Partial(1)],
        ]


def test_a_fault_that_never_fired_fails_at_the_end_and_is_named() -> None:
    faults = Faults()
    faults.on("send", nth=3, host="a").partial(7).then.reset()
    for _ in range(3):
        faults.take("send", host="a")
    with pytest.raises(InvalidState, match=r"send number 4, host='a': \[Reset\(\)\]"), faults:
        pass
    faults.close()


def test_an_error_in_the_block_is_not_hidden_by_faults_that_never_fired() -> None:
    with pytest.raises(KeyError), Faults() as faults:
        faults.on("send").reset()
        raise KeyError


def test_applied_faults_move_the_clock_and_leave_the_rest_to_the_fake() -> None:
    clock = VirtualClock()
    with Faults(clock) as faults:
        faults.on("call").delay(5).step_clock(-1000).partial(3).skip()
        assert faults.apply("call") == [Partial(3)]
        assert (clock.now_ns(), clock.unix_ns()) == (5, DEFAULT_UNIX_NS + 5 - 1000)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (lambda faults: faults.on("call").fail(OSError("disk")), OSError),
        (lambda faults: faults.on("call").reset(), ConnectionLost),
        (lambda faults: faults.on("call").exhaust(), ResourceExhausted),
        (lambda faults: faults.on("call").delay(1), InvalidState),
        (lambda faults: faults.on("call").step_clock(1), InvalidState),
    ],
)
def test_applied_faults_raise(script: Callable[[Faults], object], error: type[Exception]) -> None:
    with Faults() as faults:
        script(faults)
        with pytest.raises(error):
            faults.apply("call")


@pytest.mark.parametrize(
    "script",
    [
        lambda faults: faults.on("call", nth=0),
        lambda faults: faults.on("call").partial(-1),
        lambda faults: faults.on("call").delay(-1),
        lambda faults: faults.on("call").skip(0),
    ],
)
def test_numbers_out_of_range_are_refused(script: Callable[[Faults], object]) -> None:
    with pytest.raises(InvalidArgument):
        script(Faults())


def test_an_empty_step_is_refused() -> None:
    with pytest.raises(InvalidState):
        Faults().on("call").then
