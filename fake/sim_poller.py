"""The poller of a simulated host: readiness comes from simulated transports, waiting is the world going on.

It keeps the rules of ``api.poller``: level-triggered, only what is asked for plus failures, at most
``max_events``, whoever was left out comes first next time, a wake is never lost. Nothing is scanned: a transport
says when its readiness may have changed (``touch``), and only those that were touched are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..api.errors import AlreadyExists, Closed, InvalidArgument, NotFound
from ..api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ..api.types import Handle, Nanoseconds
from .world import Source, World

_UNKNOWN_BITS = ~(READABLE | WRITABLE)
_WORDS = ((READABLE, "READABLE"), (WRITABLE, "WRITABLE"))


class WorldPoller:
    """Implements ``api.poller.Poller`` in a ``World``. Thread rules: the world's thread."""

    __slots__ = (
        "_closed",
        "_name",
        "_touched",
        "_watched",
        "_woken",
        "_world",
        "deadline_ns",
        "has_polled",
        "marked",
        "turning",
    )

    def __init__(self, world: World, name: str) -> None:
        """``name`` is what error messages call its owner."""
        self._world = world
        self._name = name
        self._closed = self._woken = False
        self._watched: dict[Handle, tuple[Source, Interest]] = {}
        # Dicts keep an order, sets do not: what comes first must be the same in every run.
        self._touched: dict[Handle, None] = {}
        self.turning = self.marked = self.has_polled = False
        self.deadline_ns: Nanoseconds | None = None

    def register(self, handle: Handle, interest: Interest) -> None:
        """Start to watch; errors as in ``api.poller.Poller.register``."""
        self._check(interest)
        source = self._world.sources.get(handle)
        if source is None:
            raise InvalidArgument("this world has no such handle", handle=handle)
        if handle in self._watched:
            raise AlreadyExists("the handle is watched already", handle=handle)
        self._watched[handle] = source, interest
        source.watched_by(self)
        self.touch(handle)

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Replace the interest; errors as in ``api.poller.Poller.modify``."""
        self._check(interest)
        if handle not in self._watched:
            raise NotFound("the handle is not watched", handle=handle)
        self._watched[handle] = self._watched[handle][0], interest
        self.touch(handle)

    def unregister(self, handle: Handle) -> None:
        """Stop to watch. Raises ``NotFound`` when it is not watched and ``Closed`` after close."""
        self._check(0)
        watched = self._watched.pop(handle, None)
        if watched is None:
            raise NotFound("the handle is not watched", handle=handle)
        watched[0].watched_by(None)
        self._touched.pop(handle, None)

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Return what is ready. In a turn that the world makes it never waits; called from anywhere else it lets
        the world go on for that long. Else as ``api.poller.Poller.poll``.

        Raises ``InvalidState`` where it would wait for ever.
        """
        if max_events < 1:
            raise InvalidArgument("max_events is 1 or more", max_events=max_events)
        self._check(0)
        events = self._collect(max_events)
        if events or self._woken:
            self._woken = False
            return events
        world = self._world
        deadline_ns = None if timeout_ns is None else world.clock.now_ns() + max(timeout_ns, 0)
        self.has_polled = True
        world.expect(self, deadline_ns)
        if not self.turning and (timeout_ns is None or timeout_ns > 0):
            world.wait(self, self._has_work, deadline_ns)
            self._woken = False
            events = self._collect(max_events)
        return events

    def touch(self, handle: Handle) -> None:
        """Look at this handle at the next poll."""
        self._touched[handle] = None
        if not self.marked:
            self._world.mark(self)

    def wake(self) -> None:
        """Make the current or the next ``poll`` return early. Without effect after close."""
        if not self._closed:
            self._woken = True
            self._world.mark(self)

    def __len__(self) -> int:
        """Return the number of handles watched."""
        return len(self._watched)

    def close(self) -> None:
        """Watch nothing any more, and leave the world. Idempotent."""
        self._closed = True
        for source, _ in self._watched.values():
            source.watched_by(None)
        self._watched.clear()
        self._touched.clear()
        self.deadline_ns = None
        self._world.forget(self)

    def describe(self) -> str:
        """Say who waits for what."""
        wanted = [
            f"{handle} to be {' or '.join(word for bit, word in _WORDS if interest & bit) or 'broken'}"
            for handle, (_, interest) in list(self._watched.items())[:5]
        ]
        more = f" and {len(self._watched) - 5} more" if len(self._watched) > 5 else ""
        return f"{self._name} waits for {', '.join(wanted) or 'nothing'}{more}"

    def _check(self, interest: Interest) -> None:
        if self._closed:
            raise Closed("the poller is closed")
        if interest & _UNKNOWN_BITS:
            raise InvalidArgument("not an interest", interest=interest)

    def _has_work(self) -> bool:
        return self._woken or any(self._ready_for(handle) for handle in self._touched)

    def _ready_for(self, handle: Handle) -> Readiness:
        watched = self._watched.get(handle)
        return 0 if watched is None else watched[0].readiness() & (watched[1] | FAILED)

    def _collect(self, max_events: int) -> list[tuple[Handle, Readiness]]:
        """Return what is ready; forget what is not, and put what was reported behind the rest."""
        touched = self._touched
        events: list[tuple[Handle, Readiness]] = []
        if not touched:
            return events
        for handle in tuple(touched):
            if len(events) == max_events:
                break
            readiness = self._ready_for(handle)
            del touched[handle]
            if readiness:
                events.append((handle, readiness))
        for handle, _ in events:
            touched[handle] = None
        return events


__all__ = ["WorldPoller"]
