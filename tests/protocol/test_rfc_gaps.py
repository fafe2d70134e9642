"""Sentences of the RFCs that no other test would miss: what the tables of requirements found without one."""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hioload_ws.adapters.client import Client
from hioload_ws.adapters.hub import MaskKeys
from hioload_ws.api.codec import Role
from hioload_ws.api.errors import ProtocolViolation, TransportClosed
from hioload_ws.api.extension import RSV1, RSV2
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.api.registry import Availability, ConnectOptions, ListenOptions
from hioload_ws.api.transport import Address, Features, Listener, Transport
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport
from hioload_ws.protocol.client_handshake import ClientHandshake
from hioload_ws.protocol.deflate import DeflateExtension, Direction, PermessageDeflate
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.sender import JOIN_BYTES, Sender
from hioload_ws.protocol.server_handshake import ServerHandshake
from hioload_ws.protocol.uri import parse_uri
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.registry import Registry
from hioload_ws.transport.tls import TlsTransport
from tests.adapters.bench import Bench
from tests.protocol.openings import Toy, checked, fields, response_of

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Return a server's inner parts in virtual time."""
    made = Bench()
    yield made
    made.close()


class ScriptedProvider:
    """Connects to the one transport it was given."""

    name = "tcp"

    def __init__(self, transport: ScriptedTransport) -> None:
        self.transport = transport

    def availability(self) -> Availability:
        return Availability(True)

    def features(self) -> Features:
        return self.transport.features()

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        raise NotImplementedError

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        return self.transport


class Stage:
    """A client in virtual time, and the transport that a test plays its server on."""

    def __init__(self, **settings: object) -> None:
        self.clock = VirtualClock(start_ns=1)
        poller = ScriptedPoller(self.clock)
        self.transport = ScriptedTransport(poller, 1)
        registry = Registry()
        registry.register(ScriptedProvider(self.transport))
        self.client = Client(
            "ws://server/",
            registry=registry,
            clock=self.clock,
            poller=lambda: poller,
            **settings,  # type: ignore[arg-type]  # whatever the test wants to set
        )

    def turn(self) -> None:
        while self.client.turn(0):
            pass

    def open(self) -> None:
        """Connect, and accept as a server would."""
        self.client.start()
        self.turn()
        handshake = ServerHandshake(HandshakeConfig())
        handshake.feed(bytes(self.transport.sent))
        handshake.check()
        self.transport.feed(handshake.accept())
        self.turn()
        assert self.client.connection is not None

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            self.clock.advance(50_000_000)
            self.turn()


@contextmanager
def opened(**settings: object) -> Iterator[Stage]:
    stage = Stage(**settings)
    try:
        stage.open()
        yield stage
    finally:
        stage.client.close()


def test_a_tls_client_names_the_server_in_its_first_message() -> None:
    near, far = memory_pair()
    context = ssl.create_default_context()
    client = TlsTransport(near, context, server_side=False, server_name="chat.example.org")
    try:
        client.flush()
        hello = bytearray(4096)
        count = far.recv_into(hello)
        assert hello[:1] == b"\x16" and b"chat.example.org" in hello[:count]
    finally:
        client.close()
        far.close()


def test_before_the_handshake_is_done_nothing_can_be_sent(bench: Bench) -> None:
    peer = bench.admit()
    [connection] = bench.hub.connections
    for call in (lambda: connection.send(b"early"), connection.ping):
        with pytest.raises(TransportClosed):
            call()
    bench.turn()
    assert peer.new_bytes() == b""


