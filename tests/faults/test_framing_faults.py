"""What the Go original accepted, cut or joined wrongly between handshake and close, and what killed it.

Each test writes the bytes by hand on a live socket. The `server` fixture asserts after every test that the
same server process still accepts a connection and echoes.
"""

from __future__ import annotations

import struct

import pytest

from tests.faults.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Wire,
    close_frame,
    frame,
    header,
)

PROTOCOL_ERROR = 1002
INVALID_PAYLOAD = 1007
TOO_BIG = 1009


def closes_with(wire: Wire, *data: bytes) -> int | None:
    """Send the bytes, read to the server's close frame and then to the end of the stream; return the code."""
    for piece in data:
        wire.send(piece)
    closing = wire.read_to_close()
    assert closing.mask is None and closing.fin and len(closing.payload) <= 125
    assert wire.read_to_end() == b""
    return closing.close_code


@pytest.mark.parametrize("length", [1 << 63, (1 << 63) | 5, (1 << 64) - 1])
def test_a_64_bit_length_with_the_top_bit_set_closes_with_1002_and_the_server_lives_on(
    wire: Wire, length: int
) -> None:
    # RFC 6455 §5.2: the most significant bit must be 0.
    assert closes_with(wire, header(BINARY, length)) == PROTOCOL_ERROR


def test_a_length_beyond_the_read_limit_closes_with_1009_before_any_of_it_arrives(wire: Wire) -> None:
    assert closes_with(wire, header(BINARY, (1 << 63) - 1)) == TOO_BIG


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_an_unmasked_client_frame_closes_with_1002(wire: Wire, opcode: int) -> None:
    # RFC 6455 §5.1: a server closes upon a frame that is not masked.
    assert closes_with(wire, frame(opcode, b"\x03\xe8", mask=None)) == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING])
@pytest.mark.parametrize("rsv", [1, 2, 3, 4, 5, 6, 7])
def test_reserved_bits_without_an_extension_close_with_1002(wire: Wire, rsv: int, opcode: int) -> None:
    assert closes_with(wire, frame(opcode, b"x", rsv=rsv)) == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
def test_a_reserved_opcode_closes_with_1002(wire: Wire, opcode: int) -> None:
    assert closes_with(wire, frame(opcode, b"x")) == PROTOCOL_ERROR


@pytest.mark.parametrize("fin", [True, False])
def test_a_continuation_of_nothing_closes_with_1002(wire: Wire, fin: bool) -> None:
    assert closes_with(wire, frame(CONTINUATION, b"x", fin=fin)) == PROTOCOL_ERROR


@pytest.mark.parametrize("fin", [True, False])
def test_a_new_message_inside_a_fragmented_one_closes_with_1002(wire: Wire, fin: bool) -> None:
    assert closes_with(wire, frame(TEXT, b"a", fin=False), frame(TEXT, b"b", fin=fin)) == PROTOCOL_ERROR


@pytest.mark.parametrize("length", [126, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_a_control_frame_above_125_bytes_closes_with_1002(wire: Wire, opcode: int, length: int) -> None:
    # Only the header: RFC 6455 §5.5 forbids the length, so the server need not wait for what it announces.
    assert closes_with(wire, header(opcode, length)) == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_a_fragmented_control_frame_closes_with_1002(wire: Wire, opcode: int) -> None:
    assert closes_with(wire, frame(opcode, fin=False)) == PROTOCOL_ERROR


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_a_close_code_that_may_not_be_sent_closes_with_1002(wire: Wire, code: int) -> None:
    # RFC 6455 §7.4: reserved, undefined, or outside every range.
    assert closes_with(wire, close_frame(code)) == PROTOCOL_ERROR


def test_a_close_frame_with_one_byte_closes_with_1002(wire: Wire) -> None:
    assert closes_with(wire, frame(CLOSE, b"\x03")) == PROTOCOL_ERROR


def test_a_close_reason_that_is_not_utf_8_closes_with_1007(wire: Wire) -> None:
    assert closes_with(wire, close_frame(1000, b"\xff\xfe")) == INVALID_PAYLOAD


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"abc\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x98",
    ],
    ids=["byte", "lone-tail", "overlong-2", "overlong-3", "surrogate", "above-10ffff", "cut"],
)
def test_text_that_is_not_utf_8_closes_with_1007(wire: Wire, payload: bytes) -> None:
    assert closes_with(wire, frame(TEXT, payload)) == INVALID_PAYLOAD


