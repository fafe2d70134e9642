"""permessage-deflate, one end alone: the examples of RFC 7692, its corners, bombs, and what is held when."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, ProtocolViolation
from hioload_ws.api.extension import RSV1, Extension
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.protocol.deflate import (
    IDLE_COUNT,
    TAIL,
    Compressors,
    DeflateExtension,
    Direction,
    PermessageDeflate,
)

FULL = Direction(15, True)
FRESH = Direction(15, False)
HELLO = "f2 48 cd c9 c9 07 00"
MIB = 1 << 20


def extension(sent: Direction = FULL, received: Direction = FULL, min_bytes: int = 0) -> DeflateExtension:
    return DeflateExtension(Compressors(6, 8), min_bytes, sent, received)


def sent(extension: DeflateExtension, payload: bytes) -> str:
    """Encode a whole message; return its payload in hexadecimal."""
    encoded, bits = extension.encode(TEXT, payload, True, True)
    assert bits == RSV1
    return bytes(encoded).hex(" ")


def received(extension: DeflateExtension, *pieces: str | bytes, max_bytes: int = 1000) -> bytes:
    """Decode a message that comes in these pieces, given as they are or in hexadecimal."""
    assert extension.begin(TEXT, RSV1)
    decoded = b""
    for index, piece in enumerate(pieces, 1):
        chunk = bytes.fromhex(piece) if isinstance(piece, str) else piece
        decoded += extension.decode(memoryview(chunk), index == len(pieces), max_bytes - len(decoded))
    return decoded


def refusal(extension: DeflateExtension, *pieces: str | bytes, max_bytes: int = 1000) -> int:
    """Decode a message that is refused; return the close code."""
    with pytest.raises(ProtocolViolation) as caught:
        received(extension, *pieces, max_bytes=max_bytes)
    extension.close()
    return caught.value.close_code


def raw(payload: bytes, bits: int = 15, level: int = 9) -> bytes:
    """Return what a peer sends that compresses with zlib directly."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_the_example_of_7_2_3_1_one_block() -> None:
    end = extension()
    assert sent(end, b"Hello") == HELLO
    assert received(end, HELLO) == b"Hello"
    # The same message in two frames of three and four bytes.
    assert received(end, "f2 48 cd", "c9 c9 07 00") == b"Hello"


def test_the_example_of_7_2_3_2_the_window_is_shared_with_the_message_before() -> None:
    end = extension()
    assert [sent(end, b"Hello"), sent(end, b"Hello")] == [HELLO, "f2 00 11 00 00"]
    assert [received(end, HELLO), received(end, "f2 00 11 00 00")] == [b"Hello", b"Hello"]


def test_without_context_takeover_every_message_stands_alone() -> None:
    end = extension(FRESH, FRESH)
    assert [sent(end, b"Hello"), sent(end, b"Hello")] == [HELLO, HELLO]
    assert received(end, HELLO) == b"Hello"
    assert refusal(end, "f2 00 11 00 00") == 1007


def test_the_example_of_7_2_3_3_a_block_without_compression() -> None:
    stored = DeflateExtension(Compressors(0, 8), 0, FULL, FULL)
    assert sent(stored, b"Hello") == "00 05 00 fa ff 48 65 6c 6c 6f 00"
    assert received(stored, "00 05 00 fa ff 48 65 6c 6c 6f 00") == b"Hello"


@pytest.mark.parametrize("direction", [FULL, FRESH])
def test_the_example_of_7_2_3_4_a_block_with_bfinal(direction: Direction) -> None:
    end = extension(received=direction)
    for _ in range(2):
        assert received(end, "f3 48 cd c9 c9 07 00 00") == b"Hello"
        assert received(end, "f3 48 cd c9 c9", "07 00", "00") == b"Hello"
        assert received(end, HELLO) == b"Hello"


