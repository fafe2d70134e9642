"""What the Go original's inner machines did: rings that published early, tasks lost, timers that never told,
hooks that fired twice, files nobody read, CPUs nobody pinned, transports that never ran."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from hioload_ws.api.affinity import Scope
from hioload_ws.api.errors import InvalidState, NotSupported
from hioload_ws.api.registry import ConnectOptions, ListenOptions, TransportProvider
from hioload_ws.api.ring import EMPTY
from hioload_ws.api.transport import (
    WOULD_BLOCK,
    Address,
    MemoryAddress,
    TcpAddress,
    Transport,
    UnixAddress,
)
from hioload_ws.control import ConfigControl, ServerConfig, from_environment, load_toml
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.internal.affinity import SystemAffinity
from hioload_ws.internal.clock import SystemClock
from hioload_ws.internal.executor import WorkerExecutor
from hioload_ws.internal.timers import TimerScheduler
from hioload_ws.internal.topology import SysTopology
from hioload_ws.pool import MpmcRing
from hioload_ws.transport import default_registry
from tests.faults.conftest import InThread, Until

PRODUCERS, PER_PRODUCER = 4, 5_000


def test_a_ring_under_contention_delivers_every_item_once_whole_and_in_order(in_thread: InThread) -> None:
    ring: MpmcRing[list[int]] = MpmcRing(64)
    taken: list[list[tuple[int, int]]] = [[] for _ in range(2)]
    all_sent = threading.Event()

    def produce(producer: int) -> None:
        for number in range(PER_PRODUCER):
            item = [producer, number]
            while not ring.try_enqueue(item):
                os.sched_yield()

    def consume(into: list[tuple[int, int]]) -> None:
        while True:
            last_look = all_sent.is_set()
            item = ring.try_dequeue()
            if item is not EMPTY:
                producer, number = item  # an item published before it was written would not unpack
                into.append((producer, number))
            elif last_look:
                return
            else:
                os.sched_yield()

    consumers = [in_thread(partial(consume, mine)) for mine in taken]
    producers = [in_thread(partial(produce, number)) for number in range(PRODUCERS)]
    for thread in producers:
        thread.join(60)
    all_sent.set()
    for thread in consumers:
        thread.join(60)
    assert sorted(taken[0] + taken[1]) == [(p, n) for p in range(PRODUCERS) for n in range(PER_PRODUCER)]
    for mine in taken:
        for producer in range(PRODUCERS):
            numbers = [number for who, number in mine if who == producer]
            assert numbers == sorted(numbers)


def test_an_executor_loses_and_repeats_no_task_while_it_is_resized(in_thread: InThread) -> None:
    ran: list[int] = []
    with WorkerExecutor(4, queue_capacity=4_000) as executor:

        def submit_all() -> None:
            for number in range(2_000):
                executor.submit(partial(ran.append, number))

        submitting = in_thread(submit_all)
        for worker_count in (1, 8, 2, 5, 1, 3) * 20:
            executor.resize(worker_count)
        submitting.join(30)
        assert executor.shutdown() is True
        stats = executor.stats()
    assert sorted(ran) == list(range(2_000))
    assert stats.submitted_count == stats.completed_count == 2_000
    assert stats.queued_count == stats.running_count == stats.failed_count == 0


def test_a_timer_that_ran_says_that_it_is_done() -> None:
    clock = VirtualClock()
    timers = TimerScheduler(clock)
    ran: list[int] = []
    handle = timers.schedule(100, lambda: ran.append(clock.now_ns()))
    assert not handle.done
    clock.advance(100)
    assert timers.run_due(10) == 1
    assert handle.done and not handle.cancelled and handle.error is None and len(ran) == 1


def test_a_timer_that_was_cancelled_or_failed_says_so() -> None:
    clock, reported = VirtualClock(), []
    timers = TimerScheduler(clock, lambda error, origin: reported.append(error))
    cancelled, failing = timers.schedule(10, lambda: None), timers.schedule(10, lambda: 1 // 0)
    assert cancelled.cancel() and cancelled.done and cancelled.cancelled
    clock.advance(10)
    timers.run_due(10)
    assert failing.done and isinstance(failing.error, ZeroDivisionError) and reported == [failing.error]


def test_a_timer_on_the_real_clock_fires(until: Until) -> None:
    timers = TimerScheduler(SystemClock())
    handle = timers.schedule(1_000_000, lambda: None)
    until(lambda: timers.run_due(10) > 0)
    assert handle.done


def test_a_reload_hook_fires_once_per_change() -> None:
    control = ConfigControl(ServerConfig())
    heard: list[tuple[int, int]] = []
    control.on_reload(lambda old, new: heard.append((old.max_connections, new.max_connections)))
    control.set_config(max_connections=7)
    control.set_config(max_connections=7)
    control.set_config(max_connections=8)
    assert heard == [(10_000, 7), (7, 8)]


def test_a_reload_hook_that_reads_the_configuration_does_not_deadlock(in_thread: InThread) -> None:
    control = ConfigControl(ServerConfig())
    read: list[int] = []
    control.on_reload(lambda old, new: read.append(control.config().max_connections))
    changing = in_thread(lambda: (control.set_config(max_connections=7), None)[1])
    changing.join(10)
    assert not changing.is_alive()
    assert read == [10_000] and control.config().max_connections == 7


def test_a_reload_hook_that_changes_the_configuration_is_refused_and_does_not_deadlock() -> None:
    control = ConfigControl(ServerConfig())
    control.on_reload(lambda old, new: control.set_config(max_connections=9))
    with pytest.raises(InvalidState):
        control.set_config(max_connections=7)
    assert control.config().max_connections == 10_000


def test_a_configuration_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "hioload.toml"
    file.write_text("port = 4711\nmax_message_bytes = 1_000\n")
    config = load_toml(file)
    assert (config.port, config.max_message_bytes) == (4711, 1_000)


def test_the_environment_is_read() -> None:
    assert from_environment({"HIOLOAD_PORT": "4711"}).port == 4711


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't pin")
def test_a_pinned_thread_may_run_on_that_cpu_and_no_other(in_thread: InThread) -> None:
    topology = SysTopology()
    seen: list[tuple[int, set[int], set[int]]] = []

    def pin_each() -> None:
        before = os.sched_getaffinity(0)
        for cpu in topology.usable_cpus():
            with SystemAffinity(Scope.THREAD, topology) as affinity:
                told = affinity.pin([cpu]).cpus
                seen.append((cpu, set(told), os.sched_getaffinity(0)))
        assert os.sched_getaffinity(0) == before

    in_thread(pin_each).join(20)
    assert seen == [(cpu, {cpu}, {cpu}) for cpu in topology.usable_cpus()]


PLACES: dict[str, Address] = {"tcp": TcpAddress("127.0.0.1", 0), "memory": MemoryAddress("place")}


def carried(provider: TransportProvider, place: Address, data: bytes, until: Until) -> bytes:
    """Send the data through a new connection of the provider and return what arrives first."""
    listener = provider.listen(place, ListenOptions())
    near = provider.connect(listener.address, ConnectOptions())
    accepted: list[Transport] = []

    def has_accepted() -> bool:
        accepted.extend(listener.accept_batch(1))
        return bool(accepted)

    until(has_accepted)
    near.send([data])
    buffer, counts = bytearray(100), [WOULD_BLOCK]

    def has_received() -> bool:
        near.flush()
        counts.append(accepted[0].recv_into(buffer))
        return counts[-1] != WOULD_BLOCK

    until(has_received)
    for each in (near, accepted[0], listener):
        each.close()
    return bytes(buffer[: counts[-1]])


def test_every_transport_carries_bytes_or_says_why_it_can_not(tmp_path: Path, until: Until) -> None:
    registry = default_registry()
    places = PLACES | {"unix": UnixAddress(str(tmp_path / "socket"))}
    working = []
    for name in registry.names():
        answer = registry.availability(name)
        if answer.available:
            assert carried(registry.get(name), places[name], name.encode(), until) == name.encode()
            working.append(name)
        else:
            assert answer.reason
            with pytest.raises(NotSupported, match="does not work here"):
                registry.get(name)
    assert {"tcp", "memory"} <= set(working)
