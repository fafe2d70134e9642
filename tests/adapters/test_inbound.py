"""The roads in: whatever a peer sends and a handler does, all make the same of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import (
    BINARY,
    TEXT,
    Connection,
    DoubleRelease,
    Message,
    SessionStatus,
    UseAfterRelease,
)
from hioload_ws.api.poller import READABLE
from tests.adapters.bench import Bench, Peer

MakeBench = Callable[..., Bench]
KEPT = 3


class Script:
    """A handler that does to a message what the message says, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.kept: list[Message] = []
        self.retained: list[Message] = []
        self.scratch = bytearray(8)

    def __call__(self, connection: Connection, message: Message) -> None:
        data = message.copy()
        self.seen.append((message.kind, data, len(message)))
        if data.startswith(b"echo"):
            connection.send(message)
        elif data.startswith(b"lend"):
            self.scratch[:4] = data[:4]
            self.scratch[4] = len(self.seen) & 0xFF
            connection.send(self.scratch)
        elif data.startswith(b"keep"):
            self.kept.append(message.retain())
            self.retained.append(message)
        elif data.startswith(b"hold"):
            self.kept.append(message)
        elif data.startswith(b"view"):
            connection.send(message.data)
        elif data.startswith(b"text"):
            connection.send(data.decode("latin-1"))
        elif data.startswith(b"ping"):
            connection.ping(data)
        elif data.startswith(b"fail"):
            raise ValueError(data)
        elif data.startswith(b"done"):
            connection.close(4000, "enough")

    def state(self) -> list[object]:
        """Return what the kept messages answer now."""
        found: list[object] = []
        for message in self.kept:
            try:
                found.append((message.kind, message.copy()))
            except UseAfterRelease:
                found.append("ended")
        return found


WORDS = [b"echo", b"echo", b"echo", b"lend", b"keep", b"hold", b"view", b"text", b"ping", b"none", b"fail", b"done"]
MESSAGES = st.tuples(
    st.sampled_from(WORDS), st.sampled_from([0, 0, 0, 1, 121, 122, 2000]), st.sampled_from([TEXT, BINARY])
)
STEPS = st.lists(
    st.lists(st.tuples(MESSAGES, st.sampled_from([1, 1, 1, 4, 70])), max_size=4)
    | st.sampled_from(["close", "end", "reset", "bad", "slow", "fast"]),
    max_size=8,
)


def play(road: str, steps: list[object], cut: int) -> tuple[object, ...]:
    script = Script()
    bench = Bench(road, send_limit_bytes=50_000, high_water_bytes=4000, low_water_bytes=100)
    try:
        return outcome(bench, script, steps, cut)
    finally:
        for message in script.retained:
            message.release()
        bench.close()


def outcome(bench: Bench, script: Script, steps: list[object], cut: int) -> tuple[object, ...]:
    bench.handler = script
    connection, peer = bench.open()
    for step in steps:
        act(peer, step, cut)
        bench.turn()
    return (
        bytes(peer.transport.sent),
        script.seen,
        script.state(),
        connection.status,
        connection.close_code,
        [type(error) for error in bench.errors],
        [counter.count for counter in (bench.traffic.messages_received, bench.traffic.bytes_received)],
        [counter.count for counter in (bench.traffic.messages_sent, bench.traffic.bytes_sent)],
        connection.pending_bytes,
        peer.transport.closed,
    )


def act(peer: Peer, step: object, cut: int) -> None:
    if isinstance(step, list):
        wire = b"".join(
            peer.encode(kind, word + b"." * more) for (word, more, kind), count in step for _ in range(count)
        )
        peer.transport.feed(wire[:cut])
        peer.bench.turn()
        peer.transport.feed(wire[cut:])
    elif step == "close":
        peer.transport.feed(b"\x88\x82\0\0\0\0" + (4001).to_bytes(2, "big"))
    elif step == "end":
        peer.transport.feed_end()
    elif step == "reset":
        peer.transport.reset()
    elif step == "bad":
        peer.transport.feed(b"\xff\xff")
    elif step == "slow":
        peer.transport.limit_room(77)
    else:
        peer.transport.limit_room(None)


@given(steps=STEPS, cut=st.integers(0, 300))
def test_the_express_roads_do_what_the_clear_road_does(steps: list[object], cut: int) -> None:
    clear = play("clear", steps, cut)
    assert play("express", steps, cut) == clear
    assert play("lane", steps, cut) == clear


def test_messages_of_a_run_end_one_by_one_unless_kept(bench: Bench) -> None:
    held: list[Message] = []

    def hold(connection: Connection, message: Message) -> None:
        for earlier in held[-1:]:
            with pytest.raises(UseAfterRelease):
                earlier.copy()
        if message.copy() != b"1":
            held.append(message)

    bench.handler = hold
    _, peer = bench.open()
    peer.transport.feed(b"".join(peer.encode(TEXT, b"%d" % number) for number in range(4)))
    bench.turn()
    assert len(held) == len(set(map(id, held))) == KEPT
    for message in held:
        with pytest.raises(UseAfterRelease):
            message.copy()


