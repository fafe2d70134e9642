"""The example's extension: alone, in a chain with compression, and between a live server and a live client."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.checksum_extension import Checksum, ChecksumExtension, main, make_server
from hioload_ws import connect
from hioload_ws.api.codec import CodecEvent, Role, ViolationDetected
from hioload_ws.api.errors import HandshakeFailed, ProtocolViolation
from hioload_ws.api.extension import Extension, ExtensionFactory
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol import Limits, PermessageDeflate, WebSocketCodec
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.negotiation import accept_answers, accept_offers, make_offers

PATIENCE_S = 20.0
CHAINS: list[list[ExtensionFactory]] = [
    [Checksum()],
    [Checksum(), PermessageDeflate(min_bytes=0)],
    [PermessageDeflate(min_bytes=0), Checksum()],
]
Agreed = tuple[tuple[Extension, ...], tuple[Extension, ...]]


def agree(factories: list[ExtensionFactory]) -> Agreed:
    """Return the client's and the server's extensions, agreed in the client's order."""
    answers, servers = accept_offers(make_offers(factories), factories[::-1])
    return accept_answers(answers, factories), servers


def sent(client: tuple[Extension, ...], pool: SlabBufferPool, pieces: list[bytes]) -> bytearray:
    """Return what a client sends for a message in these fragments."""
    codec = WebSocketCodec(Role.CLIENT, pool=pool, mask_key=lambda: b"\0\0\0\0", extensions=client)
    stream = bytearray()
    for index, piece in enumerate(pieces):
        final = index == len(pieces) - 1
        for part in codec.encode_message(BINARY, piece, first=index == 0, final=final):
            assert isinstance(part, bytes)
            stream += part
    return stream


def received(
    server: tuple[Extension, ...], pool: SlabBufferPool, stream: bytearray, limit_bytes: int, step: int
) -> bytes | int:
    """Return the one message a server gets, or the code it closes with."""
    limits = Limits(max_message_bytes=limit_bytes)
    codec = WebSocketCodec(Role.SERVER, limits=limits, pool=pool, mask_key=bytes, extensions=server)
    events: list[CodecEvent | bytes] = []
    for start in range(0, len(stream), step):
        for event in codec.receive(memoryview(stream)[start : start + step]):
            events.append(event.copy() if isinstance(event, WireMessage) else event)
    codec.close()
    (event_or_copy,) = events
    if isinstance(event_or_copy, bytes):
        return event_or_copy
    assert isinstance(event_or_copy, ViolationDetected)
    return event_or_copy.error.close_code


@given(
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    step=st.sampled_from([1, 2, 5, 10_000]),
    chain=st.sampled_from(CHAINS),
)
def test_a_message_arrives_in_any_chain_cut_anywhere_also_at_the_limit(
    pieces: list[bytes], step: int, chain: list[ExtensionFactory]
) -> None:
    whole = b"".join(pieces)
    client, server = agree(chain)
    with SlabBufferPool(leaks="disabled") as pool:
        stream = sent(client, pool, pieces)
        assert received(server, pool, stream, max(len(whole), 1), step) == whole


@pytest.mark.parametrize("step", [1, 10_000])
def test_a_byte_that_was_damaged_on_the_way_ends_the_connection(step: int) -> None:
    for position in range(2 + 4, 2 + 4 + len(b"payload") + 4):
        client, server = agree([Checksum()])
        with SlabBufferPool(leaks="disabled") as pool:
            stream = sent(client, pool, [b"payload"])
            stream[position] ^= 1
            assert received(server, pool, stream, 100, step) == 1007


def test_a_message_above_the_limit_is_refused() -> None:
    client, server = agree([Checksum()])
    with SlabBufferPool(leaks="disabled") as pool:
        assert received(server, pool, sent(client, pool, [b"12345"]), 4, 100) == 1009


@pytest.mark.parametrize("payload", [b"", b"abc", b"abcd"])
def test_a_message_without_a_checksum_is_refused(payload: bytes) -> None:
    extension = ChecksumExtension()
    assert extension.begin(BINARY, 0)
    with pytest.raises(ProtocolViolation) as caught:
        extension.decode(payload, True, 100)
    assert caught.value.close_code == 1007


def test_on_the_wire_the_checksum_follows_the_payload() -> None:
    extension = ChecksumExtension()
    crc = zlib.crc32(b"Hello").to_bytes(4, "big")
    assert extension.encode(TEXT, b"Hello", True, True) == (b"Hello" + crc, 0)
    assert extension.encode(TEXT, b"Hel", True, False) == (b"Hel", 0)
    assert extension.encode(TEXT, b"lo", False, True) == (b"lo" + crc, 0)
    extension.close()


def test_parameters_nobody_knows_are_declined_and_an_answer_with_them_fails() -> None:
    assert Checksum().accept_offer([("bits", "64")]) is None
    with pytest.raises(HandshakeFailed):
        Checksum().accept_answer([("bits", "64")])


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: "+".join(each.name for each in chain))
def test_a_live_server_and_a_live_client_use_it(chain: list[ExtensionFactory]) -> None:
    app = make_server()
    with app.background() as url, connect(url, extensions=chain) as connection:
        for message in ("hello", "grüße " * 5000, b"", b"\x00\xff" * 100_000):
            connection.send(message)
            assert connection.receive(PATIENCE_S) == message
        (answer,) = connection.response.values("Sec-WebSocket-Extensions")
        assert [each.partition(";")[0] for each in answer.split(", ")] == [each.name for each in chain]
    assert app.pool.stats().in_use_count == 0


def test_the_program_says_that_nothing_was_damaged(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert capsys.readouterr().out.splitlines() == [
        "5 characters there and back: the same",
        "6000 characters there and back: the same",
    ]
