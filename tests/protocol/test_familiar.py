"""Familiar heads: the short road of a handshake comes to what the long one comes to, whatever the bytes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InternalError, InvalidState
from hioload_ws.api.http import Response
from hioload_ws.protocol.familiar import MAX_FAMILIAR_BYTES, MAX_HEADS, WHOLE_HEAD, FamiliarHeads
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.server_handshake import ServerHandshake
from tests.protocol.openings import KEY, Toy, fields, wire

OTHER_KEY = base64.b64encode(bytes(range(16))).decode()
LONGER_KEY = KEY[:-1] + "A="  # 17 bytes, or none at all, in 24 characters
CONFIGS = (
    HandshakeConfig(),
    HandshakeConfig(subprotocols=("chat", "superchat")),
    HandshakeConfig(extensions=(Toy(),)),
    HandshakeConfig(check_origin=lambda origin, request: origin != "http://evil"),
)


def outcome(data: bytes, config: HandshakeConfig, heads: FamiliarHeads | None) -> tuple[object, ...]:
    """Return all that a server learns from ``data`` and answers to it."""
    handshake = ServerHandshake(config, heads)
    try:
        request = handshake.feed(data)
        if request is None:
            return ("incomplete",)
        upgrade = handshake.is_upgrade
        handshake.check()
        response = handshake.accept()
    except HandshakeFailed as error:
        return "failed", error.status, error.message
    head, rest = handshake.kept()
    assert head.request(rest) == handshake.request == request
    assert head.path(rest) == handshake.path == request.path
    names = [extension.name for extension in handshake.extensions]
    return "accepted", request, upgrade, response, handshake.subprotocol, names, handshake.leftover


def taught(*heads: bytes, config: HandshakeConfig = CONFIGS[0]) -> FamiliarHeads:
    known = FamiliarHeads()
    for head in heads:
        outcome(head, config, known)
    return known


def test_a_head_with_another_key_is_recognised_and_answered_with_the_proof_of_that_key() -> None:
    known = taught(wire(fields()))
    again = wire(fields(sec_websocket_key=OTHER_KEY))
    handshake = ServerHandshake(HandshakeConfig(), known)
    assert handshake.read(again) and handshake.kept()[0] is not WHOLE_HEAD
    handshake.check()
    clear = ServerHandshake(HandshakeConfig())
    clear.feed(again)
    clear.check()
    assert handshake.accept() == clear.accept() and handshake.request == clear.request
    with pytest.raises(InvalidState):
        handshake.read(b"more")


@pytest.mark.parametrize("key", [KEY[:-1], KEY + "=", LONGER_KEY, "é" * 24, " " + KEY[1:], KEY[:-2] + "\r\n"])
def test_a_key_of_another_form_is_not_recognised(key: str) -> None:
    known = taught(wire(fields()))
    assert known.recognise(wire(fields(sec_websocket_key=key))) is None


def test_a_field_that_is_put_together_around_the_gap_is_not_taken_for_the_key() -> None:
    # Cut out where a search that found nothing would cut, the rest is a familiar head.
    whole = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: " + KEY.encode() + wire(fields(sec_websocket_key=None))[18:]
    known = taught(whole)
    assert len(known) == 1
    rest = whole.replace(KEY.encode(), b"", 1)
    at = len(b"\r\nSec-WebSocket-Key: ") - 1
    forged = rest[:at] + OTHER_KEY.encode() + rest[at:]
    assert known.recognise(forged) is None


@pytest.mark.parametrize(
    "head",
    [
        wire(fields(cookie="a=b")),
        wire(fields(authorization="Basic eA==")),
        wire(fields(), start="GET /chat?token=1 HTTP/1.1"),
        wire(fields(x_padding="x" * MAX_FAMILIAR_BYTES)),
        wire(fields()).replace(b"Sec-WebSocket-Key", b"sec-websocket-key"),
        wire(fields()).replace(b"Key: ", b"Key:  "),
        wire(fields()).replace(b"Key: ", b"Key:"),
        wire(fields()) + b"frames",
        wire(fields(upgrade=None)),
    ],
)
def test_heads_that_are_personal_long_unusual_or_wrong_are_not_kept(head: bytes) -> None:
    assert len(taught(head)) == 0


def test_a_head_in_pieces_is_not_kept_but_its_request_can_be() -> None:
    head, known = wire(fields()), FamiliarHeads()
    handshake = ServerHandshake(HandshakeConfig(), known)
    assert handshake.feed(head[:9]) is None
    request = handshake.feed(head[9:])
    handshake.check()
    kind, rest = handshake.kept()
    assert kind is WHOLE_HEAD and kind.request(rest) == request and len(known) == 0


def test_the_oldest_heads_make_room() -> None:
    heads = [wire(fields(x_number=str(number))) for number in range(MAX_HEADS + 1)]
    known = taught(*heads)
    assert len(known) == MAX_HEADS
    assert known.recognise(heads[0]) is None and known.recognise(heads[1]) is not None


@pytest.mark.parametrize(
    ("config", "asked", "repeats"),
    [
        (HandshakeConfig(), {}, True),
        (HandshakeConfig(subprotocols=("chat",)), {}, True),
        (HandshakeConfig(subprotocols=("chat",)), {"sec_websocket_protocol": "chat"}, False),
        (HandshakeConfig(check_origin=lambda origin, request: True), {}, False),
        (HandshakeConfig(select_subprotocol=lambda offered: None), {}, False),
        (HandshakeConfig(extensions=(Toy(),)), {}, True),
        (HandshakeConfig(extensions=(Toy(),)), {"sec_websocket_extensions": "x-other"}, False),
        (HandshakeConfig(), {"sec_websocket_extensions": "x-other"}, True),
    ],
)
def test_a_request_repeats_where_nobody_was_asked_and_nothing_agreed_on(
    config: HandshakeConfig, asked: dict[str, str], repeats: bool
) -> None:
    head = wire(fields(**asked))
    known = taught(head, config=config)
    fresh = ServerHandshake(config, FamiliarHeads())
    assert fresh.feed(head) is not None
    fresh.check()
    fresh.accept()
    assert not fresh.repeats
    handshake = ServerHandshake(config, known)
    assert handshake.read(head)
    handshake.check()
    handshake.accept()
    assert handshake.repeats is repeats


def test_the_origin_is_asked_about_every_time() -> None:
    asked: list[str | None] = []

    def welcome(origin: str | None, request: object) -> bool:
        asked.append(origin)
        return len(asked) < 2

    config = HandshakeConfig(check_origin=welcome)
    head, known = wire(fields(origin="HTTP://Here")), FamiliarHeads()
    assert outcome(head, config, known)[0] == "accepted"
    assert outcome(head, config, known)[:2] == ("failed", 403)
    assert asked == ["http://here", "http://here"]


def test_a_familiar_request_can_be_rejected() -> None:
    handshake = ServerHandshake(HandshakeConfig(), taught(wire(fields())))
    assert handshake.read(wire(fields()))
    assert handshake.reject(Response(404)).startswith(b"HTTP/1.1 404 ")


def test_what_is_no_whole_head_is_our_own_mistake() -> None:
    with pytest.raises(InternalError):
        WHOLE_HEAD.request(b"GET / HTTP/1.1\r\n")


def test_the_path_of_a_whole_head_is_the_one_of_its_request() -> None:
    for target, path in (("/a/b?c", "/a/b"), ("http://server.example.com?x", "/"), ("/%20", "/%20")):
        head = wire(fields(), start=f"GET {target} HTTP/1.1")
        assert WHOLE_HEAD.path(head) == WHOLE_HEAD.request(head).path == path
    assert WHOLE_HEAD.path(b"GET * HTTP/1.1\r\n\r\n") == ""


_names = st.sampled_from(
    ["Origin", "User-Agent", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "Cookie"]
)
_values = st.sampled_from(["http://evil", "http://good", "chat", "toy", "0", "a, b", ""])
_keys = st.one_of(
    st.binary(min_size=16, max_size=16).map(lambda raw: base64.b64encode(raw).decode()),
    st.text("AB=+/ \t\r\n", max_size=26),
)
_heads = st.builds(
    lambda extra, key, order: wire(order([*fields(sec_websocket_key=None), *extra, ("Sec-WebSocket-Key", key)])),
    st.lists(st.tuples(_names, _values), max_size=3),
    _keys,
    st.sampled_from([list, lambda each: each[::-1]]),
)


@given(
    st.sampled_from(CONFIGS),
    st.lists(_heads, min_size=1, max_size=4),
    _keys,
    st.integers(0, 400),
    st.binary(max_size=30),
)
@example(CONFIGS[0], [wire(fields())], OTHER_KEY, 0, b"")
def test_the_short_road_comes_to_what_the_long_one_does(
    config: HandshakeConfig, heads: list[bytes], key: str, at: int, noise: bytes
) -> None:
    known = FamiliarHeads()
    last = heads[-1]
    start = last.find(b"Sec-WebSocket-Key: ") + 19
    other_key = last[:start] + key.encode() + last[last.find(b"\r\n", start) :]
    mutated = last[:at] + noise + last[at + len(noise) :]
    for data in (*heads, *heads, other_key, mutated, last[:at] + noise + last[at:], last):
        assert outcome(data, config, known) == outcome(data, config, None)
