"""The common codec: what one connection leaves in it goes along with that connection, and never to another."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api.codec import CloseReceived, Role
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.api.transport import Sendable
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.common_codec import CommonCodec
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage

POOL = SlabBufferPool()


@pytest.fixture
def common() -> CommonCodec:
    return CommonCodec(Role.SERVER, limits=Limits(max_message_bytes=1000), pool=POOL, mask_key=lambda: b"")


@pytest.fixture
def client() -> WebSocketCodec:
    return WebSocketCodec(Role.CLIENT, pool=POOL, mask_key=lambda: b"\1\2\3\4")


def data(parts: object) -> memoryview:
    assert isinstance(parts, (list, tuple))
    return memoryview(bytearray(b"".join(bytes(part) for part in parts)))


def payloads(events: object) -> list[bytes]:
    assert isinstance(events, (list, tuple))
    return [event.copy() for event in events if isinstance(event, WireMessage)]


def test_a_cut_frame_goes_along_with_the_codec_that_is_split_off(
    common: CommonCodec, client: WebSocketCodec
) -> None:
    frame = data(client.encode_message(BINARY, b"x" * 300))
    assert common.receiver.resting
    assert payloads(common.receive(frame[:100])) == [] and not common.receiver.resting
    split = common.split()
    assert common.receiver.resting and not split.receiver.resting and not split.rests
    other = data(client.encode_message(TEXT, b"of somebody else"))
    assert payloads(common.receive(other)) == [b"of somebody else"]
    assert payloads(split.receive(frame[100:])) == [b"x" * 300]
    assert split.rests and split.common is common and split.role is Role.SERVER
    split.close()


def test_an_unfinished_message_keeps_a_codec_from_resting(common: CommonCodec, client: WebSocketCodec) -> None:
    split = common.split()
    assert split.rests
    split.receive(data(client.encode_message(TEXT, b"be", final=False)))
    assert not split.rests
    assert payloads(split.receive(data(client.encode_message(TEXT, b"gin", first=False)))) == [b"begin"]
    assert split.rests
    split.encode_message(TEXT, b"be", final=False)
    assert not split.rests
    split.close()
    assert not split.rests and not split.sending and common.receiving and common.sending


def test_after_a_connection_has_ended_the_common_codec_is_as_new(
    common: CommonCodec, client: WebSocketCodec
) -> None:
    other = WebSocketCodec(Role.CLIENT, pool=POOL, mask_key=lambda: b"\1\2\3\4")
    fresh: list[Sendable] = []
    for _ in range(2):
        [event] = common.receive(data(client.encode_close(1000)))
        assert isinstance(event, CloseReceived) and not common.receiving
        fresh += common.answer(event)
        assert not common.sending and common.answer(event) == ()
        common.renew()
        assert common.receiving and common.sending and common.receiver.resting and common.sender.resting
        client = other
    assert fresh == [b"\x88\x02\x03\xe8"] * 2


def test_a_split_codec_has_the_limits_of_the_common_one(common: CommonCodec, client: WebSocketCodec) -> None:
    split = common.split()
    split.receive(data(client.encode_message(BINARY, bytes(1001))))
    assert not split.receiving and common.receiving and not split.rests


_CLOSE_LIKE = st.one_of(
    st.builds(
        lambda code, key: data(
            WebSocketCodec(Role.CLIENT, pool=POOL, mask_key=lambda: key).encode_close(code)
        ).tobytes(),
        st.one_of(st.none(), st.sampled_from([1000, 1003, 1007, 3000, 4999])),
        st.binary(min_size=4, max_size=4),
    ),
    st.binary(min_size=1, max_size=9),
    st.binary(min_size=6, max_size=6).map(lambda rest: b"\x88\x82" + rest),
    st.binary(min_size=4, max_size=4).map(lambda rest: b"\x88\x80" + rest),
)


@given(_CLOSE_LIKE)
@example(b"\x88\x80abcd")
@example(b"\x81\x80abcd")
@example(b"\x88\x82\0\0\0\0\x03\xe8")
@example(b"\x88\x82\0\0\0\0\x03\xed")
def test_a_plain_close_frame_is_taken_as_receive_and_answer_would(wire: bytes) -> None:
    common = CommonCodec(Role.SERVER, limits=Limits(), pool=POOL, mask_key=lambda: b"")
    taken = common.take_close(memoryview(bytearray(wire + bytes(8))), len(wire))
    assert common.receiver.resting and common.sender.resting
    events = common.receive(memoryview(bytearray(wire)))
    if taken is not None:
        [event] = events
        assert isinstance(event, CloseReceived) and (event.code, event.reason) == (taken[0], "")
        assert [taken[1]] == list(common.answer(event))
    else:
        assert not any(isinstance(event, CloseReceived) for event in events)


def test_a_close_frame_of_a_server_is_not_for_the_short_way() -> None:
    common = CommonCodec(Role.CLIENT, limits=Limits(), pool=POOL, mask_key=lambda: b"")
    for wire in (b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x80abcd"):
        assert common.take_close(memoryview(bytearray(wire + bytes(8))), len(wire)) is None
