"""Rings whose races need more than one operation in the middle of another, or more than two threads.

They pass every check that holds one operation once. What finds them is the exploration of schedules.
"""

from __future__ import annotations

import threading
from collections import deque

from ...api.ring import EMPTY
from ..mutation import Gallery
from ..suites.ring import MpmcRingContract, RingContract
from .ring import Correct

GALLERY = Gallery(RingContract, MpmcRingContract)


@GALLERY.mutant("RNG-19", "keeps a flag for full, which its producer may set after the consumer has made room")
class LateFlag(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.full = False

    def try_enqueue(self, item: object) -> bool:
        if self.full or not super().try_enqueue(item):
            return False
        if len(self.items) == self.capacity:
            self.full = True
        return True

    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        if item is not EMPTY:
            self.full = False
        return item


@GALLERY.mutant("RNG-24", "compares an index that has gone round and is the same again (ABA)")
class GoneRound(Correct):
    """Takes by compare-and-swap, as in C; here a lock makes that one step."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.atomic = threading.Lock()
        self.head = 0

    def try_dequeue(self) -> object:
        while True:
            with self.atomic:
                if not self.items:
                    return EMPTY
                place, item = self.head, self.items[0]
            with self.atomic:
                if self.head == place and self.items:
                    self.head = (place + 1) % self.capacity
                    self.items.popleft()
                    self.permits.append(None)
                    return item


@GALLERY.mutant("RNG-24", "puts an item aside when another producer is busy, and so behind its own later ones")
class PutsAside(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.busy = threading.Lock()
        self.aside: deque[object] = deque()

    def __len__(self) -> int:
        return len(self.items) + len(self.aside)

    def try_enqueue(self, item: object) -> bool:
        if not self.permits:
            return False
        if not self.busy.acquire(blocking=False):
            return self.put_aside(item)
        try:
            return super().try_enqueue(item)
        finally:
            self.busy.release()

    def put_aside(self, item: object) -> bool:
        try:
            self.permits.pop()
        except IndexError:
            return False
        self.aside.append(item)
        return True

    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        if item is not EMPTY or not self.aside:
            return item
        try:
            item = self.aside.popleft()
        except IndexError:
            return EMPTY
        self.permits.append(None)
        return item


@GALLERY.mutant("RNG-24", "counts the consumers that are busy, loses count, and answers EMPTY ever after")
class LosesCount(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.busy = 0

    def try_dequeue(self) -> object:
        if self.busy:
            return EMPTY
        self.busy = self.busy + 1
        item = super().try_dequeue()
        self.busy = self.busy - 1
        return item


__all__ = ["GALLERY", "GoneRound", "LateFlag", "LosesCount", "PutsAside"]
