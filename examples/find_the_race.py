"""Find the race in this ring.

Run it with ``python examples/find_the_race.py``. ``SlotRing`` is what one writes who knows rings from C: an array of
slots, a head and a tail. It passes every test with one thread, and a stress test with a hundred threads passes, too:
under the GIL threads hardly ever change places at the wrong moment. The contract of rings does not wait for luck. It
holds a thread at each step in turn, lets others work meanwhile, and prints the line at which a thread has to be held
for the ring to break: between the look at ``tail`` and its change, where another producer comes and does the same.

``ClaimedRing`` is mended: room is claimed by one operation that cannot be divided (``pop`` of a deque), as in
``pool/ring.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from hioload_ws.api import EMPTY, Empty, InvalidArgument
from hioload_ws.contract import MpmcRingContract, check
from hioload_ws.contract.text import story

Answer = object | Literal[Empty.EMPTY]


class SlotRing:
    """A ring over slots. Where is the race?"""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.slots: list[object] = [None] * capacity
        self.head = self.tail = 0

    def __len__(self) -> int:
        return max(0, min(self.tail - self.head, self.capacity))

    def try_enqueue(self, item: object) -> bool:
        """Write the item into the next slot, then move the tail."""
        if self.tail - self.head >= self.capacity:
            return False
        self.slots[self.tail % self.capacity] = item
        self.tail += 1
        return True

    def try_dequeue(self) -> Answer:
        """Take the item out of the oldest slot, then move the head."""
        if self.head == self.tail:
            return EMPTY
        place = self.head % self.capacity
        item, self.slots[place] = self.slots[place], None
        self.head += 1
        return item

    def enqueue_batch(self, items: Iterable[object]) -> int:
        """One after the other, as many as there is room for."""
        return sum(self.try_enqueue(item) for item in islice(items, self.capacity - len(self)))

    def dequeue_batch(self, max_items: int) -> list[object]:
        """One after the other, as many as there are."""
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        found: list[object] = []
        while len(found) < max_items and (item := self.try_dequeue()) is not EMPTY:
            found.append(item)
        return found


class ClaimedRing(SlotRing):
    """The same, with room as something that one can take: a permit per free place."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.items: deque[object] = deque()
        self.permits: deque[None] = deque([None] * capacity)

    def __len__(self) -> int:
        return len(self.items)

    def try_enqueue(self, item: object) -> bool:
        """Claim a place, then publish the item: two steps, and each of them is whole."""
        try:
            self.permits.pop()
        except IndexError:
            return False
        self.items.append(item)
        return True

    def try_dequeue(self) -> Answer:
        """Take an item, then give its place back."""
        try:
            item = self.items.popleft()
        except IndexError:
            return EMPTY
        self.permits.append(None)
        return item

    def enqueue_batch(self, items: Iterable[object]) -> int:
        """One after the other. A place is claimed before the iterator is asked."""
        source, count = iter(items), 0
        while self.permits:
            try:
                self.permits.pop()
            except IndexError:
                break
            try:
                self.items.append(next(source))
            except BaseException as error:
                self.permits.append(None)
                if isinstance(error, StopIteration):
                    break
                raise
            count += 1
        return count


def main() -> None:
    """Check both rings, and print what is wrong with the first."""
    for ring in (SlotRing, ClaimedRing):
        report = check(MpmcRingContract, ring)
        print(f"{ring.__name__}: {report.verdict}")
        for entry in report.failures:
            print(story(report, entry))


if __name__ == "__main__":
    main()
