"""Linearizability: what one order explains, what none does, and what a model may forgive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hioload_ws.contract.history import MAX_CALLS, Call, Raised, Recorder, linearizable, with_overlaps
from hypothesis import given
from hypothesis import strategies as st

EMPTY = object()
"""Not ``None``, which is an item like others: a checker that mixes them up misses a lost item."""

State = tuple[object, ...]


def fifo(state: State, call: Call) -> Iterator[State]:
    """A queue without a bound."""
    if call.name == "put":
        yield (*state, call.argument)
    elif call.result is EMPTY:
        if not state:
            yield state
    elif state and state[0] == call.result:
        yield state[1:]


def forgiving(state: State, call: Call) -> Iterator[State]:
    """The same, where "empty" is only binding for a call that no other one overlapped."""
    yield from fifo(state, call)
    if call.result is EMPTY and state and call.overlaps:
        yield state


def put(thread: str, item: object, begin: int, end: int) -> Call:
    return Call(thread, "put", item, None, begin, end)


def get(thread: str, result: object, begin: int, end: int) -> Call:
    return Call(thread, "get", None, result, begin, end)


NOTHING: State = ()


def test_calls_that_do_not_touch_happened_in_their_order() -> None:
    assert linearizable([put("A", 1, 0, 1), put("A", 2, 2, 3), get("B", 1, 4, 5)], NOTHING, fifo)
    assert not linearizable([put("A", 1, 0, 1), put("A", 2, 2, 3), get("B", 2, 4, 5)], NOTHING, fifo)


def test_calls_that_overlap_may_have_happened_in_either_order() -> None:
    assert linearizable([put("A", 1, 0, 5), put("B", 2, 1, 4), get("C", 2, 6, 7)], NOTHING, fifo)
    assert linearizable([put("A", 1, 0, 5), get("B", EMPTY, 1, 4)], NOTHING, fifo)


def test_a_strict_model_refuses_a_right_ring_and_a_forgiving_one_does_not() -> None:
    # A has claimed the first place and not published yet; B has published in the second; C finds "empty".
    calls = [put("A", 1, 0, 9), put("B", 2, 1, 2), get("C", EMPTY, 3, 4), get("C", 1, 10, 11), get("C", 2, 12, 13)]
    assert not linearizable(calls, NOTHING, fifo)
    assert linearizable(calls, NOTHING, forgiving)
    alone = [put("B", 2, 1, 2), get("C", EMPTY, 3, 4), get("C", 2, 12, 13)]
    assert not linearizable(alone, NOTHING, forgiving)


def test_none_is_an_item_and_not_emptiness() -> None:
    assert linearizable([put("A", None, 0, 1), get("B", None, 2, 3)], NOTHING, fifo)
    assert not linearizable([get("B", None, 2, 3)], NOTHING, fifo)


def test_parts_of_a_batch_keep_their_order() -> None:
    first, second = put("A", 1, 0, 9), Call("A", "put", 2, None, 0, 9, part=1)
    assert linearizable([first, second, get("B", 1, 10, 11), get("B", 2, 12, 13)], NOTHING, fifo)
    assert not linearizable([first, second, get("B", 2, 10, 11), get("B", 1, 12, 13)], NOTHING, fifo)
    assert not any(each.overlaps for each in with_overlaps([first, second]))


def test_a_long_history_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{MAX_CALLS} calls at most, this one has {MAX_CALLS + 1}"):
        linearizable([put("A", 1, n, n) for n in range(MAX_CALLS + 1)], NOTHING, fifo)


def test_the_longest_history_is_judged_in_no_time() -> None:
    puts = [put("A", n, 2 * n, 2 * n + 1) for n in range(20)]
    calls = [*puts, *(get("B", n, 41 + 2 * n, 42 + 2 * n) for n in range(20))]
    assert linearizable(calls, NOTHING, fifo)


CALLS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from([1, 2, EMPTY, "put"]), st.integers(0, 6), st.integers(0, 3)),
    max_size=5,
)


@given(CALLS)
def test_it_says_the_same_as_trying_every_order(drawn: list[tuple[str, object, int, int]]) -> None:
    calls = [
        Call(thread, "put", number % 2 + 1, None, begin, begin + length)
        if what == "put"
        else get(thread, what, begin, begin + length)
        for number, (thread, what, begin, length) in enumerate(drawn)
    ]

    def fits(order: tuple[Call, ...]) -> bool:
        if any(later.end < earlier.begin for earlier, later in itertools.combinations(order, 2)):
            return False
        state = NOTHING
        for call in order:
            (state, *_) = [*fifo(state, call), None]
            if state is None:
                return False
        return True

    assert linearizable(calls, NOTHING, fifo) == any(fits(order) for order in itertools.permutations(calls))


def test_a_recorder_tells_results_and_errors() -> None:
    calls: list[Call] = []
    recorder = Recorder(calls.append)
    assert recorder.call("A", "get", lambda: 3) == 3
    assert recorder.call("B", "get", lambda: {"y": 1}["x"], "x") is None
    assert [str(each) for each in calls] == ["A: get() -> 3", "B: get('x') -> raised KeyError"]
    assert calls[1].result == Raised(KeyError)
    assert calls[0].end < calls[1].begin
