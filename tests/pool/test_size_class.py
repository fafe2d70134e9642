"""Homes of slots: what they keep, what they let go, and that no slot is lost between two threads."""

from __future__ import annotations

import gc
import mmap
from collections import deque
from collections.abc import Callable

from hioload_ws.api.types import NodeId
from hioload_ws.pool.lease import Slot
from hioload_ws.pool.size_class import POISON_BYTE, LargeBuffers, SizeClass, poison
from hioload_ws.pool.slab import PAGE_BYTES, Slab, map_anonymous


def mapped(home: SizeClass | LargeBuffers, size_bytes: int) -> memoryview:
    mapping: mmap.mmap = map_anonymous(size_bytes)
    home.mappings.add(mapping)
    return memoryview(mapping)


def size_class(*, poisoned: bool = False) -> SizeClass:
    return SizeClass(PAGE_BYTES, NodeId(0), object(), poisoned=poisoned)


def large(cache_bytes: int, *, poisoned: bool = False) -> LargeBuffers:
    return LargeBuffers(NodeId(0), object(), cache_bytes=cache_bytes, poisoned=poisoned)


def carved(home: SizeClass) -> Slot:
    slot = home.carve()
    assert slot is not None
    home.acquired_count += 1
    return slot


def adopted(home: LargeBuffers, size_bytes: int) -> Slot:
    slot = home.adopt(mapped(home, size_bytes))
    home.acquired_count += 1
    return slot


def test_poison_covers_memory_larger_than_its_pattern() -> None:
    memory = memoryview(bytearray((1 << 20) + 7))
    poison(memory)
    assert memory.tobytes() == bytes([POISON_BYTE]) * len(memory)


def test_a_class_without_a_slab_has_nothing_to_cut() -> None:
    assert size_class().carve() is None


def test_slots_of_a_slab_are_idle_before_they_are_cut() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, 3 * PAGE_BYTES), PAGE_BYTES))
    slot = carved(home)
    stats = home.books()[0]
    assert (stats.idle_count, stats.in_use_count, stats.slab_count) == (2, 1, 1)
    assert (home.books()[1], home.idle_bytes()) == (PAGE_BYTES, 2 * PAGE_BYTES)
    home.take_back(slot)
    assert home.books()[0].idle_count == 3
    assert [home.carve() is None for _ in range(3)] == [False, False, True]


def test_a_slot_comes_back_poisoned_only_where_asked() -> None:
    for poisoned in (True, False):
        home = size_class(poisoned=poisoned)
        home.add_slab(Slab(mapped(home, PAGE_BYTES), PAGE_BYTES))
        slot = carved(home)
        slot.memory[:] = b"x" * PAGE_BYTES
        home.take_back(slot)
        assert slot.memory[0] == (POISON_BYTE if poisoned else ord("x"))


def test_a_slot_that_comes_back_after_close_lets_its_memory_go() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, 2 * PAGE_BYTES), PAGE_BYTES))
    first, second = carved(home), carved(home)
    home.take_back(first)
    home.close()
    home.close()
    assert (home.books()[0].in_use_count, home.books()[0].idle_count) == (1, 0)
    assert home.mappings.count == 1
    home.take_back(second)
    gc.collect()
    assert (home.books()[0].in_use_count, home.mappings.count) == (0, 0)


def test_a_close_between_append_and_check_still_drops_the_slot() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, PAGE_BYTES), PAGE_BYTES))
    slot = carved(home)

    class CloseAtAppend(deque[Slot]):
        def append(self, item: Slot) -> None:
            super().append(item)
            home.close()  # the other thread's close, at the worst moment

    home.free = CloseAtAppend()
    home.take_back(slot)
    gc.collect()
    assert (len(home.free), home.mappings.count, home.books()[0].in_use_count) == (0, 0, 0)


def test_only_slabs_without_a_slot_in_use_are_dropped() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, 2 * PAGE_BYTES), PAGE_BYTES))
    busy, idle = carved(home), carved(home)
    home.add_slab(Slab(mapped(home, 2 * PAGE_BYTES), PAGE_BYTES))
    other = carved(home)  # leaves one slot of the newest slab uncut
    home.take_back(idle)
    home.take_back(other)
    home.drop_idle_slabs()
    del other
    gc.collect()
    assert home.mappings.count == 1
    assert list(home.free) == [idle]
    assert home.carve() is None
    assert home.books()[0].in_use_count == 1
    home.take_back(busy)
    home.drop_idle_slabs()
    gc.collect()
    assert home.mappings.count == 0


