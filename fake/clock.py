"""Virtual clock: time that moves when the test says so.

Everything that waits asks a ``Clock``. Given this one, an hour passes in one call, nothing depends on how
busy the machine is, and the same test takes the same path each time.
"""

from __future__ import annotations

from ..api.errors import InvalidArgument
from ..api.types import Nanoseconds

DEFAULT_UNIX_NS = 1_000_000_000_000_000_000
"""Wall-clock time at the start of a virtual clock: 2001-09-09 01:46:40 UTC, easy to recognise in output."""


class VirtualClock:
    """Implements ``api.clock.Clock``. Thread rules: any thread reads; one thread advances."""

    __slots__ = ("_now_ns", "_unix_offset_ns")

    def __init__(self, start_ns: Nanoseconds = 0, unix_ns: Nanoseconds = DEFAULT_UNIX_NS) -> None:
        """Start at ``start_ns`` monotonic and ``unix_ns`` wall-clock time."""
        self._now_ns = start_ns
        self._unix_offset_ns = unix_ns - start_ns

    def now_ns(self) -> Nanoseconds:
        """Return the virtual monotonic time."""
        return self._now_ns

    def unix_ns(self) -> Nanoseconds:
        """Return the virtual wall-clock time; it moves with the monotonic one, except for ``step_unix``."""
        return self._now_ns + self._unix_offset_ns

    def advance(self, duration_ns: Nanoseconds) -> None:
        """Let ``duration_ns`` (0 or more, else ``InvalidArgument``) pass."""
        if duration_ns < 0:
            raise InvalidArgument("monotonic time never goes back", duration_ns=duration_ns)
        self._now_ns += duration_ns

    def step_unix(self, duration_ns: Nanoseconds) -> None:
        """Set the wall clock forward, or back when negative, as an administrator or NTP does. Monotonic time
        is unchanged."""
        self._unix_offset_ns += duration_ns


__all__ = ["DEFAULT_UNIX_NS", "VirtualClock"]
