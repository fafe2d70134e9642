"""The store: sessions by id, in shards, each with a lock of its own.

**Shards.** A session's id chooses its shard (by ``hash``, which for strings is keyed with a secret of the
process, so that clients can't crowd into one shard). Two threads meet only when they use sessions of the same
shard. Reading one entry (``get``) is one operation of a dictionary and takes no lock.

**Get or create** happens under the shard's lock, so of many threads that ask for one id all get the same
session. The limit counts over all shards, and exactly: the store has one *permit* per session it may hold, in
a ``deque``. A new session pops a permit, an ended one puts it back; both are single, indivisible operations
(as in ``pool/ring.py``), so the limit needs no lock that all shards share.

**Deadlines** are in a heap per shard, so that ``expire`` looks at the first entry of each shard and is done
when nothing is due. A session that ends early leaves its entry behind (taking it out of the middle would cost
a search). Such dead entries are counted, and when they outnumber the living, the heap is built anew: clients
that come and go under a deadline of a day do not pile up for a day.

**Ids** come from the system's generator in blocks, cut in advance: a system call and an encoding for each would
cost more than all the rest of a session. A block is a list, and ``list.pop`` hands each id to one thread only. A
forked process throws the block away, for its parent will use it. """

from __future__ import annotations

import base64
import heapq
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, cast

from ..api.clock import Clock
from ..api.context import ContextFactory
from ..api.errors import Closed, InvalidArgument, ResourceExhausted
from ..api.types import Nanoseconds, SessionId
from ..internal.atomics import queue
from ..internal.faults import ErrorHook, log_error
from .context import ValueContextFactory
from .session import LiveSession, SessionHome

DEFAULT_SHARD_COUNT: Final = 16
ID_CHARACTERS: Final = 22
"""Length of an id: 132 random bits, which nobody guesses (RFC 6455 §10.5 leaves identification to us)."""
MAX_ID_TRIES: Final = 8
DEAD_MIN_COUNT: Final = 64
"""Dead heap entries below which a heap is left as it is."""


_BLOCK_BYTES: Final = 64 * 33
"""33 bytes are 44 characters without padding: two ids of 132 random bits."""

_fresh_ids: list[str] = []

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_fresh_ids.clear)


def random_id() -> str:
    """Return a fresh, unguessable id of 22 URL-safe characters. Any thread."""
    try:
        return _fresh_ids.pop()
    except IndexError:
        text = base64.urlsafe_b64encode(secrets.token_bytes(_BLOCK_BYTES)).decode("ascii")
        ids = [text[start : start + ID_CHARACTERS] for start in range(0, len(text), ID_CHARACTERS)]
        mine = ids.pop()
        _fresh_ids.extend(ids)
        return mine


class _Shard(SessionHome):
    """One part of the store: a table, a heap of deadlines and the lock of both."""

    __slots__ = ("dead_count", "heap", "limit", "permits", "sequence", "table")

    def __init__(
        self, contexts: ContextFactory, on_error: ErrorHook, limit: int | None, permits: deque[None]
    ) -> None:
        """``permits`` are shared by all shards, and used where ``limit`` is not ``None``."""
        super().__init__(contexts, on_error)
        self.limit = limit
        self.permits = permits
        self.table: dict[str, LiveSession] = {}
        # The sequence number keeps sessions of one deadline in order, and from ever being compared.
        self.heap: list[tuple[Nanoseconds, int, LiveSession]] = []
        self.sequence = 0
        self.dead_count = 0

    def add(self, session: LiveSession) -> LiveSession:
        """Put a session in the table and return it, or the one that was there. With the lock held.

        Raises ``ResourceExhausted`` without a permit.
        """
        if self.limit is not None:
            found = self.table.get(session.id)
            if found is not None:
                return found
            try:
                self.permits.pop()
            except IndexError:
                raise ResourceExhausted(
                    "no room for another session", resource="sessions", limit=self.limit
                ) from None
        # Once more, in one step: a signal handler of this very thread may have come in between.
        winner = self.table.setdefault(session.id, session)
        if winner is not session:
            self._give_permit_back()
        elif session.deadline_ns is not None:
            self.sequence += 1
            heapq.heappush(self.heap, (session.deadline_ns, self.sequence, session))
        return winner

    def ended(self, session: LiveSession) -> None:
        """Forget a session. With the lock held."""
        del self.table[session.id]
        self._give_permit_back()
        if session.deadline_ns is not None:
            self.dead_count += 1
            if self.dead_count >= DEAD_MIN_COUNT and 2 * self.dead_count > len(self.heap):
                self._rebuild()

    def next_due(self, now_ns: Nanoseconds) -> LiveSession | None:
        """Take the next session out of the heap whose deadline has passed, alive or not."""
        with self.lock:
            if not self.heap or self.heap[0][0] > now_ns:
                return None
            # Invariant: ``dead_count`` is the number of heap entries that have ended. Each pop takes one off:
            # a dead entry was counted when it ended, and a living one is about to end and be counted.
            self.dead_count -= 1
            return heapq.heappop(self.heap)[2]

    def _give_permit_back(self) -> None:
        if self.limit is not None:
            self.permits.append(None)

    def _rebuild(self) -> None:
        """Build the heap anew without its dead entries."""
        # The old heap is taken away first: what a signal handler adds meanwhile lands in the new one.
        entries, self.heap = self.heap, []
        for entry in entries:
            if entry[2].done:
                self.dead_count -= 1
            else:
                heapq.heappush(self.heap, entry)


