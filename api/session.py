"""Session: the life of one client, as seen by the application.

A session has an id, a context, a status that only moves forward, an optional deadline, and a way to be told
when it ends. A store keeps sessions by id; it is sharded, so that reactors on several nodes do not meet in
one table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Protocol

from .context import Context
from .types import Nanoseconds, SessionId


class SessionStatus(enum.IntEnum):
    """How far a session or connection is; it never moves back."""

    UNKNOWN = 0
    CONNECTING = 1
    ACTIVE = 2
    CLOSING = 3
    CLOSED = 4


class Session(Protocol):
    """One client's session. Thread rules: any thread; each call is atomic."""

    @property
    def id(self) -> SessionId:
        """Unique within its store."""

    @property
    def context(self) -> Context:
        """The session's values. Made at first use, so that an idle session costs little."""

    @property
    def status(self) -> SessionStatus:
        """The session's status."""

    @property
    def deadline_ns(self) -> Nanoseconds | None:
        """Monotonic time at which the session is cancelled, or ``None``."""

    @property
    def done(self) -> bool:
        """Whether the session was cancelled or closed."""

    def advance(self, status: SessionStatus) -> bool:
        """Move forward to ``status``; ``False`` (and no change) when that is not ahead.

        ``CLOSED`` ends the session as ``cancel`` does.
        """

    def cancel(self) -> bool:
        """End the session: status ``CLOSED``, every done-callback called once.

        ``False`` when it had ended already.
        """

    def on_done(self, function: Callable[[Session], object]) -> None:
        """Call ``function(session)`` once when the session ends, on the thread that ends it; at once when
        it has ended. Exceptions are reported, not raised."""


class SessionManager(Protocol):
    """Sessions by id, in shards. Thread rules: any thread."""

    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Session:
        """Return the live session of that id, or a new one (``None``: with a fresh, unguessable id), in
        status ``CONNECTING``.

        Get-or-create is atomic: two threads get the same session. ``deadline_ns`` (monotonic) applies to a
        new one only. Raises ``ResourceExhausted`` when the store's limit is reached and ``Closed`` after
        close.
        """

    def get(self, session_id: SessionId) -> Session | None:
        """Return the live session of that id, or ``None``."""

    def delete(self, session_id: SessionId) -> bool:
        """Cancel and remove a session; whether there was one."""

    def expire(self, now_ns: Nanoseconds) -> int:
        """Cancel and remove the sessions whose deadline is at or before ``now_ns``; return how many."""

    def __iter__(self) -> Iterator[Session]:
        """Iterate over a snapshot of the live sessions, shard by shard; changes meanwhile are allowed."""

    def __len__(self) -> int:
        """Return the number of live sessions."""

    def close(self) -> None:
        """Cancel and remove every session and refuse new ones. Idempotent."""


__all__ = ["Session", "SessionManager", "SessionStatus"]
