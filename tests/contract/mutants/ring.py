"""Broken rings and unusual ones.

``Correct`` is as plain as a ring can be, and right (one operation of a deque is one step). The mutants differ
from it in a line or two. The races among them are the classical ones of algorithms that were carried over from
C: an index that is read, changed and written back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Literal

from ...api.errors import InvalidArgument
from ...api.ring import EMPTY, Empty
from ..mutation import Gallery
from ..suites.ring import MpmcRingContract, RingContract

GALLERY = Gallery(RingContract, MpmcRingContract)


class Correct:
    """A ring for any number of threads: permits and items, as in ``pool/ring.py`` but without its shortcuts."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.items: deque[object] = deque()
        self.permits: deque[None] = deque([None] * capacity)

    @property
    def capacity(self) -> int:
        return self._capacity

    def __len__(self) -> int:
        return len(self.items)

    def try_enqueue(self, item: object) -> bool:
        try:
            self.permits.pop()
        except IndexError:
            return False
        self.items.append(item)
        return True

    def try_dequeue(self) -> object | Literal[Empty.EMPTY]:
        try:
            item = self.items.popleft()
        except IndexError:
            return EMPTY
        self.permits.append(None)
        return item

    def enqueue_batch(self, items: Iterable[object]) -> int:
        source = iter(items)
        count = 0
        while True:
            try:
                self.permits.pop()
            except IndexError:
                return count
            try:
                item = next(source)
            except StopIteration:
                self.permits.append(None)
                return count
            except BaseException:
                self.permits.append(None)
                raise
            self.items.append(item)
            count += 1

    def dequeue_batch(self, max_items: int) -> list[object]:
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        found: list[object] = []
        while len(found) < max_items and (item := self.try_dequeue()) is not EMPTY:
            found.append(item)
        return found


