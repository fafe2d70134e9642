"""A trace crosses the opening handshake."""

from __future__ import annotations

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.tracing import TRACE_KEY, ConnectionSpans
from hioload_ws.api import CloseEvent, SpanContext
from hioload_ws.control import SpanList, SpanTracer
from hioload_ws.control.trace_context import render
from hioload_ws.internal import SystemClock
from tests.adapters.bench import Bench

PATIENCE_S = 20.0
CALLER = SpanContext("ab" * 16, "cd" * 8)


def test_a_connection_is_a_span_in_its_caller_s_trace() -> None:
    kept = SpanList()
    app = Server("127.0.0.1", 0, tracer=SpanTracer(SystemClock(), kept))

    @app.on_message
    def tell(connection: Connection, message: Message) -> None:
        connection.send(str(connection.session.context.get(TRACE_KEY)))

    with app.background() as url:
        with connect(url + "/traced", headers=[("traceparent", render(CALLER))]) as connection:
            connection.send("which trace?")
            answer = connection.receive(PATIENCE_S)
        with connect(url) as connection:
            connection.send("another")
            connection.receive(PATIENCE_S)
    first, second = kept.spans()
    assert first.context.trace_id == CALLER.trace_id
    assert first.parent == CALLER
    assert str(first.context) == answer
    assert (first.tags["path"], first.tags["close_code"]) == ("/traced", 1000)
    assert second.parent is None
    assert second.context.trace_id != CALLER.trace_id


def test_what_broke_a_connection_is_a_tag(bench: Bench) -> None:
    kept = SpanList()
    spans = ConnectionSpans(SpanTracer(bench.clock, kept))
    connection, _ = bench.open()
    spans.begin(connection)
    event = CloseEvent(connection, 1006, "", RuntimeError("lost"))
    spans.end(event)
    spans.end(event)
    [span] = kept.spans()
    assert (span.tags["close_code"], span.tags["error"]) == (1006, "lost")
