"""Holds the floors of the house: who may import whom, checked from the source text.

The rooms (folders at the root) stand on floors, and imports run downwards only. That one rule is what lets a
reader understand a room without reading those above it, and what lets a fake or a foreign implementation
take the place of any room. It is worthless unless something holds it; this script does. It reads the code
with ``ast`` and never runs it, so it sees imports inside functions and under ``TYPE_CHECKING`` too, and
needs nothing but Python.

Rules, by the name that a message gives them:

- ``floor``: a room imports rooms of lower floors, and itself; not its neighbours on the same floor.
- ``absolute``: library code imports the library relatively (an absolute import can load a module twice).
- ``foreign``: the standard library and typing-extensions, and nothing else.
- ``pure``: protocol has no sockets, clock, randomness, threads or logging.
- ``cycle``: modules of one room do not import each other in a circle when they are loaded. (A circle under
  ``TYPE_CHECKING`` or inside functions is none at run time and is allowed.)
- ``init``: an ``__init__.py`` holds its docstring, imports and ``__all__``; only the package's own also
  ``__version__``.

Usage: ``python .ci/layers.py [ROOT]``. Prints ``file:line: rule: explanation`` per fault; exits with 1 if
there is any.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

PACKAGE: Final = "hioload_ws"
"""The package, and the name of the room that ``src/hioload_ws/`` itself is here."""

FLOORS: Final[Mapping[str, int]] = {
    "api": 0,
    "protocol": 1,
    "internal": 1,
    "pool": 2,
    "transport": 3,
    "session": 3,
    "control": 3,
    "adapters": 4,
    "fake": 5,
    PACKAGE: 5,
    "contract": 6,
    "bench": 6,
}

FOLDERS: Final[Mapping[str, str]] = {
    PACKAGE: f"src/{PACKAGE}",
    "contract": "tests/contract",
    "bench": "benchmarks/runner",
}
"""Where a room lies, if not in the folder of its name at the root."""

IMPURE: Final = frozenset(
    "socket selectors select ssl time random secrets os threading asyncio logging".split()
)
"""What protocol may not import: whatever it needs of these comes in as an argument."""

FOREIGN_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "contract": frozenset({"pytest", "hypothesis"}),
    "bench": frozenset({"aiohttp", "picows", "uvloop", "websockets"}),
}
"""The contract kit also serves those who have a test framework, the benchmark those who have peers to compare with;
both work without."""

Name: TypeAlias = tuple[str, ...]
"""A module's dotted name below the package, as parts: ``("pool", "lease")``; a room itself: ``("pool",)``."""


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: where it is, what it is called, and its syntax tree."""

    path: str
    room: str
    name: Name
    is_package: bool
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Import:
    """One imported thing. ``target`` is a name below the package; for the outside world it is ``None``, and
    ``outside`` is the name."""

    line: int
    target: Name | None
    outside: str
    when_loaded: bool
    """It runs when the module is loaded: neither inside a function nor for the type checker only."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One broken rule at one place."""

    path: str
    line: int
    rule: str
    explanation: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.explanation}"


