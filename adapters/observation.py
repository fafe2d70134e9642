"""Observation: what a server shows of its inside when somebody looks, and costs nothing while nobody does.

Each number here is kept anyway by the part it belongs to (a length, a list of counts), and read when metrics are
collected or a dump is made, on the thread that does that. So a read may fall between two steps of the reactor's
thread: numbers of one line agree, those of two lines may be a moment apart.

Names and meanings are one table, in the README of this room, which a test compares with what a server shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..api.executor import Executor
from ..api.session import SessionManager, SessionStatus
from ..api.types import ANY_NODE
from ..control.metrics import Distribution, MetricsRegistry
from ..pool.buffer_pool import SlabBufferPool
from .hub import Hub

_SHORTEST, _LONGEST = 10, 34
"""Bounds of the histograms: 2^10 ns, a microsecond, to 2^34 ns, 17 seconds."""

_BOUNDS_S = tuple(2**power / 1e9 for power in range(_SHORTEST, _LONGEST + 1))


def observe_connections(metrics: MetricsRegistry, hub: Hub, sessions: SessionManager) -> None:
    """Show how many connections and sessions there are, and how far they are."""
    connections = hub.connections

    def in_status(status: SessionStatus) -> float:
        return sum(connection.status is status for connection in tuple(connections))

    metrics.observe_with("hioload_connections", lambda: len(connections), "Connections that exist now.")
    metrics.observe_with("hioload_sessions", lambda: len(sessions), "Sessions that are alive.")
    for status in SessionStatus:
        metrics.observe_with(
            "hioload_connections_by_status",
            partial(in_status, status),
            "Connections that exist now, by status.",
            status=status.name.lower(),
        )


def observe_pool(metrics: MetricsRegistry, pool: SlabBufferPool) -> None:
    """Show a pool's memory, by node and size class."""
    node, stats, gauge = str(pool.node), pool.stats, metrics.observe_with

    def in_class(index: int, field: str) -> float:
        return float(getattr(stats().classes[index], field))

    gauge("hioload_pool_in_use_buffers", lambda: stats().in_use_count, "Buffers that are leased.", node=node)
    gauge("hioload_pool_in_use_bytes", lambda: stats().in_use_bytes, "Memory that is leased.", node=node)
    gauge("hioload_pool_mapped_bytes", lambda: stats().mapped_bytes, "Memory that is mapped.", node=node)
    metrics.counter_with(
        "hioload_pool_refusals_total", lambda: stats().refused_count, "Buffers there was no memory for.", node=node
    )
    for index, entry in enumerate(stats().classes):
        for name, field, help in (
            ("hioload_pool_class_in_use_buffers", "in_use_count", "Buffers that are leased"),
            ("hioload_pool_class_mapped_bytes", "mapped_bytes", "Memory that is mapped"),
        ):
            gauge(
                name,
                partial(in_class, index, field),
                f"{help}, by node and size class (0: larger ones).",
                node=node,
                size_bytes=str(entry.size_bytes),
            )


def observe_reactor(metrics: MetricsRegistry, hub: Hub) -> None:
    """Show the loop: how long turns work, how late timers are, what waits in the inbox."""
    stats = hub.reactor.stats

    def distribution(counts: Callable[[], tuple[Sequence[int], int]]) -> Distribution:
        by_power, total_ns = counts()
        below = sum(by_power[: _SHORTEST + 1])
        above = sum(by_power[_LONGEST + 1 :])
        return Distribution(_BOUNDS_S, (below, *by_power[_SHORTEST + 1 : _LONGEST + 1], above), total_ns / 1e9)

    def loop() -> tuple[Sequence[int], int]:
        seen = stats()
        return seen.loop_counts, seen.loop_total_ns

    def lag() -> tuple[Sequence[int], int]:
        seen = stats()
        return seen.timer_lag_counts, seen.timer_lag_total_ns

    histogram, gauge, counter = metrics.histogram_with, metrics.observe_with, metrics.counter_with
    histogram("hioload_loop_seconds", partial(distribution, loop), "How long turns of the loop worked.")
    histogram("hioload_timer_lag_seconds", partial(distribution, lag), "How late batches of timers ran.")
    gauge("hioload_inbox_waiting_posts", lambda: stats().waiting_post_count, "Calls that wait for the loop.")
    gauge("hioload_inbox_capacity_posts", lambda: stats().inbox_capacity, "Most calls that may wait for the loop.")
    gauge("hioload_handles", lambda: stats().handle_count, "Handles that the loop watches.")
    for name, field, help in (
        ("hioload_inbox_posts_total", "posted_count", "Calls from other threads that ran."),
        ("hioload_inbox_refusals_total", "refused_post_count", "Calls that found the inbox full or closed."),
        ("hioload_loop_turns_total", "poll_count", "Turns of the loop."),
        ("hioload_loop_events_total", "event_count", "Handles that were ready."),
        ("hioload_timers_total", "timer_count", "Timers that ran."),
    ):
        counter(name, partial(_field, stats, field), help)


def observe_executor(metrics: MetricsRegistry, executor: Executor) -> None:
    """Show an executor: its threads, what waits for them, and what became of the rest."""
    node, stats = "any" if executor.node == ANY_NODE else str(executor.node), executor.stats
    for name, field, help in (
        ("hioload_executor_threads", "worker_count", "Threads for functions that block."),
        ("hioload_executor_waiting_tasks", "queued_count", "Tasks that wait for a thread."),
        ("hioload_executor_running_tasks", "running_count", "Tasks that a thread runs now."),
    ):
        metrics.observe_with(name, partial(_field, stats, field), help, node=node)
    for outcome in ("completed", "failed", "cancelled", "refused"):
        metrics.counter_with(
            "hioload_executor_tasks_total",
            partial(_field, stats, f"{outcome}_count"),
            "Tasks by outcome; refused: the queue was full.",
            node=node,
            outcome=outcome,
        )


def connection_states(hub: Hub) -> Mapping[str, int]:
    """Return how many connections are how far; a probe."""
    states = [connection.status for connection in tuple(hub.connections)]
    return {status.name.lower(): states.count(status) for status in SessionStatus}


def _field(stats: Callable[[], object], field: str) -> float:
    return float(getattr(stats(), field))


__all__ = ["connection_states", "observe_connections", "observe_executor", "observe_pool", "observe_reactor"]
