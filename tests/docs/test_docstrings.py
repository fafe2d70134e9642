"""Everything public in the library says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import layers
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def _is_exempt(node: ast.AST) -> bool:
    """Whether another definition of the same name carries the docstring: overloads and setters."""
    decorators = [getattr(each, "func", each) for each in getattr(node, "decorator_list", [])]
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in decorators}
    # A check of the contract kit is described by its requirement's sentence.
    return bool(names & {"overload", "setter", "deleter", "requirement", "refusal"})


def without_docstring(tree: ast.Module, path: str) -> Iterator[str]:
    """Yield ``path:line: name`` for the module and each public class, function and method that has none.

    Public is what no underscore in front hides, itself or where it lies; special methods explain
    themselves, and what is defined inside a function is nobody else's.
    """
    if ast.get_docstring(tree) is None:
        yield f"{path}:1: the module"
    waiting: list[tuple[str, ast.stmt]] = [("", node) for node in tree.body]
    while waiting:
        prefix, node = waiting.pop(0)
        if isinstance(node, (ast.If, ast.Try)):
            handlers = [inner for each in getattr(node, "handlers", []) for inner in each.body]
            waiting += [(prefix, inner) for inner in (*node.body, *node.orelse, *handlers)]
        elif isinstance(node, (ast.ClassDef, *Function)) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None and not _is_exempt(node):
                yield f"{path}:{node.lineno}: {prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                waiting += [(f"{prefix}{node.name}.", inner) for inner in node.body]


@pytest.mark.parametrize("room", sorted(layers.FLOORS))
def test_everything_public_in_a_room_has_a_docstring(room: str) -> None:
    missing = [
        line
        for module in layers.read_modules(REPOSITORY)
        if module.room == room
        for line in without_docstring(module.tree, module.path)
        # What is wrong with a mutant is said where it is put into its gallery, beside the id that must notice.
        if "/mutants/" not in module.path or line.endswith("the module")
    ]
    assert missing == []


def test_what_lacks_a_docstring_is_named() -> None:
    source = '''
import typing
class A:
    def f(self): ...
    def _g(self): ...
    def __len__(self): ...
    @typing.overload
    def h(self): ...
    @property
    def p(self):
        """P."""
    @p.setter
    def p(self, value): ...
    class B:
        async def k(self): """K."""
class _C:
    def f(self): ...
if typing.TYPE_CHECKING:
    def late(): pass
try:
    """Nothing."""
except ImportError:
    def other(): def_ = 1
'''
    found = list(without_docstring(ast.parse(source), "a.py"))
    names = [line.split(": ")[1] for line in found]
    assert sorted(names) == ["A", "A.B", "A.f", "late", "other", "the module"]
    assert found[0] == "a.py:1: the module" and found[1] == "a.py:3: A"
