"""What a server wants from opening handshakes: one immutable value, checked when it is made.

A mistake in a configuration should stop the program that makes it, not the first client that connects. So
everything that can be checked without a request is checked here, and a handshake trusts its configuration.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..api.extension import ExtensionFactory
from ..api.http import Request
from .http import DEFAULT_MAX_HEAD_BYTES, DEFAULT_MAX_HEADER_COUNT, check_limits
from .negotiation import check_factories, check_subprotocols

OriginCheck: TypeAlias = "Callable[[str | None, Request], bool]"
"""Says whether a request may come from this origin: the ``Origin`` in lower case (RFC 6455 §4.2.2 item 4), or
``None`` where there is none, which means that it is not a browser (§4.2.1 item 7)."""

SubprotocolChoice: TypeAlias = "Callable[[Sequence[str]], str | None]"
"""Picks one of the offered subprotocols, given in the client's order of preference, or none."""


class Unset(enum.Enum):
    """The type of ``UNSET``: not said, where ``None`` already means "none"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class HandshakeConfig:
    """The server's side of every opening handshake. Thread rules: any, it never changes.

    - ``subprotocols``: those the server speaks; the client's order of preference decides among them.
    - ``extensions``: those the server accepts, each name once.
    - ``check_origin``: ``None`` accepts every origin, which leaves users' browsers open to other sites'
      scripts if cookies are all that identifies them (RFC 6455 §10.2).
    - ``select_subprotocol``: decides instead of ``subprotocols``; its choice must be an offered one.
    - ``max_head_bytes`` (1 or more), ``max_header_count`` (0 or more): limits of the request's head.

    Raises ``InvalidArgument`` for names that are no tokens or appear twice, and for limits out of range.
    """

    subprotocols: tuple[str, ...] = ()
    extensions: tuple[ExtensionFactory, ...] = ()
    check_origin: OriginCheck | None = None
    select_subprotocol: SubprotocolChoice | None = None
    max_head_bytes: int = DEFAULT_MAX_HEAD_BYTES
    max_header_count: int = DEFAULT_MAX_HEADER_COUNT

    def __post_init__(self) -> None:
        check_subprotocols(self.subprotocols)
        check_factories(self.extensions)
        check_limits(self.max_head_bytes, self.max_header_count)


__all__ = ["UNSET", "HandshakeConfig", "OriginCheck", "SubprotocolChoice", "Unset"]
