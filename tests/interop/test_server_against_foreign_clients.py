"""Our echo server against clients that other people wrote: what they send comes back, kind and bytes.

The three packages come from three hands and differ where it counts: `websockets` offers compression and
checks everything, `websocket-client` offers none and masks by itself, `aiohttp` reads with a parser in C.
"""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
import websocket
import websockets.asyncio.client as websockets_asyncio
import websockets.sync.client as websockets_sync

from tests.interop.echo_process import client_tls
from tests.interop.payloads import PAYLOADS, Payload, same

LIMIT_S = 60
SMALL = [payload for payload in PAYLOADS if payload.length_bytes <= 65_536]
each_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=str)


@each_payload
def test_what_the_blocking_websockets_client_sends_comes_back(echo_url: str, payload: Payload) -> None:
    with websockets_sync.connect(echo_url, max_size=None) as connection:
        connection.send(payload.value)
        assert same(connection.recv(LIMIT_S), payload.value)
    assert connection.close_code == 1000


@each_payload
def test_what_the_asyncio_websockets_client_sends_comes_back(echo_url: str, payload: Payload) -> None:
    async def echo() -> str | bytes:
        async with websockets_asyncio.connect(echo_url, max_size=None) as connection:
            await connection.send(payload.value)
            return await connection.recv()

    assert same(asyncio.run(asyncio.wait_for(echo(), LIMIT_S)), payload.value)


@each_payload
def test_what_websocket_client_sends_comes_back(echo_url: str, payload: Payload) -> None:
    # It checks UTF-8 one byte at a time, ten seconds for 16 MiB; the content is compared below all the same.
    connection = websocket.create_connection(echo_url, timeout=LIMIT_S, skip_utf8_validation=True)
    try:
        if isinstance(payload.value, str):
            connection.send_text(payload.value)
        else:
            connection.send_binary(payload.value)
        assert same(connection.recv(), payload.value)
    finally:
        connection.close()


@each_payload
def test_what_the_aiohttp_client_sends_comes_back(echo_url: str, payload: Payload) -> None:
    async def echo() -> object:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(echo_url, max_msg_size=0) as connection,
        ):
            if isinstance(payload.value, str):
                await connection.send_str(payload.value)
            else:
                await connection.send_bytes(payload.value)
            received: object = (await connection.receive()).data
            return received

    assert same(asyncio.run(asyncio.wait_for(echo(), LIMIT_S)), payload.value)


@each_payload
def test_what_a_client_sends_over_tls_comes_back(tls_echo_url: str, payload: Payload) -> None:
    with websockets_sync.connect(tls_echo_url, ssl=client_tls(), max_size=None) as connection:
        connection.send(payload.value)
        assert same(connection.recv(LIMIT_S), payload.value)
    assert connection.close_code == 1000


@each_payload
def test_what_a_client_sends_over_a_unix_socket_comes_back(echo_socket: str, payload: Payload) -> None:
    with websockets_sync.unix_connect(echo_socket, max_size=None) as connection:
        connection.send(payload.value)
        assert same(connection.recv(LIMIT_S), payload.value)
    assert connection.close_code == 1000


def test_many_messages_on_one_connection_come_back_in_order(echo_url: str) -> None:
    with websockets_sync.connect(echo_url, max_size=None) as connection:
        for _ in range(20):
            for payload in SMALL:
                connection.send(payload.value)
            for payload in SMALL:
                assert same(connection.recv(LIMIT_S), payload.value), str(payload)


def test_a_message_without_compression_comes_back_as_well(echo_url: str) -> None:
    with websockets_sync.connect(echo_url, max_size=None, compression=None) as connection:
        for payload in SMALL:
            connection.send(payload.value)
            assert same(connection.recv(LIMIT_S), payload.value), str(payload)


def test_a_message_sent_in_fragments_comes_back_as_one(echo_url: str) -> None:
    with websockets_sync.connect(echo_url) as connection:
        connection.send(["one ", "two ", "three"])
        assert connection.recv(LIMIT_S) == "one two three"
        connection.send([b"1", b"", b"23"])
        assert connection.recv(LIMIT_S) == b"123"


def test_a_ping_is_answered(echo_url: str) -> None:
    with websockets_sync.connect(echo_url) as connection:
        assert connection.ping(b"are you there").wait(LIMIT_S)


def test_the_close_code_of_the_client_is_answered_with_the_same(echo_url: str) -> None:
    with websockets_sync.connect(echo_url) as connection:
        connection.close(4321, "because")
    assert connection.close_code == 4321


@pytest.mark.parametrize("path", ["/a", "/a/b/c?d=e&f=%20", "/%E2%82%AC"])
def test_every_path_echoes(echo_url: str, path: str) -> None:
    with websockets_sync.connect(echo_url + path) as connection:
        connection.send(path)
        assert connection.recv(LIMIT_S) == path
