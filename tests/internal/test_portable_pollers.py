"""The fair queue: whatever is ready, nobody is left out for ever."""

from __future__ import annotations

import os
import resource
import selectors

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.poller import READABLE
from hioload_ws.api.types import Handle
from hioload_ws.internal.portable_pollers import FairQueue, SelectorPoller


@given(st.lists(st.sets(st.integers(0, 9)), max_size=30), st.integers(1, 4))
def test_a_handle_that_stays_ready_is_served_within_as_many_polls_as_there_are_handles(
    turns: list[set[int]], max_events: int
) -> None:
    queue = FairQueue()
    waited = dict.fromkeys(range(10), 0)
    for turn in turns:
        ready = {Handle(number): READABLE for number in sorted(turn)}
        events = queue.cut(ready, max_events)
        served = [handle for handle, _ in events]
        assert len(served) == len(set(served)) == min(max_events, len(ready))
        assert set(served) <= set(ready)
        for number in range(10):
            waited[number] = waited[number] + 1 if number in turn and number not in served else 0
            assert waited[number] <= 10


def test_select_refuses_a_descriptor_beyond_its_table_at_once() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1100:
        pytest.skip("this process may not open descriptor 1024")
    poller = SelectorPoller(selectors.SelectSelector())
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    try:
        os.dup2(0, 1050)
        with pytest.raises(InvalidArgument):
            poller.register(Handle(1050), READABLE)
        os.close(1050)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        poller.close()
