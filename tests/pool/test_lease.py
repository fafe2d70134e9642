"""Leases: counts, names, generations, and what a misuse is answered with."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import DoubleRelease, InvalidArgument, UseAfterRelease
from hioload_ws.api.types import NodeId
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.lease import Lease

USES: list[Callable[[Buffer], object]] = [
    lambda buffer: buffer.data(),
    lambda buffer: buffer.view(),
    lambda buffer: buffer.copy(),
    lambda buffer: buffer.slice(0, 1),
    lambda buffer: buffer.retain(),
]


def test_a_lease_is_a_buffer_of_exactly_the_size_asked_for(pool: SlabBufferPool) -> None:
    with pool.acquire(5000) as buffer:
        assert isinstance(buffer, Buffer)
        assert len(buffer) == 5000
        assert buffer.capacity == 8192
        assert buffer.node == NodeId(0)
        assert buffer.ref_count == 1
        assert len(buffer.data()) == len(buffer.view()) == len(buffer.copy()) == 5000


def test_data_writes_what_view_and_copy_read(pool: SlabBufferPool) -> None:
    with pool.acquire(4) as buffer:
        data = buffer.data()
        assert (data.format, data.contiguous, data.readonly) == ("B", True, False)
        data[:] = b"abcd"
        assert buffer.view().readonly
        assert bytes(buffer.view()) == buffer.copy() == b"abcd"


def test_releasing_a_view_takes_nothing_from_other_views(pool: SlabBufferPool) -> None:
    with pool.acquire(4) as buffer:
        buffer.data().release()
        buffer.view().release()
        assert len(buffer.data()) == 4


def test_a_slice_shares_memory_and_count(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(100)
    buffer.data()[:] = bytes(range(100))
    part = buffer.slice(10, 20)
    nested = part.slice(5, 10)
    assert buffer.ref_count == part.ref_count == nested.ref_count == 3
    assert nested.copy() == bytes(range(15, 20))
    assert part.capacity == buffer.capacity - 10
    nested.data()[0] = 255
    assert buffer.copy()[15] == 255
    for name in (buffer, part, nested):
        name.release()
    assert pool.stats().in_use_count == 0


def test_a_slice_outlives_the_buffer_it_was_cut_from(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(10)
    buffer.data()[:] = b"0123456789"
    part = buffer.slice(2, 5)
    buffer.release()
    assert part.copy() == b"234"
    assert pool.stats().in_use_count == 1
    part.release()
    assert pool.stats().in_use_count == 0


@pytest.mark.parametrize("bounds", [(-1, 2), (0, 11), (3, 2), (11, 11)])
def test_a_slice_outside_the_buffer_is_refused_and_counts_nothing(
    pool: SlabBufferPool, bounds: tuple[int, int]
) -> None:
    with pool.acquire(10) as buffer:
        with pytest.raises(InvalidArgument):
            buffer.slice(*bounds)
        assert buffer.ref_count == 1


def test_an_empty_slice_is_a_buffer_to_be_released_like_any_other(pool: SlabBufferPool) -> None:
    with pool.acquire(10) as buffer, buffer.slice(10, 10) as part:
        assert len(part) == 0
        assert part.copy() == b""
        assert buffer.ref_count == 2


def test_a_released_slice_never_shrinks_the_next_acquire(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(4096)
    part = buffer.slice(0, 16)
    buffer.release()
    part.release()
    with pool.acquire(4096) as again:
        assert (len(again), again.capacity, len(again.data())) == (4096, 4096, 4096)


def test_retain_returns_the_buffer_and_needs_a_release_of_its_own(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(1)
    assert buffer.retain() is buffer
    assert buffer.ref_count == 2
    buffer.release()
    assert buffer.copy() is not None
    buffer.release()
    assert (buffer.ref_count, pool.stats().in_use_count) == (0, 0)


@pytest.mark.parametrize("use", USES)
def test_a_released_buffer_raises_on_use_and_names_its_lease(
    pool: SlabBufferPool, use: Callable[[Buffer], object]
) -> None:
    buffer = pool.acquire(10)
    assert isinstance(buffer, Lease)
    buffer.release()
    with pytest.raises(UseAfterRelease) as caught:
        use(buffer)
    assert caught.value.context["lease_id"] == buffer.lease_id
    assert buffer.ref_count == 0


def test_a_released_buffer_still_tells_its_measures(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(10)
    buffer.release()
    assert (len(buffer), buffer.capacity, buffer.node, buffer.ref_count) == (10, 2048, NodeId(0), 0)


def test_a_double_release_raises_and_never_hands_the_memory_out_twice(pool: SlabBufferPool) -> None:
    stale = pool.acquire(100)
    stale.release()
    with pytest.raises(DoubleRelease) as caught:
        stale.release()
    assert caught.value.context["ref_count"] == 0
    first, second = pool.acquire(100), pool.acquire(100)
    with pytest.raises(DoubleRelease):  # the slot is in use again, by another generation
        stale.release()
    first.data()[:] = b"1" * 100
    second.data()[:] = b"2" * 100
    assert first.copy() == b"1" * 100
    assert pool.stats().in_use_count == 2
    first.release()
    second.release()


@pytest.mark.parametrize("use", USES)
def test_a_stale_name_raises_when_its_slot_is_leased_again(
    pool: SlabBufferPool, use: Callable[[Buffer], object]
) -> None:
    stale = pool.acquire(100)
    stale.release()
    with pool.acquire(100) as current:
        with pytest.raises(UseAfterRelease):
            use(stale)
        assert stale.ref_count == 0
        assert current.ref_count == 1


def test_releasing_one_name_twice_does_not_take_the_count_of_another(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(10)
    part = buffer.slice(0, 5)
    part.release()
    with pytest.raises(DoubleRelease):
        part.release()
    assert buffer.ref_count == 1
    assert len(buffer.data()) == 10
    buffer.release()


@pytest.mark.parametrize("use", USES)
def test_a_name_without_counts_is_finished_though_a_slice_keeps_the_lease(
    pool: SlabBufferPool, use: Callable[[Buffer], object]
) -> None:
    buffer = pool.acquire(10)
    with buffer.slice(0, 5) as part:
        buffer.release()
        with pytest.raises(UseAfterRelease):
            use(buffer)
        assert part.ref_count == 1


class ReleaseAtAppend(list[object]):
    """A token list that ends the lease exactly between a retain's check and its push."""

    def __init__(self, tokens: list[object], end: Callable[[], None]) -> None:
        super().__init__(tokens)
        self.end = end

    def append(self, token: object) -> None:
        self.end()
        super().append(token)


