"""The ring of tests is a bounded queue that can be told to refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import EMPTY, InvalidArgument, Ring
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.ring import FakeRing


def test_it_is_full_and_empty_when_told() -> None:
    with Faults() as faults:
        faults.on("enqueue", nth=2).exhaust()
        faults.on("dequeue", nth=1).exhaust()
        ring: Ring[int] = FakeRing(4, faults)
        assert [ring.try_enqueue(number) for number in range(3)] == [True, False, True]
        assert ring.try_dequeue() is EMPTY
        assert ring.dequeue_batch(9) == [0, 2]


def test_a_batch_ends_at_a_refusal_and_keeps_the_rest() -> None:
    with Faults() as faults:
        faults.on("enqueue", nth=2).exhaust()
        ring = FakeRing[int](4, faults)
        source = iter(range(5))
        assert ring.enqueue_batch(source) == 1
        assert ring.enqueue_batch(source) == 3
        assert list(source) == [4]
        assert ring.enqueue_batch([9]) == 0
        assert ring.dequeue_batch(4) == [0, 1, 2, 3]
        assert ring.enqueue_batch([7]) == 1


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        FakeRing[int](0)
    with pytest.raises(InvalidArgument):
        FakeRing[int](1).dequeue_batch(-1)


def test_its_length_is_what_it_holds() -> None:
    ring = FakeRing[int](2)
    assert [len(ring), ring.try_enqueue(1), len(ring)] == [0, True, 1]
    assert [ring.try_enqueue(2), ring.try_enqueue(3), len(ring)] == [True, False, 2]
    assert [ring.try_dequeue(), len(ring)] == [1, 1]


@given(st.integers(1, 5), st.lists(st.one_of(st.integers(0, 9), st.none()), max_size=40))
def test_without_a_script_it_is_a_bounded_queue(capacity: int, steps: list[int | None]) -> None:
    ring = FakeRing[int](capacity)
    model: list[int] = []
    for step in steps:
        if step is None:
            assert ring.try_dequeue() == (model.pop(0) if model else EMPTY)
        elif ring.try_enqueue(step):
            model.append(step)
        else:
            assert len(model) == capacity
        assert len(ring) == len(model) <= ring.capacity