@pytest.mark.parametrize("direction", [FULL, FRESH])
def test_the_example_of_7_2_3_5_two_blocks_in_one_message(direction: Direction) -> None:
    end = extension(received=direction)
    assert received(end, "f2 48 05 00 00 00 ff ff ca c9 c9 07 00") == b"Hello"
    # And with BFINAL set on the first of two.
    assert received(end, "f3 48 05 00", "ca c9 c9 07 00") == b"Hello"


@pytest.mark.parametrize("direction", [FULL, FRESH])
def test_the_example_of_7_2_3_6_an_empty_message_is_one_byte(direction: Direction) -> None:
    end = extension(direction, direction)
    for _ in range(2):
        assert sent(end, b"") == "00"
        assert sent(end, b"Hello")
        assert received(end, "00") == b""
    assert received(end, b"", "00") == b""


def test_a_compressor_that_has_nothing_to_say_still_makes_the_one_byte() -> None:
    # What zlib gives for nothing depends on its version; some give nothing, and an empty payload would be no block.
    class Silent:
        def compress(self, data: bytes) -> bytes:
            return b""

        def flush(self, mode: int) -> bytes:
            return b""

    end = extension()
    end._deflater = Silent()  # type: ignore[assignment]  # as much of a compressor as it takes
    assert sent(end, b"") == "00"
    assert received(end, "00") == b""


def test_after_bfinal_nothing_before_it_can_be_referred_to() -> None:
    end = extension()
    assert received(end, HELLO) == b"Hello"
    assert refusal(end, "03 00 f2 00 11 00 00") == 1007


@pytest.mark.parametrize("direction", [FULL, FRESH])
@pytest.mark.parametrize(
    "payload",
    ["07", "f2 48 cd c9 c9 ff ff ff", "00 05 00 fa fa 00", "ed fd 01 ff ff"],
)
def test_what_is_no_deflate_is_1007(direction: Direction, payload: str) -> None:
    end = extension(received=direction)
    assert refusal(end, payload) == 1007
    assert refusal(end, b"", payload) == 1007


@pytest.mark.parametrize("direction", [FULL, FRESH])
def test_a_payload_that_ends_inside_a_block_is_1007(direction: Direction) -> None:
    whole = raw(random.Random(1).randbytes(40) * 3 + b"abcabcabc")
    for length in range(len(whole)):
        assert refusal(extension(received=direction), whole[:length]) == 1007
    # The stream has ended and the empty block that carries the tail is missing.
    assert refusal(extension(received=direction), "f3 48 cd c9 c9 07 00") == 1007
    assert refusal(extension(received=direction), "00 00 00 ff ff 03 00") == 1007


def test_a_payload_that_swallows_the_tail_as_data_is_found_by_what_comes_out() -> None:
    # A stored block that announces six bytes: the tail is four of them, the probe the other two.
    for announced in range(5, 9):
        header = b"\x00" + announced.to_bytes(2, "little") + (0xFFFF - announced).to_bytes(2, "little")
        assert refusal(extension(), header) == 1007
        assert refusal(extension(received=FRESH), header) == 1007


