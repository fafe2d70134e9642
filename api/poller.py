"""Poller: which of many handles can be read or written now.

One poller is owned by one thread. Readiness is *level-triggered*: a handle is reported again at each poll
for as long as it is ready, so a handler may stop early under a budget and nothing is lost. Interest and
readiness are plain integers with the bit values of epoll(7), because they are combined for every event of
every connection; an enum would cost more than the system call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from .types import Handle, Nanoseconds

Interest: TypeAlias = int
"""What to watch a handle for: ``READABLE``, ``WRITABLE``, both, or 0 (failures only)."""

Readiness: TypeAlias = int
"""What a handle is ready for: a combination of ``READABLE``, ``WRITABLE`` and ``FAILED``."""

READABLE: Final = 0x001
"""Reading will not block: data, end of stream, or a connection to accept (EPOLLIN)."""

WRITABLE: Final = 0x004
"""Writing will not block, or an outgoing connection has been made or refused (EPOLLOUT)."""

FAILED: Final = 0x018
"""Error or hang-up on the handle (EPOLLERR | EPOLLHUP); reported whether asked for or not, where the system
tells; else a failed handle is reported as ready for what it is watched for. Test with ``readiness & FAILED``.

A failed handle is also worth reading: the read returns what is left, the end, or the error itself.
"""


class Poller(Protocol):
    """Watches handles for readiness. Thread rules: the owning thread only, except ``wake``."""

    def register(self, handle: Handle, interest: Interest) -> None:
        """Start to watch a handle. Raises ``AlreadyExists`` when it is watched already, ``InvalidArgument``
        for a handle the system refuses or an interest with other bits, ``ResourceExhausted`` where the
        machine's limit is reached, ``Closed`` after close."""

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Replace what a handle is watched for.

        Raises ``NotFound`` when it is not watched, else as ``register``.
        """

    def unregister(self, handle: Handle) -> None:
        """Stop to watch a handle, also one that was closed already. Raises ``NotFound`` when it is not
        watched.

        Readiness of this handle that an earlier ``poll`` returned is not withdrawn: the caller must drop
        it.
        """

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Wait until a handle is ready, ``wake`` is called, or the time-out passes, and return at most
        ``max_events`` pairs.

        ``timeout_ns``: ``None`` waits without end, 0 (or less) does not wait. It is rounded *up* to the
        system's resolution, so a timer is never polled for early. Fairness: a ready handle that did not fit
        is reported by one of the next polls. The sequence is borrowed until the next call. An empty
        sequence means time-out, wake-up or an interrupting signal. Raises ``InvalidArgument`` for
        ``max_events`` below 1 and ``Closed`` after close.
        """

    def wake(self) -> None:
        """Make the current or the next ``poll`` return early. Any thread, also from a signal handler; many
        wakes may become one.

        Without effect after ``close``.
        """

    def __len__(self) -> int:
        """Return the number of handles watched, not counting what the poller needs for itself."""

    def close(self) -> None:
        """Release the system's resources; the handles themselves stay open. Idempotent."""


__all__ = ["FAILED", "READABLE", "WRITABLE", "Interest", "Poller", "Readiness"]
