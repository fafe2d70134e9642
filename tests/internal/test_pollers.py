"""The contract of ``api.poller.Poller``, on every poller this machine has."""

from __future__ import annotations

import select
import selectors
import socket
import threading
import time
from collections.abc import Callable

import pytest

from hioload_ws.api.errors import AlreadyExists, Closed, InvalidArgument, NotFound
from hioload_ws.api.poller import FAILED, READABLE, WRITABLE, Poller
from hioload_ws.api.types import Handle
from hioload_ws.internal.pollers import available_pollers, default_poller
from hioload_ws.internal.portable_pollers import SelectorPoller
from tests.internal.signalling import signals

MakePair = Callable[[], tuple[socket.socket, socket.socket]]
MS = 1_000_000


def handle_of(end: socket.socket) -> Handle:
    return Handle(end.fileno())


def test_a_handle_is_reported_for_what_it_is_ready_and_watched_for(
    poller: Poller, make_pair: MakePair
) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), READABLE)
    assert list(poller.poll(0, 8)) == []
    right.send(b"x")
    assert list(poller.poll(None, 8)) == [(left.fileno(), READABLE)]
    poller.modify(handle_of(left), READABLE | WRITABLE)
    assert list(poller.poll(None, 8)) == [(left.fileno(), READABLE | WRITABLE)]
    poller.modify(handle_of(left), WRITABLE)
    assert list(poller.poll(None, 8)) == [(left.fileno(), WRITABLE)]


def test_readiness_is_level_triggered(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), READABLE)
    right.send(b"xy")
    for _ in range(3):
        assert list(poller.poll(0, 8)) == [(left.fileno(), READABLE)]
    left.recv(2)
    assert list(poller.poll(0, 8)) == []


def test_interest_zero_reports_no_readiness_and_can_be_raised_again(
    poller: Poller, make_pair: MakePair
) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), 0)
    right.send(b"x")
    assert list(poller.poll(0, 8)) == []
    poller.modify(handle_of(left), READABLE)
    assert list(poller.poll(0, 8)) == [(left.fileno(), READABLE)]
    poller.modify(handle_of(left), 0)
    assert list(poller.poll(0, 8)) == []
    poller.unregister(handle_of(left))


def test_a_closed_peer_is_readable_or_failed(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), READABLE)
    right.close()
    [(handle, readiness)] = poller.poll(None, 8)
    assert handle == left.fileno()
    assert readiness & (READABLE | FAILED)
    assert not readiness & ~(READABLE | FAILED)


def test_a_failure_is_reported_without_interest_where_the_system_tells(
    poller: Poller, make_pair: MakePair
) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), 0)
    right.close()
    events = list(poller.poll(0, 8))
    if isinstance(poller, SelectorPoller):
        assert events == []  # Its docstring says that it does not know.
    else:
        assert [(handle, bool(readiness & FAILED)) for handle, readiness in events] == [(left.fileno(), True)]


def test_unregistered_handles_are_no_longer_reported(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), READABLE)
    right.send(b"x")
    poller.unregister(handle_of(left))
    assert list(poller.poll(0, 8)) == []


def test_registering_twice_raises_and_keeps_the_first(poller: Poller, make_pair: MakePair) -> None:
    left, _ = make_pair()
    poller.register(handle_of(left), 0)
    with pytest.raises(AlreadyExists):
        poller.register(handle_of(left), WRITABLE)
    assert list(poller.poll(0, 8)) == []
    assert len(poller) == 1


def test_modifying_and_unregistering_what_is_not_watched_raises(poller: Poller, make_pair: MakePair) -> None:
    left, _ = make_pair()
    with pytest.raises(NotFound):
        poller.modify(handle_of(left), READABLE)
    with pytest.raises(NotFound):
        poller.unregister(handle_of(left))


