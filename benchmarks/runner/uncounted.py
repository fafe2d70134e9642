"""Uncounted: our server with every line taken out that counts something, to see what counting costs.

There is no setting that turns metrics off, and a branch for it would cost about as much as an addition. So the
modules on the way of a message and the reactor are loaded a second time, from a syntax tree without the statements
that add to a counter or a histogram (``traffic....count += n`` and the reactor's tallies). What remains is what the
code would be if nobody had thought of metrics. That something was taken out of each is checked: a rename must not turn
the comparison into one of a server with itself.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..api.errors import InternalError

_COUNTING: Final = ("adapters.connection", "adapters.express", "adapters.inbound", "adapters.wire", "internal.reactor")
"""The modules on the way of a message that count."""

_TALLIES: Final = frozenset(
    "_loop_counts _loop_total_ns _lag_counts _lag_total_ns _poll_count _event_count _posted_count _timer_count"
    " received_count received_bytes sent_count sent_bytes".split()
)
"""What the reactor adds to, and the express lane."""


class Uncounting(ast.NodeTransformer):
    """Takes counting statements out of a module; ``removed_count`` says how many."""

    def __init__(self) -> None:
        self.removed_count = 0

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Replace ``traffic.messages_sent.count += 1`` and ``self._loop_counts[...] += 1`` by nothing."""
        target = node.target
        if isinstance(target, ast.Subscript):
            target = target.value  # type: ignore[assignment]  # any expression: only its name is looked at
        name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        if name not in _TALLIES and not (name == "count" and "traffic." in ast.unparse(target)):
            return node
        self.removed_count += 1
        return ast.copy_location(ast.Pass(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Also take out ``traffic = hub.traffic`` where nobody asks for it any more."""
        self.generic_visit(node)
        used = any(isinstance(each, ast.Name) and each.id == "traffic" and isinstance(each.ctx, ast.Load)
                   for each in ast.walk(node))  # fmt: skip
        return node if used else _Forgetting().visit(node)


class _Forgetting(ast.NodeTransformer):
    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        is_traffic = isinstance(node.targets[0], ast.Name) and node.targets[0].id == "traffic"
        return ast.copy_location(ast.Pass(), node) if is_traffic else node


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module without its counting, never from the cache."""

    def get_code(self, fullname: str) -> types.CodeType:
        uncounting = Uncounting()
        tree = uncounting.visit(ast.parse(Path(self.path).read_bytes()))
        if not uncounting.removed_count:
            raise InternalError(f"nothing is counted in {fullname}: the list of such modules is out of date")
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that count, below one package."""

    def __init__(self, package: str) -> None:
        self._names = {f"{package}.{name}" for name in _COUNTING}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module's place with our loader, or ``None`` for one that does not count."""
        found = importlib.machinery.PathFinder.find_spec(fullname, path) if fullname in self._names else None
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=_Loader(fullname, found.origin))


def load_uncounted(name: str) -> types.ModuleType:
    """Forget every module of this library, and load the one of this name so that it and its friends do not count.

    For a process that does nothing else: what was imported before goes on counting.
    """
    package = __name__.partition(".")[0]
    for known in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
        del sys.modules[known]
    sys.meta_path.insert(0, Finder(package))
    return importlib.import_module(name)


__all__ = ["Finder", "Uncounting", "load_uncounted"]
