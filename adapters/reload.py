"""Reload: a running server follows its configuration file.

The sources are read again when the file changes or when somebody asks (SIGHUP). Only what has changed *in the
sources* is put in force, in one step, so that what a command line or the program set stays as it is. A file that
is wrong or half-written changes nothing: the fault goes to the error hook, with file, line and key, and the next
change is looked at again. A setting that can't change while the server runs is refused with that reason and its
place, and with it the whole change, since half a change is a configuration that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ..api.errors import HioloadError, InvalidArgument
from ..api.scheduler import Cancelable
from ..api.types import Nanoseconds
from ..control.config import ServerConfig
from ..control.knobs import values_of
from ..control.sources import FileWatch, SourcedConfig
from .server import Server

WATCH_NS: Nanoseconds = 1_000_000_000
"""How often the file is looked at."""


class ConfigFollower:
    """Keeps a started server at what its sources say. Thread rules: ``ask`` from any thread and from signal
    handlers; the rest on the server's thread."""

    __slots__ = ("_last", "_read", "_server")

    def __init__(self, server: Server, read: Callable[[], SourcedConfig], last: ServerConfig) -> None:
        """``read()`` reads the sources and may raise ``HioloadError``; ``last`` is what it said before."""
        self._server = server
        self._read = read
        self._last = last

    def follow(self, path: str, interval_ns: Nanoseconds = WATCH_NS) -> Cancelable:
        """Look at a file from now on, each ``interval_ns``; the handle ends that."""
        watch = FileWatch(path)

        def look() -> None:
            if watch.changed():
                self.reload()

        return self._server.scheduler.schedule_every(interval_ns, look)

    def ask(self) -> None:
        """Have the sources read again, soon."""
        self._server.post(self.reload)

    def reload(self) -> bool:
        """Read the sources and put in force what has changed in them; whether all of that went well."""
        changes: dict[str, object] = {}
        origins: Mapping[str, str] = {}
        try:
            sourced = self._read()
            origins, before = sourced.origins, values_of(self._last)
            changes = {name: value for name, value in values_of(sourced.config).items() if value != before[name]}
            self._server.control.set_config(**changes)
        except HioloadError as error:
            # Its message says file, line and key. A trace of how we came to read the file would bury that in a log.
            located = _located(error, changes, origins)
            located.__cause__ = None
            self._server.report(located.with_traceback(None), self.reload)
            return False
        self._last = sourced.config
        return True


def _located(error: HioloadError, changes: Collection[str], origins: Mapping[str, str]) -> HioloadError:
    """Return the error of a refused change with the places that its settings come from."""
    if not isinstance(error, InvalidArgument) or not changes:
        return error  # reading failed, which named its place; or it is not about what was written there
    fields = error.context.get("fields")
    wrong = fields if isinstance(fields, tuple) else tuple(changes)
    places = ", ".join(dict.fromkeys(origins[name] for name in wrong))
    return InvalidArgument(f"{places}: {error.message}", **{**error.context, "fields": wrong})


__all__ = ["WATCH_NS", "ConfigFollower"]