def test_the_newest_slab_is_kept_while_one_of_its_slots_is_used() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, 3 * PAGE_BYTES), PAGE_BYTES))
    used, idle = carved(home), carved(home)
    home.take_back(idle)
    home.drop_idle_slabs()
    assert home.carve() is not None
    assert used.slab is not None


def test_dropping_idle_slabs_of_an_unused_class_does_nothing() -> None:
    home = size_class()
    home.drop_idle_slabs()
    assert home.books()[0].slab_count == 0


def test_the_cache_keeps_the_newest_large_buffers_within_its_bound() -> None:
    home = large(5 * PAGE_BYTES)
    slots = [adopted(home, 2 * PAGE_BYTES) for _ in range(3)]
    for slot in slots:
        home.take_back(slot)
    assert list(home.free) == slots[1:]
    assert home.idle_bytes() == 4 * PAGE_BYTES
    assert home.books()[1] == 0


def test_a_large_buffer_above_the_bound_is_let_go_at_once() -> None:
    home = large(PAGE_BYTES, poisoned=True)
    slot = adopted(home, 2 * PAGE_BYTES)
    view = slot.memory[:1]
    home.take_back(slot)
    assert len(home.free) == 0
    assert view[0] == POISON_BYTE
    del view
    gc.collect()
    assert home.mappings.count == 0


def test_a_cached_buffer_serves_a_request_that_it_exceeds_by_a_quarter_at_most() -> None:
    home = large(100 * PAGE_BYTES)
    slot = adopted(home, 10 * PAGE_BYTES)
    home.take_back(slot)
    assert home.reuse(11 * PAGE_BYTES) is None
    assert home.reuse(7 * PAGE_BYTES) is None
    assert home.reuse(8 * PAGE_BYTES) is slot
    assert home.reuse(8 * PAGE_BYTES) is None


def test_a_release_between_two_looks_is_in_all_figures_or_in_none() -> None:
    """The free list says one thing when it is looked at first, and another ever after."""

    class Growing(deque[Slot]):
        def __len__(self) -> int:
            length = super().__len__()
            if not length:
                home.free.append(slot)  # the other thread's release, right after the look
            return length

    home = size_class()
    home.add_slab(Slab(mapped(home, PAGE_BYTES), PAGE_BYTES))
    slot = carved(home)
    home.free = Growing()
    stats, in_use_bytes = home.books()
    assert (stats.in_use_count, stats.idle_count, in_use_bytes) == (1, 0, PAGE_BYTES)
    stats, in_use_bytes = home.books()
    assert (stats.in_use_count, stats.idle_count, in_use_bytes) == (0, 1, 0)


def test_looking_into_the_cache_passes_over_what_does_not_fit_and_keeps_it() -> None:
    home = large(100 * PAGE_BYTES)
    small, fitting = adopted(home, PAGE_BYTES), adopted(home, 8 * PAGE_BYTES)
    home.take_back(small)
    home.take_back(fitting)
    assert home.reuse(8 * PAGE_BYTES) is fitting
    assert list(home.free) == [small]


class RacingDeque(deque[Slot]):
    """A free list on which another thread empties everything just before the next ``popleft``."""

    def popleft(self) -> Slot:
        self.clear()
        return super().popleft()


def racing(home: LargeBuffers, size_bytes: int) -> Callable[[], None]:
    slot = adopted(home, size_bytes)
    home.free = RacingDeque()

    def act() -> None:
        home.take_back(slot)

    return act


def test_a_cache_emptied_by_another_thread_while_looking_is_no_hit() -> None:
    home = large(100 * PAGE_BYTES)
    racing(home, PAGE_BYTES)()
    assert home.reuse(PAGE_BYTES) is None


def test_a_cache_emptied_by_another_thread_while_trimming_is_within_its_bound() -> None:
    home = large(0)
    racing(home, PAGE_BYTES)()
    assert home.idle_bytes() == 0


def test_large_buffers_after_close_are_not_cached() -> None:
    home = large(100 * PAGE_BYTES)
    kept, out = adopted(home, PAGE_BYTES), adopted(home, PAGE_BYTES)
    home.take_back(kept)
    home.close()
    home.take_back(out)
    gc.collect()
    assert (len(home.free), home.mappings.count, home.books()[0].in_use_count) == (0, 0, 0)


def test_a_class_emptied_by_another_thread_while_its_slabs_are_looked_at_drops_nothing_more() -> None:
    home = size_class()
    home.add_slab(Slab(mapped(home, PAGE_BYTES), PAGE_BYTES))
    slot = carved(home)
    home.free = RacingDeque()
    home.take_back(slot)
    home.drop_idle_slabs()
    assert len(home.free) == 0 and home.carve() is None
