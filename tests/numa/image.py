"""An initramfs that holds a Python, this library and one script: all that a guest machine needs.

The kernel unpacks a cpio archive into memory and runs ``/init`` from it (Linux:
Documentation/driver-api/early-userspace/buffer-format.rst). The archive is written here, since the format is
one header per file, and nothing is compressed, since an emulated CPU would take longer to unpack than to
read. ``/init`` is a Python script: no shell, no busybox, nothing to install.

The interpreter is the one that runs this, copied to the same paths with the libraries that ldd(1) names; its
compiled modules go with it and keep their times, so that the guest does not compile. This library's modules are
compiled here, for a fresh clone has none.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import re
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
LIBRARY: Final = Path("/opt/library")

_LEFT_OUT: Final = frozenset(
    "site-packages dist-packages test idlelib tkinter turtledemo ensurepip lib2to3 pydoc_data".split()
)
_FOLDERS: Final = ("dev", "proc", "sys", "tmp", "run")
_LINKED: Final = re.compile(r"(?:=> )?(/\S+) \(0x")


class Archive:
    """Writes a cpio archive of the kind called newc: a header in hexadecimal, a name, the content."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._number = 0
        self._folders: set[Path] = set()

    def add(
        self, path: Path, content: bytes, mode: int, time_s: int = 0, device: tuple[int, int] = (0, 0)
    ) -> None:
        """Write one entry, and the folders above it that are not there yet."""
        for parent in reversed(path.parents):
            if parent != Path("/") and parent not in self._folders:
                self._folders.add(parent)
                self._entry(str(parent)[1:], b"", stat.S_IFDIR | 0o755, 0, (0, 0))
        self._entry(str(path)[1:], content, mode, time_s, device)

    def add_file(self, source: Path, path: Path | None = None) -> None:
        """Write a file of this machine, by default to the same path; links are followed."""
        status = source.stat()
        mode = stat.S_IFREG | (status.st_mode & 0o777)
        self.add(path or source, source.read_bytes(), mode, int(status.st_mtime))

    def end(self) -> None:
        """Write the entry that ends the archive."""
        self._entry("TRAILER!!!", b"", 0, 0, (0, 0))

    def _entry(self, name: str, content: bytes, mode: int, time_s: int, device: tuple[int, int]) -> None:
        self._number += 1
        fields = (self._number, mode, 0, 0, 1, time_s, len(content), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        self._out.write(header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4))


def write_image(target: Path, script: Path, machine: str) -> None:
    """Write the archive: ``script`` becomes ``/init``, ``machine`` the content of ``/machine.json``."""
    interpreter = Path(os.path.realpath(sys.executable))
    with target.open("wb") as out:
        archive = Archive(out)
        for folder in _FOLDERS:
            archive.add(Path("/") / folder / ".keep", b"", stat.S_IFREG | 0o644)
        archive.add(Path("/dev/console"), b"", stat.S_IFCHR | 0o600, 0, (5, 1))
        archive.add(Path("/init"), _init(interpreter, script), stat.S_IFREG | 0o755)
        archive.add(Path("/machine.json"), machine.encode(), stat.S_IFREG | 0o644)
        files = {interpreter: interpreter, **dict(_standard_library()), **dict(_library())}
        for source, path in files.items():
            archive.add_file(source, path)
            if LIBRARY in path.parents:
                archive.add(path.parent / "__pycache__" / _compiled_name(path), _compiled(source, path), 0o100644)
        for linked in _linked(interpreter, *(source for source in files if source.suffix == ".so")):
            archive.add_file(linked)
        archive.end()


def _init(interpreter: Path, script: Path) -> bytes:
    """Return the script behind a line that names its interpreter; -I: the guest has no environment."""
    return f"#!{interpreter} -I\n".encode() + script.read_bytes()


def _standard_library() -> Iterator[tuple[Path, Path]]:
    """Yield the files of the standard library, compiled ones of this Python included."""
    root = Path(sysconfig.get_path("stdlib"))
    for source in _walk(root):
        if source.suffix in (".py", ".so") or _compiled_for_us(source):
            yield source, source


def _library() -> Iterator[tuple[Path, Path]]:
    """Yield the files of this library, of its only dependency, and of what the script imports beside them."""
    for helper in sorted(Path(__file__).parent.glob("guest_*.py")):
        yield helper, LIBRARY / "tests" / "numa" / helper.name
    package = REPOSITORY / "src" / "hioload_ws"
    for source in _walk(package):
        if source.suffix == ".py":
            yield source, LIBRARY / "hioload_ws" / source.relative_to(package)
    found = importlib.util.find_spec("typing_extensions")
    if found is not None and found.origin is not None:
        yield Path(found.origin), LIBRARY / "typing_extensions.py"


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=True):
        # "config-3.11-x86_64-linux-gnu" and the like are for building extensions.
        folders[:] = sorted(
            name for name in folders if name not in _LEFT_OUT and not name.startswith("config-")
        )
        yield from (Path(folder, name) for name in sorted(names))


def _compiled_for_us(path: Path) -> bool:
    return path.name.endswith(f".{sys.implementation.cache_tag}.pyc")


def _compiled_name(path: Path) -> str:
    return f"{path.stem}.{sys.implementation.cache_tag}.pyc"


def _compiled(source: Path, path: Path) -> bytes:
    """Return a module of this library compiled, in the form that is believed whatever the times of the files."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "module.pyc")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source), str(made), str(path), doraise=True, invalidation_mode=mode)
        return made.read_bytes()


def _linked(*programs: Path) -> list[Path]:
    """Return the shared libraries that programs and modules are linked with, the loader included."""
    found = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    return sorted({Path(match) for match in _LINKED.findall(found)})


__all__ = ["LIBRARY", "REPOSITORY", "Archive", "write_image"]
