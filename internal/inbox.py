"""Inbox: the bounded queue through which other threads give a reactor work.

Two deques, and no lock. One holds the items; the other holds a permit for each free place. Whoever enqueues
first takes a permit, and is refused when there is none; whoever dequeues gives one back. ``append``, ``pop``
and ``popleft`` of a deque are thread-safe by its documentation ("Deques support thread-safe, memory efficient
appends and pops from either side"), with the GIL and without, and that is all this relies on. So the bound is
exact with any number of producers, and a signal handler that interrupts an enqueue of its own thread can
enqueue too, where a lock would deadlock.

Order of the two steps: permit before item when going in, item before permit when coming out. So there are never
more items than capacity, and an item is visible only when it is complete.

One limit: an exception that a signal handler raises (Ctrl-C without a handler of ours) may land between the
two steps; then one place is lost, never an item that was accepted.

Nothing here knows reactors: the ring for many producers and many consumers that ``pool`` offers is this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, Literal, TypeVar

from ..api.errors import InvalidArgument
from ..api.ring import EMPTY, Empty
from .atomics import queue

T = TypeVar("T")


class Inbox(Generic[T]):
    """Implements ``api.ring.Ring`` for many producers and many consumers. Thread rules: any thread, also
    signal handlers."""

    __slots__ = ("_capacity", "_items", "_permits")

    def __init__(self, capacity: int) -> None:
        """Hold at most ``capacity`` items (1 or more, else ``InvalidArgument``)."""
        if capacity < 1:
            raise InvalidArgument("a capacity is 1 or more", capacity=capacity)
        self._capacity = capacity
        self._items: deque[T] = queue("items of a ring")
        # Invariant: permits here + items + operations under way == capacity.
        self._permits: deque[None] = queue("permits of a ring", [None] * capacity)

    @property
    def capacity(self) -> int:
        """Most items it holds."""
        return self._capacity

    def __len__(self) -> int:
        """Return how many items wait; with other threads active, a snapshot."""
        return len(self._items)

    def try_enqueue(self, item: T) -> bool:
        """Append the item, or return ``False`` and keep nothing when full. Never waits."""
        try:
            self._permits.pop()
        except IndexError:
            return False
        self._items.append(item)
        return True

    def try_dequeue(self) -> T | Literal[Empty.EMPTY]:
        """Take the oldest item, or return ``EMPTY``. Never waits."""
        try:
            item = self._items.popleft()
        except IndexError:
            return EMPTY
        self._permits.append(None)
        return item

    def enqueue_batch(self, items: Iterable[T]) -> int:
        """Append items in order until one does not fit; return how many were accepted.

        A place is claimed before the iterator is asked, so an iterator keeps the item that did not fit.
        """
        accepted_count = 0
        iterator = iter(items)
        while True:
            try:
                self._permits.pop()
            except IndexError:
                return accepted_count
            try:
                item = next(iterator)
            except BaseException as error:
                self._permits.append(None)
                if isinstance(error, StopIteration):
                    return accepted_count
                raise
            self._items.append(item)
            accepted_count += 1

    def dequeue_batch(self, max_items: int) -> list[T]:
        """Take up to ``max_items`` (0 or more, else ``InvalidArgument``) of the oldest items."""
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        taken: list[T] = []
        while len(taken) < max_items:
            item = self.try_dequeue()
            if item is EMPTY:
                break
            taken.append(item)
        return taken


__all__ = ["Inbox"]
