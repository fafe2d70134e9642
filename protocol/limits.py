"""Limits: how much a peer may make us hold.

A frame header announces up to 2**63 - 1 bytes and a message may have any number of fragments (RFC 6455 §5.2,
§5.4), so without limits every peer decides how much memory we spend. RFC 6455 §10.4 asks for them; a peer
that passes one is answered with close code 1009. They are judged on the *announced* length, before anything
is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..api.errors import InvalidArgument

DEFAULT_MESSAGE_BYTES: Final = 32 * 1024 * 1024
DEFAULT_FRAGMENTS: Final = 131_072
"""Twice what a 4 MiB message in fragments of 64 bytes needs. Fragments cost time, not memory."""

MAX_LENGTH_BYTES: Final = (1 << 63) - 1
"""The largest length that a header can announce (RFC 6455 §5.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one incoming message may cost; immutable, shared by any number of connections.

    ``max_message_bytes``: payload of all fragments together, *after* extensions (1 or more).
    ``max_frame_bytes``: payload of one data frame as it lies on the wire; ``None``: as the message.
    ``max_fragments``: frames of one message; ``None``: any number.

    Raises ``InvalidArgument`` for a value below 1 or above 2**63 - 1.
    """

    max_message_bytes: int = DEFAULT_MESSAGE_BYTES
    max_frame_bytes: int | None = None
    max_fragments: int | None = DEFAULT_FRAGMENTS

    def __post_init__(self) -> None:
        for name in ("max_message_bytes", "max_frame_bytes", "max_fragments"):
            value = getattr(self, name)
            if value is None and name != "max_message_bytes":
                continue
            if not isinstance(value, int) or not 1 <= value <= MAX_LENGTH_BYTES:
                raise InvalidArgument(f"{name} must be an integer from 1 to 2**63 - 1", value=value)

    @property
    def frame_bytes(self) -> int:
        """The limit for one frame, with the default filled in."""
        return self.max_message_bytes if self.max_frame_bytes is None else self.max_frame_bytes


__all__ = ["DEFAULT_FRAGMENTS", "DEFAULT_MESSAGE_BYTES", "MAX_LENGTH_BYTES", "Limits"]
