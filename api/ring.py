"""Ring: a bounded first-in, first-out queue between threads that never blocks and never locks.

A full ring and an empty ring are ordinary outcomes, so they are return values: ``False``, and the sentinel
``EMPTY`` (not ``None``, which may be an item). Bounded means that a producer which outruns its consumer is
told so at once, instead of filling the memory.

Two disciplines exist: single producer and single consumer (*SPSC*), and many of both (*MPMC*).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeVar

T = TypeVar("T")


class Empty(enum.Enum):
    """Type of the one value ``EMPTY``, which an empty ring answers with."""

    EMPTY = "empty"


EMPTY: Final = Empty.EMPTY
"""What ``Ring.try_dequeue`` returns when there is nothing to take. Compare with ``is``."""


class Ring(Protocol[T]):
    """A bounded FIFO queue between threads.

    Guarantees: an item that was accepted is delivered exactly once, complete (whatever the producer wrote
    before ``try_enqueue`` is visible to the consumer), in the order of acceptance per producer; an item
    that was refused is not kept. Whatever the schedule, the answers of all threads are those of one queue on
    which one operation follows the other, each at some moment between its begin and its end; each item of a
    batch is an operation of its own.

    Two answers are allowed beyond that, and only to an operation that another one overlaps. With many producers
    or consumers it may be told "empty" or "full": an item that is claimed but not yet published, or a place that
    is free but not yet given back, may be invisible for that long, and no longer. And a batch may be cut short
    by what was there when it began.
    """

    @property
    def capacity(self) -> int:
        """Most items the ring holds: exactly what was asked for, 1 or more."""

    def __len__(self) -> int:
        """Return how many items wait.

        With other threads active it is a snapshot, always within 0 and ``capacity``.
        """

    def try_enqueue(self, item: T) -> bool:
        """Append the item and return ``True``, or return ``False`` and keep nothing when the ring is full.

        Never waits.
        """

    def try_dequeue(self) -> T | Literal[Empty.EMPTY]:
        """Take the oldest item, or return ``EMPTY``.

        Never waits. The ring keeps no reference to an item it gave out.
        """

    def enqueue_batch(self, items: Iterable[T]) -> int:
        """Append items in order until one does not fit; return how many were accepted.

        The rest is untouched in an iterator.
        """

    def dequeue_batch(self, max_items: int) -> list[T]:
        """Take up to ``max_items`` (0 or more, else ``InvalidArgument``) of the oldest items; a shorter
        list when fewer wait."""


__all__ = ["EMPTY", "Empty", "Ring"]
