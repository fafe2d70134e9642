"""Runs of equal short messages: a coroutine gets each of them as if it had come alone."""

from __future__ import annotations

import pytest

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.adapters.routing import compose
from hioload_ws.api import Connection, Handler, Message, UseAfterRelease
from hioload_ws.internal.coroutines import sleep
from tests.adapters.bench import Bench
from tests.adapters.slow import echo, feed, open_with

RUN = [b"%04d" % number for number in range(20)]


def test_messages_of_a_run_that_somebody_keeps_stay_apart(bench: Bench) -> None:
    """A run shares two message objects as long as nobody keeps one."""
    kept: list[Message] = []
    retained: list[Message] = []

    async def keep(connection: Connection) -> None:
        async for message in connection:
            number = int(message.text)
            if number % 3 == 0:
                kept.append(message)
            elif number % 3 == 1:
                retained.append(message.retain())

    _, peer = open_with(bench, keep)
    feed(peer, *RUN)
    bench.turn()
    assert len({id(message) for message in kept + retained}) == len(kept + retained) == 14
    for message in kept:
        with pytest.raises(UseAfterRelease):
            message.copy()
    assert [message.copy() for message in retained] == RUN[1::3]
    for message in retained:
        message.release()
        with pytest.raises(UseAfterRelease):
            message.copy()


@pytest.mark.parametrize("stop_at", [0, 1, 7, 19])
@pytest.mark.parametrize("how", ["sleep", "raise", "return", "close", "finish", "interrupt"])
def test_a_run_may_be_left_at_any_message(bench: Bench, stop_at: int, how: str) -> None:
    seen: list[bytes] = []

    async def handler(connection: Connection) -> None:
        assert isinstance(connection, WebSocketConnection)
        async for message in connection:
            seen.append(message.copy())
            if len(seen) == stop_at + 1:
                if how == "sleep":
                    await sleep(1)
                    assert message.copy() == RUN[stop_at]
                elif how == "raise":
                    raise ZeroDivisionError
                elif how == "return":
                    return
                elif how == "close":
                    connection.close()
                elif how == "finish":
                    connection.finish()
                else:
                    raise KeyboardInterrupt

    connection, peer = open_with(bench, handler)
    feed(peer, *RUN)
    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            bench.turn()
    else:
        bench.turn()
        bench.advance(1)
    assert seen == (RUN if how == "sleep" else RUN[: stop_at + 1])
    assert bench.traffic.messages_received.count == (0 if how == "interrupt" else len(seen))
    assert len(bench.errors) == (how == "raise")


def test_memory_that_was_lent_within_a_run_leaves_before_the_next_message(bench: Bench) -> None:
    memory = bytearray(4)

    async def handler(connection: Connection) -> None:
        async for message in connection:
            memory[:] = message.data
            connection.send(memory)

    _, peer = open_with(bench, handler)
    feed(peer, *RUN)
    bench.turn()
    assert peer.messages() == RUN


def test_a_peer_that_is_found_to_be_gone_within_a_run_ends_it(bench: Bench) -> None:
    memory, seen, ended = bytearray(4), list[bytes](), list[bool]()

    async def handler(connection: Connection) -> None:
        async for message in connection:
            seen.append(message.copy())
            if len(seen) == 3:
                peer.transport.reset()
                connection.send(memory)  # it leaves before the next message, and is refused
        ended.append(True)

    connection, peer = open_with(bench, handler)
    feed(peer, *RUN)
    bench.turn()
    assert (seen, ended, connection.close_code) == (RUN[:3], [True], 1006)
    assert bench.traffic.messages_received.count == 3
    assert not bench.errors


def test_runs_that_pass_middleware_are_given_one_by_one(bench: Bench) -> None:
    count = [0]

    def counting(inner: Handler) -> Handler:
        def deliver(connection: Connection, message: Message) -> None:
            count[0] += 1
            inner(connection, message)

        return deliver

    bench.router.fallback = compose(echo, (counting,))
    _, peer = bench.open()
    feed(peer, *RUN)
    bench.turn()
    assert (peer.messages(), count) == (RUN, [20])
