"""Snapshot of a deque that other threads change meanwhile.

``append`` and ``pop`` of a deque are atomic steps in every build of CPython; *walking over* one is not. With
the GIL a copy happens in one C call that nobody interrupts. On free-threaded builds before CPython's
gh-144809 was mended, the copy lets the deque's lock go between two items, notices that another thread changed
the deque, and raises ``RuntimeError``. The only sound answer is to look again: nobody holds anything
meanwhile, and a copy that came to its end without that error is one that no change interrupted.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

T = TypeVar("T")


def snapshot(items: deque[T]) -> deque[T]:
    """Return a copy of ``items`` as they were together at some moment of this call. Any thread."""
    while True:
        try:
            return items.copy()
        except RuntimeError:
            continue  # changed while it was copied: this copy never existed


__all__ = ["snapshot"]