def test_masking_keys_come_from_the_system_s_generator_and_each_is_used_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[bytes] = []

    def token_bytes(count: int) -> bytes:
        drawn.append(bytes((len(drawn) * 31 + index * 7 + index // 256) % 256 for index in range(count)))
        return drawn[-1]

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    keys = MaskKeys()
    used = b"".join(keys() for _ in range(600))
    assert len(drawn) > 1
    # In the order drawn, four bytes each, none twice and none left out.
    assert b"".join(drawn).startswith(used)


def test_what_was_queued_is_dropped_when_the_connection_goes(bench: Bench) -> None:
    connection, peer = bench.open()
    connection.send(b"never leaves")
    connection.finish()
    assert connection.pending_bytes == 0
    bench.turn()
    assert peer.new_bytes() == b""
    assert bench.errors == []  # nobody tried


def test_a_client_leaves_the_hanging_up_to_the_server_and_a_server_does_it(bench: Bench) -> None:
    _, peer = bench.open()
    peer.close(1000)
    bench.turn()
    assert peer.transport.output_ended
    with opened(close_timeout_s=3.0) as stage:
        stage.transport.feed(b"\x88\x02\x03\xe8")
        stage.turn()
        assert stage.transport.sent[-8] == 0x88  # it has answered
        stage.advance(2.5)
        assert not stage.transport.output_ended and not stage.transport.closed
        stage.transport.feed_end()
        stage.turn()
        assert stage.transport.closed
        event = stage.client.closed_event
        assert event is not None and (event.code, event.error) == (1000, None)


def test_a_client_whose_server_breaks_the_protocol_ends_although_the_server_stays() -> None:
    with opened(close_timeout_s=3.0) as stage:
        stage.transport.feed(b"\x83\x00")
        stage.turn()
        stage.advance(3.2)
        assert stage.transport.closed
        event = stage.client.closed_event
        assert event is not None and isinstance(event.error, ProtocolViolation)


@pytest.mark.parametrize("violation", [b"\x83", b"\x81\x01", b"\xc1", b"\x80"])
def test_after_a_violation_nothing_is_looked_at(violation: bytes, kit: Kit) -> None:
    bench = kit.bench()
    events = bench.feed(kit.frame(TEXT, b"before") + violation)
    assert events == [("message", TEXT, b"before"), ("violation", 1002)]
    assert not bench.codec.receiving
    for later in (kit.frame(TEXT, b"after"), kit.frame(8, b"\x03\xe8"), kit.frame(3)):
        assert list(bench.codec.receive(memoryview(bytearray(later)))) == []
    assert list(bench.codec.receive_end()) == []


def test_an_extension_that_the_server_passes_over_is_not_used() -> None:
    with opened(extensions=[PermessageDeflate(min_bytes=0)]) as stage:
        connection = stage.client.connection
        assert connection is not None
        before = len(stage.transport.sent)
        connection.send("Hello")
        stage.turn()
        assert stage.transport.sent[before] == 0x81  # no reserved bit
        stage.transport.feed(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")
        stage.turn()
        assert stage.transport.sent[-8] == 0x88  # compressed, though not agreed: refused


@pytest.mark.parametrize("length", [3, JOIN_BYTES + 1, 5000, 100_000])
def test_a_masked_frame_does_not_follow_its_payload(length: int, kit: Kit) -> None:
    payload = bytearray(b"a" * length)
    parts = Sender(True, lambda: b"\x01\x02\x03\x04", ()).encode_message(BINARY, payload)
    payload[:] = b"b" * length
    assert kit.reference(kit.wire(parts)) == [("message", BINARY, b"a" * length)]


def test_all_extensions_are_answered_in_one_field() -> None:
    one, two = Toy(), Toy()
    two.name, two.rsv_bits = "other", RSV2
    handshake = checked(
        fields(Sec_WebSocket_Extensions="toy, other"), HandshakeConfig(extensions=(one, two))
    )
    response = response_of(handshake.accept())
    assert response.values("Sec-WebSocket-Extensions") == ("toy; x, other; x",)


def deflate(takes_over: bool = True) -> DeflateExtension:
    """Return one end of an agreed permessage-deflate that compresses everything."""
    factory = PermessageDeflate(min_bytes=0, client_no_context_takeover=not takes_over)
    answer = factory.accept_offer([])
    assert answer is not None and isinstance(answer.extension, DeflateExtension)
    return answer.extension


def test_control_frames_are_not_compressed(kit: Kit) -> None:
    codec = kit.bench(Role.SERVER, extensions=[deflate()]).codec
    assert kit.wire(codec.encode_ping(b"Hello")) == b"\x89\x05Hello"
    assert kit.wire(codec.encode_pong(b"Hello")) == b"\x8a\x05Hello"
    assert kit.wire(codec.encode_message(TEXT, b"Hello"))[:1] == b"\xc1"
    assert kit.wire(codec.encode_close(1000, "Hello")) == b"\x88\x07\x03\xe8Hello"


def test_a_compressed_message_is_delivered_as_it_was_and_a_plain_one_too(kit: Kit) -> None:
    compressed = bytes.fromhex("f248cdc9c90700")
    stream = kit.frame(TEXT, compressed, rsv=RSV1) + kit.frame(BINARY, compressed)
    bench = kit.bench(extensions=[deflate()])
    assert bench.feed(stream) == [("message", TEXT, b"Hello"), ("message", BINARY, compressed)]


def test_permessage_deflate_is_agreed_under_its_registered_name() -> None:
    ours, theirs = PermessageDeflate(), PermessageDeflate()
    client = ClientHandshake(parse_uri("ws://h/"), bytes(16), extensions=[ours])
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" in client.request()
    server = ServerHandshake(HandshakeConfig(extensions=(theirs,)))
    server.feed(client.request())
    server.check()
    assert client.feed(server.accept()) is not None
    for agreed in (client.extensions, server.extensions):
        assert [extension.name for extension in agreed] == ["permessage-deflate"]


def test_a_client_obeys_what_the_answer_demands_of_its_messages() -> None:
    end = PermessageDeflate(min_bytes=0).accept_answer([("client_no_context_takeover", None)])
    first, second = (bytes(end.encode(TEXT, b"Hello", True, True)[0]) for _ in range(2))
    assert first == second == bytes.fromhex("f248cdc9c90700")


@pytest.mark.parametrize(
    "make",
    [lambda factory: factory.accept_answer([]), lambda factory: factory.accept_offer([]).extension],
    ids=["client", "server"],
)
def test_without_a_limit_a_message_may_refer_back_the_whole_window(
    make: Callable[[PermessageDeflate], DeflateExtension],
) -> None:
    end = make(PermessageDeflate(min_bytes=0))
    assert end.received == Direction(15, True)
    far = random.Random(6455).randbytes(32_000)
    other = make(PermessageDeflate(min_bytes=0))
    for message in (far, far[:300]):
        encoded, bits = other.encode(BINARY, message, True, True)
        assert bits == RSV1 and end.begin(BINARY, bits)
        # Byte by byte zlib has nothing but its window to refer to.
        wire = bytes(encoded)
        last = len(wire) - 1
        pieces = [bytes(end.decode(wire[at : at + 1], at == last, 40_000)) for at in range(len(wire))]
        assert b"".join(pieces) == message
    assert len(wire) < 100
    for each in (end, other):
        each.close()
