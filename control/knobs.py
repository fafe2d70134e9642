"""Knobs: what a field of a configuration says about itself, and the checks that follow from it.

A configuration is a frozen dataclass. Its annotations say of what type a value is; the metadata of a field
says the rest: unit, range, allowed words, a line of help, and whether the value can change while the program
runs. Written down once, beside the field, this is what validates a change, refuses a key with a typing error,
reads environment variables and prints the table in the manual, so none of them can disagree with another.

Types are taken at their word: ``True`` is not an ``int``, ``"80"`` is not a number, and nothing is converted
on the way in. One exception follows the type system (PEP 484, "The numeric tower"): an ``int`` is a fine
``float``. A check returns its findings as text by field name instead of raising at the first one, so that a
person with five mistakes in a file is told five times at once. """

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..api.errors import InvalidArgument

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Knob:
    """One row of the manual: a field, and all that is known about it."""

    name: str
    kind: str
    """The annotation as written: ``int | None``."""
    default: object
    unit: str = ""
    help: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    """Regular expression that a string, or each string of a tuple, matches as a whole."""
    form: str = ""
    """``pattern`` in words."""
    live: bool = True
    """Whether it may change while the program runs."""
    reason: str = ""
    """Why not, where it may not."""

    @property
    def allowed(self) -> str:
        """The range in words: ``from 0 to 65535``; empty where there is none."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"from {self.low} to {self.high}"
        return f"{self.low} or more" if self.low is not None else self.form


def knob(
    default: T,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str = "",
    form: str = "",
    fixed: str = "",
) -> T:
    """Declare a field of a configuration class: ``port: int = knob(9001, "…", low=0, high=65535)``.

    ``fixed`` is the reason why the field can't change while the program runs; empty where it can. The field's
    metadata has the arguments by name, plus ``live`` and ``reason``. Typed as its default, so that a type
    checker sees an ordinary dataclass. """
    metadata = {
        "help": help,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": choices,
        "pattern": pattern,
        "form": form,
        "live": not fixed,
        "reason": fixed,
    }
    return dataclasses.field(default=default, metadata=metadata)


def knobs_of(config_type: type[DataclassInstance]) -> Mapping[str, Knob]:
    """Return the knobs of a dataclass by name, in order; fields that ``__init__`` does not take are left out.

    A field without metadata is a knob without range that may change live.
    """
    return _knobs_of(config_type)


def hints_of(config_type: type[DataclassInstance]) -> Mapping[str, object]:
    """Return the types of a dataclass's fields by name. Raises ``NameError`` where one can't be resolved."""
    return _hints_of(config_type)


# Kept: a change is checked on a server's thread, and evaluating the annotations of a large class takes milliseconds.
@lru_cache(maxsize=64)
def _knobs_of(config_type: type[DataclassInstance]) -> Mapping[str, Knob]:
    names = {field.name for field in dataclasses.fields(Knob)}
    return MappingProxyType(
        {
            field.name: Knob(
                field.name,
                field.type if isinstance(field.type, str) else getattr(field.type, "__name__", ""),
                field.default,
                **{key: value for key, value in field.metadata.items() if key in names},
            )
            for field in dataclasses.fields(config_type)
            if field.init
        }
    )


@lru_cache(maxsize=64)
def _hints_of(config_type: type[DataclassInstance]) -> Mapping[str, object]:
    return MappingProxyType(get_type_hints(config_type))


def values_of(config: DataclassInstance) -> dict[str, object]:
    """Return a configuration's values by field name: a new dictionary with the very values, not copies."""
    return {name: getattr(config, name) for name in knobs_of(type(config))}


def fits(hint: object, value: object) -> bool:
    """Whether a value is of an annotated type, without conversion.

    Understood are classes, unions, ``Literal``, ``tuple[X, ...]`` and, by their outer class only, other
    generics. What can't be decided at run time (a type variable, a protocol) fits. """
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is None or hint is NoneType:
        return value is None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union or origin is UnionType:
        return any(fits(each, value) for each in arguments)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return isinstance(value, tuple) and all(fits(arguments[0], item) for item in value)
    kind = origin or hint
    try:
        return not isinstance(kind, type) or isinstance(value, kind)
    except TypeError:  # ``Any`` and protocols are classes that refuse the question
        return True


def find_problems(config_type: type[DataclassInstance], values: Mapping[str, object]) -> dict[str, str]:
    """Check values for fields of a dataclass, each on its own; return what is wrong by name, in order.

    A finding reads on from the name: ``must be from 0 to 65535, not 70000``. Empty when all is well.
    """
    knobs, hints = knobs_of(config_type), hints_of(config_type)
    problems: dict[str, str] = {}
    for name, value in values.items():
        known = knobs.get(name)
        if known is None:
            problems[name] = f"is not known{suggestion(name, knobs)}"
        elif not fits(hints[name], value):
            problems[name] = f"must be {known.kind}, not {reprlib.repr(value)} of type {type(value).__name__}"
        elif problem := _range_problem(known, value):
            problems[name] = problem
    return problems


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'port'?`` for the nearest known name, or nothing when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _range_problem(known: Knob, value: object) -> str:
    """Return what is wrong with a value of the right type, or nothing."""
    if isinstance(value, (int, float)):
        too_low = known.low is not None and value < known.low
        too_high = known.high is not None and value > known.high
        # Infinity and "not a number" pass comparisons or fail them for the wrong reason: no knob means them.
        wrong = too_low or too_high or not math.isfinite(value)
        return f"must be {known.allowed or 'finite'}, not {value!r}" if wrong else ""
    words = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
    for word in words:
        if known.choices and word not in known.choices:
            return f"must be {known.allowed}, not {reprlib.repr(word)}{suggestion(str(word), known.choices)}"
        if known.pattern and re.fullmatch(known.pattern, str(word)) is None:
            return f"must be {known.form}, not {reprlib.repr(word)}"
    twice = [word for index, word in enumerate(words) if word in words[:index]]
    return f"names {reprlib.repr(twice[0])} twice" if twice else ""


def refuse(problems: Mapping[str, str], source: str = "configuration") -> InvalidArgument:
    """Return the error for findings: each in the message, their fields' names in the context as
    ``fields``."""
    text = "; ".join(f"{name} {problem}" for name, problem in problems.items())
    return InvalidArgument(f"{source}: {text}", fields=tuple(problems))


__all__ = [
    "Knob",
    "find_problems",
    "fits",
    "hints_of",
    "knob",
    "knobs_of",
    "refuse",
    "suggestion",
    "values_of",
]
