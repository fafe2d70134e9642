"""Sources: from where a configuration comes, in which order, and who said what.

Later sources win: the defaults, then a TOML file, then environment variables (``HIOLOAD_…``). What a command line
or a program says comes after all of these and is added by them. Each value's origin is kept, because the first
question about a wrong value is where it was set.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..api.errors import InvalidArgument
from .config import ServerConfig
from .knobs import values_of
from .loader import ENVIRONMENT_PREFIX, find_line, from_environment, load_toml

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SourcedConfig:
    """A configuration, and for each field where its value was set: ``default``, ``file:line`` or a variable."""

    config: ServerConfig
    origins: Mapping[str, str]


def read_config(
    path: str | None, environ: Mapping[str, str], *, also_known: Collection[str] = ()
) -> SourcedConfig:
    """Return what file (``None``: no file) and environment say together.

    Raises ``InvalidArgument`` for a file that can't be read or is wrong, as ``load_toml``, and for wrong
    variables, as ``from_environment``, which ``also_known`` is for.
    """
    config = ServerConfig()
    text = ""
    if path is not None:
        try:
            config = load_toml(path)
            text = Path(path).read_text("utf-8")
        except OSError as error:
            raise InvalidArgument(f"{path}: can't be read: {error.strerror}", file=path) from error
    final = from_environment(environ, config, also_known=also_known)
    origins = {name: DEFAULT for name in values_of(final)}
    for name in origins:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if variable in environ:
            origins[name] = variable
        elif line := find_line(text, name):
            origins[name] = f"{path}:{line}"
    return SourcedConfig(final, origins)


class FileWatch:
    """Tells whether a file has changed since it was last asked: by time, size and identity. One thread.

    It looks; nothing tells it. A file that is replaced, truncated, removed or put back has changed. A file
    that is half-written changes again when the rest comes, so nothing is missed by looking too early.
    """

    __slots__ = ("_path", "_seen")

    def __init__(self, path: str) -> None:
        """Take the file as it is now for the one that is known."""
        self._path = path
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether it is another file than at the last call. Never raises."""
        before, self._seen = self._seen, self._look()
        return self._seen != before

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


__all__ = ["DEFAULT", "FileWatch", "SourcedConfig", "read_config"]
