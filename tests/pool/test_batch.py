"""Batches: windows against plain list slices, and what a window may not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.batch import Batch
from hioload_ws.api.errors import InvalidArgument, InvalidState
from hioload_ws.pool.batch import ListBatch

bound = st.one_of(st.none(), st.integers(-12, 12))


@given(items=st.lists(st.integers(), max_size=10), cuts=st.lists(st.tuples(bound, bound), max_size=3))
def test_windows_of_windows_are_what_slices_of_slices_are(
    items: list[int], cuts: list[tuple[int | None, int | None]]
) -> None:
    batch, expected = ListBatch(items), items
    for start, stop in cuts:
        batch, expected = batch[start:stop], expected[start:stop]
    assert list(batch) == list(batch.underlying()) == expected
    assert len(batch) == len(expected)
    for index in range(-len(expected), len(expected)):
        assert batch[index] == expected[index]
    for index in (-len(expected) - 1, len(expected)):
        with pytest.raises(IndexError):
            batch[index]


def test_windows_and_halves_by_hand() -> None:
    window = ListBatch([1, 2, 3, 4, 5])[1:4]
    assert [window[0], window[2], window[-1], window[-3]] == [2, 4, 4, 2]
    for index in (3, -4):
        with pytest.raises(IndexError):
            window[index]
    before, after = window.split(1)
    assert (list(before), list(after)) == ([2], [3, 4])
    before, after = window.split(3)
    assert (list(before), list(after)) == ([2, 3, 4], [])
    assert [list(each) for each in window.split(0)] == [[], [2, 3, 4]]


@given(items=st.lists(st.integers(), max_size=10), start=st.integers(0, 5), data=st.data())
def test_split_gives_two_windows_that_are_the_whole(
    items: list[int], start: int, data: st.DataObject
) -> None:
    batch = ListBatch(items)[start:]
    index = data.draw(st.integers(0, len(batch)))
    before, after = batch.split(index)
    assert len(before) == index
    assert list(before) + list(after) == items[start:]


def test_the_implementation_is_a_batch() -> None:
    batch: Batch[int] = ListBatch([1])
    assert batch[0] == 1


@pytest.mark.parametrize("index", [-1, 3])
def test_a_split_outside_the_batch_is_refused(index: int) -> None:
    with pytest.raises(InvalidArgument):
        ListBatch([1, 2]).split(index)


@pytest.mark.parametrize("step", [-1, 2])
def test_a_window_with_another_step_is_refused(step: int) -> None:
    with pytest.raises(InvalidArgument):
        ListBatch([1, 2, 3])[::step]


def test_only_the_root_may_grow() -> None:
    batch = ListBatch([1])
    batch.append(2)
    window = batch[:]
    with pytest.raises(InvalidState):
        window.append(3)
    assert list(batch) == list(window) == [1, 2]


def test_a_window_shares_storage_by_position() -> None:
    first, second = object(), object()
    batch = ListBatch([first, second])
    window = batch[1:]
    batch.append(object())
    assert list(window) == [second]
    assert batch.underlying()[1] is window[0]


def test_underlying_of_the_root_is_the_storage_itself() -> None:
    batch = ListBatch([1])
    storage = batch.underlying()
    batch.append(2)
    assert storage == [1, 2]
    assert batch.underlying() is storage


def test_the_items_given_are_copied() -> None:
    items = [1]
    batch = ListBatch(items)
    items.append(2)
    assert len(batch) == 1


def test_reset_empties_the_root_and_its_windows_lose_their_positions() -> None:
    batch = ListBatch([1, 2, 3])
    window = batch[1:3]
    batch.reset()
    assert (len(batch), len(window), list(window)) == (0, 0, [])
    batch.append(7)
    batch.append(8)
    assert list(batch) == [7, 8]
    assert list(window) == [8]


def test_reset_of_a_window_leaves_its_origin_alone() -> None:
    batch = ListBatch([1, 2, 3])
    window = batch[1:]
    window.reset()
    assert (list(window), list(batch)) == ([], [1, 2, 3])
    with pytest.raises(InvalidState):
        window.append(4)


def test_a_batch_shows_what_it_is_and_how_long() -> None:
    batch = ListBatch([1, 2])
    assert (repr(batch), repr(batch[1:])) == ("<batch of 2>", "<window of 1>")
