"""Control: the configuration of a running process.

A configuration is an immutable snapshot. A change makes a new snapshot: validated as a whole first, then
told to the hooks, then put in force in one step. Readers take the snapshot and never see half of a change.
If a hook refuses, nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, TypeVar

from .debug import Probe

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)

ReloadHook: TypeAlias = Callable[[C, C], object]
"""Called with the old and the new configuration, once per change; raising refuses the change and rolls
back."""


class Control(Protocol[C_co]):
    """Holds the configuration in force; ``C_co`` is the type of the configuration, a frozen dataclass.

    Thread rules: any thread; readers never wait.
    """

    def config(self) -> C_co:
        """Return the snapshot in force.

        It never changes; ask again to see a later one. Hooks may call it: they see the old one.
        """

    def set_config(self, **changes: object) -> C_co:
        """Replace some fields and return the snapshot in force afterwards.

        All or nothing: unknown fields, wrong types, values out of range and fields that can't change live
        raise ``InvalidArgument`` naming each, before any hook runs; if a hook raises, those that ran are
        called again with the roles exchanged, the old snapshot stays in force, and the error is passed on.
        A change to equal values calls no hook. Raises ``InvalidState`` when called from a hook.
        """

    def on_reload(self, hook: ReloadHook[C_co]) -> Callable[[], None]:
        """Add a hook, called in order of registration; return a function that removes it."""

    def stats(self) -> Mapping[str, object]:
        """Return counters of this object and of what was registered with it, by name."""

    def register_debug_probe(self, name: str, probe: Probe) -> None:
        """Add a probe to ``stats``. Raises ``AlreadyExists`` when the name is taken."""


__all__ = ["Control", "ReloadHook"]
