"""Rings: a bounded queue against its model, exact accounting between threads, and every suspension point.

The threads cannot be stopped between two bytecodes at will, but the two containers of a ring are its only
shared state, so stopping before and after each container operation covers every order that matters.
"""

from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.ring import EMPTY, Ring
from hioload_ws.pool.ring import MpmcRing, SpscRing

AnyRing: TypeAlias = SpscRing[object] | MpmcRing[object]
KINDS: list[type[SpscRing[object]] | type[MpmcRing[object]]] = [SpscRing, MpmcRing]
ring_kind = pytest.mark.parametrize("kind", KINDS)


class RingMachine(RuleBasedStateMachine):
    """One thread, any operations: the ring must do what a bounded deque does."""

    kind: type[SpscRing[object]] | type[MpmcRing[object]]

    @initialize(capacity=st.integers(1, 9))
    def make(self, capacity: int) -> None:
        self.capacity = capacity
        self.ring: AnyRing = self.kind(capacity)
        self.model: deque[object] = deque()

    @rule(item=st.one_of(st.none(), st.integers()))
    def enqueue(self, item: object) -> None:
        fits = len(self.model) < self.capacity
        assert self.ring.try_enqueue(item) is fits
        if fits:
            self.model.append(item)

    @rule()
    def dequeue(self) -> None:
        assert self.ring.try_dequeue() == (self.model.popleft() if self.model else EMPTY)

    @rule(items=st.lists(st.integers(), max_size=12))
    def enqueue_batch(self, items: list[object]) -> None:
        source = iter(items)
        accepted_count = self.ring.enqueue_batch(source)
        assert accepted_count == min(len(items), self.capacity - len(self.model))
        assert list(source) == items[accepted_count:]
        self.model.extend(items[:accepted_count])

    @rule(max_items=st.integers(0, 12))
    def dequeue_batch(self, max_items: int) -> None:
        expected = [self.model.popleft() for _ in range(min(max_items, len(self.model)))]
        assert self.ring.dequeue_batch(max_items) == expected

    @invariant()
    def measures_agree(self) -> None:
        if hasattr(self, "ring"):
            assert (len(self.ring), self.ring.capacity) == (len(self.model), self.capacity)


class SpscMachine(RingMachine):
    kind = SpscRing[object]


class MpmcMachine(RingMachine):
    kind = MpmcRing[object]


RingMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestSpscAgainstTheModel = SpscMachine.TestCase
TestMpmcAgainstTheModel = MpmcMachine.TestCase
TestSpscAgainstTheModel.settings = TestMpmcAgainstTheModel.settings = RingMachine.TestCase.settings


@ring_kind
def test_both_are_rings(kind: type[SpscRing[object]]) -> None:
    ring: Ring[object] = kind(1)
    assert ring.capacity == 1


@ring_kind
@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_below_one_is_refused(kind: type[SpscRing[object]], capacity: int) -> None:
    with pytest.raises(InvalidArgument):
        kind(capacity)


@ring_kind
def test_a_negative_batch_is_refused_and_takes_nothing(kind: type[SpscRing[object]]) -> None:
    ring = kind(2)
    ring.try_enqueue(1)
    with pytest.raises(InvalidArgument):
        ring.dequeue_batch(-1)
    assert len(ring) == 1


@ring_kind
def test_none_is_an_item_and_not_emptiness(kind: type[SpscRing[object]]) -> None:
    ring = kind(1)
    assert ring.try_enqueue(None)
    assert ring.try_dequeue() is None
    assert ring.try_dequeue() is EMPTY


@ring_kind
def test_an_item_given_out_or_refused_is_not_kept(kind: type[SpscRing[object]]) -> None:
    class Item:
        pass

    ring = kind(1)
    given_out, refused = Item(), Item()
    watchers = [weakref.ref(given_out), weakref.ref(refused)]
    assert ring.try_enqueue(given_out)
    assert not ring.try_enqueue(refused)
    ring.try_dequeue()
    del given_out, refused
    gc.collect()
    assert [watcher() for watcher in watchers] == [None, None]


@ring_kind
def test_an_iterable_that_raises_keeps_what_came_before_and_loses_no_room(
    kind: type[SpscRing[object]],
) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError

    ring = kind(3)
    with pytest.raises(KeyError):
        ring.enqueue_batch(failing())
    assert ring.try_dequeue() == 1
    assert ring.enqueue_batch([1, 2, 3, 4]) == 3


class SteppedDeque(deque[object]):
    """A deque that calls ``between`` before and after every operation, as if the thread were suspended."""

    between: Callable[[], None]

    def append(self, item: object) -> None:
        self.between()
        super().append(item)
        self.between()

    def pop(self) -> object:  # type: ignore[override]  # the ring never gives an index
        self.between()
        try:
            return super().pop()
        finally:
            self.between()

    def popleft(self) -> object:
        self.between()
        try:
            return super().popleft()
        finally:
            self.between()