def read_modules(root: Path) -> Iterator[Module]:
    """Yield the modules of every room that exists under ``root``."""
    for room in FLOORS:
        folder = root / FOLDERS.get(room, room)
        # The package's folder holds links to the rooms, which are visited as themselves.
        pattern = "*.py" if room == PACKAGE else "**/*.py"
        for file in sorted(folder.glob(pattern)):
            parts = file.relative_to(folder).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            inner = parts[:-1] if is_package else parts
            yield Module(
                path=file.relative_to(root).as_posix(),
                room=room,
                name=inner if room == PACKAGE else (room, *inner),
                is_package=is_package,
                tree=ast.parse(file.read_bytes(), filename=str(file)),
            )


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _statements(body: list[ast.stmt], when_loaded: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below ``body`` with whether it runs when the module is loaded."""
    stack: list[tuple[ast.AST, bool]] = [(node, when_loaded) for node in reversed(body)]
    while stack:
        node, loaded = stack.pop()
        yield node, loaded
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            stack.extend((child, loaded) for child in node.orelse)
            stack.extend((child, False) for child in node.body)
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            loaded = False
        stack.extend((child, loaded) for child in ast.iter_child_nodes(node))


def _above(module: Module, level: int) -> Name | None:
    """Return the package that ``level`` leading dots mean, or ``None`` beyond the top."""
    package = module.name if module.is_package else module.name[:-1]
    up = level - 1
    return package[: len(package) - up] if up <= len(package) else None


def _from(
    module: Module, dotted: str, level: int, names: list[str], line: int, loaded: bool
) -> Iterator[Import]:
    """Yield what ``from <dots><dotted> import <names>`` brings in: one entry per name."""
    if level == 0:
        yield Import(line, None, dotted, loaded)
        return
    base = _above(module, level)
    if base is None:
        yield Import(line, None, "." * level + dotted, loaded)
        return
    base += tuple(dotted.split(".")) if dotted else ()
    for name in names or [""]:
        # Whether the name is a submodule or something inside the module is decided by who knows the files.
        yield Import(line, (*base, name) if name else base, "", loaded)


def _dynamic(module: Module, call: ast.Call, loaded: bool) -> Iterator[Import]:
    """Yield what ``import_module("literal", ...)`` and ``__import__("literal")`` bring in."""
    function = call.func
    called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if called not in ("import_module", "__import__") or not call.args:
        return
    argument = call.args[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        dotted = argument.value.lstrip(".")
        yield from _from(module, dotted, len(argument.value) - len(dotted), [], call.lineno, loaded)


def imports_of(module: Module) -> Iterator[Import]:
    """Yield everything a module imports, wherever in it the import stands."""
    for node, loaded in _statements(module.tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, None, alias.name, loaded)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from _from(module, node.module or "", node.level, names, node.lineno, loaded)
        elif isinstance(node, ast.Call):
            yield from _dynamic(module, node, loaded)


def _check_outside(module: Module, entry: Import) -> Iterator[Fault]:
    """Yield the faults of an import that names something outside, or pretends to."""
    name = entry.outside
    top = name.split(".")[0]
    own = {"typing_extensions"} | FOREIGN_ALLOWED.get(module.room, frozenset())
    if not entry.when_loaded:
        own |= {"_typeshed"}  # exists for type checkers only
    if not top:
        yield Fault(module.path, entry.line, "floor", f"'{name}' leads out of the package")
    elif top in FLOORS:
        text = f"import '{name}' relatively: it is part of the library"
        yield Fault(module.path, entry.line, "absolute", text)
    elif module.room == "protocol" and top in IMPURE:
        yield Fault(module.path, entry.line, "pure", f"protocol may not import '{name}': pass it in")
    elif top not in sys.stdlib_module_names and top not in own:
        text = f"'{top}' is neither the standard library nor typing-extensions"
        yield Fault(module.path, entry.line, "foreign", text)


def _check_floor(module: Module, line: int, target: Name) -> Iterator[Fault]:
    """Yield the fault of an import of our own that does not lead downwards."""
    room = target[0] if target and target[0] in FLOORS else PACKAGE
    if room == module.room or target == ("__version__",):
        return
    if room == PACKAGE:
        name = ".".join(target) or "the package itself"
        text = f"'{name}' is no room; only __version__ may come from the package"
        yield Fault(module.path, line, "floor", text)
        return
    here, there = FLOORS[module.room], FLOORS[room]
    if there >= here:
        why = "its neighbour" if there == here else "above it"
        text = f"{module.room} (floor {here}) may not import {room} (floor {there}): {why}"
        yield Fault(module.path, line, "floor", text)


def check_imports(modules: list[Module]) -> Iterator[Fault]:
    """Yield the faults of the rules floor, absolute, foreign and pure."""
    for module in modules:
        for entry in imports_of(module):
            if entry.target is None:
                yield from _check_outside(module, entry)
            else:
                yield from _check_floor(module, entry.line, entry.target)


def check_cycles(modules: list[Module]) -> Iterator[Fault]:
    """Yield one fault per circle of imports between the modules of a room, at its first import."""
    known = {module.name: module for module in modules}
    edges: dict[Name, dict[Name, int]] = {name: {} for name in known}
    for module in modules:
        for entry in imports_of(module):
            target = entry.target
            while target and target not in known:
                target = target[:-1]  # not a module, so a name inside its parent
            if entry.when_loaded and target and target != module.name and known[target].room == module.room:
                edges[module.name].setdefault(target, entry.line)
    finished: set[Name] = set()
    for start in known:
        yield from _walk(start, [], finished, known, edges)


def _walk(
    name: Name,
    path: list[Name],
    finished: set[Name],
    known: Mapping[Name, Module],
    edges: Mapping[Name, Mapping[Name, int]],
) -> Iterator[Fault]:
    """Go down from ``name``; meeting a module of the way that led here is a circle."""
    if name in path:
        circle = path[path.index(name) :]
        line = edges[name][(*circle, name)[1]]
        way = " -> ".join(known[step].path for step in (*circle, name))
        yield Fault(known[name].path, line, "cycle", way)
    elif name not in finished:
        for target in edges[name]:
            yield from _walk(target, [*path, name], finished, known, edges)
        finished.add(name)


def check_init_files(modules: list[Module]) -> Iterator[Fault]:
    """Yield what stands in an ``__init__.py`` beyond docstring, imports and ``__all__``."""
    for module in modules:
        if not module.is_package:
            continue
        allowed = {"__all__", "__version__"} if module.name == () else {"__all__"}
        body = module.tree.body
        if ast.get_docstring(module.tree) is None:
            yield Fault(module.path, 1, "init", "the docstring is missing")
        else:
            body = body[1:]
        for node in body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
            named = targets and all(getattr(each, "id", "") in allowed for each in targets)
            if not named and not isinstance(node, (ast.Import, ast.ImportFrom)):
                names = " and ".join(sorted(allowed))
                yield Fault(module.path, node.lineno, "init", f"only docstring, imports and {names} belong here")


def check(root: Path) -> list[Fault]:
    """Return every fault of the tree under ``root``, in order of file and line.

    Raises ``SyntaxError`` for a file that is no Python and ``LookupError`` where there is no room at all.
    """
    modules = list(read_modules(root))
    if not modules:
        raise LookupError(f"no room of the library is under {root}")
    return sorted({*check_imports(modules), *check_cycles(modules), *check_init_files(modules)})


def main(arguments: list[str]) -> int:
    """Check the tree named by the first argument (default: the one this script lies in)."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    try:
        faults = check(root)
    except (LookupError, SyntaxError) as error:
        print(f"layers: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(fault)
    print(f"layers: {len(faults)} faults" if faults else "layers: ok", file=sys.stderr)
    return 1 if faults else 0


__all__ = ["FLOORS", "FOLDERS", "Fault", "check", "main"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
