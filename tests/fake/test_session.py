"""Sessions and contexts in virtual time are the real ones, repeatable."""

from __future__ import annotations

import pytest

from hioload_ws.api import ResourceExhausted
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.session import virtual_context, virtual_contexts, virtual_session, virtual_sessions


def test_ids_count_and_order_is_that_of_creation() -> None:
    clock = VirtualClock()
    store = virtual_sessions(clock, limit=2)
    store.create()
    store.create(deadline_ns=5)
    with pytest.raises(ResourceExhausted):
        store.create()
    assert [session.id for session in store] == ["session-1", "session-2"]
    clock.advance(5)
    assert store.expire(clock.now_ns()) == 1
    assert virtual_session(clock, "mine").id == "mine"


def test_values_expire_when_the_test_lets_time_pass() -> None:
    clock = VirtualClock()
    context = virtual_context(clock)
    context.set("token", "secret", ttl_ns=10)
    clock.advance(9)
    assert context.get("token") == "secret"
    clock.advance(1)
    assert "token" not in context
    assert len(virtual_contexts(clock).create()) == 0
