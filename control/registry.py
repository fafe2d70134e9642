"""The configuration in force, and how it changes while everybody is reading it.

A configuration is one immutable object, and what is in force is one reference to it. Readers take the
reference, which is a single step, so they never wait and never see half of a change. Writers come one at a
time::

    values checked -> snapshot made -> hooks told (old, new) -> reference replaced
                                          | +- one raises: those told are told (new, old), last first; nothing
                                          changed

Checking comes before telling, so a hook only ever hears of a configuration that is right; telling comes
before replacing, so a part that can't follow (a port that is taken) can refuse while the old one is still in
force.

A hook runs inside the change. It may read the configuration (it sees the old one), add and remove hooks (from
the next change on) and start whatever it likes, but it may not change the configuration again: a change
within a change has no order in which both are told right. On the changing thread that raises
``InvalidState``. A hook that makes another thread change it, and waits for that thread, waits for itself. """

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from ..api.control import ReloadHook
from ..api.debug import Probe
from ..api.errors import InvalidArgument, InvalidState
from ..internal.faults import ErrorHook, log_error, report
from .knobs import find_problems, hints_of, knobs_of, refuse, values_of
from .probes import ProbeRegistry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


class _Entry(Generic[C]):
    """One registration of a hook: the same function may be registered twice, and removed once."""

    __slots__ = ("hook",)

    def __init__(self, hook: ReloadHook[C]) -> None:
        self.hook = hook


class ConfigControl(Generic[C]):
    """Holds the configuration in force; implements ``api.Control``, whose contract holds here. Any thread."""

    __slots__ = (
        "_change_count",
        "_changing_thread",
        "_config",
        "_hooks",
        "_lock",
        "_on_error",
        "_probes",
        "_refused_count",
        "_rolled_back_count",
    )

    def __init__(self, config: C, on_error: ErrorHook = log_error) -> None:
        """Begin with ``config``, an instance of a frozen dataclass whose annotations can be resolved, else
        ``InvalidArgument``. ``on_error`` gets what hooks raise while a change is rolled back."""
        _check_kind(config)
        self._config = config
        self._on_error = on_error
        # Re-entrant, so that a signal handler in the middle of a change is refused or served, never stuck.
        self._lock = threading.RLock()
        self._changing_thread: int | None = None
        # A dict keeps the order and is changed by single steps, so hooks need no lock of their own.
        self._hooks: dict[_Entry[C], None] = {}
        self._change_count = self._refused_count = self._rolled_back_count = 0
        self._probes = ProbeRegistry(limit_s=None)
        self._probes.register_probe("config.changes", lambda: self._change_count)
        self._probes.register_probe("config.refused", lambda: self._refused_count)
        self._probes.register_probe("config.rolled_back", lambda: self._rolled_back_count)
        self._probes.register_probe("config.hooks", lambda: len(self._hooks))

    def config(self) -> C:
        """Return the snapshot in force."""
        return self._config

    def set_config(self, **changes: object) -> C:
        """Replace some fields, all or nothing, and return the snapshot in force afterwards.

        Raises ``InvalidArgument`` naming each field that is unknown, of a wrong type, out of range or fixed
        (with the reason); ``InvalidState`` from a hook; and whatever a hook raised to refuse. A fixed field
        may be "changed" to the value it has. What hooks raise during a rollback is reported, and the rollback
        goes on. """
        if self._changing_thread == threading.get_ident():
            raise InvalidState("a hook can't change the configuration", state="changing")
        with self._lock:
            self._changing_thread = threading.get_ident()
            try:
                return self._change(changes)
            finally:
                self._changing_thread = None

    def _change(self, changes: Mapping[str, object]) -> C:
        """Validate, tell, put in force. With the lock held."""
        old = self._config
        new = self._checked(old, changes)
        if new == old:
            return old
        self._tell(old, new)
        self._config = new
        self._change_count += 1
        return new

    def _checked(self, old: C, changes: Mapping[str, object]) -> C:
        """Return the new snapshot, or count and raise what is wrong with it."""
        kind, before = type(old), values_of(old)
        problems = find_problems(kind, changes)
        for name, known in knobs_of(kind).items():
            if not known.live and name in changes and name not in problems and changes[name] != before[name]:
                problems[name] = f"can't change while running: {known.reason}"
        try:
            if problems:
                raise refuse(problems)
            return replace(old, **changes)
        except InvalidArgument:
            self._refused_count += 1
            raise
        except (TypeError, ValueError) as error:
            # The class checks more than its annotations say, and says no in Python's own words.
            self._refused_count += 1
            raise InvalidArgument(f"configuration: {error}", fields=tuple(changes)) from error

    def _tell(self, old: C, new: C) -> None:
        """Call each hook; when one raises, take back what the others were told, and pass that on."""
        told: list[_Entry[C]] = []
        try:
            for entry in self._hooks.copy():
                entry.hook(old, new)
                told.append(entry)
        except BaseException:
            self._rolled_back_count += 1
            self._take_back(told, old, new)
            raise

    def _take_back(self, told: Sequence[_Entry[C]], old: C, new: C) -> None:
        """Call the hooks that were told, last first, with the roles exchanged."""
        interrupt: BaseException | None = None
        for entry in reversed(told):
            try:
                entry.hook(new, old)
            except Exception as error:
                report(self._on_error, error, entry.hook)
            except BaseException as error:
                # KeyboardInterrupt, SystemExit: for the thread, but not before the others know.
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def on_reload(self, hook: ReloadHook[C]) -> Callable[[], None]:
        """Add a hook, in order of registration; return a function that removes it and may be called again.

        A change tells the hooks that were there when it began to tell.
        """
        entry = _Entry(hook)
        self._hooks[entry] = None

        def remove() -> None:
            self._hooks.pop(entry, None)

        return remove

    def stats(self) -> Mapping[str, object]:
        """Return this object's counters (``config.…``) and the registered probes' values, by name; one that
        raised has its exception as value."""
        return self._probes.dump_state()

    def register_debug_probe(self, name: str, probe: Probe) -> None:
        """Add a probe. ``AlreadyExists`` when the name is taken, ``InvalidArgument`` when it is empty."""
        self._probes.register_probe(name, probe)


def _check_kind(config: DataclassInstance) -> None:
    """Raise ``InvalidArgument`` unless ``config`` is an instance of a frozen dataclass we can check."""
    kind = type(config)
    parameters = getattr(kind, "__dataclass_params__", None)  # where dataclasses keep what they were told
    if not is_dataclass(kind) or not getattr(parameters, "frozen", False):
        raise InvalidArgument("a configuration is an instance of a frozen dataclass", type=kind.__name__)
    try:
        hints_of(kind)
    except NameError as error:
        raise InvalidArgument("an annotation can't be resolved", type=kind.__name__) from error


__all__ = ["ConfigControl"]
