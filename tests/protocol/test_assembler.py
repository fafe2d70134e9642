"""The assembler alone: growth, trust in announcements, extensions, and giving everything back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hioload_ws.api.codec import Role
from hioload_ws.api.errors import ProtocolViolation, ResourceExhausted
from hioload_ws.api.extension import RSV1, RSV2, Extension
from hioload_ws.api.message import BINARY, TEXT, MessageKind
from hioload_ws.api.types import ReadableMemory
from hioload_ws.fake.extension import IdentityExtension
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.assembler import NO_MESSAGE, Assembler, encoded_limit_bytes
from hioload_ws.protocol.limits import Limits

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit


@pytest.fixture
def pool() -> Iterator[SlabBufferPool]:
    with SlabBufferPool(leaks="disabled") as made:
        yield made
        assert made.stats().in_use_count == 0


def add(assembler: Assembler, piece: bytes, final: bool = False) -> None:
    assembler.expect(len(piece), False)
    assembler.add(memoryview(piece), final)


def test_an_encoded_message_may_be_an_eighth_and_a_kibibyte_longer() -> None:
    assert [encoded_limit_bytes(size) for size in (0, 7, 8, 8000)] == [1024, 1031, 1033, 10024]


def test_closing_gives_back_what_a_message_in_progress_had(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(), pool, ())
    assembler.start(BINARY, 0)
    add(assembler, b"abc")
    assert pool.stats().in_use_count == 1
    assembler.close()
    assert pool.stats().in_use_count == 0


def test_the_last_decoder_keeps_to_the_message_limit_and_those_before_it_to_the_encoded_one(
    pool: SlabBufferPool,
) -> None:
    class Asked(IdentityExtension):
        most_bytes = 0

        def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
            self.most_bytes = max_bytes
            return chunk

    near, far = Asked(), Asked()  # what comes in is decoded by the last one of the chain first
    assembler = Assembler(Limits(max_message_bytes=1000), pool, (near, far))
    assembler.start(BINARY, 0)
    add(assembler, b"abc")
    assert (far.most_bytes, near.most_bytes) == (encoded_limit_bytes(1000), 1000)
    add(assembler, b"def", True)
    assert (far.most_bytes, near.most_bytes) == (encoded_limit_bytes(997), 997)
    assembler.finish().expire()


def test_an_unfragmented_message_gets_a_buffer_of_its_exact_length(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(), pool, ())
    assembler.start(BINARY, 0)
    assembler.expect(3_000_000, True)
    assert pool.stats().in_use_count == 0
    assembler.add(memoryview(b"x"), False)
    target = assembler.target(2_999_999)
    assert target is not None and len(target) == 2_999_999
    assembler.added_in_place(target, True)
    message = assembler.finish()
    assert len(message.data) == 3_000_000 and message.data[0] == ord("x")
    assert pool.stats().acquired_count == 1
    message.expire()


def test_a_fragmented_message_moves_a_logarithmic_number_of_times(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(max_fragments=None), pool, ())
    assembler.start(BINARY, 0)
    for number in range(2000):
        add(assembler, bytes((number & 255,)) * 50, final=number == 1999)
    message = assembler.finish()
    assert message.copy() == b"".join(bytes((number & 255,)) * 50 for number in range(2000))
    assert pool.stats().acquired_count == 7  # 2 KiB to 128 KiB
    message.expire()


def test_growth_asks_for_no_more_than_a_message_may_have(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(max_message_bytes=1_100_000), pool, ())
    assembler.start(BINARY, 0)
    add(assembler, b"x" * 1_050_000)
    add(assembler, b"y" * 50_000, final=True)
    message = assembler.finish()
    buffer = message.sendable()
    assert not isinstance(buffer, bytes | bytearray | memoryview)
    assert len(buffer) == 1_100_000 and buffer.capacity < 1_200_000
    message.expire()


def test_a_message_of_empty_fragments_needs_no_buffer(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(), pool, ())
    assembler.start(TEXT, 0)
    add(assembler, b"")
    add(assembler, b"", final=True)
    message = assembler.finish()
    assert (message.kind, message.copy(), pool.stats().acquired_count) == (TEXT, b"", 0)
    assert assembler.kind == NO_MESSAGE


def test_a_buffer_that_stayed_empty_is_given_back(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(), pool, ())
    assembler.start(BINARY, 0)
    assembler.expect(20_000, True)
    assert assembler.target(20_000) is not None and pool.stats().in_use_count == 1
    assert assembler.finish().copy() == b""


def test_an_exhausted_pool_is_a_violation_with_its_cause_and_drop_gives_all_back() -> None:
    with SlabBufferPool(limit_bytes=8192, slab_bytes=4096, leaks="disabled") as pool:
        assembler = Assembler(Limits(), pool, ())
        assembler.start(BINARY, 0)
        add(assembler, b"x" * 2048)
        with pytest.raises(ProtocolViolation) as caught:
            add(assembler, b"x" * 20_000)
        assert caught.value.close_code == 1013
        assert isinstance(caught.value.__cause__, ResourceExhausted)
        assert assembler.target(20_000) is None
        assembler.drop()
        assembler.drop()
        assert pool.stats().in_use_count == 0


def test_text_is_refused_in_whole_and_in_pieces(pool: SlabBufferPool) -> None:
    assembler = Assembler(Limits(), pool, ())
    assembler.start(TEXT, 0)
    with pytest.raises(ProtocolViolation):
        assembler.whole(memoryview(b"\xff").toreadonly())
    assert assembler.kind == NO_MESSAGE
    assembler.start(TEXT, 0)
    add(assembler, b"\xe2\x82")
    with pytest.raises(ProtocolViolation) as caught:
        add(assembler, b"", final=True)
    assert caught.value.close_code == 1007
    assembler.drop()


def test_the_frame_limit_shrinks_with_what_has_come_unless_an_extension_decodes(
    pool: SlabBufferPool, kit: Kit
) -> None:
    limits = Limits(max_message_bytes=10, max_frame_bytes=8)
    assembler = Assembler(limits, pool, [kit.Doubling()])
    assembler.start(BINARY, 0)
    assert (assembler.decoding, assembler.frame_limit_bytes) == (False, 8)
    add(assembler, b"12345")
    assert assembler.frame_limit_bytes == 5
    assembler.drop()
    assembler.start(BINARY, RSV1)
    add(assembler, b"112233")
    assert (assembler.decoding, assembler.frame_limit_bytes) == (True, 8)
    with pytest.raises(ProtocolViolation) as caught:
        add(assembler, b"aabbccddeeffgghh")
    assert caught.value.close_code == 1009
    assembler.drop()


class Bloating:
    """An extension that ignores the limit it is given."""

    name = "x-bloating"
    rsv_bits = RSV2

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        return payload, 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        return True

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        return bytes(chunk) * 100

    def close(self) -> None:
        pass


def test_an_extension_that_ignores_the_limit_is_stopped(kit: Kit) -> None:
    bench = kit.bench(limits=Limits(max_message_bytes=99), extensions=[Bloating()])
    assert bench.feed(kit.frame(2, b"")) == [("message", 2, b"")]
    assert bench.feed(kit.frame(2, b"x"))[1:] == [("violation", 1009)]


def chain(kit: Kit, order: int) -> list[Extension]:
    extensions: list[Extension] = [kit.Doubling(), kit.Flipping()]
    return extensions[::-1] if order else extensions


@pytest.mark.parametrize("cuts", [[], [3], list(range(100))])
@pytest.mark.parametrize("role", [Role.SERVER, Role.CLIENT])
def test_a_chain_of_extensions_is_decoded_in_reverse_wherever_the_stream_is_cut(
    kit: Kit, role: Role, cuts: list[int]
) -> None:
    other = Role.CLIENT if role is Role.SERVER else Role.SERVER
    for order in (0, 1):
        sender = kit.bench(other, extensions=chain(kit, order)).codec
        stream = kit.wire(sender.encode_message(TEXT, "grüße".encode()))
        stream += kit.wire(sender.encode_message(BINARY, b"\x00\xff", final=False))
        stream += kit.wire(sender.encode_message(BINARY, bytearray(b"mid"), first=False, final=False))
        stream += kit.wire(sender.encode_ping(b"p"))
        stream += kit.wire(sender.encode_message(BINARY, b"", first=False))
        bench = kit.bench(role, extensions=chain(kit, order))
        expected = [("message", 1, "grüße".encode()), ("ping", b"p"), ("message", 2, b"\x00\xffmid")]
        assert bench.feed(stream, cuts=cuts) == expected


def test_decoded_text_is_checked_whole_and_in_pieces(kit: Kit) -> None:
    for stream in (
        kit.frame(1, b"\xff\xff", rsv=RSV1),
        kit.frame(1, b"\xc3\xc3", rsv=RSV1, fin=False) + kit.frame(0, b""),
        kit.frame(1, b"\xc3", rsv=RSV1),
    ):
        bench = kit.bench(extensions=[kit.Doubling()])
        assert bench.feed(stream) == [("violation", 1007)]


def test_an_extension_may_refuse_a_message_at_its_first_byte(kit: Kit) -> None:
    bench = kit.bench(extensions=[kit.Flipping()])
    assert bench.feed(b"\x81") == [("violation", 1002)]


def test_a_decoded_message_has_no_direct_target(kit: Kit) -> None:
    bench = kit.bench(extensions=[kit.Doubling()])
    bench.feed(kit.frame(2, b"aa", rsv=RSV1, announced=40_000))
    assert bench.codec.direct_target() is None


def test_closing_closes_the_extensions_once(kit: Kit) -> None:
    extension = kit.Doubling()
    bench = kit.bench(extensions=[extension])
    bench.codec.close()
    assert extension.closed
    extension.closed = False
    bench.codec.close()
    assert not extension.closed
