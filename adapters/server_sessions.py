"""Sessions of a server: where their contexts come from, and what ends those whose time is up.

Each session's context is a child of the server's own: what the server sets as *propagated* is seen by every
session that begins later, and what a session sets stays with it. A session with a deadline is cancelled when
that has passed, which closes its connection; the sweep that looks for such sessions exists only while there are
any, so that a server without deadlines is never woken for them.
"""

from __future__ import annotations

from ..api.context import Context
from ..api.session import Session, SessionManager
from ..internal.deadlines import Deadline
from .hub import Hub

SWEEP_NS = 250_000_000
"""How often sessions with deadlines are looked at: a session outlives its deadline by no more."""


class InheritingContexts:
    """Implements ``api.context.ContextFactory``: makes children of one context. Any thread."""

    __slots__ = ("_root",)

    def __init__(self, root: Context) -> None:
        self._root = root

    def create(self) -> Context:
        """Return a new context with what the root propagates."""
        return self._root.child()


class SessionDesk:
    """Begins sessions, and ends them in time. Thread rules: the hub's."""

    __slots__ = ("_deadline", "_hub", "_sessions")

    def __init__(self, hub: Hub, sessions: SessionManager) -> None:
        """Keep sessions in ``sessions`` and watch their deadlines with the hub's wheel."""
        self._hub = hub
        self._sessions = sessions
        self._deadline = Deadline(self._sweep)

    def begin(self) -> Session:
        """Return a new session that lives as long as the settings say; errors as ``SessionManager.create``."""
        ttl_ns = self._hub.settings.session_ttl_ns
        if not ttl_ns:
            return self._sessions.create()
        session = self._sessions.create(deadline_ns=self._hub.now_ns() + ttl_ns)
        if not self._deadline.filed:
            self._file()
        return session

    def _file(self) -> None:
        self._deadline.deadline_ns = self._hub.now_ns() + SWEEP_NS
        self._hub.wheel.file(self._deadline)

    def _sweep(self) -> None:
        self._sessions.expire(self._hub.now_ns())
        if len(self._sessions):
            self._file()


__all__ = ["SWEEP_NS", "InheritingContexts", "SessionDesk"]
