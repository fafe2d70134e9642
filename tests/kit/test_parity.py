"""Signatures are those of the interfaces: names, order, kinds and defaults of every parameter, real and played.

A type checker says whether a class fits a Protocol; it is content with a parameter of another name where it can be
passed by position only, and never looks at the values of defaults. Here they are compared one by one. What may differ:
an implementation may take more than it has to, as long as that can be left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType

import pytest

from tests.docs.test_implementations import ROOMS, implementations, interfaces, members

CLAIMS = [
    (name, cls)
    for name, classes in sorted(implementations((*ROOMS, "fake")).items())
    for cls in sorted(classes, key=lambda each: each.__qualname__)
]


def differences(interface: type, cls: type) -> Iterator[str]:
    """Yield what is not as the interface has it."""
    for name in sorted(members(interface)):
        wanted = inspect.getattr_static(interface, name)
        found = inspect.getattr_static(cls, name, None)
        if isinstance(wanted, property):
            if isinstance(found, (FunctionType, classmethod, staticmethod)):
                yield f"{name} is a method, and should be an attribute"
        elif not callable(getattr(cls, name, None)):
            yield f"{name} is no method"
        else:
            for problem in of_parameters(inspect.signature(wanted), _signature(getattr(cls, name))):
                yield f"{name}: {problem}"


def _signature(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature; some functions of C tell none, and take nothing (``time.monotonic_ns``)."""
    try:
        return inspect.signature(function)
    except ValueError:
        return inspect.Signature()


def of_parameters(wanted: inspect.Signature, found: inspect.Signature) -> Iterator[str]:
    """Yield what is not as wanted in one signature."""
    theirs = list(found.parameters.values())
    known = ["self"]
    for place, ours in enumerate(wanted.parameters.values()):
        if ours.name == "self":
            continue
        by_keyword = ours.kind in (ours.KEYWORD_ONLY, ours.VAR_KEYWORD)
        same = [each for each in theirs if each.name == ours.name] if by_keyword else theirs[place : place + 1]
        if not same:
            yield f"there is no parameter {ours}"
            continue
        known.append(same[0].name)
        if same[0].name != ours.name and ours.kind is not ours.POSITIONAL_ONLY:
            yield f"the parameter {ours} is called {same[0].name}"
        if same[0].kind is not ours.kind:
            yield f"the parameter {ours} is {same[0].kind.description}, and should be {ours.kind.description}"
        if same[0].default != ours.default:
            yield f"the parameter {ours} has another default: {same[0]}"
    for each in theirs:
        optional = each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        if each.name not in known and not optional:
            yield f"the parameter {each} can't be left out"


def test_real_and_played_implementations_are_found() -> None:
    rooms = {cls.__module__.split(".")[1] for _, cls in CLAIMS}
    assert rooms >= {"internal", "pool", "protocol", "transport", "session", "control", "adapters", "fake"}
    assert len(CLAIMS) > 60


@pytest.mark.parametrize(("name", "cls"), CLAIMS, ids=[f"{name} {cls.__qualname__}" for name, cls in CLAIMS])
def test_every_signature_is_that_of_the_interface(name: str, cls: type) -> None:
    assert list(differences(interfaces()[name], cls)) == []


class _Odd:
    """Deviates from ``api.Counter``, ``api.Gauge`` and ``api.Session`` in all the ways there are."""

    id = context = status = done = deadline_ns = None

    def value(self) -> int:
        return 0

    def add(self, count: int, unit: str) -> None:
        return None

    def set(self, *, value: float = 0.0) -> None:
        return None

    def cancel(self, reason: str = "", *more: object, **others: object) -> bool:
        return True

    advance = 7


def test_what_differs_is_told() -> None:
    known = interfaces()
    assert list(differences(known["Counter"], _Odd)) == [
        "add: the parameter amount: 'int' = 1 is called count",
        "add: the parameter amount: 'int' = 1 has another default: count: 'int'",
        "add: the parameter unit: 'str' can't be left out",
        "value is a method, and should be an attribute",
    ]
    assert "set: the parameter value: 'float' is keyword-only, and should be positional or keyword" in list(
        differences(known["Gauge"], _Odd)
    )
    assert list(differences(known["Session"], _Odd)) == ["advance is no method", "on_done is no method"]