@GALLERY.mutant("RNG-01", "rounds its capacity up to a power of two")
class RoundsUp(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(1 << (capacity - 1).bit_length())


@GALLERY.mutant("RNG-02", "answers None when it is empty")
class AnswersNone(Correct):
    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        return None if item is EMPTY else item


@GALLERY.mutant("RNG-02", "waits for an item when it is empty")
class WaitsWhenEmpty(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._closed = threading.Event()

    def try_dequeue(self) -> object:
        if not self.items:
            self._closed.wait(60)
        return super().try_dequeue()

    def close(self) -> None:
        self._closed.set()


@GALLERY.mutant("RNG-03", "is a stack")
class Stack(Correct):
    def try_dequeue(self) -> object:
        self.items.rotate(1)
        return super().try_dequeue()


@GALLERY.mutant("RNG-04", "loses the oldest item when it is full")
class DropsOldest(Correct):
    def try_enqueue(self, item: object) -> bool:
        if not self.permits:
            self.items.popleft()
            self.items.append(item)
            return False
        return super().try_enqueue(item)


@GALLERY.mutant("RNG-04", "loses the newest item when it is full, and says that it kept it")
class LosesWhenFull(Correct):
    def try_enqueue(self, item: object) -> bool:
        super().try_enqueue(item)
        return True


@GALLERY.mutant("RNG-05", "keeps a refused item for the next dequeue to find")
class KeepsRefused(Correct):
    def try_enqueue(self, item: object) -> bool:
        accepted = super().try_enqueue(item)
        if not accepted:
            self.refused = item
        return accepted


@GALLERY.mutant("RNG-06", "has places that are used once only")
class UsedOnce(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._left = capacity * 16

    def try_enqueue(self, item: object) -> bool:
        self._left -= 1
        return self._left >= 0 and super().try_enqueue(item)


@GALLERY.mutant("RNG-07", "takes None for emptiness")
class NoneIsEmpty(Correct):
    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        return EMPTY if item is None else item


@GALLERY.mutant("RNG-08", "keeps the last item that it gave out")
class KeepsLast(Correct):
    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        if item is not EMPTY:
            self.last = item
        return item


@GALLERY.mutant("RNG-09", "accepts a batch as a whole or not at all")
class AllOrNothing(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        whole = list(items)
        return super().enqueue_batch(whole) if len(whole) <= len(self.permits) else 0


@GALLERY.mutant("RNG-10", "takes an item from the iterator before it looks for room")
class LooksTooLate(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        count = 0
        for item in items:
            if not self.try_enqueue(item):
                break
            count += 1
        return count


@GALLERY.mutant("RNG-11", "takes one more than it was asked for")
class OneTooMany(Correct):
    def dequeue_batch(self, max_items: int) -> list[object]:
        return super().dequeue_batch(max_items + 1 if max_items else 0)


@GALLERY.mutant("RNG-12", "takes a negative count for none")
class NegativeIsNone(Correct):
    def dequeue_batch(self, max_items: int) -> list[object]:
        return super().dequeue_batch(max(max_items, 0))


@GALLERY.mutant("RNG-13", "counts what it ever accepted")
class CountsForever(Correct):
    ever = 0

    def try_enqueue(self, item: object) -> bool:
        accepted = super().try_enqueue(item)
        self.ever += accepted
        return accepted

    def __len__(self) -> int:
        return min(self.ever, self.capacity)


@GALLERY.mutant("RNG-14", "swaps two items when a batch meets a ring that is not empty")
class SwapsSometimes(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        before = len(self.items)
        count = super().enqueue_batch(items)
        if before == 1 and count == 2:
            self.items.append(self.items.popleft())
        return count


class Slots(Correct):
    """A ring as C has it: slots, a head and a tail. One producer and one consumer, and right."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.slots: list[object] = [None] * capacity
        self.head = self.tail = 0

    def __len__(self) -> int:
        return self.tail - self.head

    def put(self, item: object) -> None:
        self.slots[self.tail % self.capacity] = item
        self.tail += 1

    def take(self) -> object:
        place = self.head % self.capacity
        item, self.slots[place] = self.slots[place], None
        self.head += 1
        return item

    def try_enqueue(self, item: object) -> bool:
        if self.tail - self.head >= self.capacity:
            return False
        self.put(item)
        return True

    def try_dequeue(self) -> object:
        return EMPTY if self.tail == self.head else self.take()

    def enqueue_batch(self, items: Iterable[object]) -> int:
        source = iter(items)
        count = 0
        while self.tail - self.head < self.capacity:
            try:
                self.put(next(source))
            except StopIteration:
                break
            count += 1
        return count


@GALLERY.mutant("RNG-15", "publishes a place before it has written the item")
class PublishesFirst(Slots):
    def put(self, item: object) -> None:
        place = self.tail % self.capacity
        self.tail += 1
        self.slots[place] = item


@GALLERY.mutant("RNG-15", "publishes an item twice, and takes one back")
class PublishesTwice(Correct):
    def try_enqueue(self, item: object) -> bool:
        if not self.permits:
            return False
        self.items.append(item)
        self.items.append(item)
        self.items.pop()
        self.permits.pop()
        return True


@GALLERY.mutant("RNG-16", "frees a place before it has read the item")
class FreesFirst(Slots):
    def take(self) -> object:
        place = self.head % self.capacity
        self.head += 1
        item, self.slots[place] = self.slots[place], None
        return item


@GALLERY.mutant("RNG-17", "computes its length from two indices that may belong to different moments")
class LengthFromTwoMoments(Slots):
    negative = 0

    def put(self, item: object) -> None:
        super().put(item)
        self.negative = -1
        self.negative = 0

    def __len__(self) -> int:
        return self.negative or super().__len__()


@GALLERY.mutant("RNG-18", "loses a place when an iterable raises")
class LosesPlace(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        try:
            return super().enqueue_batch(items)
        except BaseException:
            self.permits.pop()
            raise


@GALLERY.mutant("RNG-21", "looks for room and then uses it, with time for another in between")
class LooksThenUses(Correct):
    def try_enqueue(self, item: object) -> bool:
        if len(self.items) >= self.capacity:
            return False
        self.items.append(item)
        if self.permits:
            self.permits.pop()
        return True


@GALLERY.mutant("RNG-21", "increments a shared tail as C would: two producers write to the same place")
class SharedTail(Slots):
    def put(self, item: object) -> None:
        place = self.tail
        self.slots[place % self.capacity] = item
        self.tail = place + 1


@GALLERY.mutant("RNG-22", "looks at the oldest item and then removes it, with time for another in between")
class LooksThenRemoves(Correct):
    def try_dequeue(self) -> object:
        if not self.items:
            return EMPTY
        item = self.items[0]
        if self.items and self.items[0] is item:
            return super().try_dequeue() and item
        return EMPTY


@GALLERY.mutant("RNG-23", "counts the room of a batch once, and another batch counts the same")
class CountsRoomOnce(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        source = iter(items)
        count = 0
        for _ in range(len(self.permits)):
            try:
                item = next(source)
            except StopIteration:
                break
            self.items.append(item)
            if not self.permits:
                self.items.popleft()
            else:
                self.permits.pop()
            count += 1
        return count


GALLERY.oddball("plain permits and items")(Correct)


@GALLERY.oddball("a ring that takes a lock around everything")
class Locked(Correct):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._lock = threading.RLock()

    def try_enqueue(self, item: object) -> bool:
        with self._lock:
            return super().try_enqueue(item)

    def try_dequeue(self) -> object:
        with self._lock:
            return super().try_dequeue()

    def enqueue_batch(self, items: Iterable[object]) -> int:
        with self._lock:
            return super().enqueue_batch(items)

    def dequeue_batch(self, max_items: int) -> list[object]:
        with self._lock:
            return super().dequeue_batch(max_items)


__all__ = ["GALLERY"]
