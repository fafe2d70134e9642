"""Rings: bounded queues between threads, without a lock of our own.

**Theory.** A lock-free queue in C is made of atomic words and memory barriers. Python has neither, so an
algorithm carried over from C (indices that are read, incremented and stored back) is wrong here in a way that
tests hardly ever show: ``tail += 1`` is a load, an add and a store, another thread may run between any two of
them, and a slot is then claimed twice, or published before it was written. What CPython does have is
containers whose *single* operations are indivisible. These rings are made of nothing else:

- ``deque.append``, ``deque.pop``, ``deque.popleft``: one end, one item, all or nothing;
- ``len(deque)``: a snapshot that was true at some moment.

With the GIL this holds because each is one C function that runs no Python code and does not let the GIL go.
On free-threaded builds it holds because each takes the container's own lock (PEP 703, "Container
thread-safety"). That lock is also the memory barrier: what a producer wrote before its ``append`` is visible
to whoever gets the item. Relied upon is no more than that: not ``+=`` on an attribute, not
``itertools.count`` (atomic with the GIL only), not walking over a deque (see ``snapshot.py``), and not any
two operations together. The other modules of this room use, by the same rule, single calls of
``list.append``/``pop`` and of ``dict`` methods (``pop``, ``copy``, setting and deleting an item) on keys of
type ``int``.

**SPSC.** The queue is one ``deque``. Only the producer makes it longer, so when the producer has seen room,
there is room; only the consumer makes it shorter, so when the consumer has seen an item, there is one.

**MPMC.** Between seeing room and using it another producer may come, so room has to be *taken*: a second
``deque`` holds one *permit* per free place. A producer pops a permit, then appends its item; a consumer pops
an item, then puts a permit back. Both may be suspended between their two steps, for any time:

    ``permits + items + operations in flight == capacity``

so the ring never holds more than its capacity; an item is in exactly one place at any time, so it is never
lost or doubled; and a suspended thread makes at most one place unusable, blocks nobody, and at worst lets the
ring answer "full" early. Reactors need the same queue for their posts, one floor below this room, so its code
stands in ``internal/inbox.py``, once.

**Glossary.** *Publish*: make an item visible to consumers (here: the ``append`` itself, so an item cannot be
published before it is complete). *Claim*: take the right to a place. *Permit*: such a right as an object.
*In flight*: between the two steps of an operation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Generic, Literal, TypeVar

from ..api.errors import InvalidArgument
from ..api.ring import EMPTY, Empty
from ..internal.atomics import queue
from ..internal.inbox import Inbox

T = TypeVar("T")


class SpscRing(Generic[T]):
    """A ring for one producer thread and one consumer thread; implements ``api.Ring``.

    ``capacity`` is the exact bound, 1 or more, else ``InvalidArgument``. Which thread is the producer, or the
    consumer, may change, if something else (a lock, a join) orders the change.
    """

    __slots__ = ("_capacity", "_items")

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise InvalidArgument("a capacity is 1 or more", capacity=capacity)
        self._capacity = capacity
        self._items: deque[T] = queue("items of a ring")

    @property
    def capacity(self) -> int:
        """Most items the ring holds."""
        return self._capacity

    def __len__(self) -> int:
        return len(self._items)

    def try_enqueue(self, item: T) -> bool:
        """Append the item, or return ``False`` when the ring is full. For the producer."""
        if len(self._items) >= self._capacity:
            return False
        self._items.append(item)  # Invariant: there is room, for nobody else makes the queue longer
        return True

    def try_dequeue(self) -> T | Literal[Empty.EMPTY]:
        """Take the oldest item, or return ``EMPTY``. For the consumer."""
        # Looked at first, because an exception costs more than the whole operation. Invariant: an item that
        # was seen is still there, for nobody else makes the queue shorter.
        return self._items.popleft() if self._items else EMPTY

    def enqueue_batch(self, items: Iterable[T]) -> int:
        """Append items until the ring is full; return how many. For the producer.

        What the iterable raises passes through; the items before it were accepted.
        """
        accepted_count = 0
        room_count = self._capacity - len(self._items)  # can only grow meanwhile
        append = self._items.append
        for item in islice(items, room_count):
            append(item)
            accepted_count += 1
        return accepted_count

    def dequeue_batch(self, max_items: int) -> list[T]:
        """Take up to ``max_items`` (0 or more, else ``InvalidArgument``) of the oldest. For the consumer."""
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        popleft = self._items.popleft
        return [popleft() for _ in range(min(max_items, len(self._items)))]


class MpmcRing(Inbox[T]):
    """A ring for any number of producers and consumers; implements ``api.Ring``.

    ``capacity`` is the exact bound, 1 or more, else ``InvalidArgument``; the ring takes 8 bytes per place. It
    is the queue that reactors take posts from, under the name by which one looks for it here.
    """

    __slots__ = ()


__all__ = ["MpmcRing", "SpscRing"]
