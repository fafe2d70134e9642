"""Atomics: the containers that threads share without a lock, and a way to stand between their steps.

What is atomic in CPython are single operations of containers (see ``pool/ring.py``), so a "variable between
threads" is a deque here: ``queue("ring items")``. It *is* a ``collections.deque``, nothing is added to its
operations, and a program pays for this module when it makes a queue, and never when it uses one.

A test that wants to decide who comes first needs to stop a thread just before such an operation. It replaces the
maker of queues for a while (``replaced``), and gets queues of its own kind into everything that is made then: see
``Controller`` of the contract kit. The name says where in an algorithm a thread was stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class QueueMaker(Protocol):
    """Makes a queue with these items. ``name`` is the same for all queues of one role."""

    def __call__(self, name: str, items: Iterable[T]) -> deque[T]:
        """Return a deque, or something derived from it."""


_maker: QueueMaker | None = None


def queue(name: str, items: Iterable[T] = ()) -> deque[T]:
    """Return a deque with these items, whose single operations are steps that no thread can divide."""
    return deque(items) if _maker is None else _maker(name, items)


@contextmanager
def replaced(maker: QueueMaker) -> Iterator[None]:
    """Have ``maker`` make all queues of this process within the block. For tests, and one at a time."""
    global _maker
    before, _maker = _maker, maker
    try:
        yield
    finally:
        _maker = before


__all__ = ["QueueMaker", "queue", "replaced"]