@pytest.mark.parametrize("interest", [2, 8, 16, READABLE | 32, -1])
def test_unknown_interest_bits_are_refused(poller: Poller, make_pair: MakePair, interest: int) -> None:
    left, _ = make_pair()
    with pytest.raises(InvalidArgument):
        poller.register(handle_of(left), interest)
    poller.register(handle_of(left), READABLE)
    with pytest.raises(InvalidArgument):
        poller.modify(handle_of(left), interest)
    assert len(poller) == 1


@pytest.mark.parametrize("handle", [-1, -5, 2**31, 2**70])
def test_numbers_that_are_no_descriptor_are_refused(poller: Poller, handle: int) -> None:
    with pytest.raises(InvalidArgument):
        poller.register(Handle(handle), READABLE)
    assert len(poller) == 0


def test_a_closed_descriptor_is_refused_by_register_and_modify(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    gone = handle_of(left)
    poller.register(gone, READABLE)
    left.close()
    with pytest.raises(InvalidArgument):
        poller.modify(gone, WRITABLE)
    poller.unregister(gone)
    with pytest.raises(InvalidArgument):
        poller.register(gone, READABLE)
    assert len(poller) == 0


def test_a_descriptor_closed_while_watched_disturbs_nobody_and_can_be_unregistered(
    poller: Poller, make_pair: MakePair
) -> None:
    left, right = make_pair()
    other, other_peer = make_pair()
    gone = handle_of(left)
    poller.register(gone, READABLE)
    poller.register(handle_of(other), READABLE)
    left.close()
    other_peer.send(b"x")
    seen = [event for _ in range(2) for event in poller.poll(0, 8)]
    assert (other.fileno(), READABLE) in seen
    assert gone not in [handle for handle, _ in seen]
    poller.unregister(gone)
    assert len(poller) == 1


def test_a_number_that_is_used_again_can_be_registered_again(poller: Poller, make_pair: MakePair) -> None:
    left, _ = make_pair()
    number = handle_of(left)
    poller.register(number, READABLE)
    poller.unregister(number)
    left.close()
    ends = [*make_pair(), *make_pair()]
    again = next(end for end in ends if end.fileno() == number)
    poller.register(number, WRITABLE)
    assert list(poller.poll(0, 8)) == [(again.fileno(), WRITABLE)]


def test_no_more_than_max_events_are_returned_and_nobody_starves(poller: Poller, make_pair: MakePair) -> None:
    ends = [end for _ in range(5) for end in make_pair()]
    for end in ends:
        poller.register(handle_of(end), WRITABLE)
    seen: list[int] = []
    for _ in range(4):
        events = poller.poll(0, 3)
        assert len(events) == 3
        seen += [handle for handle, _ in events]
    assert set(seen) == {end.fileno() for end in ends}


def test_the_left_out_are_served_although_others_join_or_stop(poller: Poller, make_pair: MakePair) -> None:
    ends = [end for _ in range(3) for end in make_pair()]
    for end in ends:
        poller.register(handle_of(end), WRITABLE)
    seen = {handle for handle, _ in poller.poll(0, 2)}
    stopped = next(end for end in ends if end.fileno() not in seen)
    poller.unregister(handle_of(stopped))
    joined, _ = make_pair()
    poller.register(handle_of(joined), WRITABLE)
    for _ in range(3):
        seen |= {handle for handle, _ in poller.poll(0, 2)}
    assert seen == {end.fileno() for end in ends if end is not stopped} | {joined.fileno()}


@pytest.mark.parametrize("max_events", [0, -1])
def test_max_events_below_one_is_refused(poller: Poller, max_events: int) -> None:
    with pytest.raises(InvalidArgument):
        poller.poll(0, max_events)


def test_a_huge_max_events_is_fine(poller: Poller, make_pair: MakePair) -> None:
    left, _ = make_pair()
    poller.register(handle_of(left), WRITABLE)
    assert len(poller.poll(0, 2**80)) == 1


@pytest.mark.parametrize("timeout_ns", [1, 999_999, 1_000_001, 3 * MS])
def test_a_timeout_is_rounded_up_never_down(poller: Poller, timeout_ns: int) -> None:
    for _ in range(5):
        start = time.monotonic_ns()
        assert list(poller.poll(timeout_ns, 8)) == []
        assert time.monotonic_ns() - start >= timeout_ns


@pytest.mark.parametrize("timeout_ns", [0, -1, -(10**30)])
def test_a_timeout_of_zero_or_less_does_not_wait(poller: Poller, timeout_ns: int) -> None:
    assert list(poller.poll(timeout_ns, 8)) == []


def test_a_timeout_of_centuries_is_accepted(poller: Poller) -> None:
    poller.wake()
    assert list(poller.poll(10**30, 8)) == []


def test_a_wake_before_the_poll_ends_it_once(poller: Poller) -> None:
    poller.wake()
    poller.wake()
    assert list(poller.poll(None, 8)) == []
    start = time.monotonic_ns()
    assert list(poller.poll(2 * MS, 8)) == []
    assert time.monotonic_ns() - start >= 2 * MS


def test_a_wake_does_not_hide_events(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    poller.register(handle_of(left), READABLE)
    right.send(b"x")
    poller.wake()
    assert list(poller.poll(None, 8)) == [(left.fileno(), READABLE)]


def test_a_wake_from_another_thread_ends_an_endless_poll(poller: Poller) -> None:
    waker = threading.Thread(target=poller.wake)
    waker.start()
    assert list(poller.poll(None, 8)) == []
    waker.join()


def test_a_wake_from_a_signal_handler_ends_an_endless_poll(poller: Poller) -> None:
    with signals(poller.wake):
        assert list(poller.poll(None, 8)) == []


def test_the_length_counts_watched_handles_only(poller: Poller, make_pair: MakePair) -> None:
    left, right = make_pair()
    assert len(poller) == 0
    poller.register(handle_of(left), READABLE)
    poller.register(handle_of(right), 0)
    assert len(poller) == 2
    poller.unregister(handle_of(left))
    assert len(poller) == 1


def test_after_close_everything_but_wake_and_close_raises(poller: Poller, make_pair: MakePair) -> None:
    left, _ = make_pair()
    poller.register(handle_of(left), READABLE)
    poller.close()
    poller.close()
    poller.wake()
    with pytest.raises(Closed):
        poller.register(handle_of(left), READABLE)
    with pytest.raises(Closed):
        poller.modify(handle_of(left), READABLE)
    with pytest.raises(Closed):
        poller.unregister(handle_of(left))
    with pytest.raises(Closed):
        poller.poll(0, 8)
    assert len(poller) == 0
    assert left.fileno() >= 0  # The handles stay open.


def test_the_best_poller_of_the_system_is_the_default() -> None:
    first = next(iter(available_pollers().values()))()
    made = default_poller()
    try:
        assert type(made) is type(first)
    finally:
        first.close()
        made.close()


def test_a_bare_system_still_has_select(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("epoll", "kqueue", "poll"):
        monkeypatch.delattr(select, name, raising=False)
    assert list(available_pollers()) == ["select"]


def test_kqueue_comes_before_poll_where_it_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll", raising=False)
    monkeypatch.setattr(select, "kqueue", object(), raising=False)
    monkeypatch.setattr(select, "poll", object(), raising=False)
    assert list(available_pollers()) == ["kqueue", "poll", "select"]


def test_any_selector_of_the_standard_library_can_be_polled(make_pair: MakePair) -> None:
    for selector in (selectors.DefaultSelector(), selectors.PollSelector()):
        poller = SelectorPoller(selector)
        try:
            left, right = make_pair()
            right.send(b"x")
            poller.register(handle_of(left), READABLE)
            assert list(poller.poll(None, 8)) == [(left.fileno(), READABLE)]
        finally:
            poller.close()
