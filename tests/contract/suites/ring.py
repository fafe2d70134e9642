"""The contract of ``Ring``: a bounded queue between threads that neither blocks nor loses.

Two suites. ``RingContract`` is what every ring owes, with one producer and one consumer. ``MpmcRingContract``
adds what many of each may expect. What happens between threads is decided here, not hoped for: one operation
is held at each of its steps in turn, while the other side works (see ``interleave.py``).

With many threads "empty" and "full" may be answered while another operation is under way, so no check demands
more than that while one is held; once both are over, the books have to be exact.
"""

from __future__ import annotations

import gc
import random
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ...api.errors import InvalidArgument
from ...api.ring import EMPTY, Ring
from .. import model
from ..interleave import interruptions
from ..model import Operation
from ..requirement import must, requirement, should
from ..schedules import explore
from ..stress import race
from ..suite import Contract
from ..trial import Trial
from .ring_history import judge, many_of_each, one_of_each

RING = (
    must("RNG-01", "The capacity is exactly what was asked for."),
    must("RNG-02", "A new ring is empty: its length is 0, and try_dequeue answers EMPTY."),
    must("RNG-03", "Items come out in the order in which they went in, the very same objects.", "RNG-02"),
    must("RNG-04", "A full ring refuses with False and keeps what it has.", "RNG-03"),
    must("RNG-05", "A refused item is not kept.", "RNG-04"),
    must("RNG-06", "Places are used again: many times the capacity passes through.", "RNG-03"),
    must("RNG-07", "Every object is an item, None and False included.", "RNG-03"),
    must("RNG-08", "The ring keeps no reference to an item that it gave out.", "RNG-03"),
    must("RNG-09", "enqueue_batch accepts in order until one does not fit and returns how many.", "RNG-04"),
    must("RNG-10", "enqueue_batch takes no item from an iterator that it then does not accept.", "RNG-09"),
    must("RNG-11", "dequeue_batch takes up to max_items of the oldest, fewer where fewer wait.", "RNG-03"),
    must("RNG-12", "dequeue_batch refuses a negative max_items and takes nothing.", "RNG-11"),
    must("RNG-13", "With no other thread active the length is exact.", "RNG-04"),
    must("RNG-14", "Any mixture of operations does what a plain queue with a bound does.", "RNG-04", "RNG-11"),
    must("RNG-15", "An item is complete when a consumer gets it, wherever its producer is held.", "RNG-03"),
    must("RNG-16", "Nothing is lost or doubled when a producer comes while a consumer is held.", "RNG-04"),
    must("RNG-17", "The length is within 0 and capacity at every step of other threads.", "RNG-13"),
    should("RNG-18", "What an iterable raises passes through enqueue_batch and costs no place.", "RNG-09"),
    must("RNG-19", "Whatever the schedule, producer and consumer see what one queue would show.", "RNG-14"),
)

MPMC = (
    must("RNG-21", "Of two producers and one free place, exactly one gets it at most.", "RNG-04"),
    must("RNG-22", "Of two consumers, only one gets an item.", "RNG-03"),
    must("RNG-23", "Nothing is lost or doubled when batches of two producers meet.", "RNG-09"),
    must("RNG-24", "Whatever the schedule, many threads see what one queue would show.", "RNG-21", "RNG-22", "RNG-23"),
    should("RNG-25", "Real threads see no more than that.", "RNG-24"),
)


class Token:
    """An item that is like no other and can be watched."""

    __slots__ = ("__weakref__", "name")

    def __init__(self, name: object) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<item {self.name}>"


def drain(ring: Ring[object], trial: Trial) -> list[object]:
    """Take one item after the other; stop above the capacity, for a broken ring may never be empty."""
    found: list[object] = []
    while len(found) <= ring.capacity:
        item = ring.try_dequeue()
        if item is EMPTY:
            break
        found.append(item)
    trial.did(f"try_dequeue() until EMPTY: {len(found)} items")
    return found


