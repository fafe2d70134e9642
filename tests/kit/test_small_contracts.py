"""The contracts of batches, clocks, object pools and schedulers, on what there is of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.api import Clock
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.batch import BatchContract
from hioload_ws.contract.suites.clock import ClockContract
from hioload_ws.contract.suites.object_pool import ObjectPoolContract, Thing
from hioload_ws.contract.suites.scheduler import SchedulerContract
from hioload_ws.fake import VirtualClock, virtual_scheduler
from hioload_ws.internal import SystemClock, TimerScheduler
from hioload_ws.pool import ListBatch, RecyclingPool
from tests.kit.holding import hold


def recycling(factory: Callable[[], Thing], reset: Callable[[Thing], object], max_idle: int) -> RecyclingPool[Thing]:
    return RecyclingPool(factory, reset, max_idle=max_idle)


def test_the_batch_of_ours_is_conformant() -> None:
    hold(BatchContract, ListBatch, "ListBatch")


@pytest.mark.parametrize("make", [SystemClock, VirtualClock])
def test_every_clock_of_ours_is_conformant(make: type[Clock]) -> None:
    hold(ClockContract, make, make.__name__)


def test_the_object_pool_of_ours_is_conformant() -> None:
    hold(ObjectPoolContract, recycling, "RecyclingPool")


@pytest.mark.parametrize(
    ("name", "make"), [("TimerScheduler", TimerScheduler), ("virtual_scheduler()", virtual_scheduler)]
)
def test_every_scheduler_of_ours_is_conformant(name: str, make: Factory) -> None:
    hold(SchedulerContract, make, name)
