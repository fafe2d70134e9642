"""Signals end a reactor's sleep, also those that come before it has begun."""

from __future__ import annotations

import ctypes
import operator
import os
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from hioload_ws.api.errors import Closed
from hioload_ws.internal.portable_pollers import PollPoller
from hioload_ws.internal.reactor import PollReactor
from hioload_ws.internal.signal_wakeup import SignalWakeup

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no signals to send")

PATIENCE_S = 10.0


@pytest.fixture
def reactor() -> Iterator[PollReactor]:
    made = PollReactor(PollPoller())
    yield made
    made.close()


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Handle SIGUSR1 in Python, by noting its number."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def set_before() -> Iterator[tuple[socket.socket, int]]:
    """Set a descriptor for signals, as somebody else would; yield its other end, and its number."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    yield reader, writer.fileno()
    signal.set_wakeup_fd(-1)
    reader.close()
    writer.close()


def descriptor() -> int:
    """Return the number of the descriptor that is set for signals, -1 for none."""
    number = signal.set_wakeup_fd(-1)
    if number != -1:
        signal.set_wakeup_fd(number, warn_on_full_buffer=False)
    return number


class FallsAsleepLate:
    """poll(2) of a process that gets a signal between Python's last step and the system call; once.

    Both calls are made by ``map``, in C, so Python has no step between them in which to run a handler.
    """

    def __init__(self, poller: PollPoller) -> None:
        self._poller, self._poll = poller, poller._poll
        self._send = partial(ctypes.CDLL(None).kill, os.getpid(), int(signal.SIGUSR1))

    def begin(self) -> None:
        setattr(self._poller, "_poll", self)

    def poll(self, timeout_ms: float | None) -> object:
        self._poller._poll = self._poll
        return [*map(operator.call, (self._send, partial(self._poll.poll, timeout_ms)))][1]


def test_a_signal_that_comes_just_before_a_sleep_ends_it(reactor: PollReactor) -> None:
    poller = reactor._poller
    assert isinstance(poller, PollPoller)
    late = FallsAsleepLate(poller)
    helped: list[bool] = []

    def handler(number: int, frame: object) -> None:
        reactor.post(reactor.stop)

    def help_out() -> None:
        helped.append(True)
        reactor.stop()

    before = signal.signal(signal.SIGUSR1, handler)
    helper = threading.Timer(PATIENCE_S, help_out)
    helper.start()
    try:
        reactor.post(late.begin)
        reactor.run()
    finally:
        helper.cancel()
        signal.signal(signal.SIGUSR1, before)
    assert helped == []


def test_what_was_there_is_put_back_and_nothing_is_left(reactor: PollReactor) -> None:
    seen: list[int] = []
    before = len(os.listdir("/dev/fd"))
    for _ in range(2):
        reactor.post(lambda: seen.append(descriptor()))
        reactor.post(reactor.stop)
        reactor.run()
        assert descriptor() == -1
        assert reactor.stats().handle_count == 0
    assert len(seen) == 2 and -1 not in seen
    assert len(os.listdir("/dev/fd")) == before


def test_who_had_set_a_descriptor_gets_the_signals_and_has_it_back(
    reactor: PollReactor, heard: list[int], set_before: tuple[socket.socket, int]
) -> None:
    reader, number = set_before
    reactor.post(lambda: signal.raise_signal(signal.SIGUSR1))
    reactor.post(lambda: reactor.post(reactor.stop))
    reactor.run()
    assert heard == [signal.SIGUSR1]
    assert reader.recv(10) == bytes([signal.SIGUSR1])
    assert descriptor() == number


def test_one_that_was_closed_meanwhile_is_not_put_back(
    reactor: PollReactor, heard: list[int], set_before: tuple[socket.socket, int]
) -> None:
    _, number = set_before
    spare = os.dup(number)

    def close() -> None:
        os.close(number)
        signal.raise_signal(signal.SIGUSR1)
        reactor.post(reactor.stop)

    try:
        reactor.post(close)
        reactor.run()
        assert descriptor() == -1
    finally:
        os.dup2(spare, number)  # the socket object closes it
        os.close(spare)


def test_one_whose_buffer_is_full_costs_nothing_but_its_byte(
    reactor: PollReactor, heard: list[int], set_before: tuple[socket.socket, int]
) -> None:
    _, number = set_before
    with pytest.raises(BlockingIOError):
        while True:
            os.write(number, bytes(1000))
    reactor.post(lambda: signal.raise_signal(signal.SIGUSR1))
    reactor.post(lambda: reactor.post(reactor.stop))
    reactor.run()
    assert heard == [signal.SIGUSR1]


def test_other_threads_leave_signals_alone(reactor: PollReactor) -> None:
    seen: list[int] = []
    reactor.post(lambda: seen.append(reactor.stats().handle_count))
    reactor.post(reactor.stop)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    thread.join()
    assert seen == [0]
    assert descriptor() == -1


@pytest.mark.parametrize(
    ("place", "name", "error"), [(socket, "socketpair", OSError(24, "Too many")), (signal, "set_wakeup_fd", ValueError)]
)
def test_where_it_can_not_be_done_the_reactor_runs_all_the_same(
    reactor: PollReactor, monkeypatch: pytest.MonkeyPatch, place: object, name: str, error: Exception
) -> None:
    def refuse(*arguments: object, **named: object) -> object:
        raise error

    monkeypatch.setattr(place, name, refuse)
    seen: list[int] = []
    before = len(os.listdir("/dev/fd"))
    reactor.post(lambda: seen.append(reactor.stats().handle_count))
    reactor.post(reactor.stop)
    reactor.run()
    assert seen == [0]
    assert len(os.listdir("/dev/fd")) == before


def test_a_poller_that_refuses_the_descriptor_leaves_nothing_behind(reactor: PollReactor) -> None:
    signals = SignalWakeup()
    reactor.close()
    with pytest.raises(Closed), signals.watched_by(reactor):
        raise AssertionError("not reached")
    assert descriptor() == -1
    signals.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_closes_its_copy_and_leaves_the_parent_s_alone(reactor: PollReactor, heard: list[int]) -> None:
    codes: list[int] = []

    def fork() -> None:
        before = len(os.listdir("/dev/fd"))
        child = os.fork()
        if not child:
            code = 1
            try:
                reactor.close_after_fork()
                left = len(os.listdir("/dev/fd")) - before
                code = 0 if (descriptor(), left) == (-1, -3) else 2  # a pair, and the poller's own
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        signal.raise_signal(signal.SIGUSR1)
        reactor.post(reactor.stop)

    reactor.post(fork)
    reactor.run()
    assert codes == [0]
    assert heard == [signal.SIGUSR1]


def test_a_child_that_goes_on_where_its_parent_ran_unwinds_well(reactor: PollReactor) -> None:
    signals = SignalWakeup()
    with signals.watched_by(reactor):
        signals.close()  # what ``close_after_fork`` does
        reactor.close()
    assert descriptor() == -1
