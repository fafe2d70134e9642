"""Ring that can be told to be full or empty.

Without a script it is a plain bounded queue. A fault script plays what is hard to bring about with threads: a
ring that is full (``exhaust`` on ``enqueue``) or looks empty (``exhaust`` on ``dequeue``) for one call, because
another thread was in the middle of one. Both are legal answers of a ring with many users, and whoever uses one
has to cope.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, Literal, TypeVar

from ..api.errors import InvalidArgument, ResourceExhausted
from ..api.ring import EMPTY, Empty
from .faults import Faults

T = TypeVar("T")


class FakeRing(Generic[T]):
    """Implements ``api.ring.Ring``. Thread rules: one thread.

    ``capacity`` is 1 or more, else ``InvalidArgument``. ``faults`` is applied at each ``enqueue`` and ``dequeue``
    of one item.
    """

    __slots__ = ("_faults", "_items", "capacity")

    def __init__(self, capacity: int, faults: Faults | None = None) -> None:
        if capacity < 1:
            raise InvalidArgument("a capacity is 1 or more", capacity=capacity)
        self._faults = Faults() if faults is None else faults
        self._items: deque[T] = deque()
        self.capacity = capacity
        """Most items it holds."""

    def __len__(self) -> int:
        return len(self._items)

    def try_enqueue(self, item: T) -> bool:
        """Append the item, or return ``False`` when the ring is full or says so."""
        if self._refuses("enqueue") or len(self._items) >= self.capacity:
            return False
        self._items.append(item)
        return True

    def try_dequeue(self) -> T | Literal[Empty.EMPTY]:
        """Take the oldest item, or return ``EMPTY`` when there is none or the ring says so."""
        if self._refuses("dequeue") or not self._items:
            return EMPTY
        return self._items.popleft()

    def enqueue_batch(self, items: Iterable[T]) -> int:
        """Append items until one does not fit, which stays in its iterator; return how many."""
        source = iter(items)
        accepted_count = 0
        while len(self._items) < self.capacity and not self._refuses("enqueue"):
            item = next(source, EMPTY)
            if item is EMPTY:
                break
            self._items.append(item)
            accepted_count += 1
        return accepted_count

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

    def _refuses(self, call: str) -> bool:
        try:
            self._faults.apply(call)
        except ResourceExhausted:
            return True
        return False


__all__ = ["FakeRing"]