def test_bad_utf_8_in_a_later_fragment_closes_with_1007(wire: Wire) -> None:
    pieces = (
        frame(TEXT, b"good ", fin=False),
        frame(CONTINUATION, b"\xc3", fin=False),
        frame(CONTINUATION, b"x"),
    )
    assert closes_with(wire, *pieces) == INVALID_PAYLOAD


def test_a_character_cut_between_fragments_is_whole_in_the_message(wire: Wire) -> None:
    first, second = "a€b".encode()[:2], "a€b".encode()[2:]
    wire.send(frame(TEXT, first, fin=False) + frame(CONTINUATION, second))
    assert wire.read_frame().payload.decode() == "a€b"


def test_fragments_are_delivered_as_one_message(wire: Wire) -> None:
    wire.send(
        frame(TEXT, b"one ", fin=False)
        + frame(CONTINUATION, fin=False)
        + frame(CONTINUATION, b"two ", fin=False)
    )
    wire.send(frame(CONTINUATION, b"three"))
    got = wire.read_frame()
    assert (got.opcode, got.payload, got.fin) == (TEXT, b"one two three", True)
    assert wire.echoes()


def test_a_ping_between_fragments_is_answered_at_once_and_the_message_is_still_one(wire: Wire) -> None:
    wire.send(frame(BINARY, b"12", fin=False) + frame(PING, b"now"))
    pong = wire.read_frame()
    assert (pong.opcode, pong.payload) == (PONG, b"now")
    wire.send(frame(CONTINUATION, b"34"))
    assert wire.read_frame().payload == b"1234"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_comes_back_with_the_opcode_it_had(wire: Wire, opcode: int) -> None:
    wire.send(frame(opcode, b"kind"))
    got = wire.read_frame()
    assert (got.opcode, got.payload, got.mask, got.rsv) == (opcode, b"kind", None, 0)


@pytest.mark.parametrize("length", [4_095, 4_096, 4_097, 8_192, 65_535, 65_536, 65_537, 1_000_000])
def test_a_message_above_4096_bytes_is_not_cut(wire: Wire, length: int) -> None:
    assert wire.echoes((b"0123456789" * (length // 10 + 1))[:length], BINARY)


def test_a_message_that_arrives_byte_by_byte_is_whole(wire: Wire) -> None:
    for byte in frame(TEXT, b"slowly, but whole" * 10):
        wire.send(bytes([byte]))
    assert wire.read_frame().payload == b"slowly, but whole" * 10


@pytest.mark.parametrize("payload", [b"", b"x", b"p" * 125])
def test_a_ping_is_answered_with_a_pong_of_the_same_bytes(wire: Wire, payload: bytes) -> None:
    wire.send(frame(PING, payload))
    got = wire.read_frame()
    assert (got.opcode, got.payload, got.mask, got.fin) == (PONG, payload, None, True)


def test_a_pong_nobody_asked_for_is_ignored(wire: Wire) -> None:
    wire.send(frame(PONG, b"unasked"))
    assert wire.echoes()


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 4999])
def test_a_close_is_answered_with_its_code_and_the_connection_ends(wire: Wire, code: int) -> None:
    assert closes_with(wire, close_frame(code, b"bye")) == code


def test_a_close_without_a_code_is_answered_without_one(wire: Wire) -> None:
    # RFC 6455 §5.5.1 lets an endpoint echo what it received; 1005 itself may never be on the wire (§7.4.1).
    assert closes_with(wire, frame(CLOSE)) in (None, 1000)


def test_the_echo_of_a_message_leaves_before_the_answer_to_a_later_close(wire: Wire) -> None:
    wire.send(frame(TEXT, b"first") + close_frame(1000))
    assert wire.read_frame().payload == b"first"
    assert wire.read_to_close().close_code == 1000


def test_nothing_after_a_close_frame_is_processed(wire: Wire) -> None:
    wire.send(close_frame(1000) + frame(TEXT, b"too late"))
    got = wire.read_frame()
    assert (got.opcode, got.close_code) == (CLOSE, 1000)
    assert wire.read_to_end() == b""


def test_a_length_that_is_not_in_its_shortest_form_closes_with_1002(wire: Wire) -> None:
    # RFC 6455 §5.2: "the minimal number of bytes MUST be used".
    assert closes_with(wire, struct.pack("!BBH", 0x82, 0xFE, 5) + b"\0\0\0\0hello") == PROTOCOL_ERROR
