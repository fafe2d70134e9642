"""Peer: the other end of a connection on trial.

Nothing is said about what lies between the two: a network, a simulated one, or nothing at all. So the same checks
run on a server in virtual time, on a client, and on a connection that is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from ..api.connection import Connection
from .trial import Trial

LIMIT_BYTES: Final = 8 * 1024 * 1024
"""The send limit where a check does not say else."""

Data: TypeAlias = "str | bytes"


"""A message; text for ``str``."""


class Peer(Protocol):
    """The other end of a connection on trial. What it is told to do has an effect when ``settle`` returns."""

    @property
    def connection(self) -> Connection:
        """The connection on trial, open."""

    def settle(self) -> None:
        """Let everything that is on its way arrive, in both directions, and be handled. A close frame that
        arrives at the peer is answered with its code."""

    def deliver(self, data: str | bytes) -> None:
        """Send a message, text for ``str``."""

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame; ``None``: without a code."""

    def vanish(self) -> None:
        """End the stream without a close frame."""

    def reads(self, wanted: bool) -> None:
        """Read what arrives (which it does at first), or leave it where it is."""

    def received(self) -> Sequence[str | bytes]:
        """Return the messages that have arrived, text as ``str``."""

    def pings(self) -> Sequence[bytes]:
        """Return the payloads of the pings that have arrived."""

    def close_frame(self) -> tuple[int | None, str] | None:
        """Return code (``None``: without one) and reason of the close frame that has arrived, if one has."""

    def close(self) -> None:
        """The check is over: let go of everything, at both ends. From any thread. Idempotent."""


def send(trial: Trial, peer: Peer, data: str | bytes | bytearray | memoryview) -> int:
    """Send a message on the connection."""
    trial.did(f"send({type(data).__name__} of {len(data)})")
    return peer.connection.send(data)


def deliver(trial: Trial, peer: Peer, data: str | bytes) -> None:
    """Let the peer send a message."""
    trial.did(f"the peer sends {type(data).__name__} of {len(data)}")
    peer.deliver(data)


__all__ = ["LIMIT_BYTES", "Data", "Peer", "deliver", "send"]
