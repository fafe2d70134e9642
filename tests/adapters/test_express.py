"""The lane: many connections are served in one loop, and nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.adapters.express import ExpressLane, open_lane
from hioload_ws.adapters.hub import MOST_WAITING
from hioload_ws.api import BINARY, TEXT, Connection, Message, SessionStatus, UseAfterRelease
from hioload_ws.api.poller import READABLE
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]
MOST_PEERS = 4

ACTS = st.tuples(
    st.sampled_from(["echo", "echo", "twice", "tell", "close", "drop", "fail", "keep", "quiet"]),
    st.integers(0, MOST_PEERS - 1),
    st.sampled_from([0, 1, 118, 119, 120, 2000]),
)
TURNS = st.lists(st.lists(st.tuples(st.integers(0, MOST_PEERS - 1), ACTS), max_size=6), max_size=4)


class Party:
    """Connections whose messages say what is to be done to whom."""

    def __init__(self, road: str) -> None:
        self.bench = Bench(road, send_limit_bytes=100_000, high_water_bytes=100_000, low_water_bytes=0)
        self.bench.handler = self.handle
        self.pairs = [self.bench.open() for _ in range(MOST_PEERS)]
        self.kept: list[Message] = []
        self.seen: list[object] = []

    def handle(self, connection: Connection, message: Message) -> None:
        act, whom = message.copy()[:5].strip().decode(), message.data[5]
        other, _ = self.pairs[whom]
        self.seen.append((act, whom, len(message)))
        if act in ("echo", "twice"):
            connection.send(message)
        if act == "twice":
            connection.send(b"and " + message.copy())
        elif act == "tell" and other.status is SessionStatus.ACTIVE:
            other.send(message)
        elif act == "close":
            other.close(4000)
        elif act == "drop":
            cast(WebSocketConnection, connection).finish()
        elif act == "fail":
            raise ValueError(act)
        elif act == "keep":
            self.kept += [message, message.retain()]

    def outcome(self, turns: list[list[tuple[int, tuple[str, int, int]]]]) -> list[object]:
        bench = self.bench
        for turn in turns:
            for number, (act, whom, more) in turn:
                connection, peer = self.pairs[number]
                if connection.status is SessionStatus.ACTIVE:
                    kind = TEXT if more & 1 else BINARY
                    peer.transport.feed(peer.encode(kind, f"{act:5}".encode() + bytes([whom]) + b"." * more))
            bench.turn()
        found: list[object] = [*self.seen, *(message.copy() for message in self.kept)]
        for message in self.kept[1::2]:
            message.release()
        found += [bytes(peer.transport.sent) for _, peer in self.pairs]
        found += [(connection.status, connection.close_code) for connection, _ in self.pairs]
        traffic = bench.traffic
        found += [traffic.messages_received.count, traffic.bytes_received.count]
        found += [traffic.messages_sent.count, traffic.bytes_sent.count]
        found += [type(error) for error in bench.errors]
        bench.close()
        return found


@given(TURNS)
def test_connections_that_do_something_to_each_other_can_not_tell(
    turns: list[list[tuple[int, tuple[str, int, int]]]],
) -> None:
    clear = Party("clear").outcome(turns)
    assert Party("express").outcome(turns) == clear
    assert Party("lane").outcome(turns) == clear


def lane_of(bench: Bench) -> ExpressLane:
    lane = bench.reactor.lane
    assert isinstance(lane, ExpressLane)
    return lane


def test_one_message_object_serves_all_that_do_not_keep_it(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    pairs = [bench.open() for _ in range(4)]
    seen: list[int] = []
    kept: list[Message] = []

    def look(connection: Connection, message: Message) -> None:
        seen.append(id(message))
        if len(seen) == 2:
            kept.append(message)

    bench.handler = look
    for _, peer in pairs:
        peer.send(TEXT, b"x")
    bench.turn()
    assert seen[0] == seen[1] and seen[2] == seen[3] != seen[1]
    with pytest.raises(UseAfterRelease):
        kept[0].copy()


def test_nothing_that_was_read_is_held_once_the_turn_is_over(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    _, peer = bench.open()
    peer.send(BINARY, b"m" * 3000)
    bench.turn()
    assert peer.messages() == [b"m" * 3000]
    assert lane_of(bench)._message.memory is None


def handle_of(connection: WebSocketConnection) -> int:
    return connection._transport.handle


def test_what_the_lane_is_not_for_goes_back_to_the_reactor(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    (open_one, _), (cut, peer) = bench.open(), bench.open()
    connecting = bench.admit()
    peer.transport.feed(peer.encode(BINARY, b"x" * 100_000)[:50_000])
    bench.turn()
    callbacks: Any = {handle_of(open_one): open_one, handle_of(cut): cut, 99: print}
    callbacks[connecting.transport.handle] = bench.reactor._callbacks[connecting.transport.handle]
    events: Any = [(handle_of(cut), READABLE), (99, READABLE), (100, READABLE), (handle_of(open_one), READABLE | 8)]
    events.append((connecting.transport.handle, READABLE))
    assert list(lane_of(bench)(events, callbacks)) == events


def test_an_early_poller_and_a_reset_are_noticed_where_they_are_read(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    (early, _), (lost, peer) = bench.open(), bench.open()
    callbacks = bench.reactor._callbacks
    events: Any = [(handle_of(early), READABLE), (handle_of(lost), READABLE)]
    peer.transport.reset()
    assert list(lane_of(bench)(events, callbacks)) == []
    assert (early.status, lost.status) == (SessionStatus.ACTIVE, SessionStatus.CLOSED)


def test_an_error_that_escapes_is_reported_and_the_others_are_served_in_the_next_turn(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    pairs = [bench.open() for _ in range(3)]

    def fail(connection: WebSocketConnection) -> None:
        raise LookupError("a mistake of the host")

    pairs[0][1].transport.reset()
    for _, peer in pairs[1:]:
        peer.send(TEXT, b"x")
    bench.host.on_end = fail
    events: Any = [(handle_of(connection), READABLE) for connection, _ in pairs]
    assert list(lane_of(bench)(events, bench.reactor._callbacks)) == []
    bench.host.on_end = lambda connection: None
    assert [type(error) for error in bench.errors] == [LookupError]
    assert bench.reactor.stats().error_count == 1
    bench.turn()
    assert [peer.messages() for _, peer in pairs[1:]] == [[b"x"]] * 2


def test_an_interrupt_while_replies_of_others_leave_loses_none_of_them(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    pairs = [bench.open() for _ in range(MOST_WAITING + 1)]

    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)
        if connection is pairs[-1][0]:
            pairs[0][1].transport.reset()  # noticed when the replies that wait make room for this one

    def interrupt(connection: WebSocketConnection) -> None:
        raise KeyboardInterrupt

    bench.handler = echo
    bench.host.on_end = interrupt
    for _, peer in pairs:
        peer.send(TEXT, b"x")
    with pytest.raises(KeyboardInterrupt):
        bench.turn()
    bench.host.on_end = lambda connection: None
    assert bench.traffic.messages_received.count == MOST_WAITING + 1
    assert bench.hub.express is None and bench.hub.current is None
    bench.turn()
    assert [peer.messages() for _, peer in pairs[1:]] == [[b"x"]] * MOST_WAITING


def test_a_reactor_without_a_lane_is_left_alone(make_bench: MakeBench) -> None:
    class Other:
        def __init__(self, reactor: object) -> None:
            self.reactor = reactor

    hub = Other(object())
    open_lane(cast(Any, hub))
    assert not hasattr(hub.reactor, "lane")


def test_a_peer_that_hangs_up_is_noticed_as_ever(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    connection, peer = bench.open()
    peer.transport.feed_end()
    bench.turn()
    assert connection.status is SessionStatus.CLOSED


@pytest.mark.parametrize("size_bytes", [1, 3000])
def test_text_that_is_none_ends_the_connection(make_bench: MakeBench, size_bytes: int) -> None:
    bench = make_bench(road="lane")
    connection, peer = bench.open()
    peer.send(TEXT, b"\xff" * size_bytes)
    bench.turn()
    assert connection.close_code == 1007


