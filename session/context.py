"""Contexts: a session's values by name, with propagation and expiry.

**Expiry is looked at, not waited for.** A value with a time to live carries the moment at which it ends. No
timer runs for it: whoever asks looks at the clock, and from that moment on the value is absent for everybody,
whether or not its memory is back yet. The memory comes back when the key is met again, when the keys are
listed, and at the latest when the number of entries has doubled since they were last swept, so a context that
is only ever written to cannot grow with what has expired (amortised, each write pays for one entry of a
sweep).

**Atomic calls.** Each context has one lock, and each call takes it once. Forms without a lock were rejected:
"replace unless expired" and "let the existing value expire later" are two container operations each, and
another thread may come between them, with the GIL or without. The lock is re-entrant, because a signal
handler or a finaliser runs in the middle of any call, on the thread that holds the lock, and may use the same
context.

A context is made when a session is first asked for it, so none of this is paid for by sessions that have no
values. """

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ..api.clock import Clock
from ..api.errors import InvalidArgument, NotFound
from ..api.types import Nanoseconds

SWEEP_MIN_COUNT: Final = 16
"""Entries below which nothing is swept on writing."""


class _Entry(NamedTuple):
    """A value and what belongs to it. Immutable, so that parent and child may share it."""

    value: object
    propagated: bool
    expires_ns: Nanoseconds | None

    def expired(self, now_ns: Nanoseconds) -> bool:
        return self.expires_ns is not None and self.expires_ns <= now_ns


class ValueContext:
    """Values by name; implements ``api.Context``, whose contract holds here. Any thread."""

    __slots__ = ("_clock", "_entries", "_lock", "_sweep_count")

    def __init__(self, clock: Clock) -> None:
        """Make an empty context whose values expire by ``clock``."""
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.RLock()
        self._sweep_count = SWEEP_MIN_COUNT

    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        """Store a value, replacing value, propagation and expiry; ``ttl_ns`` below 1: ``InvalidArgument``."""
        _check_ttl(ttl_ns)
        with self._lock:
            # A value that expired is no first setting: its key goes to the end, as that of a new one does.
            self._live(key)
            if len(self._entries) >= self._sweep_count:
                self._sweep_count = max(2 * len(self._swept()), SWEEP_MIN_COUNT)
            self._entries[key] = _Entry(value, propagated, self._end_ns(ttl_ns))

    def get(self, key: str, default: object = None) -> object:
        """Return the value, or ``default`` where there is none (any more)."""
        with self._lock:
            entry = self._live(key)
        return default if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Remove a value; whether there was one."""
        with self._lock:
            return self._live(key) is not None and self._entries.pop(key, None) is not None

    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        """Let an existing value expire ``ttl_ns`` from now, or never; ``NotFound``, ``InvalidArgument``."""
        _check_ttl(ttl_ns)
        with self._lock:
            entry = self._live(key)
            if entry is None:
                raise NotFound("no such value", key=key)
            self._entries[key] = entry._replace(expires_ns=self._end_ns(ttl_ns))

    def is_propagated(self, key: str) -> bool:
        """Whether the key exists and is propagated."""
        with self._lock:
            entry = self._live(key)
        return entry is not None and entry.propagated

    def keys(self) -> Sequence[str]:
        """Return the keys in order of first setting."""
        with self._lock:
            return tuple(self._swept())

    def child(self) -> ValueContext:
        """Return a new context with the propagated values and the expiry they have."""
        made = ValueContext(self._clock)
        with self._lock:
            made._entries = {key: entry for key, entry in self._swept().items() if entry.propagated}
        return made

    def __len__(self) -> int:
        with self._lock:
            return len(self._swept())

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        with self._lock:
            return self._live(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.keys())}>"

    def _live(self, key: str) -> _Entry | None:
        """Return the entry of a key, after dropping it if it has expired. With the lock held."""
        entry = self._entries.get(key)
        # Only a value that can expire costs a look at the clock.
        if entry is not None and entry.expires_ns is not None and entry.expired(self._clock.now_ns()):
            self._entries.pop(key, None)
            return None
        return entry

    def _swept(self) -> dict[str, _Entry]:
        """Drop what has expired and return a snapshot of the rest. With the lock held."""
        # A copy is walked, not the dictionary: a finaliser may write to this context between two steps.
        snapshot = self._entries.copy()
        if any(entry.expires_ns is not None for entry in snapshot.values()):
            now_ns = self._clock.now_ns()
            for key in [key for key, entry in snapshot.items() if entry.expired(now_ns)]:
                del snapshot[key]
                self._entries.pop(key, None)
        return snapshot

    def _end_ns(self, ttl_ns: Nanoseconds | None) -> Nanoseconds | None:
        return None if ttl_ns is None else self._clock.now_ns() + ttl_ns


class ValueContextFactory:
    """Makes root contexts that share a clock; implements ``api.ContextFactory``. Any thread."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def create(self) -> ValueContext:
        """Return a new, empty context."""
        return ValueContext(self._clock)


def _check_ttl(ttl_ns: Nanoseconds | None) -> None:
    if ttl_ns is not None and ttl_ns < 1:
        raise InvalidArgument("a time to live is 1 or more", ttl_ns=ttl_ns)


__all__ = ["SWEEP_MIN_COUNT", "ValueContext", "ValueContextFactory"]