def test_a_retain_that_nobody_remembers_does_not_pass_to_the_next_message(bench: Bench) -> None:
    misuses: list[str] = []

    def forget(connection: Connection, message: Message) -> None:
        if message.copy() == b"0":
            message.retain()
            return
        with pytest.raises(DoubleRelease):
            message.release()
        misuses.append("told")

    bench.handler = forget
    _, peer = bench.open()
    peer.transport.feed(b"".join(peer.encode(TEXT, b"%d" % number) for number in range(4)))
    bench.turn()
    assert misuses == ["told"] * 3


def test_a_run_that_closes_the_connection_is_not_delivered_any_further(bench: Bench) -> None:
    bench.handler = lambda connection, message: connection.close()
    connection, peer = bench.open()
    peer.transport.feed(peer.encode(TEXT, b"x") * 5)
    bench.turn()
    assert connection.status is SessionStatus.CLOSING
    assert bench.traffic.messages_received.count == 1


@pytest.mark.parametrize("count", [1, 5])
def test_a_handler_that_raises_ends_its_connection(bench: Bench, count: int) -> None:
    def fail(connection: Connection, message: Message) -> None:
        raise ValueError(message.copy())

    bench.handler = fail
    connection, peer = bench.open()
    peer.transport.feed(peer.encode(TEXT, b"x") * count)
    bench.turn()
    assert connection.status is SessionStatus.CLOSING
    assert [type(error) for error in bench.errors] == [ValueError]


@pytest.mark.parametrize("count", [1, 5])
def test_memory_lent_by_a_handler_leaves_before_the_next_message(bench: Bench, count: int) -> None:
    scratch = bytearray(1)

    def lend(connection: Connection, message: Message) -> None:
        scratch[:] = message.copy()
        connection.send(scratch)

    bench.handler = lend
    _, peer = bench.open()
    sent = [b"%d" % number for number in range(count)]
    peer.transport.feed(b"".join(peer.encode(BINARY, payload) for payload in sent))
    bench.turn()
    assert peer.messages() == sent


def test_a_reset_that_a_read_meets_is_a_loss(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.transport.reset()
    connection(READABLE)
    assert connection.status is SessionStatus.CLOSED
    assert bench.host.ends[0] is not None and bench.host.ends[0].error is not None


def test_a_reset_that_a_reply_meets_is_a_loss(bench: Bench) -> None:
    def reset(connection: Connection, message: Message) -> None:
        connection.send(message)
        peer.transport.reset()

    bench.handler = reset
    connection, peer = bench.open()
    peer.send(TEXT, b"x")
    bench.turn()
    assert connection.status is SessionStatus.CLOSED
    assert connection.pending_bytes == 0
    assert bench.host.ends[0] is not None and bench.host.ends[0].error is not None


def test_the_end_of_the_stream_is_noticed_between_messages(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.transport.feed_end()
    bench.turn()
    assert connection.status is SessionStatus.CLOSED
    assert connection.close_code == 1006


def test_a_run_behind_one_that_closed_the_connection_is_not_delivered(bench: Bench) -> None:
    bench.handler = lambda connection, message: connection.close()
    _, peer = bench.open()
    peer.transport.feed(peer.encode(TEXT, b"x") * 5 + peer.encode(TEXT, b"yy") * 5)
    bench.turn()
    assert bench.traffic.messages_received.count == 1


def test_readiness_without_bytes_is_no_news(bench: Bench) -> None:
    connection, _ = bench.open()
    connection(READABLE)  # a poller may be early
    assert connection.status is SessionStatus.ACTIVE
    assert not bench.errors


def test_a_read_that_fills_the_memory_is_followed_by_another(make_bench: MakeBench) -> None:
    bench = make_bench(read_buffer_bytes=512)
    _, peer = bench.open()
    for _ in range(100):
        peer.send(BINARY, b"x" * 50)
    bench.turn()
    assert peer.messages() == [b"x" * 50] * 100


def test_a_large_message_is_read_in_one_go_behind_a_full_read(make_bench: MakeBench) -> None:
    bench = make_bench(read_buffer_bytes=1024)
    _, peer = bench.open()
    payload = bytes(range(256)) * 400
    peer.send(BINARY, payload)
    bench.reactor.run_once(0)
    assert peer.messages() == [payload]


@pytest.mark.parametrize("end", ["reset", "done"])
def test_what_comes_behind_a_full_read_may_be_the_end(make_bench: MakeBench, end: str) -> None:
    bench = make_bench(read_buffer_bytes=512)
    connection, peer = bench.open()

    def act(_: Connection, message: Message) -> None:
        if end == "reset":
            peer.transport.reset()
        else:
            connection.finish()

    bench.handler = act
    peer.transport.feed((peer.encode(BINARY, b"x" * 58)) * 9)
    bench.turn()
    assert connection.status is SessionStatus.CLOSED
    assert not bench.errors
