"""The reactor on real pollers, clocks, threads and signals."""

from __future__ import annotations

import functools
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.poller import READABLE, Poller, Readiness
from hioload_ws.api.types import Handle
from hioload_ws.internal.clock import SystemClock
from hioload_ws.internal.reactor import PollReactor

MakePair = Callable[[], tuple[socket.socket, socket.socket]]
MS = 1_000_000


@pytest.fixture
def reactor(poller: Poller) -> Iterator[PollReactor]:
    made = PollReactor(poller)
    yield made
    made.close()


class Running:
    """A reactor that runs on a thread of its own; ``halt`` stops it and waits."""

    def __init__(self, reactor: PollReactor) -> None:
        self.reactor = reactor
        self.cpu_ns = 0
        started = threading.Event()
        self.thread = threading.Thread(target=self._run)
        reactor.post(started.set)
        self.thread.start()
        assert started.wait(10)

    def _run(self) -> None:
        start_ns = time.thread_time_ns()
        self.reactor.run()
        self.cpu_ns = time.thread_time_ns() - start_ns

    def halt(self) -> None:
        self.reactor.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


def test_bytes_from_a_peer_reach_the_callback(reactor: PollReactor, make_pair: MakePair) -> None:
    left, right = make_pair()
    got: list[bytes] = []

    def on_ready(readiness: Readiness) -> None:
        got.append(left.recv(100))
        reactor.stop()

    reactor.register(Handle(left.fileno()), READABLE, on_ready)
    right.send(b"hello")
    reactor.run()
    assert got == [b"hello"]


def test_posts_from_many_threads_run_exactly_once_and_in_order(reactor: PollReactor) -> None:
    running = Running(reactor)
    ran: list[tuple[int, int]] = []

    def post_all(who: int) -> None:
        for number in range(300):
            while not reactor.post(functools.partial(ran.append, (who, number))):
                pass

    threads = [threading.Thread(target=post_all, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = threading.Event()
    reactor.post(last.set)
    assert last.wait(10)
    running.halt()
    for who in range(3):
        assert [number for each, number in ran if each == who] == list(range(300))


def test_a_post_wakes_a_sleeping_reactor(reactor: PollReactor) -> None:
    running = Running(reactor)
    for _ in range(50):
        done = threading.Event()
        assert reactor.post(done.set)
        assert done.wait(10)
    running.halt()


def test_a_signal_handler_can_post_and_stop_while_its_own_thread_sleeps(reactor: PollReactor) -> None:
    ran: list[str] = []

    def handler(number: int, frame: object) -> None:
        reactor.post(lambda: ran.append("posted"))
        reactor.post(reactor.stop)

    before = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Thread(target=signal.pthread_kill, args=(threading.get_ident(), signal.SIGUSR1))
    reactor.post(sender.start)
    try:
        reactor.run()
        sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ran == ["posted"]


def test_an_idle_turn_polls_once_and_uses_no_cpu(reactor: PollReactor, make_pair: MakePair) -> None:
    left, _ = make_pair()
    reactor.register(Handle(left.fileno()), READABLE, lambda readiness: None)
    start_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
    assert reactor.run_once(60 * MS) == 0
    assert time.monotonic_ns() - start_ns >= 60 * MS
    assert time.thread_time_ns() - cpu_ns < 20 * MS
    assert reactor.stats().poll_count == 1


def test_an_idle_running_reactor_is_never_woken(reactor: PollReactor, make_pair: MakePair) -> None:
    left, _ = make_pair()
    reactor.register(Handle(left.fileno()), READABLE, lambda readiness: None)
    running = Running(reactor)
    # Two posts with a pause between them: only they may cause polls, however long the pause is.
    first = threading.Event()
    reactor.post(first.set)
    assert first.wait(10)
    assert not threading.Event().wait(0.05)
    polls_before = reactor.stats().poll_count
    assert not threading.Event().wait(0.05)
    assert reactor.stats().poll_count == polls_before
    running.halt()
    assert running.cpu_ns < 50 * MS


def test_an_idle_reactor_sleeps_in_one_poll_until_another_thread_posts_its_stop(
    reactor: PollReactor, make_pair: MakePair
) -> None:
    left, _ = make_pair()
    reactor.register(Handle(left.fileno()), READABLE, lambda readiness: None)
    poster = threading.Timer(0.3, reactor.post, [reactor.stop])
    start_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
    poster.start()
    reactor.run()
    cpu_ns = time.thread_time_ns() - cpu_ns
    poster.join()
    assert time.monotonic_ns() - start_ns >= 300 * MS
    assert cpu_ns < 20 * MS
    stats = reactor.stats()
    assert (stats.poll_count, stats.posted_count, stats.event_count) == (1, 1, 0)


def test_a_timer_is_never_early_on_the_real_clock(reactor: PollReactor) -> None:
    clock, moments = SystemClock(), list[int]()
    start_ns = clock.now_ns()
    reactor.scheduler.schedule(3 * MS + 1, lambda: moments.append(clock.now_ns()))
    reactor.scheduler.schedule(5 * MS, reactor.stop)
    reactor.run()
    assert len(moments) == 1 and moments[0] - start_ns > 3 * MS


def test_a_thousand_handles_that_close_each_other_while_ready_never_cross(make_pair: MakePair) -> None:
    """Each callback closes a neighbour and opens a new pair, mostly under the number just freed."""
    reactor = PollReactor(budget=64)
    served: list[int] = []
    live: dict[int, tuple[socket.socket, socket.socket]] = {}

    def open_one(generation: int) -> None:
        left, right = make_pair()
        number = left.fileno()
        live[number] = (left, right)

        def on_ready(readiness: Readiness) -> None:
            # A stale event would find nothing to read here.
            assert left.recv(1) == bytes([generation])
            served.append(generation)
            close_one(number)
            if live:
                close_one(next(iter(live)))
            for _ in range(2 if generation < 20 else 0):
                open_one(generation + 1)

        left.setblocking(False)
        reactor.register(Handle(number), READABLE, on_ready)
        right.send(bytes([generation]))

    def close_one(number: int) -> None:
        reactor.unregister(Handle(number))
        for end in live.pop(number):
            end.close()

    for _ in range(20):
        open_one(0)
    while live:
        reactor.run_once(None)
    stats = reactor.stats()
    reactor.close()
    assert stats.error_count == 0 and max(served) == 20