def stepped(capacity: int, between: Callable[[], None]) -> MpmcRing[object]:
    ring: MpmcRing[object] = MpmcRing(capacity)
    items, permits = SteppedDeque(), SteppedDeque([None] * capacity)
    items.between = permits.between = between
    ring._items = items
    ring._permits = permits  # type: ignore[assignment]  # a deque of None by use
    return ring


@settings(max_examples=150, deadline=None)
@given(
    capacity=st.integers(1, 3),
    script=st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=12),
)
def test_mpmc_holds_wherever_one_operation_is_suspended_for_others(
    capacity: int, script: list[tuple[int, bool]]
) -> None:
    """Operations nest: at each suspension point the next operations of the script run to their end, as the
    other threads would. Nothing is lost, doubled, or beyond the capacity at any moment."""
    todo, numbers = deque(script), itertools.count()
    accepted: list[object] = []
    taken: list[object] = []
    depth = 0

    def between() -> None:
        nonlocal depth
        assert 0 <= len(ring._items) <= capacity
        assert len(ring._permits) + len(ring._items) <= capacity
        if depth < 4 and todo and todo[0][0] > 0:
            depth += 1
            act()
            depth -= 1

    def act() -> None:
        _, produce = todo.popleft()
        if produce:
            item = next(numbers)
            if ring.try_enqueue(item):
                accepted.append(item)
        else:
            item_or_empty = ring.try_dequeue()
            if item_or_empty is not EMPTY:
                taken.append(item_or_empty)

    ring = stepped(capacity, between)
    while todo:
        act()
    rest = ring.dequeue_batch(capacity)
    assert sorted(map(str, taken + rest)) == sorted(map(str, accepted))
    assert ring.enqueue_batch(range(capacity + 1)) == capacity  # every permit came back


def test_an_enqueue_suspended_after_its_claim_publishes_nothing_and_blocks_nobody() -> None:
    seen: list[object] = []

    def between() -> None:
        if len(ring._permits) == 1 and not seen:  # claimed one of two, not yet published
            seen.append("suspended")
            assert ring.try_dequeue() is EMPTY
            assert ring.try_enqueue("other")
            assert not ring.try_enqueue("third")
            assert ring.try_dequeue() == "other"

    ring = stepped(2, between)
    assert ring.try_enqueue("mine")
    assert seen == ["suspended"]
    assert ring.try_dequeue() == "mine"


def give_way() -> None:
    """Let another thread run now: a yield, not a wait."""
    time.sleep(0)


def run_all(threads: list[threading.Thread]) -> None:
    """Run to the end. Daemons with a bound, so that a thread that died fails the test and hangs nothing."""
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@ring_kind
@pytest.mark.parametrize("batched", [False, True])
def test_between_two_threads_all_items_arrive_once_complete_and_in_order(
    kind: type[SpscRing[object]], batched: bool
) -> None:
    ring, total = kind(7), 2000
    received: list[object] = []

    def produce() -> None:
        source = iter([[number, number] for number in range(total)])
        for item in source:
            while not ring.try_enqueue(item):
                give_way()
            if batched:
                ring.enqueue_batch(itertools.islice(source, 3) if len(ring) < 4 else [])

    def consume() -> None:
        while len(received) < total:
            if batched:
                received.extend(ring.dequeue_batch(5))
            elif (item := ring.try_dequeue()) is not EMPTY:
                received.append(item)
            if not len(ring):
                give_way()
            assert 0 <= len(ring) <= 7

    run_all([threading.Thread(target=produce), threading.Thread(target=consume)])
    assert received == [[number, number] for number in range(total)]


def test_between_many_threads_every_item_arrives_exactly_once_in_order_per_producer() -> None:
    ring: MpmcRing[tuple[int, int]] = MpmcRing(5)
    each, producers, consumers = 300, 3, 3
    received: list[list[tuple[int, int]]] = [[] for _ in range(consumers)]
    left: MpmcRing[None] = MpmcRing(each * producers)
    assert left.enqueue_batch([None] * (each * producers)) == each * producers

    def produce(name: int) -> None:
        for number in range(each):
            while not ring.try_enqueue((name, number)):
                give_way()

    def consume(mine: list[tuple[int, int]]) -> None:
        while left.try_dequeue() is not EMPTY:  # one ticket per item: nobody waits for what never comes
            while (item := ring.try_dequeue()) is EMPTY:
                give_way()
            mine.append(item)

    run_all(
        [threading.Thread(target=produce, args=(name,)) for name in range(producers)]
        + [threading.Thread(target=consume, args=(mine,)) for mine in received]
    )
    everything = sorted(itertools.chain.from_iterable(received))
    assert everything == [(name, number) for name in range(producers) for number in range(each)]
    for mine in received:
        for name in range(producers):
            numbers = [number for producer, number in mine if producer == name]
            assert numbers == sorted(numbers)
    assert len(ring) == 0
