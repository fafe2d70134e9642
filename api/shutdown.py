"""Graceful shutdown: finish what was begun, begin nothing new, then let go.

It returns as soon as everything is done, not when a time-out ends; the time-out only bounds the wait for
what does not finish.
"""

from __future__ import annotations

from typing import Protocol

from .types import Nanoseconds


class GracefulShutdown(Protocol):
    """Something that can be asked to end. Thread rules: any thread, and signal handlers."""

    def shutdown(self, timeout_ns: Nanoseconds | None = None) -> bool:
        """Stop taking new work, let the work under way finish, release everything; return as soon as that
        is done.

        Work that is not done after ``timeout_ns`` (``None``: the object's configured default) is dropped.
        Returns whether everything ended by itself. A second call is harmless: it waits for the same end and
        returns the same answer. Called from the thread that does the work, it starts the shutdown and
        returns ``False`` without waiting.
        """


__all__ = ["GracefulShutdown"]
