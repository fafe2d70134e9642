"""The inbox: an exact bound, exactly once, in order, from any thread and from signal handlers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.ring import EMPTY, Ring
from hioload_ws.internal.inbox import Inbox


def test_it_is_first_in_first_out_and_refuses_what_does_not_fit() -> None:
    inbox: Ring[int | None] = Inbox(2)
    assert inbox.capacity == 2 and len(inbox) == 0
    assert inbox.try_dequeue() is EMPTY
    assert inbox.try_enqueue(1) and inbox.try_enqueue(None) and not inbox.try_enqueue(3)
    assert len(inbox) == 2
    assert (inbox.try_dequeue(), inbox.try_dequeue(), inbox.try_dequeue()) == (1, None, EMPTY)
    assert inbox.try_enqueue(4)


def test_a_batch_that_does_not_fit_leaves_the_rest_in_its_iterator() -> None:
    inbox = Inbox[int](3)
    items = iter(range(5))
    assert inbox.enqueue_batch(items) == 3
    assert list(items) == [3, 4]
    assert inbox.enqueue_batch([9]) == 0
    assert inbox.dequeue_batch(2) == [0, 1]
    assert inbox.dequeue_batch(5) == [2]
    assert inbox.dequeue_batch(0) == []


def test_a_batch_that_fits_costs_no_place_beyond_its_items() -> None:
    inbox = Inbox[int](3)
    assert inbox.enqueue_batch(range(2)) == 2
    assert inbox.try_enqueue(2) and not inbox.try_enqueue(3)
    assert inbox.dequeue_batch(9) == [0, 1, 2]


def test_an_iterator_that_raises_loses_no_place_and_keeps_what_was_accepted() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("x")

    inbox = Inbox[int](2)
    with pytest.raises(ValueError, match="x"):
        inbox.enqueue_batch(broken())
    assert len(inbox) == 1 and inbox.try_enqueue(2) and not inbox.try_enqueue(3)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        Inbox[int](0)
    with pytest.raises(InvalidArgument):
        Inbox[int](1).dequeue_batch(-1)


def test_a_signal_handler_may_enqueue_whatever_it_interrupts() -> None:
    inbox = Inbox[str](100_000)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: inbox.try_enqueue("signal"))
    try:
        for _ in range(200):
            inbox.try_enqueue("plain")
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert sorted(inbox.dequeue_batch(1000)) == ["plain"] * 200 + ["signal"] * 200


def test_many_producers_lose_nothing_repeat_nothing_and_keep_their_order() -> None:
    inbox = Inbox[tuple[int, int]](16)
    most_seen = 0

    def produce(producer: int) -> None:
        for number in range(500):
            while not inbox.try_enqueue((producer, number)):
                pass

    threads = [threading.Thread(target=produce, args=(producer,)) for producer in range(4)]
    for thread in threads:
        thread.start()
    taken: list[tuple[int, int]] = []
    while len(taken) < 2000:
        most_seen = max(most_seen, len(inbox))
        taken += inbox.dequeue_batch(7)
    for thread in threads:
        thread.join()
    assert most_seen <= 16 and len(inbox) == 0
    for producer in range(4):
        assert [number for who, number in taken if who == producer] == list(range(500))


@given(st.lists(st.integers(-1, 3), max_size=60), st.integers(1, 4))
def test_random_use_agrees_with_a_list(steps: list[int], capacity: int) -> None:
    inbox, model = Inbox[int](capacity), list[int]()
    for position, step in enumerate(steps):
        if step < 0:
            accepted = inbox.try_enqueue(position)
            assert accepted is (len(model) < capacity)
            if accepted:
                model.append(position)
        else:
            assert inbox.dequeue_batch(step) == model[:step]
            del model[:step]
        assert len(inbox) == len(model)
