"""Queues between threads: plain deques, except where a test makes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeVar

import pytest
from hioload_ws.internal.atomics import queue, replaced

T = TypeVar("T")


def test_a_queue_is_a_plain_deque_and_nothing_else() -> None:
    found = queue("anything", "abc")
    assert type(found) is deque and list(found) == ["a", "b", "c"]
    assert queue("empty") == deque()


def test_a_test_can_make_the_queues_for_a_while() -> None:
    class Mine(deque[T]):
        name = ""

    def make(name: str, items: Iterable[T]) -> Mine[T]:
        made = Mine(items)
        made.name = name
        return made

    with pytest.raises(KeyError), replaced(make):
        mine = queue("role", "ab")
        assert isinstance(mine, Mine) and mine.name == "role" and list(mine) == ["a", "b"]
        raise KeyError
    assert type(queue("role")) is deque
