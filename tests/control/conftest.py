"""Fixtures of the control room's tests: a configuration of two numbers that must agree, and its control."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.control.knobs import knob
from hioload_ws.control.registry import ConfigControl


@dataclass(frozen=True, slots=True)
class Pair:
    """``twice`` is always two times ``once``: whoever sees it otherwise sees half of a change."""

    once: int = knob(1, "A number.", low=0, high=1000)
    twice: int = knob(2, "Two times the other.", low=0, high=2000)
    name: str = "pair"
    fixed: float = knob(0.5, "Never changes.", fixed="it is built in")

    def __post_init__(self) -> None:
        if self.twice != 2 * self.once:
            raise InvalidArgument("the numbers do not agree", fields=("once", "twice"))
        if self.name == "bad":
            raise ValueError("a bad name")


@pytest.fixture
def pair_type() -> type[Pair]:
    return Pair


@pytest.fixture
def reported() -> list[tuple[BaseException, object]]:
    return []


@pytest.fixture
def control(reported: list[tuple[BaseException, object]]) -> ConfigControl[Pair]:
    return ConfigControl(Pair(), lambda error, origin: reported.append((error, origin)))
