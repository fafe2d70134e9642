"""What may be written after ``async def``, and how middleware stands around it."""

from __future__ import annotations

from functools import partial

import pytest

from hioload_ws.adapters.coroutine_handlers import CoroutineHandler, adapt
from hioload_ws.adapters.routing import compose
from hioload_ws.api import Connection, Handler, InvalidArgument, Message
from hioload_ws.internal.coroutines import sleep
from tests.adapters.bench import Bench


async def each(connection: Connection, message: Message) -> None:
    await sleep(1)
    connection.send(message)


async def all_of_them(connection: Connection, greeting: str = "welcome") -> None:
    connection.send(greeting)
    async for message in connection:
        connection.send(message)


class Callable1:
    """An object that is called as a coroutine function."""

    async def __call__(self, connection: Connection) -> None:
        connection.send("from an object")


def test_a_coroutine_function_of_two_gets_message_after_message(bench: Bench) -> None:
    bench.router.fallback = compose(each, ())
    connection, peer = bench.open()
    assert connection.conversation is None  # an idle connection has no coroutine
    peer.transport.feed(peer.encode(1, b"one") + peer.encode(1, b"two"))
    bench.turn()
    bench.advance(1)
    assert peer.messages() == [b"one"]
    bench.advance(1)
    assert peer.messages() == [b"two"]


@pytest.mark.parametrize(
    ("handler", "greeting"),
    [
        (all_of_them, b"welcome"),
        (partial(all_of_them, greeting="hello"), b"hello"),
        (Callable1(), b"from an object"),
    ],
)
def test_a_coroutine_function_of_one_runs_when_the_connection_opens(
    bench: Bench, handler: Handler, greeting: bytes
) -> None:
    bench.router.fallback = compose(handler, ())
    peer = bench.admit()
    peer.transport.feed(peer.request())
    bench.turn()
    assert greeting in peer.new_bytes()


def test_plain_functions_stay_as_they_are() -> None:
    def plain(connection: Connection, message: Message) -> None:
        """A handler."""

    assert adapt(plain) is plain
    adapted = adapt(each)
    assert isinstance(adapted, CoroutineHandler)
    assert adapt(adapted) is adapted


def test_a_coroutine_function_of_anything_else_is_refused() -> None:
    async def nothing() -> None:
        """Takes nothing."""

    async def three(connection: Connection, message: Message, more: object) -> None:
        """Takes too much."""

    for wrong in (nothing, three):
        with pytest.raises(InvalidArgument, match="a coroutine handler takes"):
            adapt(wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("handler", [each, all_of_them])
def test_middleware_sees_each_message_on_its_way_to_the_coroutine(bench: Bench, handler: Handler) -> None:
    seen: list[bytes] = []

    def watch(inner: Handler) -> Handler:
        def deliver(connection: Connection, message: Message) -> None:
            seen.append(message.copy())
            if message.copy() != b"secret":
                inner(connection, message)

        return deliver

    bench.router.fallback = compose(handler, (watch, watch))
    peer = bench.admit()
    peer.transport.feed(peer.request())
    bench.turn()
    for payload in (b"one", b"secret", b"two"):
        peer.send(1, payload)
    bench.turn()
    bench.advance(2)
    assert seen == [b"one", b"one", b"secret", b"two", b"two"]
    answer = peer.new_bytes()
    assert b"one" in answer
    assert b"two" in answer
    assert b"secret" not in answer


def test_a_connection_that_its_open_handler_closes_gets_no_coroutine(bench: Bench) -> None:
    bench.host.on_open = lambda connection: connection.close()
    bench.router.fallback = compose(all_of_them, ())
    connection, _ = bench.open()
    assert connection.conversation is None
