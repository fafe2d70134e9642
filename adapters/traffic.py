"""Traffic: what a server counts, and under which name.

Counters are asked from the registry once and then only added to. All names begin with ``hioload_``; a name of
something that only grows ends with ``_total``, as Prometheus wants it. What is not counted but asked for when
somebody collects (gauges, the reactor's histograms) is in ``observation.py``.
"""

from __future__ import annotations

from ..control.metrics import MetricsRegistry, SimpleCounter

_FIRST_FREE_CODE = 3000


class Traffic:
    """The counters of one reactor. Written by its thread (``counter.count += n``), read by any."""

    __slots__ = (
        "_closes",
        "_metrics",
        "bytes_received",
        "bytes_sent",
        "connections_closed",
        "connections_opened",
        "connections_refused",
        "errors",
        "handshakes_failed",
        "messages_received",
        "messages_sent",
    )

    def __init__(self, metrics: MetricsRegistry) -> None:
        """Make the counters, or find those that are there."""
        self._metrics = metrics
        self._closes: dict[int, SimpleCounter] = {}
        counter = metrics.counter
        self.bytes_received = counter("hioload_received_bytes_total", "Payload of messages received.")
        self.bytes_sent = counter("hioload_sent_bytes_total", "Payload of messages sent.")
        self.connections_closed = counter("hioload_connections_closed_total", "Open connections that ended.")
        self.connections_opened = counter("hioload_connections_opened_total", "Opening handshakes done.")
        self.connections_refused = counter("hioload_connections_refused_total", "Refused: too many.")
        self.errors = counter("hioload_errors_total", "Exceptions that escaped handlers and hooks.")
        self.handshakes_failed = counter("hioload_handshakes_failed_total", "Opening handshakes that failed.")
        self.messages_received = counter("hioload_messages_received_total", "Messages given to handlers.")
        self.messages_sent = counter("hioload_messages_sent_total", "Messages accepted by send.")

    def add(self, received_count: int, received_bytes: int, sent_count: int, sent_bytes: int) -> None:
        """Count messages and the bytes of their payloads, those of a whole turn."""
        self.messages_received.count += received_count
        self.bytes_received.count += received_bytes
        self.messages_sent.count += sent_count
        self.bytes_sent.count += sent_bytes

    def handshake_failed(self, reason: str) -> None:
        """Count a handshake that failed; ``reason`` is the status it was answered with, or an error's code."""
        self.handshakes_failed.count += 1
        help = "Opening handshakes that failed, by status sent or kind of error."
        self._metrics.counter("hioload_handshake_failures_total", help, reason=reason).count += 1

    def connection_closed(self, code: int) -> None:
        """Count a connection that was open and ended, by its close code (RFC 6455 §7.4).

        Codes of applications are counted by range: a peer chooses them, and a series each would be its choice.
        """
        self.connections_closed.count += 1
        if code >= _FIRST_FREE_CODE:
            code -= code % 1000
        counter = self._closes.get(code)
        if counter is None:
            label = str(code) if code < _FIRST_FREE_CODE else f"{code // 1000}xxx"
            counter = self._metrics.counter(
                "hioload_closes_total", "Open connections that ended, by code.", code=label
            )
            self._closes[code] = counter
        counter.count += 1


__all__ = ["Traffic"]
