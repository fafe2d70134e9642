"""Sessions begin with what the server propagates, and end in time."""

from __future__ import annotations

from collections.abc import Callable

from hioload_ws import connect
from hioload_ws.adapters.server_sessions import SWEEP_NS, InheritingContexts
from hioload_ws.api import CloseReceived, SessionStatus
from hioload_ws.api.types import NodeId
from hioload_ws.internal.clock import SystemClock
from hioload_ws.session import NodeSessions
from hioload_ws.session.context import ValueContext
from tests.adapters.bench import Bench
from tests.adapters.live import PATIENCE_S, echo_server

MakeBench = Callable[..., Bench]


def test_a_session_s_context_inherits_what_is_propagated_and_nothing_else(bench: Bench) -> None:
    root = ValueContext(bench.clock)
    root.set("region", "north", propagated=True)
    root.set("secret", 1)
    child = InheritingContexts(root).create()
    assert child.get("region") == "north"
    assert "secret" not in child
    child.set("region", "south")
    assert root.get("region") == "north"


def test_a_session_whose_time_is_up_closes_its_connection(make_bench: MakeBench) -> None:
    bench = make_bench(session_ttl_s=5.0)
    connection, peer = bench.open()
    assert connection.session.deadline_ns is not None
    bench.advance(4.9)
    assert connection.status is SessionStatus.ACTIVE
    bench.advance(0.1 + 2 * SWEEP_NS / 1e9)
    [event] = peer.events()
    assert isinstance(event, CloseReceived)
    assert (event.code, event.reason) == (1001, "session cancelled")


def test_the_sweep_ends_with_the_last_session_and_begins_again(make_bench: MakeBench) -> None:
    bench = make_bench(session_ttl_s=5.0, ping_interval_s=0.0)
    for _ in range(2):
        first, _ = bench.open()
        second, _ = bench.open()
        assert len(bench.hub.wheel) == 1
        first.finish()
        second.finish()
        bench.advance(1.0)
        assert len(bench.hub.wheel) == 0


def test_without_a_limit_nothing_is_swept(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=0.0)
    connection, _ = bench.open()
    assert connection.session.deadline_ns is None
    assert len(bench.hub.wheel) == 0


def test_failures_and_closes_are_counted_by_reason_and_code(bench: Bench) -> None:
    _, peer = bench.open()
    peer.close(4001)
    peer.transport.feed_end()
    _, lost = bench.open()
    lost.transport.reset()
    refused = bench.admit()
    refused.transport.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    gone = bench.admit()
    gone.transport.feed_end()
    bench.turn()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for sample in bench.metrics.collect()
        if sample.labels
    }
    assert found == {
        ("hioload_closes_total", "4xxx"): 1,
        ("hioload_closes_total", "1006"): 1,
        ("hioload_handshake_failures_total", "426"): 1,
        ("hioload_handshake_failures_total", "connection-lost"): 1,
    }


def test_servers_on_several_nodes_share_a_store_that_is_not_theirs_to_close() -> None:
    here = {"node": NodeId(0)}
    shared = NodeSessions(SystemClock(), [NodeId(0), NodeId(1)], current_node=lambda: here["node"])
    for node in shared.stores:
        here["node"] = node
        app = echo_server(sessions=shared)
        with app.background() as url, connect(url) as connection:
            connection.send("x")
            connection.receive(PATIENCE_S)
            assert {number: len(each) for number, each in shared.stores.items() if len(each)} == {node: 1}
        assert len(shared) == 0
    assert shared.create().id.startswith("1."), "it is open still"
