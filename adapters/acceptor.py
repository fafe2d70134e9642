"""Acceptor: takes waiting connections from a listener, a batch per event.

The one thing to get right is running out of descriptors (EMFILE, accept(2)). The connection stays in the
queue and the listener stays readable, so a loop that just tries again spins on a full core, and a loop that
gives up serves nobody ever after. This one stops watching the listener for a moment, says so once, and tries
again; the peers wait in the queue meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from ..api.errors import ResourceExhausted
from ..api.poller import READABLE, Readiness
from ..api.scheduler import Cancelable
from ..api.transport import Address, Listener, Transport
from ..api.types import Nanoseconds
from .hub import Hub

ACCEPT_BATCH = 64
"""Most connections accepted per event: handshakes must not starve those who are connected."""

PAUSE_NS: Nanoseconds = 50_000_000
"""How long to leave a listener alone after descriptors ran out."""


class Acceptor:
    """One listener at work in a reactor. Thread rules: the reactor's thread."""

    __slots__ = ("_admit", "_exhausted", "_hub", "_listener", "_retry")

    def __init__(self, hub: Hub, listener: Listener, admit: Callable[[Transport], object]) -> None:
        """Give each accepted transport to ``admit``, which owns it from then on. Takes over the listener."""
        self._hub = hub
        self._listener = listener
        self._admit = admit
        self._retry: Cancelable | None = None
        self._exhausted = False
        hub.reactor.register(listener.handle, READABLE, self._on_ready)

    @property
    def address(self) -> Address:
        """Where the listener listens."""
        return self._listener.address

    @property
    def exhausted(self) -> bool:
        """Whether the last attempt found no descriptor."""
        return self._exhausted

    def close(self) -> None:
        """Stop accepting and close the listener."""
        if self._retry is not None:
            self._retry.cancel()
        self._hub.reactor.unregister(self._listener.handle)
        self._listener.close()

    def _on_ready(self, readiness: Readiness) -> None:
        try:
            transports = self._listener.accept_batch(ACCEPT_BATCH)
        except ResourceExhausted as error:
            if not self._exhausted:
                # Once per shortage: it may last, and a log line per attempt helps nobody.
                self._hub.report(error, self._on_ready)
            self._exhausted = True
            self._hub.reactor.modify(self._listener.handle, 0)
            self._retry = self._hub.reactor.scheduler.schedule(PAUSE_NS, self._resume)
            return
        self._exhausted = False
        for transport in transports:
            self._admit(transport)

    def _resume(self) -> None:
        self._hub.reactor.modify(self._listener.handle, READABLE)


__all__ = ["ACCEPT_BATCH", "PAUSE_NS", "Acceptor"]