class RingContract(Contract, name="ring", requirements=RING):
    """What every ring owes; override ``make``."""

    def make(self, capacity: int) -> Ring[object]:
        """Return a new ring for ``capacity`` items, 1 or more."""
        raise NotImplementedError

    def ring(self, trial: Trial, capacity: int, *items: object) -> Ring[object]:
        """Return a fresh ring with these items in it."""
        ring = trial.make(self.make, capacity)
        for item in items:
            self.put(trial, ring, item)
        return ring

    def put(self, trial: Trial, ring: Ring[object], item: object) -> None:
        """Enqueue where there is room."""
        trial.did(f"try_enqueue({item!r})")
        trial.same(ring.try_enqueue(item), True, "the answer of try_enqueue where there is room")

    @requirement("RNG-01")
    def capacity_is_exact(self, trial: Trial) -> None:
        for capacity in (1, 2, 3, 7, 64, 1000):
            trial.equal(self.ring(trial, capacity).capacity, capacity, "the capacity")

    @requirement("RNG-02")
    def new_ring_is_empty(self, trial: Trial) -> None:
        ring = self.ring(trial, 4)
        trial.equal(len(ring), 0, "the length of a new ring")
        for _ in range(3):
            trial.same(trial.returns("try_dequeue()", ring.try_dequeue), EMPTY, "what an empty ring answers")

    @requirement("RNG-03")
    def order_is_kept(self, trial: Trial) -> None:
        for capacity in (1, 2, 5, 300):
            items = [Token(number) for number in range(capacity)]
            ring = self.ring(trial, capacity, *items)
            for item in items:
                trial.did("try_dequeue()")
                trial.same(ring.try_dequeue(), item, "the oldest item")
            trial.same(ring.try_dequeue(), EMPTY, "the answer when all are taken")

    @requirement("RNG-04")
    def full_ring_refuses(self, trial: Trial) -> None:
        for capacity in (1, 2, 5, 300):
            items = [Token(number) for number in range(capacity)]
            ring = self.ring(trial, capacity, *items)
            for _ in range(3):
                trial.did("try_enqueue(one too many)")
                trial.same(ring.try_enqueue(Token("too many")), False, "the answer of a full ring")
            trial.equal(drain(ring, trial), items, "what was in the full ring")

    @requirement("RNG-05")
    def refused_item_is_not_kept(self, trial: Trial) -> None:
        item = Token("kept")
        ring = self.ring(trial, 1, item)
        refused = Token("refused")
        watched = weakref.ref(refused)
        trial.did("try_enqueue(refused), and forget it")
        ring.try_enqueue(refused)
        del refused
        gc.collect()
        trial.true(watched() is None, "a refused item is not kept alive", got=watched())
        trial.equal(drain(ring, trial), [item], "what was in the full ring")
        trial.same(ring.try_dequeue(), EMPTY, "the answer when all are taken")

    @requirement("RNG-06")
    def places_are_used_again(self, trial: Trial) -> None:
        for capacity, there in ((1, 0), (3, 0), (3, 2), (8, 0), (300, 0), (300, 299)):
            ring = self.ring(trial, capacity, *range(there))
            for number in range(there, there + 2000):
                self.put(trial, ring, number)
                trial.equal(ring.try_dequeue(), number - there, "the oldest item")
            trial.equal(drain(ring, trial), list(range(2000, 2000 + there)), "what was left")

    @requirement("RNG-07")
    def every_object_is_an_item(self, trial: Trial) -> None:
        items: list[object] = [None, False, True, 0, "", b"", (), [], StopIteration(), Token, EMPTY.__class__]
        for item in items:
            ring = self.ring(trial, 2, item)
            trial.same(ring.try_dequeue(), item, "what came out")
            trial.same(ring.try_dequeue(), EMPTY, "the answer when all are taken")

    @requirement("RNG-08")
    def nothing_given_out_is_kept(self, trial: Trial) -> None:
        ring = self.ring(trial, 4)
        watched = []
        for number in range(4):
            item = Token(number)
            watched.append(weakref.ref(item))
            self.put(trial, ring, item)
            del item
        trial.did("try_dequeue() and dequeue_batch(4), and forget what came")
        ring.try_dequeue()
        ring.dequeue_batch(4)
        gc.collect()
        alive = [each() for each in watched if each() is not None]
        trial.equal(alive, [], "the items that are still alive")

    @requirement("RNG-09")
    def batch_is_accepted_in_order(self, trial: Trial) -> None:
        small = ((4, 0, 3), (4, 0, 4), (4, 0, 9), (4, 3, 3), (4, 4, 2), (1, 0, 0))
        for capacity, there, offered in (*small, (300, 10, 400)):
            items = [Token(number) for number in range(there + offered)]
            ring = self.ring(trial, capacity, *items[:there])
            trial.did(f"enqueue_batch({offered} items)")
            accepted = ring.enqueue_batch(items[there:])
            trial.equal(accepted, min(offered, capacity - there), "how many were accepted")
            trial.equal(drain(ring, trial), items[: there + accepted], "what came out")

    @requirement("RNG-10")
    def rest_stays_in_the_iterator(self, trial: Trial) -> None:
        ring = self.ring(trial, 3)
        source = iter(range(10))
        trial.did("enqueue_batch(iterator over 10) twice")
        accepted = ring.enqueue_batch(source) + ring.enqueue_batch(source)
        trial.equal(accepted, 3, "how many were accepted")
        trial.equal(next(source), 3, "the next item of the iterator")

    @requirement("RNG-11")
    def batch_is_taken_in_order(self, trial: Trial) -> None:
        for there, asked in ((5, 0), (5, 1), (5, 3), (5, 5), (5, 99), (0, 4), (300, 290)):
            items = [Token(number) for number in range(there)]
            ring = self.ring(trial, max(there, 5), *items)
            trial.did(f"dequeue_batch({asked})")
            trial.equal(ring.dequeue_batch(asked), items[:asked], "the batch")
            trial.equal(drain(ring, trial), items[asked:], "what was left")

    @requirement("RNG-12")
    def negative_count_is_refused(self, trial: Trial) -> None:
        ring = self.ring(trial, 2, "a", "b")
        trial.raises(InvalidArgument, "dequeue_batch(-1)", lambda: ring.dequeue_batch(-1))
        trial.equal(drain(ring, trial), ["a", "b"], "what was in the ring")

    @requirement("RNG-13")
    def length_is_exact(self, trial: Trial) -> None:
        ring = self.ring(trial, 3)
        for number in range(5):
            trial.did(f"try_enqueue({number})")
            ring.try_enqueue(number)
            trial.equal(len(ring), min(number + 1, 3), "the length on the way up")
        for number in range(5):
            trial.did("try_dequeue()")
            ring.try_dequeue()
            trial.equal(len(ring), max(2 - number, 0), "the length on the way down")

    @requirement("RNG-14")
    def model_agrees(self, trial: Trial) -> None:
        for capacity in (1, 2, 5):
            model.explore(
                trial,
                _draw,
                lambda script: self._replay(trial, capacity, script),
                scripts=trial.rounds(15, 300),
            )

    def _replay(self, trial: Trial, capacity: int, script: Sequence[Operation]) -> None:
        ring = self.ring(trial, capacity)
        queue: deque[int] = deque()
        for number, (name, count) in enumerate(script):
            room = capacity - len(queue)
            if name == "try_enqueue":
                trial.did(f"ring.try_enqueue({number})")
                trial.same(ring.try_enqueue(number), room > 0, "the answer of try_enqueue")
                queue.extend([number][:room])
            elif name == "try_dequeue":
                trial.did("ring.try_dequeue()")
                trial.equal(ring.try_dequeue(), queue.popleft() if queue else EMPTY, "the oldest item")
            elif name == "enqueue_batch":
                items = range(number * 10, number * 10 + count)
                trial.did(f"ring.enqueue_batch({items})")
                trial.equal(ring.enqueue_batch(items), min(count, room), "how many were accepted")
                queue.extend(items[:room])
            else:
                trial.did(f"ring.dequeue_batch({count})")
                wanted = [queue.popleft() for _ in range(min(count, len(queue)))]
                trial.equal(ring.dequeue_batch(count), wanted, "the batch")
            trial.equal(len(ring), len(queue), "the length")

    @requirement("RNG-15")
    def item_is_complete_when_seen(self, trial: Trial) -> None:
        for use_batch in (False, True):
            for schedule in interruptions(trial):
                ring = self.ring(trial, 2, "old 1", "old 2")
                drain(ring, trial)  # so that every place has held something else before
                trial.did(f"hold enqueueing of 'new' at step {schedule.at}, and take meanwhile")
                operation = _enqueue(ring, "new", use_batch)
                accepted, early = schedule.run(operation, lambda: ring.dequeue_batch(2))
                trial.true(accepted, "an item is accepted where there is room")
                found = [*_list(early), *drain(ring, trial)]
                trial.equal(found, ["new"], "what came out, then and after")

    @requirement("RNG-16")
    def held_consumer_loses_nothing(self, trial: Trial) -> None:
        for use_batch in (False, True):
            for schedule in interruptions(trial):
                ring = self.ring(trial, 2, "a", "b")
                trial.did(f"hold the taking of an item at step {schedule.at}, and try_enqueue('c') meanwhile")
                operation = _dequeue(ring, use_batch)
                taken, accepted = schedule.run(operation, lambda: ring.try_enqueue("c"))
                found = [*taken, *drain(ring, trial)]
                wanted = ["a", "b", "c"] if accepted else ["a", "b"]
                trial.equal(found, wanted, "what came out, then and after")
                trial.equal(ring.enqueue_batch("xyz"), 2, "the places that are free in the end")

    @requirement("RNG-17")
    def length_stays_within_bounds(self, trial: Trial) -> None:
        for there in (0, 1, 2):
            for schedule in interruptions(trial):
                ring = self.ring(trial, 2, *range(there))
                trial.did(f"hold an operation at step {schedule.at}, and ask for len(ring) meanwhile")
                operation = _enqueue(ring, "new", False) if there < 2 else _dequeue(ring, False)
                _, seen = schedule.run(operation, lambda: len(ring))
                trial.true(isinstance(seen, int) and 0 <= seen <= 2, "0 <= len(ring) <= 2", got=seen)

    @requirement("RNG-18")
    def raising_iterable_costs_no_place(self, trial: Trial) -> None:
        ring = self.ring(trial, 3)
        for _ in range(4):
            trial.raises(_Stop, "enqueue_batch(an iterable that raises)", lambda: ring.enqueue_batch(_raising()))
        trial.equal(drain(ring, trial), [], "what was accepted")
        trial.equal(ring.enqueue_batch("abcd"), 3, "the places that are free after it")

    @requirement("RNG-19")
    def one_of_each_under_any_schedule(self, trial: Trial) -> None:
        for capacity, start, scene in one_of_each(lambda capacity: self.ring(trial, capacity)):
            explore(trial, scene, judge(trial, capacity, start, forgiving=False))


