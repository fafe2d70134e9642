"""Traffic: every counter and gauge has a right name and says what happened, on a live server."""

from __future__ import annotations

import pytest

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.traffic import Traffic
from hioload_ws.api import HandshakeFailed
from hioload_ws.control.metrics import MetricsRegistry

PATIENCE_S = 20.0


def values(app: Server) -> dict[str, float]:
    """Return every series of a server by name."""
    return {sample.name: sample.value for sample in app.metrics.collect()}


def test_each_counter_has_a_name_of_its_own_that_ends_in_total_and_a_description() -> None:
    metrics = MetricsRegistry()
    traffic = Traffic(metrics)
    names = [slot for slot in Traffic.__slots__ if not slot.startswith("_")]
    for index, slot in enumerate(names):
        getattr(traffic, slot).add(index + 1)
    collected = {sample.name: sample.value for sample in metrics.collect()}
    assert sorted(collected.values()) == list(range(1, len(names) + 1))
    assert all(name.startswith("hioload_") and name.endswith("_total") for name in collected)


def test_counters_that_exist_are_found_and_go_on() -> None:
    metrics = MetricsRegistry()
    Traffic(metrics).errors.add(2)
    again = Traffic(metrics)
    again.errors.add(3)
    assert again.errors.value == 5


def test_a_server_counts_what_happens_to_it() -> None:
    app = Server("127.0.0.1", 0, on_error=lambda error, origin: None)

    @app.route("/echo")
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    @app.route("/broken")
    def fail(connection: Connection, message: Message) -> None:
        raise RuntimeError("broken")

    with app.background() as url:
        with connect(url + "/echo") as connection:
            for payload in (b"12345", "678"):
                connection.send(payload)
                assert connection.receive(PATIENCE_S) == payload
            now = values(app)
            assert (now["hioload_connections"], now["hioload_sessions"]) == (1, 1)
            states = app.probes.dump_state()["connections"]
            assert isinstance(states, dict)
            assert {name: count for name, count in states.items() if count} == {"active": 1}
        with connect(url + "/broken") as connection:
            connection.send("x")
            with pytest.raises(Exception, match="closed"):
                connection.receive(PATIENCE_S)
        with pytest.raises(HandshakeFailed):
            connect(url + "/nowhere")
    after = values(app)
    assert {name: after[f"hioload_{name}_total"] for name in (
        "received_bytes", "sent_bytes", "messages_received", "messages_sent", "connections_opened",
        "connections_closed", "connections_refused", "handshakes_failed", "errors",
    )} == {
        "received_bytes": 9, "sent_bytes": 8, "messages_received": 3, "messages_sent": 2, "connections_opened": 2,
        "connections_closed": 2, "connections_refused": 0, "handshakes_failed": 1, "errors": 1,
    }  # fmt: skip
    assert after["hioload_connections"] == after["hioload_sessions"] == 0


def test_a_connection_beyond_the_limit_is_counted_as_refused() -> None:
    app = Server("127.0.0.1", 0, max_connections=1)
    app.on_message(lambda connection, message: None)
    with app.background() as url, connect(url):
        with pytest.raises(HandshakeFailed) as caught:
            connect(url)
        assert caught.value.status == 503
        assert values(app)["hioload_connections_refused_total"] == 1
