"""An executor that starts late: nothing before the first task, and a plain executor after it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from hioload_ws.api.errors import Closed, InvalidArgument, ResourceExhausted
from hioload_ws.api.executor import Executor
from hioload_ws.api.types import NodeId
from hioload_ws.internal.executor import WorkerExecutor
from hioload_ws.internal.late_executor import LateExecutor


class Maker:
    """Makes executors and remembers how large."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.refuses = False

    def __call__(self, worker_count: int) -> WorkerExecutor:
        if self.refuses:
            raise ResourceExhausted("no thread left")
        self.sizes.append(worker_count)
        return WorkerExecutor(worker_count, NodeId(1))


def test_threads_start_with_the_first_task_and_only_once() -> None:
    make = Maker()
    with LateExecutor(NodeId(1), 2, make) as executor:
        typed: Executor = executor
        before = threading.active_count()
        assert (typed.node, typed.worker_count, make.sizes) == (1, 2, [])
        assert executor.stats().submitted_count == executor.stats().worker_count == 0
        assert [executor.submit(partial(abs, -number)).result() for number in range(3)] == [0, 1, 2]
        assert make.sizes == [2]
        assert threading.active_count() == before + 2
        stats = executor.stats()
        assert (stats.worker_count, stats.completed_count) == (2, 3)


def test_a_size_is_noted_before_the_start_and_obeyed_after_it() -> None:
    make = Maker()
    with LateExecutor(NodeId(1), 1, make) as executor:
        executor.resize(3)
        assert executor.worker_count == 3
        executor.submit(lambda: None).result()
        assert make.sizes == [3]
        executor.resize(2)
        assert executor.worker_count == 2
        for wrong in (0, -1):
            with pytest.raises(InvalidArgument):
                executor.resize(wrong)


def test_a_size_below_one_is_refused_also_before_the_start() -> None:
    with pytest.raises(InvalidArgument):
        LateExecutor(NodeId(0), 0, Maker())
    with pytest.raises(InvalidArgument):
        LateExecutor(NodeId(0), 1, Maker()).resize(0)


def test_after_shutdown_nothing_is_taken_whether_it_had_started_or_not() -> None:
    for started in (False, True):
        make = Maker()
        executor = LateExecutor(NodeId(0), 1, make)
        if started:
            executor.submit(lambda: None).result()
        assert executor.shutdown(cancel_queued=True, timeout_ns=None)
        assert executor.shutdown()
        with pytest.raises(Closed):
            executor.submit(lambda: None)
        with pytest.raises(Closed):
            executor.resize(2)
        assert len(make.sizes) == started


def test_a_start_that_failed_is_tried_again() -> None:
    make = Maker()
    make.refuses = True
    with LateExecutor(NodeId(0), 1, make) as executor:
        with pytest.raises(ResourceExhausted):
            executor.submit(lambda: None)
        make.refuses = False
        assert executor.submit(lambda: 5).result() == 5
