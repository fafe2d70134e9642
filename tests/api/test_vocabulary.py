"""The vocabulary as a whole: complete, documented, closed in itself, and without any behaviour."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
import re
import textwrap
import typing
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from hioload_ws import api

MODULES = {
    info.name: import_module(f"{api.__name__}.{info.name}") for info in pkgutil.iter_modules(api.__path__)
}


def _is_protocol(value: object) -> bool:
    return isinstance(value, type) and bool(getattr(value, "_is_protocol", False))


PROTOCOLS = {name: getattr(api, name) for name in api.__all__ if _is_protocol(getattr(api, name))}
DATACLASSES = {name: getattr(api, name) for name in api.__all__ if dataclasses.is_dataclass(getattr(api, name))}


def test_the_room_says_every_name_that_its_modules_say_once() -> None:
    said = [name for module in MODULES.values() for name in module.__all__]
    assert sorted(said) == sorted(api.__all__)
    assert len(said) == len(set(said))


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_module_says_all_that_it_defines_and_the_room_gives_the_same(module: ModuleType) -> None:
    for name in module.__all__:
        assert getattr(module, name) is getattr(api, name)
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        and not isinstance(value, typing.TypeVar)
    }
    assert defined <= set(module.__all__)


def _documented_names(tree: ast.Module) -> set[str]:
    """Return the names a module documents: definitions with docstrings, assignments with a text below."""
    found: set[str] = set()
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        has_text = (
            isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        )
        if isinstance(node, ast.ClassDef) and ast.get_docstring(node):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and has_text:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_everything_a_module_says_is_documented(module: ModuleType) -> None:
    assert inspect.getdoc(module)
    assert set(module.__all__) - _documented_names(ast.parse(inspect.getsource(module))) == set()


def test_there_are_protocols_and_value_types_to_check() -> None:
    assert {"Transport", "Codec", "Ring", "Buffer", "Handler"} <= PROTOCOLS.keys()
    assert {"TcpAddress", "Request", "PoolStats", "Success"} <= DATACLASSES.keys()


def _own_functions(kind: type) -> dict[str, FunctionType]:
    """Return the functions written in a class's body, those behind properties included."""
    found: dict[str, FunctionType] = {}
    for name, value in vars(kind).items():
        function = value.fget if isinstance(value, property) else value
        # What typing adds to every Protocol class comes from its own module.
        if isinstance(function, FunctionType) and function.__module__ == kind.__module__:
            found[name] = function
    return found


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_has_documented_members_and_no_behaviour(name: str) -> None:
    functions = _own_functions(PROTOCOLS[name])
    assert functions
    for member, function in functions.items():
        assert inspect.getdoc(function), f"{name}.{member} has no docstring"
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        (definition,) = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        (only,) = definition.body
        assert isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant), f"{name}.{member} acts"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_can_not_be_made_into_an_object(name: str) -> None:
    with pytest.raises(TypeError, match="[Pp]rotocol"):
        PROTOCOLS[name]()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_signature_says_no_any(name: str) -> None:
    for member, function in _own_functions(PROTOCOLS[name]).items():
        annotations = function.__annotations__
        assert "return" in annotations, f"{name}.{member} says no result"
        assert not any("Any" in str(annotation).split() for annotation in annotations.values()), member


@pytest.mark.parametrize("name", DATACLASSES)
def test_a_value_type_is_frozen_and_has_slots(name: str) -> None:
    kind = DATACLASSES[name]
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)


def test_constants_have_the_values_of_the_system_and_the_rfc() -> None:
    assert (api.TEXT, api.BINARY) == (0x1, 0x2)  # RFC 6455 §5.6
    assert (api.RSV1, api.RSV2, api.RSV3) == (0x40, 0x20, 0x10)  # RFC 6455 §5.2
    assert (api.READABLE, api.WRITABLE, api.FAILED) == (0x001, 0x004, 0x008 | 0x010)  # epoll(7)
    assert api.WOULD_BLOCK < api.END_OF_STREAM == 0
    assert (api.MIN_CLASS_BYTES, api.MAX_CLASS_BYTES, api.ANY_NODE) == (2048, 1048576, -1)


def test_the_table_in_the_readme_has_every_protocol_with_its_module_in_order() -> None:
    page = (Path(inspect.getfile(api)).parent / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| \[`(\w+\.py)`\]\((\w+\.py)\) \| [^|]+", page, re.MULTILINE)
    expected = [(name, kind.__module__.rsplit(".", 1)[1] + ".py") for name, kind in sorted(PROTOCOLS.items())]
    assert [(name, label) for name, label, _ in rows] == expected
    assert [label for _, label, _ in rows] == [target for _, _, target in rows]