def test_a_message_at_the_limit_passes_and_one_byte_more_is_1009() -> None:
    for size in (0, 1, 5, 8191, 8192, 65535, 65536, 65537, 200_000):
        payload = random.Random(size).randbytes(size // 4) + bytes(size - size // 4)
        assert received(extension(), raw(payload), max_bytes=size) == payload
        if size:
            assert refusal(extension(), raw(payload), max_bytes=size - 1) == 1009
        # The limit holds for the message, in however many pieces it comes.
        encoded = raw(payload)
        pieces = [encoded[start : start + 9000] for start in range(0, len(encoded), 9000)]
        assert received(extension(), *pieces, max_bytes=size) == payload


def test_what_zlib_still_has_to_say_when_all_is_read_is_not_forgotten() -> None:
    # A match that crosses the end of a step, as the last thing of a piece: nothing of it is left to be read.
    for size in (65536, 65537, 65536 + 100, 65536 + 257):
        encoded = raw(bytes(size))
        for cut in range(len(encoded) - 6, len(encoded)):
            end = extension()
            end.begin(BINARY, RSV1)
            first = bytes(end.decode(encoded[:cut], False, MIB))
            assert first + bytes(end.decode(encoded[cut:], True, MIB)) == bytes(size)
            judge = zlib.decompressobj(-15)
            assert first == judge.decompress(encoded[:cut])


@pytest.mark.parametrize("direction", [FULL, FRESH])
def test_a_bomb_costs_no_more_memory_than_the_limit(direction: Direction) -> None:
    bomb = raw(bytes(64 * MIB))
    assert len(bomb) < 70_000
    for pieces in ([bomb], [bomb[start : start + 1000] for start in range(0, len(bomb), 1000)]):
        end = extension(received=direction)
        end.begin(BINARY, RSV1)
        tracemalloc.start()
        try:
            before, left = tracemalloc.get_traced_memory()[0], MIB
            with pytest.raises(ProtocolViolation) as caught:
                for piece in pieces:
                    left -= len(end.decode(piece, False, left))
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        assert caught.value.close_code == 1009
        # The output grows by eighths, and a step of 64 KiB is held twice beside the window of 32 KiB.
        assert peak < MIB + MIB // 8 + 200 * 1024
        end.close()


def test_streams_that_end_again_and_again_are_read_in_linear_time() -> None:
    # Each empty block with BFINAL set means a new decompressor, and what follows is copied for it. Were that
    # not cut into steps this message would copy 100 GB.
    message = b"\x03\x00" * (300 * 1024) + b"\x00"
    assert received(extension(), message) == b""


def test_messages_below_min_bytes_are_sent_as_they_are_and_fragmented_ones_are_not() -> None:
    end = extension(min_bytes=6)
    payload = memoryview(b"Hello")
    assert end.encode(TEXT, payload, True, True) == (payload, 0)
    first, bits = end.encode(TEXT, b"Hel", True, False)
    middle, no_bits = end.encode(TEXT, b"", False, False)
    last, none = end.encode(TEXT, b"lo", False, True)
    assert (bits, no_bits, none) == (RSV1, 0, 0)
    assert received(extension(), bytes(first), bytes(middle), bytes(last)) == b"Hello"
    assert end.encode(TEXT, b"a" * 6, True, True)[1] == RSV1
    assert not end.begin(TEXT, 0)


def test_a_fragment_can_be_read_when_it_is_sent() -> None:
    sender, receiver = extension(FRESH), extension(received=FRESH)
    receiver.begin(BINARY, RSV1)
    for index, fragment in enumerate((b"one", b"", b"two" * 50)):
        encoded, _ = sender.encode(BINARY, fragment, index == 0, False)
        assert receiver.decode(encoded, False, 1000) == fragment
    encoded, _ = sender.encode(BINARY, b"", False, True)
    assert encoded == b"\x00"
    assert receiver.decode(encoded, True, 1000) == b""


@pytest.mark.parametrize("bits", range(8, 16))
@pytest.mark.parametrize("takes_over", [True, False])
def test_what_is_sent_keeps_to_the_window_agreed(bits: int, takes_over: bool) -> None:
    # Inflating byte by byte leaves zlib nothing but its window to refer to, and raises where that is too small.
    sender, judge = extension(Direction(bits, takes_over)), zlib.decompressobj(-bits)
    source = random.Random(bits)
    words = [source.randbytes(20) for _ in range(3000)]
    for _ in range(3):
        payload = b"".join(source.choices(words, k=4000))
        if not takes_over:
            judge = zlib.decompressobj(-bits)
        stream = bytes(sender.encode(BINARY, payload, True, True)[0]) + TAIL
        decoded = b"".join(judge.decompress(stream[at : at + 1], 64) for at in range(len(stream)))
        while rest := judge.decompress(judge.unconsumed_tail, 64):
            decoded += rest
        assert decoded == payload


def test_an_idle_connection_that_takes_no_context_over_holds_nothing() -> None:
    factory = PermessageDeflate(
        server_no_context_takeover=True, client_no_context_takeover=True, min_bytes=0
    )
    ends: list[Extension] = []
    for _ in range(20):
        answer = factory.accept_offer([])
        assert answer is not None
        ends.append(answer.extension)
    tracemalloc.start()
    try:
        for end in ends:
            assert bytes(end.encode(TEXT, b"Hello", True, True)[0]).hex(" ") == HELLO
            assert end.begin(TEXT, RSV1) and end.decode(bytes.fromhex(HELLO), True, 5) == b"Hello"
        held_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert factory.idle_compressor_count == 1
    assert held_bytes < 300 * 1024  # one compressor


def test_the_pool_gives_out_what_it_has_and_keeps_no_more_than_its_share() -> None:
    compressors = Compressors(6, 8)
    made = [compressors.take(12) for _ in range(IDLE_COUNT + 3)]
    assert len(set(map(id, made))) == len(made)
    for each in made:
        compressors.give(12, each)
    assert compressors.idle_count == IDLE_COUNT
    assert compressors.take(12) in made
    assert compressors.take(11) not in made


def test_a_context_is_made_at_the_first_compressed_message_and_dropped_at_the_end() -> None:
    tracemalloc.start()
    try:
        end = extension(min_bytes=100)
        end.encode(TEXT, b"short", True, True)
        assert tracemalloc.get_traced_memory()[0] < 8192
        end.encode(TEXT, b"x" * 100, True, True)
        assert tracemalloc.get_traced_memory()[0] > 256 * 1024
        end.close()
        end.close()
        assert tracemalloc.get_traced_memory()[0] < 8192
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("server_max_window_bits", (7, 16, -15, None, "15")),
        ("client_max_window_bits", (7, 16, 9.0)),
        ("level", (-1, 10)),
        ("mem_level", (0, 10)),
        ("min_bytes", (-1,)),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(InvalidArgument, match=name):
            PermessageDeflate(**{name: value})  # type: ignore[arg-type]  # wrong on purpose


def test_by_default_a_client_with_demands_offers_to_do_without_them() -> None:
    demanding = PermessageDeflate(server_max_window_bits=10)
    assert list(demanding.offers()) == [
        (("server_max_window_bits", "10"), ("client_max_window_bits", None)), (("client_max_window_bits", None),)
    ]  # fmt: skip
    assert len(PermessageDeflate(server_max_window_bits=10, fallback=False).offers()) == 1


def test_a_malformed_offer_is_declined_and_a_malformed_answer_fails() -> None:
    factory = PermessageDeflate()
    assert factory.accept_offer([("server_max_window_bits", "7")]) is None
    with pytest.raises(HandshakeFailed):
        factory.accept_answer([("client_max_window_bits", None)])
    with pytest.raises(HandshakeFailed):
        PermessageDeflate(client_max_window_bits=10).accept_answer([("client_max_window_bits", "11")])
    with pytest.raises(HandshakeFailed):
        PermessageDeflate(server_max_window_bits=10, fallback=False).accept_answer([])


def test_a_client_keeps_its_own_hints_whatever_the_answer_says() -> None:
    factory = PermessageDeflate(client_no_context_takeover=True, client_max_window_bits=10)
    end = factory.accept_answer([])
    assert isinstance(end, DeflateExtension)
    assert (end.sent, end.received) == (Direction(10, False), FULL)
    end = factory.accept_answer([("client_max_window_bits", "9"), ("server_no_context_takeover", None)])
    assert isinstance(end, DeflateExtension)
    assert (end.sent, end.received) == (Direction(9, False), FRESH)
