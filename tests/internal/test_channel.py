"""Messages between two ends of a pair, whatever the sizes, and the end of the other one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import READABLE, ResourceExhausted
from hioload_ws.internal import channel
from hioload_ws.internal.channel import Channel
from hioload_ws.internal.reactor import PollReactor


class Pair:
    """Two channels on one reactor, and what they heard."""

    def __init__(self) -> None:
        self.reactor = PollReactor()
        self.ends = socket.socketpair()
        self.heard: list[list[object]] = [[], []]
        self.gone: list[int] = []
        self.channels = [
            Channel(self.reactor, end, self.heard[number].append, partial(self.gone.append, number))
            for number, end in enumerate(self.ends)
        ]

    def turn(self) -> None:
        while self.reactor.run_once(0):
            pass

    def close(self) -> None:
        for each in self.channels:
            each.close()
        self.reactor.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.binary(max_size=200_000)), max_size=8))
def test_what_is_sent_comes_whole_and_in_order(messages: list[object]) -> None:
    pair = Pair()
    try:
        for message in messages:
            pair.channels[0].send(message)
            pair.channels[1].send((message,))
        pair.turn()
        assert pair.heard[1] == messages
        assert pair.heard[0] == [(message,) for message in messages]
    finally:
        pair.close()


def test_a_message_in_pieces_is_put_together(pair: Pair) -> None:
    other = PollReactor()
    first, second = socket.socketpair()
    heard: list[object] = []
    sender = Channel(other, first, heard.append, lambda: None)
    sender.send("hello")
    whole = second.recv(1000)
    pair.channels[1].close()
    near, far = socket.socketpair()
    receiver = Channel(pair.reactor, near, heard.append, lambda: heard.append("end"))
    for position in range(len(whole)):
        assert heard == []
        far.sendall(whole[position : position + 1])
        pair.turn()
    assert heard == ["hello"]
    far.close()
    pair.turn()
    assert heard == ["hello", "end"]
    receiver.close()
    sender.close()
    second.close()
    other.close()


def test_the_other_s_end_is_told_once_and_sending_is_harmless_then(pair: Pair) -> None:
    pair.channels[0].send("last words")
    pair.channels[0].close()
    pair.channels[0].close()
    pair.turn()
    assert (pair.heard[1], pair.gone) == (["last words"], [1])
    pair.channels[1].send("nobody hears")
    pair.channels[0].send("nobody hears")


def test_an_end_that_went_with_messages_unread_is_gone_too(pair: Pair) -> None:
    pair.channels[0].send("unread")
    pair.channels[1].close()
    pair.channels[0].send("more")
    pair.turn()
    assert pair.gone == [0]


def test_a_handler_may_hang_up_in_the_middle_of_a_batch(pair: Pair) -> None:
    pair.channels[1].close()
    near, far = socket.socketpair()
    heard: list[object] = []

    def hear(message: object) -> None:
        heard.append(message)
        receiver.close()

    receiver = Channel(pair.reactor, near, hear, lambda: heard.append("end"))
    sender = Channel(pair.reactor, far, heard.append, lambda: None)
    sender.send(1)
    sender.send(2)
    pair.turn()
    assert heard == [1]
    sender.close()


def test_who_does_not_read_is_noticed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_WAITING_BYTES", 1_000_000)
    with pytest.raises(ResourceExhausted):
        for _ in range(100):
            pair.channels[0].send(b"x" * 100_000)
    pair.turn()
    assert pair.heard[1]


def test_last_words_are_sent_before_hanging_up(pair: Pair) -> None:
    words = b"w" * 100_000
    pair.channels[0].send(words)
    pair.channels[0].finish()
    pair.channels[0].finish()
    pair.turn()
    assert (pair.heard[1], pair.gone) == ([words], [1])


def test_last_words_that_nobody_reads_are_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_LAST_WORDS_S", 0.01)
    for _ in range(20):
        pair.channels[0].send(b"w" * 100_000)
    pair.channels[0].finish()
    pair.turn()
    assert pair.gone == [1]


def test_readiness_without_data_is_no_end(pair: Pair) -> None:
    pair.channels[0]._on_ready(READABLE)
    assert (pair.heard[0], pair.gone) == ([], [])