def test_a_retain_that_loses_the_race_against_the_last_release_raises(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(10)
    assert isinstance(buffer, Lease)
    buffer._shared = ReleaseAtAppend(list(buffer._shared), buffer.release)  # type: ignore[assignment]
    with pytest.raises(UseAfterRelease):
        buffer.retain()
    assert pool.stats().in_use_count == 0
    with pytest.raises(DoubleRelease):
        buffer.release()


@pytest.mark.parametrize("use", USES[:3])
def test_a_token_left_by_an_illegal_race_gives_no_access_and_frees_nothing(
    pool: SlabBufferPool, use: Callable[[Buffer], object]
) -> None:
    stale = pool.acquire(10)
    assert isinstance(stale, Lease)
    stale.release()
    stale._own.append(True)
    stale._shared.append(None)
    with pool.acquire(10) as current:
        with pytest.raises(UseAfterRelease):
            use(stale)
        stale.release()
        assert (current.ref_count, pool.stats().in_use_count) == (1, 1)


def test_a_with_block_releases_whatever_it_raised(pool: SlabBufferPool) -> None:
    with pytest.raises(KeyError), pool.acquire(10):
        raise KeyError
    assert pool.stats().in_use_count == 0


def test_a_view_kept_after_the_release_is_not_revoked_and_not_unmapped(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(3 << 20)
    view = buffer.data()
    buffer.release()
    pool.close()
    view[:3] = b"abc"  # misuse, but it must not crash the process
    assert bytes(view[:3]) == b"abc"


def test_many_threads_releasing_one_lease_send_it_home_once(pool: SlabBufferPool) -> None:
    for _ in range(50):
        buffer = pool.acquire(10)
        for _ in range(3):
            buffer.retain()
        start = threading.Barrier(6)
        refused: list[DoubleRelease] = []

        def release(
            buffer: Buffer = buffer, start: threading.Barrier = start, refused: list[DoubleRelease] = refused
        ) -> None:
            start.wait()
            try:
                buffer.release()
            except DoubleRelease as error:
                refused.append(error)

        threads = [threading.Thread(target=release) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 2
        assert pool.stats().in_use_count == 0
    assert pool.stats().acquired_count == pool.stats().released_count == 50


def test_a_lease_shows_its_id_size_and_count(pool: SlabBufferPool) -> None:
    with pool.acquire(10) as buffer:
        assert repr(buffer) == "<Lease 1: 10 bytes, ref_count 1>"
