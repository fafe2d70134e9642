"""Traffic: what a server counts, under which name, and what it shows of its inside.

Counters are asked from the registry once and then only added to; gauges are functions that are called when
somebody collects, so they cost nothing in between. All names begin with ``hioload_``; a name of something
that only grows ends with ``_total``, as Prometheus wants it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..api.debug import Debug
from ..api.metrics import Metrics
from ..api.session import SessionManager, SessionStatus
from ..control.metrics import MetricsRegistry
from ..control.probes import platform_probe
from ..pool.buffer_pool import SlabBufferPool

if TYPE_CHECKING:
    from .hub import Hub

_FIRST_FREE_CODE = 3000


class Traffic:
    """The counters of one reactor. Written by its thread (``counter.count += n``), read by any."""

    __slots__ = (
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
        label = str(code) if code < _FIRST_FREE_CODE else f"{code // 1000}xxx"
        self._metrics.counter("hioload_closes_total", "Open connections that ended, by code.", code=label).count += 1


def observe(
    metrics: Metrics, probes: Debug, hub: Hub, pool: SlabBufferPool, sessions: SessionManager
) -> None:
    """Show connections, pool, sessions and reactor as gauges and as probes."""
    connections, stats = hub.connections, hub.reactor.stats

    def connection_states() -> dict[str, int]:
        states = [connection.status for connection in tuple(connections)]
        return {status.name.lower(): states.count(status) for status in SessionStatus}

    def class_in_use(index: int) -> float:
        return pool.stats().classes[index].in_use_count

    def in_status(status: SessionStatus) -> float:
        return connection_states()[status.name.lower()]

    gauge = metrics.observe_with
    gauge("hioload_connections", lambda: len(connections), "Connections that exist now.")
    gauge("hioload_sessions", lambda: len(sessions), "Sessions that are alive.")
    gauge("hioload_pool_in_use_buffers", lambda: pool.stats().in_use_count, "Buffers that are leased.")
    gauge("hioload_pool_in_use_bytes", lambda: pool.stats().in_use_bytes, "Memory that is leased.")
    gauge("hioload_pool_mapped_bytes", lambda: pool.stats().mapped_bytes, "Memory that is mapped.")
    for index, entry in enumerate(pool.stats().classes):
        gauge(
            "hioload_pool_class_in_use_buffers",
            partial(class_in_use, index),
            "Buffers that are leased, by node and size class (0: larger ones).",
            node=str(pool.node),
            size_bytes=str(entry.size_bytes),
        )
    for status in SessionStatus:
        gauge(
            "hioload_connections_by_status",
            partial(in_status, status),
            "Connections that exist now, by status.",
            status=status.name.lower(),
        )
    gauge("hioload_loop_seconds", lambda: stats().loop_ns / 1e9, "How long the last turn worked.")
    gauge("hioload_timer_lag_seconds", lambda: stats().timer_lag_ns / 1e9, "How late timers ran last.")
    probes.register_probe("platform", platform_probe)
    probes.register_probe("connections", connection_states)
    probes.register_probe("pool", pool.stats)
    probes.register_probe("leaks", pool.leaks)
    probes.register_probe("reactor", stats)


__all__ = ["Traffic", "observe"]
