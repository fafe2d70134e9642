"""Debug: named probes that show the inside of a running process.

A probe is a function that returns something printable. One that raises, or takes too long, is named in the dump
and does not stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

Probe: TypeAlias = Callable[[], object]
"""Returns a value that ``repr`` can show, quickly; it may be called from any thread."""


class Debug(Protocol):
    """A registry of probes. Thread rules: any thread."""

    def register_probe(self, name: str, probe: Probe) -> None:
        """Add a probe.

        Raises ``AlreadyExists`` when the name is taken and ``InvalidArgument`` for an empty name.
        """

    def unregister_probe(self, name: str) -> None:
        """Remove a probe. Raises ``NotFound``."""

    def dump_state(self) -> Mapping[str, object]:
        """Ask every probe and return name to value, in order of registration; a probe that raised has its
        exception as value; one that takes too long may have a ``TimedOut``. Never raises."""


__all__ = ["Debug", "Probe"]
