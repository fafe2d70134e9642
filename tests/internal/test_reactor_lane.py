"""The reactor's lane: who is shown all events of a turn at once, before anybody is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from hioload_ws.api.poller import READABLE
from hioload_ws.api.reactor import ReadyCallback
from hioload_ws.api.types import Handle
from hioload_ws.internal.reactor import Event
from tests.internal.test_reactor import A, B, Bench, C


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reactor.close()


def test_a_lane_is_shown_everything_first_and_the_rest_is_called(bench: Bench) -> None:
    shown: list[object] = []

    def lane(events: Sequence[Event], callbacks: Mapping[Handle, ReadyCallback]) -> Sequence[Event]:
        shown.append(list(events))
        callbacks[B](READABLE)
        bench.reactor.unregister(C)
        return [event for event in events if event[0] != B]

    for handle, name in ((A, "a"), (B, "b"), (C, "c")):
        bench.reactor.register(handle, READABLE, bench.on_ready(name))
    bench.ready(A, B, C)
    bench.reactor.lane = lane
    assert bench.reactor.run_once(0) == 3
    assert shown == [[(A, READABLE), (B, READABLE), (C, READABLE)]]
    assert bench.log == [f"b:{READABLE}", f"a:{READABLE}"]


def test_a_number_that_a_lane_has_given_up_takes_no_part_under_its_new_owner(bench: Bench) -> None:
    def lane(events: Sequence[Event], callbacks: Mapping[Handle, ReadyCallback]) -> Sequence[Event]:
        bench.reactor.lane = None
        bench.reactor.unregister(A)
        bench.reactor.register(A, READABLE, bench.on_ready("new"))
        assert A not in callbacks
        return events

    bench.reactor.register(A, READABLE, bench.on_ready("old"))
    bench.ready(A)
    bench.reactor.lane = lane
    bench.reactor.run_once(0)
    assert bench.log == []
    bench.reactor.run_once(0)
    assert bench.log == [f"new:{READABLE}"]


def test_what_escapes_a_lane_ends_the_run_and_the_reactor_can_run_again(bench: Bench) -> None:
    def lane(events: Sequence[Event], callbacks: Mapping[Handle, ReadyCallback]) -> Sequence[Event]:
        raise KeyboardInterrupt

    bench.reactor.register(A, READABLE, bench.on_ready("a"))
    bench.ready(A)
    bench.reactor.lane = lane
    with pytest.raises(KeyboardInterrupt):
        bench.reactor.run_once(0)
    bench.reactor.lane = None
    bench.reactor.run_once(0)
    assert bench.log == [f"a:{READABLE}"]
