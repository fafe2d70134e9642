"""Messages, codecs and extensions of tests are the real ones, repeatable."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api import (
    BINARY,
    TEXT,
    HandshakeFailed,
    Message,
    PingReceived,
    Role,
    UseAfterRelease,
    ViolationDetected,
)
from hioload_ws.fake.extension import FakeExtensionFactory, IdentityExtension, ReversingExtension
from hioload_ws.fake.memory import FakeBufferPool
from hioload_ws.fake.message import fake_codec, fake_message, joined, transfer
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage


def payloads(events: object) -> list[bytes]:
    assert isinstance(events, list)
    assert all(isinstance(event, WireMessage) for event in events)
    return [event.copy() for event in events]


def test_a_message_is_borrowed_until_its_handler_returns() -> None:
    with FakeBufferPool() as pool:
        message: Message = fake_message("grüße", pool)
        assert (message.kind, message.text, len(message)) == (TEXT, "grüße", 7)
        kept = fake_message(b"kept", pool).retain()
        kept.expire()
        assert kept.copy() == b"kept"
        kept.release()
    loose = fake_message(b"")
    assert loose.kind == BINARY
    loose.expire()
    with pytest.raises(UseAfterRelease):
        loose.copy()


@pytest.mark.parametrize("piece_bytes", [None, 1, 3])
def test_what_one_codec_sends_the_other_receives(piece_bytes: int | None) -> None:
    client, server = fake_codec(Role.CLIENT), fake_codec(Role.SERVER)
    assert payloads(transfer(client.encode_message(TEXT, b"hello"), server, piece_bytes)) == [b"hello"]
    [ping] = transfer(server.encode_ping(b"x"), client, piece_bytes)
    assert isinstance(ping, PingReceived)
    assert transfer([], server) == []


def test_masked_bytes_are_the_same_in_every_run() -> None:
    first, second = (joined(fake_codec(Role.CLIENT).encode_message(BINARY, b"data")) for _ in range(2))
    assert first == second


def test_limits_and_pool_can_be_chosen() -> None:
    server = fake_codec(Role.SERVER, limits=Limits(max_message_bytes=3), pool=FakeBufferPool())
    [event] = transfer(fake_codec(Role.CLIENT).encode_message(BINARY, b"four"), server)
    assert isinstance(event, ViolationDetected)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 60))
@example([b"abc"], 60)
@example([b"abc", b"", b"defg"], 2)
def test_extensions_give_back_what_went_in_however_it_was_cut(parts: list[bytes], piece_bytes: int) -> None:
    def chain() -> list[IdentityExtension]:
        return [IdentityExtension(), ReversingExtension()]

    client = fake_codec(Role.CLIENT, extensions=chain())
    server = fake_codec(Role.SERVER, extensions=chain())
    frames = bytearray()
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        frames += joined(client.encode_message(BINARY, part, first=not index, final=last))
    assert payloads(transfer([frames], server, piece_bytes)) == [b"".join(parts)]


def test_a_reversed_message_lies_reversed_on_the_wire() -> None:
    server = fake_codec(Role.SERVER, extensions=[ReversingExtension()])
    assert bytes(joined(server.encode_message(TEXT, b"abc"))) == b"\xc1\x03cba"
    plain = fake_codec(Role.CLIENT, extensions=[ReversingExtension()])
    assert payloads(transfer(fake_codec(Role.SERVER).encode_message(TEXT, b"abc"), plain)) == [b"abc"]


@pytest.mark.parametrize("kind", [IdentityExtension, ReversingExtension])
def test_a_message_above_the_limit_is_a_violation(kind: type[IdentityExtension]) -> None:
    client = fake_codec(Role.CLIENT, extensions=[kind()], limits=Limits(max_message_bytes=3))
    server = fake_codec(Role.SERVER, extensions=[kind()])
    [event] = transfer(server.encode_message(BINARY, b"four"), client)
    assert isinstance(event, ViolationDetected)
    assert event.error.close_code == 1009


def test_an_extension_says_itself_when_a_message_is_too_long() -> None:
    assert IdentityExtension().decode(b"abc", True, 3) == b"abc"
    for extension in (IdentityExtension(), ReversingExtension()):
        with pytest.raises(Exception, match="too long"):
            extension.decode(b"four", True, 3)


def test_extensions_are_negotiated_closed_and_declined() -> None:
    factory = FakeExtensionFactory(ReversingExtension)
    assert (factory.name, list(factory.offers())) == ("x-reverse", [()])
    answer = factory.accept_offer(())
    assert answer is not None
    assert answer.parameters == ()
    assert factory.accept_offer((("window", "1"),)) is None
    made = factory.accept_answer(())
    made.close()
    assert [each.closed for each in factory.made] == [False, True]
    with pytest.raises(HandshakeFailed):
        factory.accept_answer((("window", None),))
    assert FakeExtensionFactory(declines=True).accept_offer(()) is None
