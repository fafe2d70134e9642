"""Every interface has a real implementation, and the table that says so is made from the code.

A class that implements an interface says so in its docstring (``Implements ``api.ring.Ring``...``). The table in
README.md lists what the rooms say; this test checks that no row is empty, that each class really has every
member of the interface, and that the table is current.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Sequence
from pathlib import Path

import hioload_ws
from hioload_ws import api

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("internal", "pool", "protocol", "transport", "session", "control", "adapters")
BEGIN, END = "<!-- implementations: kept by tests/docs/test_implementations.py -->\n", "<!-- /implementations -->"
SPECIAL = {"__len__", "__iter__", "__enter__", "__exit__", "__contains__", "__call__"}
FUNCTIONS = {"Handler": "yours: any function, or coroutine function, of a connection and a message"}
"""Interfaces that users implement with a plain function; nothing of ours has to."""


def interfaces() -> dict[str, type]:
    """Return the Protocols of ``api`` by name."""
    found = {}
    for name in api.__all__:
        thing = getattr(api, name)
        if inspect.isclass(thing) and getattr(thing, "_is_protocol", False):
            found[name] = thing
    return found


def members(interface: type) -> set[str]:
    """Return what an implementation must have."""
    return {
        name
        for name, value in vars(interface).items()
        if callable(value) or isinstance(value, property)
        if not name.startswith("_") or name in SPECIAL
    } - {"__init__"}


def implementations(rooms: Sequence[str] = ROOMS) -> dict[str, list[type]]:
    """Return the classes of the rooms (default: the real ones) by the interface that their docstring names."""
    found: dict[str, list[type]] = {}
    for room in rooms:
        package = importlib.import_module(f"hioload_ws.{room}")
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"hioload_ws.{room}.{info.name}")
            for _, cls in inspect.getmembers(module, inspect.isclass):
                text = cls.__doc__ or ""
                if cls.__module__ != module.__name__:
                    continue
                for name in re.findall(r"[Ii]mplements\s+``api\.(?:\w+\.)?(\w+)(?:\[\w+\])?``", text):
                    found.setdefault(name, []).append(cls)
    return found


def table() -> str:
    """Return the table as it has to stand in README.md."""
    found = implementations()
    lines = ["", "| Interface | Real implementations |", "|---|---|"]
    for name in sorted(interfaces()):
        places = {f"{cls.__module__}.{cls.__name__}".removeprefix("hioload_ws.") for cls in found.get(name, [])}
        classes = [f"`{place}`" for place in sorted(places)]
        lines.append(f"| `{name}` | {', '.join(classes) or FUNCTIONS.get(name, '')} |")
    return "\n".join(lines) + "\n\n"


def test_no_interface_is_without_a_real_implementation() -> None:
    missing = interfaces().keys() - implementations().keys() - FUNCTIONS.keys()
    assert not missing


def test_what_says_that_it_implements_an_interface_has_all_its_members() -> None:
    assert hioload_ws.__version__
    known = interfaces()
    for name, classes in implementations().items():
        assert name in known, f"{classes} claim {name}, which is no interface"
        for cls in classes:
            lacking = {member for member in members(known[name]) if not hasattr(cls, member)}
            lacking -= set(getattr(cls, "__annotations__", ()))
            assert not lacking, f"{cls.__qualname__} lacks {lacking} of {name}"


def test_the_table_in_the_readme_is_current() -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    found = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert found == table(), f"put this between the marks of README.md:\n{table()}"
