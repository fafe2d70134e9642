"""Tracing: one span per connection, in the trace that its opening handshake names.

A client that is part of a trace sends ``traceparent`` with its request; the connection's span is then a child of
the span named there. Handlers find the span's identity in the session's context, under ``TRACE_KEY``, as a
propagated value, and can start spans of their own below it.
"""

from __future__ import annotations

from typing import Final

from ..api.connection import Connection
from ..api.handler import CloseEvent
from ..api.tracer import Span, Tracer

TRACE_KEY: Final = "trace"
"""Key of the ``SpanContext`` in a session's context."""


class ConnectionSpans:
    """The spans of the connections that are open. Thread rules: the reactor's thread."""

    __slots__ = ("_spans", "_tracer")

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._spans: dict[Connection, Span] = {}

    def begin(self, connection: Connection) -> None:
        """Start the span of a connection that has opened."""
        request = connection.request
        span = self._tracer.start_span("websocket connection", self._tracer.extract(dict(request.headers)))
        span.set_tag("path", request.path)
        span.set_tag("peer", str(connection.peer_address))
        connection.session.context.set(TRACE_KEY, span.context, propagated=True)
        self._spans[connection] = span

    def end(self, event: CloseEvent) -> None:
        """Finish the span of a connection that has closed."""
        span = self._spans.pop(event.connection, None)
        if span is not None:
            span.set_tag("close_code", event.code)
            if event.error is not None:
                span.set_tag("error", str(event.error))
            span.finish()


__all__ = ["TRACE_KEY", "ConnectionSpans"]
