"""Sessions and contexts in virtual time: the real ones, on a clock that a test moves.

``ShardedSessions`` and ``ValueContext`` do no I/O; time is all they ask for, and randomness for ids. So they are
their own best fakes: given a ``VirtualClock`` a value expires when the test lets it, and given a counter ids are
the same in every run. One shard makes the order of iteration the order of creation.
"""

from __future__ import annotations

import itertools

from ..api.types import SessionId
from ..session.context import ValueContext, ValueContextFactory
from ..session.session import LiveSession
from ..session.store import ShardedSessions
from .clock import VirtualClock


def virtual_sessions(clock: VirtualClock, *, limit: int | None = None) -> ShardedSessions:
    """Return a real store on ``clock`` whose ids are ``session-1``, ``session-2``, ...; ``limit`` as there."""
    numbers = itertools.count(1)
    return ShardedSessions(clock, shard_count=1, limit=limit, new_id=lambda: f"session-{next(numbers)}")


def virtual_session(clock: VirtualClock, session_id: str = "session-1") -> LiveSession:
    """Return a real session in a store of its own."""
    return virtual_sessions(clock).create(SessionId(session_id))


def virtual_contexts(clock: VirtualClock) -> ValueContextFactory:
    """Return a real factory of contexts whose values expire by ``clock``."""
    return ValueContextFactory(clock)


def virtual_context(clock: VirtualClock) -> ValueContext:
    """Return a real, empty context."""
    return virtual_contexts(clock).create()


__all__ = ["virtual_context", "virtual_contexts", "virtual_session", "virtual_sessions"]
