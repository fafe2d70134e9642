"""Leak tracking: what each level tells, and that a lost lease is noticed and its memory comes back."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from hioload_ws.api.errors import DoubleRelease, ForeignRelease, InvalidArgument, UseAfterRelease
from hioload_ws.api.pool import LeakReport
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.size_class import POISON_BYTE
from hioload_ws.pool.tracking import (
    ENVIRONMENT_NAME,
    MAX_TOUCHES,
    SAMPLE_EVERY,
    LeakLevel,
    LeakTracker,
    leak_level,
    warn_of_leak,
)

MakePool: TypeAlias = Callable[..., SlabBufferPool]
HERE = Path(__file__).name
WATCHED = ["simple", "advanced", "paranoid"]


def test_the_argument_decides_before_the_environment() -> None:
    environment = {ENVIRONMENT_NAME: "paranoid"}
    assert leak_level("simple", environment) is LeakLevel.SIMPLE
    assert leak_level(None, environment) is LeakLevel.PARANOID
    assert leak_level(None, {}) is LeakLevel.DISABLED


def test_the_pool_reads_the_environment(monkeypatch: pytest.MonkeyPatch, make_pool: MakePool) -> None:
    monkeypatch.setenv(ENVIRONMENT_NAME, "advanced")
    assert make_pool(leaks=None).leak_level is LeakLevel.ADVANCED


@pytest.mark.parametrize(
    ("choice", "source"), [("loud", "argument"), (None, ENVIRONMENT_NAME), ("", "argument")]
)
def test_an_unknown_level_is_refused_and_its_source_named(choice: str | None, source: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        leak_level(choice, {ENVIRONMENT_NAME: "loud"})
    assert caught.value.context["source"] == source


def test_disabled_lists_nothing(make_pool: MakePool) -> None:
    pool = make_pool(leaks="disabled")
    with pool.acquire(10):
        assert pool.leaks() == ()


@pytest.mark.parametrize("level", WATCHED)
def test_every_lease_is_listed_while_it_is_out(make_pool: MakePool, level: str) -> None:
    pool = make_pool(leaks=level)
    first, second = pool.acquire(10), pool.acquire(5000)
    part = first.slice(0, 5)
    reports = pool.leaks()
    assert [(report.lease_id, report.size_bytes, report.ref_count) for report in reports] == [
        (1, 10, 2),
        (2, 5000, 1),
    ]
    first.release()
    assert [report.lease_id for report in pool.leaks()] == [1, 2]
    part.release()
    assert [report.lease_id for report in pool.leaks()] == [2]
    second.release()
    assert pool.leaks() == ()


def test_simple_records_the_place_of_a_sample(make_pool: MakePool) -> None:
    pool = make_pool(leaks="simple")
    held = [pool.acquire(10) for _ in range(SAMPLE_EVERY + 1)]
    placed = [report.lease_id for report in pool.leaks() if report.acquired_at]
    assert placed == [1, SAMPLE_EVERY + 1]
    for buffer in held:
        buffer.release()


def test_a_sample_of_less_than_every_lease_is_out_of_range() -> None:
    with pytest.raises(InvalidArgument):
        LeakTracker(LeakLevel.SIMPLE, sample_every=0)


@pytest.mark.parametrize("level", ["advanced", "paranoid"])
def test_from_advanced_on_every_lease_has_its_place(make_pool: MakePool, level: str) -> None:
    pool = make_pool(leaks=level)
    with pool.acquire(10), pool.acquire(5000), pool.acquire(3 << 20):
        assert len(pool.leaks()) == 3
        for report in pool.leaks():
            assert HERE in report.acquired_at
            assert report.acquired_at.endswith(" test_from_advanced_on_every_lease_has_its_place")


def test_paranoid_records_every_touch_and_the_others_none(make_pool: MakePool) -> None:
    for level in WATCHED:
        pool = make_pool(leaks=level)
        with pool.acquire(10) as buffer:
            buffer.retain().release()
            buffer.slice(0, 1).release()
            touches = [touch.split()[0] for touch in pool.leaks()[0].touched_at]
            assert all(HERE in touch for touch in pool.leaks()[0].touched_at)
        assert touches == (["retain", "release", "slice", "release"] if level == "paranoid" else [])


def test_touches_are_bounded(make_pool: MakePool) -> None:
    pool = make_pool(leaks="paranoid")
    with pool.acquire(10) as buffer:
        for _ in range(MAX_TOUCHES):
            buffer.retain().release()
        assert len(pool.leaks()[0].touched_at) == MAX_TOUCHES


def test_paranoid_poisons_freed_bytes(make_pool: MakePool) -> None:
    pool = make_pool(leaks="paranoid")
    for size_bytes in (10, 3 << 20):
        buffer = pool.acquire(size_bytes)
        view = buffer.data()
        view[:4] = b"abcd"
        buffer.release()
        assert bytes(view) == bytes([POISON_BYTE]) * size_bytes


def test_errors_name_the_place_of_the_acquire_and_of_the_release(make_pool: MakePool) -> None:
    pool, other = make_pool(leaks="paranoid"), make_pool()
    buffer = pool.acquire(10)
    with pytest.raises(ForeignRelease) as foreign:
        other.release(buffer)
    buffer.release()
    with pytest.raises(DoubleRelease) as twice:
        buffer.release()
    with pytest.raises(UseAfterRelease) as used:
        buffer.data()
    for caught in (foreign, twice, used):
        assert caught.value.context["lease_id"] == 1
        assert HERE in str(caught.value.context["acquired_at"])
    assert "release at" in str(twice.value.context["touched_at"])
    assert twice.value.context["ref_count"] == 0


@pytest.mark.parametrize("level", WATCHED)
def test_a_collected_lease_is_reported_and_its_memory_comes_back(level: str) -> None:
    told: list[LeakReport] = []
    with SlabBufferPool(leaks=level, on_leak=told.append) as pool:
        buffer = pool.acquire(10).retain()
        part = buffer.slice(0, 5)
        del buffer
        gc.collect()
        assert [(report.lease_id, report.size_bytes, report.ref_count) for report in told] == [(1, 10, 2)]
        assert HERE in told[0].acquired_at
        assert pool.stats().in_use_count == 1  # the slice still holds it
        assert part.ref_count == 1
        del part
        gc.collect()
        assert pool.stats().in_use_count == 0
        assert pool.leaks() == ()
        assert len(told) == 2
        assert list(pool.collected_leaks()) == told
        assert pool.stats().released_count == 1


def test_a_released_lease_is_collected_in_silence() -> None:
    told: list[LeakReport] = []
    with SlabBufferPool(leaks="paranoid", on_leak=told.append) as pool:
        pool.acquire(10).release()
        gc.collect()
    assert told == []


def test_a_lease_lost_in_a_cycle_comes_back_after_close() -> None:
    told: list[LeakReport] = []
    pool = SlabBufferPool(leaks="simple", on_leak=told.append)
    cycle: list[object] = [pool.acquire(2 << 20)]
    cycle.append(cycle)
    pool.close()
    del cycle
    gc.collect()
    assert len(told) == 1
    assert pool.stats().mapped_bytes == 0


@pytest.mark.parametrize("place", ["", "app.py:3 handler"])
def test_the_usual_hook_warns_as_python_does_for_an_unclosed_file(place: str) -> None:
    with pytest.warns(ResourceWarning, match=r"lease 7 of 10 bytes was never released") as caught:
        warn_of_leak(LeakReport(7, 10, 1, place))
    assert place in str(caught[0].message)


def test_a_pool_without_a_hook_of_its_own_warns_when_a_lease_is_collected(make_pool: MakePool) -> None:
    pool = make_pool(leaks="advanced")
    buffer = pool.acquire(10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del buffer
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
