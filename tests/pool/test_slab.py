"""Slabs: what is mapped, what kind of page it got, and how it is cut."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.types import NodeId
from hioload_ws.internal.memory_policy import NOT_TOUCHED, MemoryPolicy
from hioload_ws.pool.slab import (
    HUGE_1G_BYTES,
    HUGE_2M_BYTES,
    MAP_HUGE_1G,
    MAP_HUGE_2M,
    MAP_HUGETLB,
    PAGE_BYTES,
    Bind,
    Mappings,
    PageSource,
    Populate,
    Slab,
    map_anonymous,
    populate_pages,
    round_up_to_pages,
    transparent_pages_allowed,
)


class Machine:
    """A machine that grants some huge pages: maps with the flags it grants left out, and notes all calls."""

    def __init__(self, *granted_flags: int) -> None:
        self.granted_flags = granted_flags
        self.calls: list[tuple[int, int]] = []

    def __call__(self, size_bytes: int, flags: int) -> mmap.mmap:
        self.calls.append((size_bytes, flags))
        if flags and flags not in self.granted_flags:
            raise OSError(errno.ENOMEM, "no huge pages reserved")
        # A gigabyte is only address space here, too: nothing of it is touched.
        return map_anonymous(size_bytes)


def do_nothing(mapping: mmap.mmap) -> None:
    """Populate nothing: a gigabyte stays address space."""


def source(
    machine: Machine, *, transparent: bool = False, bind: Bind | None = None, populate: Populate = do_nothing
) -> PageSource:
    """Return a source on that machine, which populates by doing nothing."""
    return PageSource(
        NodeId(1),
        "try",
        bind,
        map_memory=machine,
        transparent_allowed=lambda: transparent,
        populate=populate,
    )


def refuse(number: int) -> Callable[[mmap.mmap], None]:
    """Return a populate that the kernel answers with this error number."""

    def populate(mapping: mmap.mmap) -> None:
        raise OSError(number, os.strerror(number))

    return populate


def test_a_mapping_is_page_aligned_zeroed_and_writable() -> None:
    mapping, kind, _ = PageSource().map(2 * PAGE_BYTES)
    assert kind == "normal"
    assert len(mapping) == 2 * PAGE_BYTES
    assert ctypes.addressof(ctypes.c_char.from_buffer(mapping)) % PAGE_BYTES == 0
    assert mapping[:] == bytes(2 * PAGE_BYTES)
    mapping[5:8] = b"abc"
    assert mapping[5:8] == b"abc"


def test_pages_are_committed_at_first_touch_only() -> None:
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES

    before = resident_bytes()
    mapping, *_ = PageSource().map(256 << 20)
    assert resident_bytes() - before < 64 << 20
    assert len(mapping) == 256 << 20


def test_never_asks_for_no_huge_page() -> None:
    machine = Machine(MAP_HUGE_1G, MAP_HUGE_2M)
    kind = PageSource(map_memory=machine).map(HUGE_2M_BYTES).page_kind
    assert kind == "normal"
    assert machine.calls == [(HUGE_2M_BYTES, 0)]


def test_a_gigabyte_gets_the_largest_page_that_is_granted() -> None:
    machine = Machine(MAP_HUGE_1G, MAP_HUGE_2M)
    kind = source(machine).map(HUGE_1G_BYTES).page_kind
    assert kind == "huge-1g"
    assert machine.calls == [(HUGE_1G_BYTES, MAP_HUGE_1G)]


def test_a_refused_gigabyte_page_falls_to_2_mib_pages() -> None:
    machine = Machine(MAP_HUGE_2M)
    kind = source(machine).map(HUGE_1G_BYTES).page_kind
    assert kind == "huge-2m"
    assert [flags for _, flags in machine.calls] == [MAP_HUGE_1G, MAP_HUGE_2M]


def test_2_mib_get_a_2_mib_page() -> None:
    machine = Machine(MAP_HUGE_1G, MAP_HUGE_2M)
    kind = source(machine).map(HUGE_2M_BYTES).page_kind
    assert kind == "huge-2m"
    assert machine.calls == [(HUGE_2M_BYTES, MAP_HUGE_2M)]


def test_without_explicit_pages_transparent_ones_are_advised_and_reported() -> None:
    machine = Machine()
    kind = source(machine, transparent=True).map(HUGE_2M_BYTES).page_kind
    assert kind == "transparent"
    assert [flags for _, flags in machine.calls] == [MAP_HUGE_2M, 0]


def test_where_the_kernel_would_ignore_the_advice_normal_pages_are_reported() -> None:
    kind = source(Machine(), transparent=False).map(HUGE_2M_BYTES).page_kind
    assert kind == "normal"


def test_where_the_kernel_refuses_the_advice_normal_pages_are_reported() -> None:
    class Stubborn(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(errno.EINVAL, "not configured")

    def map_stubborn(size_bytes: int, flags: int) -> mmap.mmap:
        if flags:
            raise OSError(errno.ENOMEM, "none")
        return Stubborn(-1, size_bytes)

    pages = PageSource(huge_pages="try", map_memory=map_stubborn, transparent_allowed=lambda: True)
    assert pages.map(HUGE_2M_BYTES).page_kind == "normal"


def test_a_mapping_below_a_huge_page_is_normal_whatever_was_asked() -> None:
    machine = Machine(MAP_HUGE_2M)
    kind = source(machine, transparent=True).map(PAGE_BYTES).page_kind
    assert kind == "normal"
    assert machine.calls == [(PAGE_BYTES, 0)]


def test_on_the_real_machine_a_reported_explicit_page_was_really_granted() -> None:
    mapping, kind, _ = PageSource(huge_pages="try").map(HUGE_2M_BYTES)
    mapping[0] = 1
    reserved_count = int(Path("/proc/sys/vm/nr_hugepages").read_text())
    assert kind != "huge-2m" or reserved_count > 0
    assert (kind == "transparent") <= transparent_pages_allowed()


def test_the_flags_are_those_of_the_kernel_headers() -> None:
    assert MAP_HUGETLB == 0x40000
    assert MAP_HUGE_2M >> 26 == 21
    assert MAP_HUGE_1G >> 26 == 30


@pytest.mark.parametrize(
    ("content", "allowed"),
    [("always [madvise] never", True), ("[always] madvise never", True), ("always madvise [never]", False)],
)
def test_the_switch_for_transparent_pages_is_read(tmp_path: Path, content: str, allowed: bool) -> None:
    switch = tmp_path / "enabled"
    switch.write_text(content)
    assert transparent_pages_allowed(switch) is allowed


def test_without_the_switch_transparent_pages_are_not_assumed(tmp_path: Path) -> None:
    assert transparent_pages_allowed(tmp_path / "absent") is False


def test_a_mapping_is_bound_to_its_node_before_any_touch() -> None:
    bound: list[tuple[int, NodeId, bytes]] = []

    def bind(mapping: mmap.mmap, node: NodeId) -> bool:
        bound.append((len(mapping), node, mapping[:1]))
        return True

    assert PageSource(NodeId(3), bind=bind).map(PAGE_BYTES).binding == "bound"
    assert bound == [(PAGE_BYTES, NodeId(3), b"\0")]


def test_without_a_means_to_bind_the_first_touch_decides_and_a_refusal_is_told() -> None:
    assert PageSource().map(PAGE_BYTES).binding == "first-touch"
    refused = PageSource(bind=lambda mapping, node: False).map(PAGE_BYTES)
    assert refused.binding == "refused"
    refused.mapping[0] = 1


def test_explicit_pages_are_bound_and_then_populated() -> None:
    done: list[str] = []

    def bind(mapping: mmap.mmap, node: NodeId) -> bool:
        done.append(f"bind {node}")
        return True

    pages = source(Machine(MAP_HUGE_2M), bind=bind, populate=lambda mapping: done.append("populate"))
    assert pages.map(HUGE_2M_BYTES)[1:] == ("huge-2m", "bound")
    assert done == ["bind 1", "populate"]


@pytest.mark.parametrize("number", [errno.EFAULT, errno.ENOMEM, errno.EINVAL])
def test_a_node_without_huge_pages_gets_the_next_rung_instead_of_a_signal(number: int) -> None:
    machine = Machine(MAP_HUGE_1G, MAP_HUGE_2M)
    pages = source(machine, transparent=True, bind=lambda mapping, node: True, populate=refuse(number))
    assert pages.map(HUGE_1G_BYTES)[1:] == ("transparent", "bound")
    assert [flags for _, flags in machine.calls] == [MAP_HUGE_1G, MAP_HUGE_2M, 0]


def test_unbound_explicit_pages_are_kept_by_a_kernel_that_can_not_populate() -> None:
    pages = source(Machine(MAP_HUGE_2M), populate=refuse(errno.EINVAL))
    assert pages.map(HUGE_2M_BYTES)[1:] == ("huge-2m", "first-touch")
    refused = source(Machine(MAP_HUGE_2M), bind=lambda mapping, node: False, populate=refuse(errno.EINVAL))
    assert refused.map(HUGE_2M_BYTES)[1:] == ("huge-2m", "refused")
    short = source(Machine(MAP_HUGE_2M), populate=refuse(errno.EFAULT))
    assert short.map(HUGE_2M_BYTES)[1:] == ("normal", "first-touch")


def test_an_explicit_page_that_can_not_be_bound_falls_to_a_rung_that_can() -> None:
    def bind(mapping: mmap.mmap, node: NodeId) -> bool:
        if len(machine.calls) < 2:
            raise OSError(errno.ENOMEM, "no room")
        return True

    machine = Machine(MAP_HUGE_2M)
    assert source(machine, bind=bind).map(HUGE_2M_BYTES)[1:] == ("normal", "bound")


def test_populated_pages_have_memory_before_any_touch() -> None:
    mapping = PageSource().map(64 * PAGE_BYTES).mapping
    try:
        populate_pages(mapping)
    except OSError as error:
        assert error.errno == errno.EINVAL, "only a kernel before 5.14 may refuse"
        return
    with suppress(PermissionError):  # a container may hide where pages lie
        assert NOT_TOUCHED not in MemoryPolicy().pages_by_node(mapping)


@pytest.mark.parametrize("size_bytes", [1 << 62, 1 << 80])
def test_a_size_beyond_the_machine_is_an_oserror(size_bytes: int) -> None:
    with pytest.raises(OSError):
        PageSource().map(size_bytes)


def test_an_unknown_huge_page_mode_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="huge_pages"):
        PageSource(huge_pages="always")  # type: ignore[arg-type]  # the refusal is what is tested


def test_sizes_round_up_to_whole_pages() -> None:
    assert round_up_to_pages(1) == PAGE_BYTES
    assert round_up_to_pages(PAGE_BYTES) == PAGE_BYTES
    assert round_up_to_pages(PAGE_BYTES + 1) == 2 * PAGE_BYTES


def test_a_slab_is_cut_into_disjoint_slots_until_it_is_used_up() -> None:
    mapping = map_anonymous(4 * PAGE_BYTES)
    slab = Slab(memoryview(mapping), PAGE_BYTES)
    assert (slab.slot_count, slab.carved_count, slab.uncarved_count) == (4, 0, 4)
    for number in range(4):
        memory = slab.carve()
        assert memory is not None
        assert len(memory) == PAGE_BYTES
        memory[:] = bytes([number + 1]) * PAGE_BYTES
    assert slab.carve() is None
    assert slab.uncarved_count == 0
    assert mapping[:] == b"".join(bytes([number + 1]) * PAGE_BYTES for number in range(4))


def test_mappings_count_what_is_alive_and_not_what_was_forgotten() -> None:
    mappings = Mappings()
    first, second = map_anonymous(PAGE_BYTES), map_anonymous(2 * PAGE_BYTES)
    mappings.add(first)
    mappings.add(second)
    assert (mappings.count, mappings.total_bytes()) == (2, 3 * PAGE_BYTES)
    view = memoryview(first)[1:2]
    del first
    gc.collect()
    assert mappings.total_bytes() == 3 * PAGE_BYTES  # a view keeps a mapping, and the books say so
    del view
    gc.collect()
    assert (mappings.count, mappings.total_bytes()) == (1, 2 * PAGE_BYTES)
    del second
    gc.collect()
    assert mappings.count == 0


def test_mappings_may_be_forgotten_before_what_they_watch() -> None:
    mappings = Mappings()
    mapping = map_anonymous(PAGE_BYTES)
    mappings.add(mapping)
    del mappings
    gc.collect()
    mapping.close()
