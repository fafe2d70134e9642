"""Holds the package together: folders at the root, links in ``src/hioload_ws/``, packages in pyproject.toml.

The code lies in folders at the root, and ``src/hioload_ws/`` holds one relative link to each, so that the
folder ``pool/`` is the package ``hioload_ws.pool``. Three lists must therefore agree. Where they do not,
Python's tools fail late and in strange ways: a clone made without symbolic links has small text files in
place of the links, and some build tools then install a package that is empty, without an error. This script
says what is wrong, and what to do.

Usage: ``python .ci/links.py [ROOT]``. Prints one line per fault; exits with 1 if there is any.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from layers import FLOORS, FOLDERS, PACKAGE

REMEDY: Final = "git config core.symlinks true && git checkout -- src"
"""What mends a clone whose links are text files (on Windows: with developer mode on)."""


def rooms_on_disk(root: Path) -> dict[str, Path]:
    """Return the rooms that exist as folders, by name."""
    places = {room: root / FOLDERS.get(room, room) for room in FLOORS if room != PACKAGE}
    return {room: place for room, place in places.items() if (place / "__init__.py").is_file()}


def declared_packages(root: Path) -> list[str]:
    """Return the packages that pyproject.toml lists."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = settings["tool"]["setuptools"]["packages"]
    return packages


def check(root: Path) -> Iterator[str]:
    """Yield one line per disagreement."""
    rooms = rooms_on_disk(root)
    source = root / "src" / PACKAGE
    for room in FLOORS.keys() - {PACKAGE, *FOLDERS} - rooms.keys():
        yield f"the folder {room}/ with its __init__.py is missing"
    for entry in sorted(source.iterdir()):
        if entry.is_symlink():
            if entry.name not in rooms:
                yield f"the link src/{PACKAGE}/{entry.name} leads to no room"
            elif entry.readlink().is_absolute() or entry.resolve() != rooms[entry.name].resolve():
                yield f"the link src/{PACKAGE}/{entry.name} must be relative and lead to its room"
        elif entry.name in FLOORS:
            yield f"src/{PACKAGE}/{entry.name} is no link: this copy was made without symbolic links; {REMEDY}"
        elif entry.name not in ("__init__.py", "__main__.py", "py.typed", "__pycache__"):
            yield f"src/{PACKAGE}/{entry.name} does not belong there: code lies in the rooms at the root"
    for room in rooms:
        if not (source / room).exists() and not (source / room).is_symlink():
            yield f"the link src/{PACKAGE}/{room} is missing"
    yield from _check_declared(root, rooms)


def _check_declared(root: Path, rooms: dict[str, Path]) -> Iterator[str]:
    """Yield where the packages in pyproject.toml are not those on disk, subpackages included."""
    on_disk = {PACKAGE}
    for room, place in rooms.items():
        for init in place.glob("**/__init__.py"):
            on_disk.add(".".join((PACKAGE, room, *init.parent.relative_to(place).parts)))
    declared = declared_packages(root)
    for package in sorted(on_disk - set(declared)):
        yield f"pyproject.toml does not declare the package {package}"
    for package in sorted(set(declared) - on_disk):
        yield f"pyproject.toml declares the package {package}, which is not on disk"
    if len(declared) != len(set(declared)):
        yield "pyproject.toml declares a package twice"


def main(arguments: list[str]) -> int:
    """Check the tree named by the first argument (default: the one this script lies in)."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    faults = sorted(check(root))
    for fault in faults:
        print(fault)
    print(f"links: {len(faults)} faults" if faults else "links: ok", file=sys.stderr)
    return 1 if faults else 0


__all__ = ["REMEDY", "check", "main"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
