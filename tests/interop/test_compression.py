"""permessage-deflate on live connections, with clients and a server that other people wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import websockets.asyncio.client as foreign_asyncio
import websockets.sync.client as foreign
from websockets.exceptions import ConnectionClosedError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.protocol import PermessageDeflate
from tests.interop.foreign_server import ForeignServer
from tests.interop.payloads import PAYLOADS, Payload, same

LIMIT_S = 60.0
HEADER = "Sec-WebSocket-Extensions"
KINDS: dict[str, Callable[[], PermessageDeflate]] = {
    "plain": PermessageDeflate,
    "fresh": lambda: PermessageDeflate(server_no_context_takeover=True, client_no_context_takeover=True),
    "small": lambda: PermessageDeflate(server_max_window_bits=9, client_max_window_bits=9, min_bytes=0),
}


# The foreign end of a connection is closed by a thread of its own, in its own time.
pytestmark = pytest.mark.keeps("a foreign server's sockets, for a moment")


def make_server(factory: PermessageDeflate, **settings: object) -> Server:
    """Return an echo server that compresses, not started."""
    app = Server("127.0.0.1", 0, extensions=[factory], **settings)  # type: ignore[arg-type]  # of a test

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


@pytest.fixture(params=list(KINDS))
def factory(request: pytest.FixtureRequest) -> PermessageDeflate:
    """Return each kind of wishes in turn."""
    return KINDS[request.param]()


@pytest.fixture
def url(factory: PermessageDeflate) -> Iterator[str]:
    """Return the URL of our server; its books are checked afterwards."""
    app = make_server(factory)
    with app.background() as served:
        yield served
    assert app.pool.stats().in_use_count == 0


def test_a_foreign_client_sends_and_gets_every_payload_compressed(url: str) -> None:
    with foreign.connect(url, max_size=None) as connection:
        assert connection.response is not None
        assert connection.response.headers[HEADER].startswith("permessage-deflate")
        for payload in PAYLOADS:
            connection.send(payload.value)
            assert same(connection.recv(LIMIT_S), payload.value)
        connection.send(["in ", "three ", "fragments"])
        assert connection.recv(LIMIT_S) == "in three fragments"
        connection.ping().wait(LIMIT_S)
    assert connection.close_code == 1000


def test_a_foreign_client_may_ask_for_anything(url: str) -> None:
    async def echo(offer: ClientPerMessageDeflateFactory) -> None:
        async with foreign_asyncio.connect(url, compression=None, extensions=[offer]) as connection:
            for message in ("hello " * 100, "hello " * 100, b"\0" * 70_000):
                await connection.send(message)
                assert await connection.recv() == message

    for fresh in (False, True):
        for bits in (9, 12, 15):
            offer = ClientPerMessageDeflateFactory(fresh, fresh, bits, bits)
            asyncio.run(asyncio.wait_for(echo(offer), LIMIT_S))


def test_a_client_that_offers_nothing_is_served_uncompressed(url: str) -> None:
    with foreign.connect(url, compression=None) as connection:
        assert connection.response is not None and HEADER not in connection.response.headers
        connection.send("hello " * 100)
        assert connection.recv(LIMIT_S) == "hello " * 100


def test_a_message_that_inflates_above_the_limit_is_refused() -> None:
    app = make_server(PermessageDeflate(), max_message_bytes=100_000)
    with app.background() as url, foreign.connect(url, max_size=None) as connection:
        connection.send(bytes(100_000))
        assert same(connection.recv(LIMIT_S), bytes(100_000))
        connection.send(bytes(10_000_000))
        with pytest.raises(ConnectionClosedError):
            connection.recv(LIMIT_S)
        assert connection.close_code == 1009
    assert app.pool.stats().in_use_count == 0


@pytest.mark.parametrize("payload", PAYLOADS, ids=str)
def test_our_client_sends_and_gets_every_payload_from_a_foreign_server(
    foreign_server: ForeignServer, factory: PermessageDeflate, payload: Payload
) -> None:
    url = f"ws://127.0.0.1:{foreign_server.port}"
    with connect(url, extensions=[factory]) as connection:
        (answer,) = connection.response.values(HEADER)
        assert answer.startswith("permessage-deflate")
        for _ in range(2):
            connection.send(payload.value)
            assert same(connection.receive(LIMIT_S), payload.value)


def test_our_client_reads_compressed_fragments_of_a_foreign_server(
    foreign_server: ForeignServer, factory: PermessageDeflate
) -> None:
    url = f"ws://127.0.0.1:{foreign_server.port}/fragments"
    with connect(url, extensions=[factory]) as connection:
        assert connection.receive(LIMIT_S) == "one two three"
        assert connection.receive(LIMIT_S) == b"123"
