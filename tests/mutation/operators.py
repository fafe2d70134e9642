"""The operators: small changes to a module that its tests should notice.

A mutant is one change at one node of the syntax tree: a comparison that lets its boundary in or out, a condition
turned round, ``and`` for ``or``, a number one off, another operator, a result that is ``None``, an exception that
is not raised, a statement that is not there. What a change can't be heard of is left alone: docstrings,
annotations, the words of an exception, ``__all__``, ``__slots__`` and code for the type checker.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}  # fmt: skip
_SILENT_NAMES: Final = frozenset({"__all__", "__slots__", "__version__", "_FAULTS"})
_SILENT_CALLS: Final = frozenset({"TypeVar", "cast", "super", "overload"})


Change = tuple[str, Callable[[ast.AST], ast.AST]]
"""What is changed, in words, and a function that makes the new node of a copy of the old one."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. ``number`` counts those of a module, in the order of its source; ``what`` is ``""`` for none.

    ``lines`` are those of the statement that it is in, without the statements inside that.
    """

    module: str
    number: int
    line: int
    lines: range
    what: str
    source: str
    node: int
    change: Callable[[ast.AST], ast.AST]

    def tree(self) -> ast.Module:
        """Return the module with the change in it."""
        tree = ast.parse(self.source)
        old, _ = next(islice(_walk(tree, tree), self.node, None))
        mutated = _Replace(old, self.change(old)).visit(tree)
        assert isinstance(mutated, ast.Module)
        return ast.fix_missing_locations(mutated)

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line} #{self.number}: {self.what}"


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    number = 0
    tree = ast.parse(source)
    for index, (node, statement) in enumerate(_walk(tree, tree)):
        for what, change in _changes(node):
            line = getattr(node, "lineno", 1)
            yield Mutant(module, number, line, _lines(statement), what, source, index, change)
            number += 1


def unchanged(module: str, source: str, lines: range = range(0)) -> Mutant:
    """Return the module as it is, which has to survive the tests that run ``lines``; all of them where none does."""
    return Mutant(module, -1, 1, lines, "", source, 0, lambda node: node)


def _lines(statement: ast.AST) -> range:
    first, last = getattr(statement, "lineno", 1), getattr(statement, "end_lineno", 1)
    body = getattr(statement, "body", None)
    return range(first, max(first, body[0].lineno - 1 if body else last) + 1)


def _walk(node: ast.AST, statement: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the nodes whose change somebody could notice, in the order of the source, each with its statement."""
    if isinstance(node, ast.stmt):
        statement = node
    yield node, statement
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_silent(child, node):
                yield from _walk(child, statement)


def _is_silent(node: ast.AST, parent: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())) | ast.JoinedStr() | ast.ImportFrom() | ast.Import():
            return True  # docstrings, and words with values in them
        case ast.Assign(targets=[ast.Name(id=name)]) if name in _SILENT_NAMES:
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Call(func=ast.Name(id=name)) if name in _SILENT_CALLS:
            return True
        case ast.FunctionDef(decorator_list=[ast.Name(id="overload")]):
            return True
        case ast.Constant(value=str()) | ast.IfExp(body=ast.Constant(value=str())) if isinstance(parent, ast.Call):
            return _is_complaint(parent)
    return isinstance(parent, ast.Raise) and not isinstance(node, ast.Call)


def _is_complaint(call: ast.Call) -> bool:
    """Whether a call makes or raises an error: its strings are for people."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    return name in ("_fail", "_broken", "_malformed") or name[:1].isupper() or name.startswith("_refuse")


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator, *_]):
            other = _COMPARISONS[type(operator)]
            yield f"{type(operator).__name__} -> {other.__name__}", lambda n: _with_operator(n, other())
        case ast.BoolOp(op=ast.And()):
            yield "and -> or", lambda n: _with(n, op=ast.Or())
        case ast.BoolOp():
            yield "or -> and", lambda n: _with(n, op=ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", lambda n: n.operand if isinstance(n, ast.UnaryOp) else n
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _ARITHMETIC:
            new = _ARITHMETIC[type(operator)]
            yield f"{type(operator).__name__} -> {new.__name__}", lambda n: _with(n, op=new())
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(node.test, (ast.Compare, ast.UnaryOp)):
        test = node.test
        yield "condition turned round", lambda n: _with(n, test=ast.UnaryOp(ast.Not(), test))
    if isinstance(node, ast.Constant):
        yield from _changes_of_constant(node.value)
    elif isinstance(node, ast.stmt):
        yield from _changes_of_statement(node)


def _changes_of_constant(value: object) -> Iterator[Change]:
    if isinstance(value, bool):
        yield f"{value} -> {not value}", lambda n: _with(n, value=not value)
    elif isinstance(value, int):
        yield f"{value} -> {value + 1}", lambda n: _with(n, value=value + 1)
        yield f"{value} -> {value - 1}", lambda n: _with(n, value=value - 1)
    elif isinstance(value, str):
        yield f"{value!r} -> other text", lambda n: _with(n, value=value + "x")
    elif isinstance(value, bytes):
        yield f"{value!r} -> other bytes", lambda n: _with(n, value=value + b"x")


def _changes_of_statement(node: ast.stmt) -> Iterator[Change]:
    def nothing(_: ast.AST) -> ast.AST:
        return ast.Pass()

    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "return -> return None", lambda n: _with(n, value=ast.Constant(None))
        case ast.Raise():
            yield "raise dropped", nothing
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete():
            yield "statement dropped", nothing
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "assignment dropped", nothing
        case ast.Break():
            yield "break -> continue", lambda n: ast.Continue()
        case ast.Continue():
            yield "continue -> break", lambda n: ast.Break()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _with_operator(node: ast.AST, operator: ast.cmpop) -> ast.AST:
    assert isinstance(node, ast.Compare)
    node.ops[0] = operator
    return node


class _Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return self._new
        return self.generic_visit(node)


__all__ = ["Mutant", "mutants_of", "unchanged"]
