"""Cost of the machine's room: a turn, a post, a wake-up, a timer, a deadline that moves, a task.

Run with ``pytest benchmarks/test_internal.py``; pytest-benchmark records the machine and the Python. Every
benchmark asserts that what it measured was done right. There is no randomness here, hence no seed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.api.poller import READABLE, Readiness
from hioload_ws.api.types import Handle
from hioload_ws.fake import VirtualClock
from hioload_ws.internal import (
    CurrentNode,
    Deadline,
    DeadlineWheel,
    Inbox,
    NodeExecutors,
    PollReactor,
    SystemClock,
    SysTopology,
    TimerScheduler,
    WorkerExecutor,
    available_pollers,
    parse_cpu_list,
)

TURNS = 100
HOUR_NS = 3600 * 1_000_000_000


@pytest.fixture
def reactor() -> Iterator[PollReactor]:
    made = PollReactor()
    yield made
    made.close()


def test_a_turn_without_work(benchmark: BenchmarkFixture, reactor: PollReactor) -> None:
    assert benchmark(reactor.run_once, 0) == 0
    assert reactor.stats().event_count == 0


def test_a_turn_with_one_ready_handle(benchmark: BenchmarkFixture, reactor: PollReactor) -> None:
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")  # stays unread: ready in every turn
        seen: list[Readiness] = []
        reactor.register(Handle(left.fileno()), READABLE, seen.append)
        assert benchmark(reactor.run_once, 0) == 1
        assert set(seen) == {READABLE} and len(seen) == reactor.stats().event_count
        reactor.unregister(Handle(left.fileno()))


@pytest.mark.parametrize("idle_count", [10, 200])
@pytest.mark.parametrize("name", sorted(available_pollers()))
def test_a_poll_with_idle_handles(benchmark: BenchmarkFixture, name: str, idle_count: int) -> None:
    pairs = [socket.socketpair() for _ in range(idle_count)]
    poller = available_pollers()[name]()
    try:
        for left, _ in pairs:
            poller.register(Handle(left.fileno()), READABLE)
        pairs[0][1].send(b"x")
        assert list(benchmark(poller.poll, 0, 256)) == [(pairs[0][0].fileno(), READABLE)]
    finally:
        poller.close()
        for left, right in pairs:
            left.close()
            right.close()


def test_posts_of_the_owner(benchmark: BenchmarkFixture, reactor: PollReactor) -> None:
    ran: list[None] = []

    def turn() -> int:
        for _ in range(TURNS):
            reactor.post(lambda: ran.append(None))
        return reactor.run_once(0)

    assert benchmark(turn) == TURNS
    assert len(ran) == reactor.stats().posted_count


def test_enqueue_and_dequeue(benchmark: BenchmarkFixture) -> None:
    inbox: Inbox[int] = Inbox(1024)

    def turns() -> list[object]:
        for number in range(TURNS):
            inbox.try_enqueue(number)
        return [inbox.try_dequeue() for _ in range(TURNS)]

    assert benchmark(turns) == list(range(TURNS))


def test_timers_that_are_set_and_cancelled(benchmark: BenchmarkFixture) -> None:
    scheduler = TimerScheduler(SystemClock())

    def turns() -> None:
        for _ in range(TURNS):
            scheduler.schedule(HOUR_NS, turns).cancel()

    benchmark(turns)
    assert len(scheduler) == 0


def test_a_hundred_thousand_timers_half_of_them_cancelled(benchmark: BenchmarkFixture) -> None:
    """Schedule all, cancel every second one, run the rest in virtual time."""
    ran = [0]

    def run() -> None:
        ran[0] += 1

    def turns() -> int:
        clock = VirtualClock()
        scheduler = TimerScheduler(clock)
        timers = [scheduler.schedule(number * 7919 % 1_000_003, run) for number in range(100_000)]
        for timer in timers[::2]:
            timer.cancel()
        ran[0] = 0
        while (deadline_ns := scheduler.next_deadline_ns()) is not None:
            clock.advance(deadline_ns - clock.now_ns())
            scheduler.run_due(256)
        return ran[0]

    assert benchmark(turns) == 50_000


def test_asking_for_the_current_node(benchmark: BenchmarkFixture) -> None:
    topology = SysTopology()
    assert benchmark(CurrentNode(topology)) in topology.nodes


def test_a_task_on_a_node(benchmark: BenchmarkFixture) -> None:
    with NodeExecutors(SysTopology(), 1) as executors:
        assert benchmark(lambda: executors.submit(lambda: 7).result()) == 7


def test_a_deadline_that_moves_with_every_message(benchmark: BenchmarkFixture) -> None:
    scheduler = TimerScheduler(SystemClock())
    wheel = DeadlineWheel(scheduler, 1_000_000)
    deadline = Deadline(lambda: None, scheduler.now_ns() + HOUR_NS)
    wheel.file(deadline)

    def turns() -> None:
        for _ in range(TURNS):
            deadline.deadline_ns += 1

    benchmark(turns)
    assert deadline.filed and len(scheduler) == 1


def test_a_task_and_its_result(benchmark: BenchmarkFixture) -> None:
    with WorkerExecutor(1) as executor:
        assert benchmark(lambda: executor.submit(lambda: 7).result()) == 7
        assert executor.stats().failed_count == 0


def test_tasks_in_bulk(benchmark: BenchmarkFixture) -> None:
    with WorkerExecutor(1) as executor:

        def turns() -> int:
            tasks = [executor.submit(lambda: 1) for _ in range(TURNS)]
            return sum(task.result() for task in tasks)

        assert benchmark(turns) == TURNS


def test_a_cpu_list(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(parse_cpu_list, "0-31,64-95")) == 64


def test_reading_the_topology(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(SysTopology).nodes) >= 1
