"""The sending half: every cell of its table, the form of its parts, and errors that leave it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hioload_ws.api.codec import Role
from hioload_ws.api.errors import InvalidArgument, InvalidState
from hioload_ws.api.extension import RSV2
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.protocol.sender import CLOSED, IDLE, IN_MESSAGE, JOIN_BYTES, NEXT_STATE, Sender

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit

KEY = b"\x37\xfa\x21\x3d"


def sender_in(state: int, masks: bool = False) -> Sender:
    sender = Sender(masks, lambda: KEY, ())
    if state == IN_MESSAGE:
        sender.encode_message(TEXT, b"start", final=False)
    elif state == CLOSED:
        sender.encode_close()
    return sender


@pytest.mark.parametrize("state", [IDLE, IN_MESSAGE, CLOSED])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("final", [False, True])
def test_every_cell_of_the_table_does_what_it_says(state: int, first: bool, final: bool) -> None:
    sender, following = sender_in(state), NEXT_STATE[state][2 * first + final]
    if following < 0:
        with pytest.raises(InvalidState):
            sender.encode_message(TEXT, b"x", first=first, final=final)
        following = state
    else:
        (part,) = sender.encode_message(TEXT, b"x", first=first, final=final)
        assert part == bytes((final << 7 | first, 1)) + b"x"
    assert sender._state == following


@pytest.mark.parametrize("state", [IDLE, IN_MESSAGE])
def test_control_frames_may_be_sent_in_every_open_state(state: int) -> None:
    sender = sender_in(state)
    assert list(sender.encode_ping(b"a")) == [b"\x89\x01a"]
    assert list(sender.encode_ping()) == list(sender.encode_ping(bytearray())) == [b"\x89\x00"]
    assert list(sender.encode_pong(memoryview(b"b"))) == [b"\x8a\x01b"]
    assert list(sender.encode_close(1001, "bye")) == [b"\x88\x05\x03\xe9bye"]
    assert not sender.open


def test_a_closed_half_sends_nothing_more() -> None:
    sender = sender_in(CLOSED)
    assert list(sender.encode_close(1000)) == []
    for control in (sender.encode_ping, sender.encode_pong):
        with pytest.raises(InvalidState):
            control(b"")
    sender.close()
    assert not sender.open


def test_a_close_frame_without_code_is_empty_and_a_bad_code_leaves_the_half_open() -> None:
    sender = sender_in(IDLE)
    for code, reason in ((1005, ""), (1000, "x" * 124), (None, "why")):
        with pytest.raises(InvalidArgument):
            sender.encode_close(code, reason)
    assert sender.open
    assert list(sender.encode_close(None)) == [b"\x88\x00"]


def test_a_control_payload_above_125_bytes_is_refused() -> None:
    sender = sender_in(IDLE)
    assert len(sender.encode_ping(b"x" * 125)) == 1
    with pytest.raises(InvalidArgument):
        sender.encode_ping(b"x" * 126)


@pytest.mark.parametrize("kind", [0, 3, 8, -1])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(InvalidArgument):
        sender_in(IDLE).encode_message(kind, b"")


def test_a_fragment_of_another_kind_than_its_message_is_refused() -> None:
    sender = sender_in(IN_MESSAGE)
    with pytest.raises(InvalidState):
        sender.encode_message(BINARY, b"x", first=False)
    assert list(sender.encode_message(TEXT, b"x", first=False)) == [b"\x80\x01x"]


@pytest.mark.parametrize("length", [0, 125, 126, JOIN_BYTES])
def test_a_short_payload_shares_a_part_with_its_header(length: int) -> None:
    payload = b"x" * length
    for memory in (payload, bytearray(payload), memoryview(payload)):
        (part,) = sender_in(IDLE).encode_message(BINARY, memory)
        assert type(part) is bytes and part.endswith(payload)


@pytest.mark.parametrize("length", [JOIN_BYTES + 1, 65535, 65536])
def test_a_server_passes_a_longer_payload_on_by_reference(length: int, kit: Kit) -> None:
    payload = b"x" * length
    header, part = sender_in(IDLE).encode_message(BINARY, payload)
    assert part is payload and len(header) == (4 if length < 65536 else 10)
    assert kit.reference(kit.wire([header, part]), server=False) == [("message", 2, payload)]


def test_a_buffer_stays_a_buffer_for_a_server_and_is_masked_by_a_client(kit: Kit) -> None:
    bench = kit.bench()
    with bench.pool.acquire(5) as buffer:
        buffer.data()[:] = b"hello"
        _, part = sender_in(IDLE).encode_message(TEXT, buffer)
        assert part is buffer and buffer.ref_count == 1
        wire = kit.wire(sender_in(IDLE, masks=True).encode_message(TEXT, buffer))
        assert kit.reference(wire) == [("message", 1, b"hello")]
        assert buffer.copy() == b"hello"


@pytest.mark.parametrize("length", [0, 5, JOIN_BYTES, JOIN_BYTES + 1, 70_000])
def test_a_client_masks_with_a_fresh_key_and_leaves_the_payload_alone(length: int, kit: Kit) -> None:
    keys = iter([b"\x00\x01\x02\x03", b"\xff\xfe\xfd\xfc"])
    sender = Sender(True, lambda: next(keys), ())
    payload = bytearray(b"y" * length)
    wires = [kit.wire(sender.encode_message(BINARY, payload)) for _ in range(2)]
    assert payload == b"y" * length
    assert b"\x00\x01\x02\x03" in wires[0][:14] and b"\xff\xfe\xfd\xfc" in wires[1][:14]
    for wire in wires:
        assert kit.reference(wire) == [("message", 2, bytes(payload))]


def test_a_server_never_asks_for_a_key() -> None:
    def no_key() -> bytes:
        raise AssertionError("a server does not mask")

    sender = Sender(False, no_key, ())
    assert list(sender.encode_message(TEXT, b"x")) == [b"\x81\x01x"]


def test_a_view_of_wider_items_counts_in_bytes_and_one_with_gaps_is_refused() -> None:
    sender = sender_in(IDLE)
    wide = memoryview(bytearray(16)).cast("I")
    assert list(sender.encode_message(BINARY, wide)) == [b"\x82\x10" + bytes(16)]
    table = memoryview(bytearray(6)).cast("B", (2, 3))
    assert list(sender.encode_message(BINARY, table)) == [b"\x82\x06" + bytes(6)]
    with pytest.raises(InvalidArgument):
        sender.encode_message(BINARY, memoryview(bytes(8))[::2])
    with pytest.raises(InvalidArgument):
        sender.encode_message(BINARY, wide[::2])
    assert sender.open


class Failing:
    """An extension whose encode raises."""

    name = "x-failing"
    rsv_bits = RSV2

    def encode(self, kind: int, payload: object, first: bool, final: bool) -> tuple[bytes, int]:
        raise RuntimeError("no")

    def begin(self, kind: int, rsv_bits: int) -> bool:
        return False

    def decode(self, chunk: object, final: bool, max_bytes: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


def test_an_extension_that_fails_leaves_the_state_as_it_was() -> None:
    sender = Sender(False, lambda: KEY, [Failing()])
    with pytest.raises(RuntimeError):
        sender.encode_message(TEXT, b"x", final=False)
    assert sender._state == IDLE


def test_encoding_passes_the_extensions_in_order_and_sets_their_bits(kit: Kit) -> None:
    sender = Sender(False, lambda: KEY, [kit.Doubling(), kit.Flipping()])
    assert list(sender.encode_message(BINARY, b"\x01", final=False)) == [b"\x62\x02\x01\xfe"]
    assert list(sender.encode_message(BINARY, b"\x02", first=False)) == [b"\x80\x02\x02\xfd"]
    with kit.bench().pool.acquire(1) as buffer:
        buffer.data()[0] = 3
        assert list(sender.encode_message(BINARY, buffer)) == [b"\xe2\x02\x03\xfc"]


def test_the_sending_half_of_each_role_is_masked_or_not(kit: Kit) -> None:
    assert kit.wire(kit.bench(Role.SERVER).codec.encode_ping(b"x")) == b"\x89\x01x"
    assert kit.wire(kit.bench(Role.CLIENT).codec.encode_ping(b"x")) == b"\x89\x81" + KEY + b"\x4f"


@pytest.mark.parametrize("state", [IDLE, IN_MESSAGE, CLOSED])
@pytest.mark.parametrize("masks", [False, True])
def test_heads_are_there_where_a_short_message_goes_out_as_it_is(state: int, masks: bool) -> None:
    sender = sender_in(state, masks)
    assert (sender.heads is not None) == (state == IDLE and not masks)
    if state == IN_MESSAGE:
        sender.encode_message(TEXT, b"end", first=False)
        assert (sender.heads is not None) == (not masks)


def test_an_extension_leaves_no_heads(kit: Kit) -> None:
    assert Sender(False, lambda: KEY, [kit.Flipping()]).heads is None


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@pytest.mark.parametrize("length", range(126))
def test_a_head_is_what_the_clear_road_puts_before_the_payload(kind: int, length: int) -> None:
    sender, payload = sender_in(IDLE), b"x" * length
    assert sender.heads is not None
    assert [sender.heads[kind][length] + payload] == list(sender.encode_message(kind, payload))
