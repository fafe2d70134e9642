"""Wake-up: coalescing, safety from threads and signal handlers, and the end of its descriptors."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.internal.wakeup import EventfdChannel, SocketpairChannel, Wakeup, open_channel
from tests.internal.signalling import signals

CHANNELS: dict[str, Callable[[], EventfdChannel | SocketpairChannel]] = {
    "socketpair": SocketpairChannel,
    "eventfd": EventfdChannel,
}
if not hasattr(os, "eventfd"):
    del CHANNELS["eventfd"]


@pytest.fixture(params=sorted(CHANNELS))
def wakeup(request: pytest.FixtureRequest) -> Iterator[Wakeup]:
    made = Wakeup(CHANNELS[request.param]())
    yield made
    made.close()


def readable(wakeup: Wakeup, timeout: float = 0) -> bool:
    return bool(select.select([wakeup.fileno()], [], [], timeout)[0])


def test_a_new_wakeup_is_not_readable(wakeup: Wakeup) -> None:
    assert not readable(wakeup)


def test_many_wakes_are_undone_by_one_drain(wakeup: Wakeup) -> None:
    for _ in range(1000):
        wakeup.wake()
    assert readable(wakeup)
    wakeup.drain()
    assert not readable(wakeup)


def test_draining_without_a_wake_neither_waits_nor_raises(wakeup: Wakeup) -> None:
    wakeup.drain()
    assert not readable(wakeup)


def test_a_wake_after_a_drain_is_seen(wakeup: Wakeup) -> None:
    wakeup.wake()
    wakeup.drain()
    wakeup.wake()
    assert readable(wakeup)


def test_wakes_from_many_threads_reach_a_sleeper(wakeup: Wakeup) -> None:
    threads = [threading.Thread(target=wakeup.wake) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert readable(wakeup, timeout=10)
    for thread in threads:
        thread.join()
    wakeup.drain()
    assert not readable(wakeup)


def test_a_wake_from_a_signal_handler_ends_the_sleep_of_its_own_thread(wakeup: Wakeup) -> None:
    with signals(wakeup.wake):
        assert readable(wakeup, timeout=10)


def test_everything_is_harmless_after_close(wakeup: Wakeup) -> None:
    wakeup.close()
    wakeup.close()
    wakeup.wake()
    wakeup.drain()
    assert wakeup.fileno() == -1


def test_close_gives_the_descriptor_back_at_once(wakeup: Wakeup) -> None:
    number = wakeup.fileno()
    wakeup.close()
    with pytest.raises(OSError):
        os.fstat(number)


@pytest.mark.parametrize("make", CHANNELS.values(), ids=CHANNELS)
def test_a_wake_that_races_with_close_never_writes_into_a_reused_descriptor(
    make: Callable[[], EventfdChannel | SocketpairChannel],
) -> None:
    channel = make()
    wakeup = Wakeup(channel)
    number = channel.fileno()
    wakeup.close()
    # ``channel`` is what a wake under way holds: as long as it does, the number is not free.
    os.fstat(number)
    channel.signal()
    del channel
    with pytest.raises(OSError):
        os.fstat(number)


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="this system has no eventfd")
def test_a_counter_at_its_maximum_still_means_awake() -> None:
    wakeup = Wakeup(EventfdChannel())
    os.eventfd_write(wakeup.fileno(), 2**64 - 2)
    wakeup.wake()
    assert readable(wakeup)
    wakeup.drain()
    assert not readable(wakeup)


def test_a_full_socket_buffer_drops_wakes_but_stays_readable() -> None:
    wakeup = Wakeup(SocketpairChannel())
    for _ in range(10_000):
        wakeup.wake()
    assert readable(wakeup)
    wakeup.drain()
    assert not readable(wakeup)


def test_a_failed_opening_leaves_nothing_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        SocketpairChannel()
    if hasattr(os, "eventfd"):
        monkeypatch.setattr(os, "eventfd", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            EventfdChannel()


def test_without_eventfd_a_socketpair_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "eventfd", raising=False)
    assert isinstance(open_channel(), SocketpairChannel)


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="this system has no eventfd")
def test_with_eventfd_one_is_opened() -> None:
    assert isinstance(open_channel(), EventfdChannel)
