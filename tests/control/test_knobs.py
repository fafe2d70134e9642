"""Knobs: types taken at their word, ranges, and findings that a person can act on."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Protocol

import pytest

from hioload_ws.control.knobs import (
    Knob,
    find_problems,
    fits,
    hints_of,
    knob,
    knobs_of,
    refuse,
    suggestion,
    values_of,
)


class Number(enum.IntEnum):
    ONE = 1


class Shape(Protocol):
    size: int


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [0, -5, Number.ONE], [True, 1.0, "1", None]),
        (float, [0.5, 3, Number.ONE], [False, "0.5", None]),
        (bool, [True, False], [0, 1, "true"]),
        (str, ["", "a"], [b"a", 1, None]),
        (None, [None], [0, ""]),
        (type(None), [None], [0]),
        (int | None, [1, None], [True, "1"]),
        (Optional[str], ["a", None], [1]),  # noqa: UP045 - the older spelling must work too
        (Literal["a", 1], ["a", 1], ["b", True, 1.0]),
        (tuple[str, ...], [(), ("a", "b")], [["a"], ("a", 1), "a"]),
        (tuple[int, ...] | None, [None, (1,)], [(True,), ("1",)]),
        (tuple[int, str], [(1, "a"), ()], [[1, "a"]]),
        (Mapping[str, int], [{}, {"a": "b"}], [[], "a"]),
        (Any, [1, None], []),
        (Shape, [1, None], []),
        ("unresolved", [1], []),
    ],
)
def test_a_value_fits_its_type_without_conversion(
    hint: object, good: list[object], bad: list[object]
) -> None:
    assert [value for value in good if not fits(hint, value)] == []
    assert [value for value in bad if fits(hint, value)] == []


@dataclass(frozen=True)
class Sample:
    plain: int = 3
    ranged: float = knob(1.0, "Ranged.", unit="s", low=0.5, high=2)
    least: int = knob(1, "At least.", low=1)
    any_float: float = knob(0.0, "Any.")
    word: str = knob("red", "A colour.", choices=("red", "green"), fixed="painted once")
    words: tuple[str, ...] = knob((), "Names.", pattern="[a-z]+", form="small letters")
    derived: int = field(default=0, init=False)


def test_a_knob_knows_what_its_field_says() -> None:
    knobs = knobs_of(Sample)
    assert list(knobs) == ["plain", "ranged", "least", "any_float", "word", "words"]
    assert knobs["plain"] == Knob("plain", "int", 3)
    assert knobs["ranged"] == Knob("ranged", "float", 1.0, "s", "Ranged.", 0.5, 2)
    assert (knobs["word"].live, knobs["word"].reason) == (False, "painted once")
    assert [each.allowed for each in knobs.values()] == [
        "",
        "from 0.5 to 2",
        "1 or more",
        "",
        "one of red, green",
        "small letters",
    ]


def test_the_type_is_shown_by_name_where_annotations_are_not_text() -> None:
    kind: type[Any] = dataclass(frozen=True)(type("Made", (), {"__annotations__": {"a": int}, "a": 1}))
    assert knobs_of(kind)["a"].kind == "int"


def test_metadata_has_unit_help_and_live() -> None:
    metadata = {each.name: each.metadata for each in Sample.__dataclass_fields__.values()}
    assert (metadata["ranged"]["unit"], metadata["ranged"]["help"]) == ("s", "Ranged.")
    assert (metadata["ranged"]["live"], metadata["word"]["live"]) == (True, False)
    assert metadata["word"]["reason"] == "painted once"


@pytest.mark.parametrize(
    ("values", "findings"),
    [
        ({}, {}),
        ({"plain": -(10**30), "ranged": 2, "least": 1, "word": "green", "words": ("a", "b")}, {}),
        ({"ranged": 0.4}, {"ranged": "must be from 0.5 to 2, not 0.4"}),
        ({"ranged": 3}, {"ranged": "must be from 0.5 to 2, not 3"}),
        ({"ranged": math.nan}, {"ranged": "must be from 0.5 to 2, not nan"}),
        ({"any_float": math.inf}, {"any_float": "must be finite, not inf"}),
        ({"least": 0}, {"least": "must be 1 or more, not 0"}),
        ({"plain": True}, {"plain": "must be int, not True of type bool"}),
        ({"word": "gren"}, {"word": "must be one of red, green, not 'gren'; did you mean 'green'?"}),
        ({"words": ("a", "B")}, {"words": "must be small letters, not 'B'"}),
        ({"words": ("a", "b", "a")}, {"words": "names 'a' twice"}),
        ({"plian": 1}, {"plian": "is not known; did you mean 'plain'?"}),
        ({"zzzzzz": 1, "least": 0}, {"zzzzzz": "is not known", "least": "must be 1 or more, not 0"}),
        ({"derived": 1}, {"derived": "is not known"}),
    ],
)
def test_findings_name_every_field_and_say_what_is_right(
    values: dict[str, object], findings: dict[str, str]
) -> None:
    assert find_problems(Sample, values) == findings


def test_long_values_are_shortened_in_findings() -> None:
    assert len(find_problems(Sample, {"plain": "x" * 10_000})["plain"]) < 100


def test_values_and_hints_are_by_field() -> None:
    assert values_of(Sample(plain=7)) == {
        "plain": 7,
        "ranged": 1.0,
        "least": 1,
        "any_float": 0.0,
        "word": "red",
        "words": (),
    }
    assert hints_of(Sample)["words"] == tuple[str, ...]


def test_a_refusal_has_all_findings_and_the_names() -> None:
    error = refuse({"a": "is wrong", "b": "too"}, "file")
    assert error.message == "file: a is wrong; b too" and error.context == {"fields": ("a", "b")}


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    assert suggestion("xyz", ["port"]) == ""
