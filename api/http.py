"""The few words of HTTP/1.1 that the opening handshake needs (RFC 6455 §4, RFC 9112).

Only value types: parsing and its strictness live in the protocol room. Header names compare without case;
order and repetition are kept, because whether a header may repeat is a question of the handshake's rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

HeaderFields: TypeAlias = "Sequence[tuple[str, str]]"
"""Header fields in wire order: name and value, the value without surrounding white space."""


class _Head:
    """What requests and responses share: looking up header fields."""

    __slots__ = ()
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of a header field, in order; names compare without case."""
        wanted = name.lower()
        return tuple(value for field_name, value in self.headers if field_name.lower() == wanted)

    def header(self, name: str) -> str | None:
        """Return the first value of a header field, or ``None``."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True, slots=True)
class Request(_Head):
    """The head of an HTTP request.

    ``target`` is as on the wire; ``path`` and ``query`` are its parts, not percent-decoded.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    path: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Response(_Head):
    """An HTTP response: status code 100 to 599, its reason phrase (a default where empty), header fields
    and body."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


__all__ = ["HeaderFields", "Request", "Response"]
