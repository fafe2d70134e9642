"""The same script on the real thing and on its fake has the same trace.

The suites say what each implementation owes; here two of them are compared with each other, also where a contract
leaves something open. A difference is a fault of the fake, or stands in the ledger with an id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api import EMPTY
from hioload_ws.api.ring import Ring
from hioload_ws.fake import FakeRing
from hioload_ws.pool import MpmcRing, SpscRing
from tests.kit.pairs import PAIRS
from tests.kit.scripts import Operation, Stream, Trace, attempt, pour

REAL_STREAMS = ("tcp4", "unix-path", "memory-pair")


def scripts(names: Sequence[str], first: int, second: int, most: int = 25) -> st.SearchStrategy[list[Operation]]:
    """Return scripts of these operations with numbers up to ``first`` and ``second``."""
    one = st.tuples(st.sampled_from(names), st.integers(0, first), st.integers(0, second))
    return st.lists(one, max_size=most)


STREAM = scripts(("send", "send", "recv", "recv", "shutdown", "close", "flush", "refuse"), 1, 3000)


@pytest.mark.parametrize("kind", REAL_STREAMS)
def test_streams_of_the_simulated_network_are_those_of_the_system(kind: str) -> None:
    @settings(max_examples=60)
    @given(STREAM)
    def compare(script: list[Operation]) -> None:
        vague_reset = not kind.startswith("tcp")
        played, real = (Stream(PAIRS[each], vague_reset=vague_reset) for each in ("SimNetwork", kind))
        assert played.play(script) == real.play(script)

    compare()


@pytest.mark.parametrize("kind", REAL_STREAMS)
def test_what_does_not_fit_at_once_comes_in_order_and_ends_the_same_way(kind: str) -> None:
    for size_bytes, read_bytes in ((400_000, 10_000), (120_000, 777)):
        wanted = pour(PAIRS[kind], size_bytes, read_bytes)
        assert pour(PAIRS["SimNetwork"], size_bytes, read_bytes) == wanted


def ring_trace(make: Callable[[int], Ring[int]], capacity: int, script: Sequence[Operation]) -> Trace:
    ring = make(capacity)
    trace: Trace = [ring.capacity]
    for name, first, second in script:
        if name == "in":
            trace.append(ring.try_enqueue(first))
        elif name == "out":
            item = ring.try_dequeue()
            trace.append("empty" if item is EMPTY else item)
        elif name == "batch in":
            items = iter(range(first))
            trace.append((ring.enqueue_batch(items), list(items)))
        else:
            trace.append(attempt(partial(ring.dequeue_batch, second - 1)))
        trace.append(len(ring))
    return trace


@given(st.integers(1, 5), scripts(("in", "out", "batch in", "batch out"), 7, 7))
def test_rings_answer_the_same(capacity: int, script: list[Operation]) -> None:
    wanted = ring_trace(MpmcRing, capacity, script)
    assert ring_trace(FakeRing, capacity, script) == wanted
    assert ring_trace(SpscRing, capacity, script) == wanted