def permits_for(limit: int | None) -> deque[None]:
    """Return a permit per session that may live; none where there is no limit, for then none is asked."""
    return queue("permits of sessions", [None] * (limit or 0))


class ShardedSessions:
    """Sessions by id; implements ``api.SessionManager``, whose contract holds here. Any thread.

    Done-callbacks run on the thread that ends a session, outside all locks. A session that is cancelled or
    closed by itself leaves the store in the same step. """

    __slots__ = ("_closed", "_limit", "_new_id", "_shards")

    def __init__(
        self,
        clock: Clock,
        *,
        shard_count: int = DEFAULT_SHARD_COUNT,
        limit: int | None = None,
        new_id: Callable[[], str] = random_id,
        contexts: ContextFactory | None = None,
        on_error: ErrorHook = log_error,
        permits: deque[None] | None = None,
    ) -> None:
        """``shard_count``: 1 or more, about the number of threads that use the store. ``limit``: most live
        sessions, 1 or more, or ``None``; it costs 8 bytes per session allowed. ``new_id`` makes ids, and must
        not make guessable ones outside tests. ``contexts`` makes contexts (default: ``ValueContext`` on
        ``clock``). ``on_error`` gets what done-callbacks raise. ``permits`` are those of stores that share a
        limit (default: its own). Raises ``InvalidArgument`` for a number below
        1."""
        if shard_count < 1 or (limit is not None and limit < 1):
            raise InvalidArgument("shard_count and limit are 1 or more", shard_count=shard_count, limit=limit)
        maker = contexts if contexts is not None else ValueContextFactory(clock)
        if permits is None:
            permits = permits_for(limit)
        self._shards = tuple(_Shard(maker, on_error, limit, permits) for _ in range(shard_count))
        self._limit = limit
        self._new_id = new_id
        self._closed = False

    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> LiveSession:
        """Return the live session of that id, or a new one; with ``None`` always a new one, with a fresh id.

        Raises ``ResourceExhausted`` at the limit, or when ``new_id`` returns nothing but ids in use;
        ``Closed`` after close. Nothing was made then. """
        if session_id is not None:
            return self._get_or_create(session_id, deadline_ns)[0]
        for _ in range(MAX_ID_TRIES):
            session, made = self._get_or_create(self._new_id(), deadline_ns)
            # A fresh id that is in use must not hand somebody else's session to this client.
            if made:
                return session
        raise ResourceExhausted("no fresh session id found", resource="session ids", limit=MAX_ID_TRIES)

    def _get_or_create(self, session_id: str, deadline_ns: Nanoseconds | None) -> tuple[LiveSession, bool]:
        """Return the session of an id and whether this call made it."""
        shard = self._shards[hash(session_id) % len(self._shards)]
        made = LiveSession(cast(SessionId, session_id), shard, deadline_ns)
        with shard.lock:
            # Looked at under the lock: ``close`` sets this first and then visits each shard under its lock,
            # so a session is either refused here or found there.
            if self._closed:
                raise Closed("the session store is closed")
            session = shard.add(made)
        return session, session is made

    def get(self, session_id: SessionId) -> LiveSession | None:
        """Return the live session of that id, or ``None``. Takes no lock."""
        return self._shard(session_id).table.get(session_id)

    def delete(self, session_id: SessionId) -> bool:
        """Cancel and remove a session; whether there was one."""
        session = self.get(session_id)
        return session is not None and session.cancel()

    def expire(self, now_ns: Nanoseconds) -> int:
        """Cancel and remove the sessions whose deadline is at or before ``now_ns``; return how many.

        With nothing due this is one look per shard.
        """
        expired_count = 0
        for shard in self._shards:
            # One at a time, so that an interrupt in a callback loses none of those that are due as well.
            while (session := shard.next_due(now_ns)) is not None:
                expired_count += session.cancel()
        return expired_count

    def __iter__(self) -> Iterator[LiveSession]:
        """Iterate over snapshots of the live sessions, shard by shard."""
        for shard in self._shards:
            yield from shard.table.copy().values()

    def __len__(self) -> int:
        """Return the number of live sessions; while others come and go, a number that is close to it."""
        return sum(len(shard.table) for shard in self._shards)

    @property
    def limit(self) -> int | None:
        """Most live sessions, or ``None``."""
        return self._limit

    def close(self) -> None:
        """Cancel and remove every session and refuse new ones. Idempotent; where an interrupt in a callback
        stopped it, a second call goes on."""
        self._closed = True
        for shard in self._shards:
            with shard.lock:
                sessions = shard.table.copy()
            for session in sessions.values():
                session.cancel()

    def _shard(self, session_id: str) -> _Shard:
        return self._shards[hash(session_id) % len(self._shards)]


__all__ = ["DEFAULT_SHARD_COUNT", "ShardedSessions", "random_id"]
