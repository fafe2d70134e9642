"""Connections that share a codec behave as connections that have one each, however their bytes are mixed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.adapters.door import Door
from hioload_ws.api.codec import Role
from hioload_ws.api.connection import Connection
from hioload_ws.api.message import BINARY, TEXT, Message
from hioload_ws.api.session import SessionStatus
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.common_codec import CommonCodec, SplitCodec
from hioload_ws.protocol.server_handshake import ServerHandshake
from tests.adapters.bench import SECOND, Bench, Peer, joined

PEER_COUNT = 3
LONG = 300
CLOSED = SessionStatus.CLOSED


def own_codec(door: Door, handshake: ServerHandshake) -> WebSocketCodec:
    hub = door.hub
    return WebSocketCodec(Role.SERVER, limits=hub.settings.limits, pool=hub.pool, mask_key=hub.mask_key)


def short(peer: Peer, number: int) -> bytes:
    return peer.encode(TEXT, b"message %d" % number)


def long(peer: Peer, number: int) -> bytes:
    return peer.encode(BINARY, bytes([number]) * LONG)


def fragment(peer: Peer, number: int) -> bytes:
    codec = peer.codec
    first = joined(codec.encode_message(TEXT, b"in ", final=False))
    return first + joined(codec.encode_ping(b"between")) + joined(codec.encode_message(TEXT, b"two", first=False))


def broken(peer: Peer, number: int) -> bytes:
    return b"\xff\xff\xff\xff\xff\xff"


def close(peer: Peer, number: int) -> bytes:
    return joined(peer.codec.encode_close(1000))


def ask_to_close(peer: Peer, number: int) -> bytes:
    return b"".join(peer.encode(TEXT, text) for text in (b"close", b"late", b"later"))


def ask_for_others(peer: Peer, number: int) -> bytes:
    return b"".join(peer.encode(TEXT, b"close others") for _ in range(2))


def close_others_first(peer: Peer, number: int) -> bytes:
    return ask_for_others(peer, number) + close(peer, number)


def close_others_and_cut(peer: Peer, number: int) -> bytes:
    return ask_for_others(peer, number) + long(peer, number)[:9]


def hang_up(peer: Peer, number: int) -> bytes:
    return b""


Piece = Callable[[Peer, int], bytes]
PIECES: list[Piece] = [short, short, long, long, fragment, broken, close, hang_up]
PIECES += [ask_to_close, ask_for_others, close_others_first, close_others_and_cut]
_steps = st.lists(
    st.tuples(
        st.integers(0, PEER_COUNT - 1),
        st.sampled_from(PIECES),
        st.integers(0, LONG),
    ),
    max_size=10,
)


class Room:
    """A bench with a handler that does what messages say, and peers that are open."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.bench.handler = self.handle
        self.pairs = [self.bench.open() for _ in range(PEER_COUNT)]

    def handle(self, connection: Connection, message: Message) -> None:
        if message.copy() == b"close":
            connection.close(3000, "asked to")
        elif message.copy() == b"close others":
            for other, _ in self.pairs:
                if other is not connection:
                    other.close(3001)
        else:
            self.bench.echo(connection, message)

    def play(self, steps: list[tuple[int, Piece, int]]) -> list[object]:
        """Let each step's bytes arrive, cut somewhere, with a turn between; return what became of all."""
        seen: list[object] = []
        gone: set[int] = set()
        for index, make, cut in steps:
            connection, peer = self.pairs[index]
            if connection.status == CLOSED or not peer.codec.sending or index in gone:
                continue
            data = make(peer, index)
            if not data:
                gone.add(index)
                peer.transport.feed_end()
                self.bench.turn()
            for part in (data[:cut], data[cut:]):
                if part and connection.status != CLOSED:
                    peer.transport.feed(part)
                    self.bench.turn()
            seen.append(connection.status)
        self.bench.clock.advance(21 * SECOND)  # a look at who is silent: codecs go back
        self.bench.turn()
        for connection, peer in self.pairs:
            seen += [peer.new_bytes(), connection.status, connection.close_code, connection.close_reason]
        seen += [self.bench.received, len(self.bench.host.ends)]
        self.bench.close()
        return seen


@settings(max_examples=60)
@given(_steps)
def test_sharing_a_codec_makes_no_difference(steps: list[tuple[int, Piece, int]]) -> None:
    shared = Room().play(steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Door, "codec", own_codec)
        assert Room().play(steps) == shared


def test_connections_at_rest_have_one_codec_and_a_cut_frame_makes_one_more_until_it_is_whole(
    bench: Bench,
) -> None:
    (one, peer), (other, _) = bench.open(), bench.open()
    common = other.codec
    assert isinstance(common, CommonCodec) and one.codec is common
    frame = peer.encode(BINARY, bytes(LONG))
    peer.transport.feed(frame[:50])
    bench.turn()
    assert isinstance(one.codec, SplitCodec) and other.codec is common
    peer.transport.feed(frame[50:])
    bench.turn()
    assert isinstance(one.codec, SplitCodec)
    bench.clock.advance(21 * SECOND)
    bench.turn()
    assert one.codec is common


def test_new_limits_make_a_new_common_codec(bench: Bench) -> None:
    one, _ = bench.open()
    bench.hub.settings = type(bench.hub.settings).from_config(bench.config)
    other, _ = bench.open()
    assert other.codec is not one.codec and isinstance(other.codec, CommonCodec)
