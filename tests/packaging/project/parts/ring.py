"""A ring of this project's own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Generic, Literal, TypeVar

from hioload_ws.api import EMPTY, Empty, InvalidArgument, Ring

T = TypeVar("T")


class LockedRing(Generic[T]):
    """Implements ``hioload_ws.api.Ring`` with a lock."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._items: deque[T] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def try_enqueue(self, item: T) -> bool:
        with self._lock:
            accepted = len(self._items) < self.capacity
            if accepted:
                self._items.append(item)
            return accepted

    def try_dequeue(self) -> T | Literal[Empty.EMPTY]:
        with self._lock:
            return self._items.popleft() if self._items else EMPTY

    def enqueue_batch(self, items: Iterable[T]) -> int:
        with self._lock:
            accepted = list(islice(items, self.capacity - len(self._items)))
            self._items.extend(accepted)
            return len(accepted)

    def dequeue_batch(self, max_items: int) -> list[T]:
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        with self._lock:
            return [self._items.popleft() for _ in range(min(max_items, len(self._items)))]


def make_ring(capacity: int) -> Ring[object]:
    """Return a ring for the contract."""
    return LockedRing(capacity)
