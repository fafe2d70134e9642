"""Copies of deques that change meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from typing import Self

from hioload_ws.pool.snapshot import snapshot


class Interrupted(deque[int]):
    """A deque whose first copies notice a change, as on a free-threaded build."""

    interruptions = 2

    def copy(self) -> Self:
        if self.interruptions:
            self.interruptions -= 1
            self.append(len(self))
            raise RuntimeError("deque mutated during iteration")
        return super().copy()


def test_a_copy_that_was_interrupted_is_taken_again_and_shows_the_later_state() -> None:
    items = Interrupted([0])
    assert list(snapshot(items)) == [0, 1, 2]
    assert items.interruptions == 0


def test_a_snapshot_is_a_copy_of_its_own() -> None:
    items = deque([1, 2])
    copied = snapshot(items)
    items.append(3)
    assert list(copied) == [1, 2]


def test_snapshots_under_threads_are_always_a_run_of_consecutive_numbers() -> None:
    items = deque(range(100))
    stop = threading.Event()

    def shift() -> None:
        number = 100
        while not stop.is_set():
            items.append(number)
            items.popleft()
            number += 1

    thread = threading.Thread(target=shift)
    thread.start()
    try:
        for _ in range(500):
            copied = list(snapshot(items))
            assert copied == list(range(copied[0], copied[0] + len(copied)))
            assert len(copied) in (100, 101)
    finally:
        stop.set()
        thread.join()
