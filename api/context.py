"""Context: a small bag of values that travels with a session.

A value is *local*, or *propagated*: copied into every child context made afterwards. A value may expire.
Keys are strings, so that contexts can be logged and shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from .types import Nanoseconds


class Context(Protocol):
    """Values by name.

    Thread rules: any thread; each call is atomic. An expired value is absent in every respect from its
    deadline on.
    """

    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        """Store a value under a key, replacing value, propagation and expiry.

        ``ttl_ns``: 1 or more, or ``None`` for ever, else ``InvalidArgument``.
        """

    def get(self, key: str, default: object = None) -> object:
        """Return the value, or ``default`` where there is none (any more)."""

    def delete(self, key: str) -> bool:
        """Remove a value; whether there was one."""

    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        """Let an existing value expire ``ttl_ns`` from now, or never (``None``).

        Raises ``NotFound`` without such a value, ``InvalidArgument`` below 1.
        """

    def is_propagated(self, key: str) -> bool:
        """Whether the key exists and is propagated."""

    def keys(self) -> Sequence[str]:
        """Return the keys in order of first setting."""

    def child(self) -> Context:
        """Return a new context that holds the propagated values, with the expiry they have.

        Later changes do not pass between the two.
        """

    def __len__(self) -> int:
        """Return the number of values."""

    def __contains__(self, key: object) -> bool:
        """Whether there is a value under the key."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over a snapshot of the keys."""


class ContextFactory(Protocol):
    """Makes root contexts."""

    def create(self) -> Context:
        """Return a new, empty context."""


__all__ = ["Context", "ContextFactory"]
