"""Executor: a pool of workers for functions that block or compute.

A handler must not block its reactor, so work that does is submitted here, to workers near the memory it
will touch. Each task that was accepted runs exactly once or is cancelled; its result or exception is kept
until asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

from .types import Nanoseconds, NodeId

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Task(Protocol[T_co]):
    """A task that was accepted.

    States: queued, running, done (returned or raised), cancelled. Any thread.
    """

    @property
    def done(self) -> bool:
        """Whether the outcome is final: it returned, raised or was cancelled."""

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` came before a worker took it."""

    def cancel(self) -> bool:
        """Withdraw the task if no worker has taken it yet; whether that succeeded.

        A running task is never interrupted.
        """

    def result(self, timeout_ns: Nanoseconds | None = None) -> T_co:
        """Wait for the outcome (``None``: without end; 0 or less: not at all) and return it, or raise what the
        function raised, also ``SystemExit``; as often as it is asked for.

        Raises ``TimedOut`` when the time passes (the task goes on) and ``Cancelled`` when it was cancelled.
        """

    def add_done_callback(self, function: Callable[[], object]) -> None:
        """Call ``function()`` once the outcome is final: on the worker's thread, or at once when it is
        already. Its exceptions are reported, not raised."""


@dataclass(frozen=True, slots=True)
class ExecutorStats:
    """The books: ``submitted == completed + failed + cancelled + running + queued``, always."""

    worker_count: int
    submitted_count: int
    completed_count: int
    failed_count: int
    cancelled_count: int
    running_count: int
    queued_count: int
    refused_count: int
    """Submissions that were refused because the queue was full; not counted as submitted."""


class Executor(Protocol):
    """Workers of one NUMA node. Thread rules: any thread. Leaving a ``with`` block shuts down and waits."""

    @property
    def node(self) -> NodeId:
        """The node its workers run on, or ``ANY_NODE``."""

    @property
    def worker_count(self) -> int:
        """How many workers are meant to run: the size last asked for."""

    def submit(self, function: Callable[[], T], /) -> Task[T]:
        """Queue a function.

        Raises ``ResourceExhausted`` when the queue is full (back-pressure: nothing was queued) and
        ``Closed`` after shutdown.
        """

    def resize(self, worker_count: int) -> None:
        """Grow or shrink to ``worker_count`` (1 or more, else ``InvalidArgument``) without losing or
        repeating a task. Surplus workers finish their task first; the call does not wait for them. Raises
        ``Closed`` after shutdown."""

    def stats(self) -> ExecutorStats:
        """Return a consistent snapshot."""

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: Nanoseconds | None = None) -> bool:
        """Refuse new tasks, run (or cancel) the queued ones, and wait for the workers; whether all ended in
        time. Idempotent; may be called again to wait on."""

    def __enter__(self) -> Self:
        """Return self; leaving the block shuts down and waits."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Shut down and wait, whatever the block raised."""


__all__ = ["Executor", "ExecutorStats", "Task"]