class MpmcRingContract(RingContract, name="mpmc-ring", requirements=MPMC):
    """What a ring for many producers and consumers owes; override ``make``."""

    @requirement("RNG-21")
    def one_place_goes_to_one(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            ring = self.ring(trial, 2, "a")
            trial.did(f"hold try_enqueue('b') at step {schedule.at}, and try_enqueue('c') meanwhile")
            first, second = schedule.run(lambda: ring.try_enqueue("b"), lambda: ring.try_enqueue("c"))
            trial.true(not (first and second), "only one of two gets the last place", got=(first, second))
            wanted = ["a", *(["b"] if first else []), *(["c"] if second else [])]
            trial.equal(drain(ring, trial), wanted, "what came out")
            trial.equal(ring.enqueue_batch("xyz"), 2, "the places that are free in the end")

    @requirement("RNG-22")
    def one_item_goes_to_one(self, trial: Trial) -> None:
        for use_batch in (False, True):
            for schedule in interruptions(trial):
                ring = self.ring(trial, 3, "a", "b", "c")
                ring.try_dequeue()
                trial.did(f"hold the taking of an item at step {schedule.at}, and take one meanwhile")
                first, second = schedule.run(_dequeue(ring, use_batch), _dequeue(ring, False))
                found = sorted(map(str, [*first, *_list(second), *drain(ring, trial)]))
                trial.equal(found, ["b", "c"], "what came out, then and after, sorted")

    @requirement("RNG-23")
    def batches_of_two_producers_are_whole(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            ring = self.ring(trial, 5)
            trial.did(f"hold enqueue_batch('abc') at step {schedule.at}, and enqueue_batch('xyz') meanwhile")
            first, second = schedule.run(lambda: ring.enqueue_batch("abc"), lambda: ring.enqueue_batch("xyz"))
            count = second if isinstance(second, int) else -1
            found = drain(ring, trial)
            trial.equal([each for each in found if str(each) in "abc"], list("abc"[:first]), "of the first batch")
            trial.equal([each for each in found if str(each) in "xyz"], list("xyz"[:count]), "of the second")

    @requirement("RNG-24")
    def many_of_each_under_any_schedule(self, trial: Trial) -> None:
        for capacity, start, scene in many_of_each(lambda capacity: self.ring(trial, capacity)):
            explore(trial, scene, judge(trial, capacity, start, forgiving=True))

    @requirement("RNG-25")
    def many_real_threads(self, trial: Trial) -> None:
        for capacity, start, scene in many_of_each(lambda capacity: self.ring(trial, capacity)):
            race(trial, scene, judge(trial, capacity, start, forgiving=True))


class _Stop(Exception):
    """Raised by an iterable."""


def _raising() -> Iterator[object]:
    raise _Stop
    yield


def _draw(rng: random.Random) -> Operation:
    names = ("try_enqueue", "try_enqueue", "try_dequeue", "enqueue_batch", "dequeue_batch")
    return rng.choice(names), rng.randint(0, 6)


def _enqueue(ring: Ring[object], item: object, use_batch: bool) -> Callable[[], bool]:
    return (lambda: ring.enqueue_batch([item]) == 1) if use_batch else (lambda: ring.try_enqueue(item))


def _dequeue(ring: Ring[object], use_batch: bool) -> Callable[[], list[object]]:
    """Return an operation that takes one item and answers with a list of what it got."""

    def take() -> list[object]:
        item = ring.try_dequeue()
        return [] if item is EMPTY else [item]

    return (lambda: ring.dequeue_batch(1)) if use_batch else take


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


SUITES = (RingContract, MpmcRingContract)

__all__ = ["SUITES", "MpmcRingContract", "RingContract"]
