"""Leak tracking: who took a buffer, where, and never gave it back.

Four levels, each paying for what it tells:

- ``disabled``: leases are plain, nothing is watched, ``leaks()`` is empty;
- ``simple``: every lease is listed while it is out, and one that is garbage-collected with counts left is
  noticed, reported, and its memory comes back. The *place* of the acquire, which costs most, is recorded
  for a sample: the first lease and every 128th after it;
- ``advanced``: every lease has its place;
- ``paranoid``: besides, every retain, slice and release is recorded, and freed bytes are poisoned, so that a
  view kept too long reads ``0xDE`` instead of somebody else's message.

The level comes from the argument, or from the environment variable ``HIOLOAD_LEAKS``, or is ``disabled``.

A finaliser runs at any time, on any thread, in the middle of anything. It uses nothing but the atomic steps
that a release uses, so it needs no lock and cannot deadlock.
"""

from __future__ import annotations

import enum
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final, Self

from ..api.errors import InvalidArgument, LeaseError
from ..api.pool import LeakReport
from .lease import Lease, Slot
from .snapshot import snapshot

ENVIRONMENT_NAME: Final = "HIOLOAD_LEAKS"
SAMPLE_EVERY: Final = 128
MAX_TOUCHES: Final = 64
"""Places kept per lease on level paranoid; the oldest go first."""
MAX_COLLECTED: Final = 256
"""Reports of collected leases kept; the oldest go first."""

_ROOM: Final = __name__.rpartition(".")[0] + "."


class LeakLevel(enum.StrEnum):
    """How closely leases are watched; the value is what the environment variable says."""

    DISABLED = "disabled"
    SIMPLE = "simple"
    ADVANCED = "advanced"
    PARANOID = "paranoid"


def leak_level(choice: str | None = None, environment: Mapping[str, str] = os.environ) -> LeakLevel:
    """Return the level of an explicit ``choice``, else of the environment, else ``DISABLED``.

    Raises ``InvalidArgument`` for a word that names no level, saying where it came from.
    """
    word = choice if choice is not None else environment.get(ENVIRONMENT_NAME, LeakLevel.DISABLED)
    try:
        return LeakLevel(word)
    except ValueError:
        source = "argument" if choice is not None else ENVIRONMENT_NAME
        raise InvalidArgument("unknown leak level", level=word, source=source) from None


LeakHook = Callable[[LeakReport], None]
"""Called, on whatever thread collected it, with the report of a lease that was lost; its memory is back."""


def warn_of_leak(report: LeakReport) -> None:
    """Issue a ``ResourceWarning``, as Python does for an unclosed file."""
    place = f", acquired at {report.acquired_at}" if report.acquired_at else ""
    warnings.warn(
        f"buffer lease {report.lease_id} of {report.size_bytes} bytes was never released{place}",
        ResourceWarning,
        stacklevel=1,
    )


def caller_place() -> str:
    """Return ``file:line function`` of the innermost frame outside this room."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_ROOM):
        frame = frame.f_back
    if frame is None:  # pragma: no cover - somebody outside this room always called us
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"


class _Record:
    """What is known about one lease: shared by all its names, and by the tracker while the lease is out."""

    __slots__ = ("acquired_at", "lease_id", "shared", "size_bytes", "touches")

    def __init__(self, lease_id: int, size_bytes: int, shared: list[Slot | None], acquired_at: str) -> None:
        self.lease_id = lease_id
        self.size_bytes = size_bytes
        self.shared = shared
        self.acquired_at = acquired_at
        self.touches: deque[str] = deque(maxlen=MAX_TOUCHES)

    def report(self, ref_count: int) -> LeakReport:
        return LeakReport(
            self.lease_id, self.size_bytes, ref_count, self.acquired_at, tuple(snapshot(self.touches))
        )


class LeakTracker:
    """The leases of one pool that are out, by id. Thread rules: any thread."""

    __slots__ = ("_every", "_hook", "_out", "collected", "level")

    def __init__(
        self, level: LeakLevel, hook: LeakHook = warn_of_leak, *, sample_every: int = SAMPLE_EVERY
    ) -> None:
        if sample_every < 1:
            raise InvalidArgument("sample_every must be 1 or more", sample_every=sample_every)
        self.level = level
        self._hook = hook
        self._every = sample_every if level is LeakLevel.SIMPLE else 1
        self._out: dict[int, _Record] = {}
        self.collected: deque[LeakReport] = deque(maxlen=MAX_COLLECTED)

    def watch(self, slot: Slot, shared: list[Slot | None], lease_id: int, size_bytes: int) -> Lease:
        """Return the first name of a new lease, watched."""
        place = caller_place() if (lease_id - 1) % self._every == 0 else ""
        record = _Record(lease_id, size_bytes, shared, place)
        self._out[lease_id] = record
        return TrackedLease(slot, shared, lease_id, 0, size_bytes, self, record)

    def ended(self, lease_id: int) -> None:
        """Forget a lease that has no count left."""
        self._out.pop(lease_id, None)

    def lost(self, report: LeakReport) -> None:
        """Take note of counts that were garbage-collected, and tell the hook. Memory is back by now."""
        self.collected.append(report)
        self._hook(report)

    def reports(self) -> Sequence[LeakReport]:
        """Return a report for every lease that is out, oldest first."""
        records = self._out.copy().values()
        return tuple(record.report(len(record.shared)) for record in records)


class TrackedLease(Lease):
    """A lease that is listed while it is out and noticed when it is lost."""

    __slots__ = ("_record", "_tracker")

    def __init__(
        self,
        slot: Slot,
        shared: list[Slot | None],
        lease_id: int,
        start: int,
        stop: int,
        tracker: LeakTracker,
        record: _Record,
    ) -> None:
        super().__init__(slot, shared, lease_id, start, stop)
        self._tracker = tracker
        self._record = record

    def _touch(self, what: str) -> None:
        if self._tracker.level is LeakLevel.PARANOID:
            self._record.touches.append(f"{what} at {caller_place()}")

    def _name_slice(self, start: int, stop: int) -> Lease:
        self._touch("slice")
        return TrackedLease(
            self._slot, self._shared, self.lease_id, start, stop, self._tracker, self._record
        )

    def retain(self) -> Self:
        """As ``Lease.retain``, recorded."""
        super().retain()
        self._touch("retain")
        return self

    def release(self) -> None:
        """As ``Lease.release``, recorded; the last one takes the lease off the list."""
        super().release()
        self._touch("release")
        if not self._shared:
            self._tracker.ended(self.lease_id)

    def fault(self, kind: type[LeaseError], message: str) -> LeaseError:
        """As ``Lease.fault``, with the places that were recorded."""
        report = self._record.report(self.ref_count)
        return kind(
            message,
            lease_id=self.lease_id,
            size_bytes=len(self),
            ref_count=report.ref_count,
            acquired_at=report.acquired_at,
            touched_at=report.touched_at,
        )

    def __del__(self) -> None:
        # A name that dies with counts has lost them: give them back, then say so.
        lost_count = len(self._own)
        if lost_count:
            report = self._record.report(lost_count)
            for _ in range(lost_count):
                super().release()
            if not self._shared:
                self._tracker.ended(self.lease_id)
            self._tracker.lost(report)


__all__ = [
    "ENVIRONMENT_NAME",
    "MAX_COLLECTED",
    "MAX_TOUCHES",
    "SAMPLE_EVERY",
    "LeakHook",
    "LeakLevel",
    "LeakTracker",
    "TrackedLease",
    "caller_place",
    "leak_level",
    "warn_of_leak",
]
