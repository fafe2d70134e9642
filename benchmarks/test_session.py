"""Cost of the room of sessions: a session's turn, a look-up, values, and an expiry with nothing due.

Run with ``pytest benchmarks/test_session.py``. Every benchmark asserts that what it measured was done right.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.api.types import SessionId
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.session.context import ValueContext
from hioload_ws.session.store import ShardedSessions

TURNS = 100


@pytest.mark.parametrize("deadline_ns", [None, 10**15])
def test_create_and_cancel(benchmark: BenchmarkFixture, deadline_ns: int | None) -> None:
    store = ShardedSessions(VirtualClock(), limit=TURNS)

    def turns() -> None:
        for _ in range(TURNS):
            store.create(deadline_ns=deadline_ns).cancel()

    benchmark(turns)
    assert len(store) == 0 and len([store.create() for _ in range(TURNS)]) == TURNS


def test_get(benchmark: BenchmarkFixture) -> None:
    store = ShardedSessions(VirtualClock())
    ids = [store.create().id for _ in range(TURNS)]

    def turns() -> int:
        return sum(store.get(session_id) is not None for session_id in ids)

    assert benchmark(turns) == TURNS
    assert store.get(SessionId("absent")) is None


def test_expire_with_nothing_due_among_ten_thousand(benchmark: BenchmarkFixture) -> None:
    store = ShardedSessions(VirtualClock())
    for number in range(10_000):
        store.create(deadline_ns=1000 + number)
    assert benchmark(store.expire, 999) == 0
    assert len(store) == 10_000 and store.expire(1000) == 1


@pytest.mark.parametrize("ttl_ns", [None, 10**15])
def test_set_and_get_a_value(benchmark: BenchmarkFixture, ttl_ns: int | None) -> None:
    context = ValueContext(VirtualClock())

    def turns() -> int:
        total = 0
        for number in range(TURNS):
            context.set("user", number, ttl_ns=ttl_ns)
            value = context.get("user")
            assert isinstance(value, int)
            total += value
        return total

    assert benchmark(turns) == sum(range(TURNS))
