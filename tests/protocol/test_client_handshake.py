"""The client's half of the opening handshake: its request, the checks of RFC 6455 §4.1, both halves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, InvalidState
from hioload_ws.api.extension import RSV1, RSV2, Extension, ExtensionAnswer, ExtensionParameters
from hioload_ws.api.http import Response
from hioload_ws.protocol.client_handshake import ClientHandshake
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.server_handshake import ServerHandshake, failure_response
from hioload_ws.protocol.tokens import TOKEN_BYTES
from hioload_ws.protocol.uri import parse_uri
from tests.protocol.toys import InertExtension

NONCE = b"the sample nonce"  # RFC 6455 §1.3: its base64 is the key there
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
Fields = list[tuple[str, str]]


class Toy(InertExtension):
    """Extension and factory in one, for both roles; accepts offers that have its parameter."""

    def __init__(self, name: str = "toy", rsv_bits: int = RSV1, wants: str = "") -> None:
        super().__init__(name, rsv_bits)
        self.wants = wants
        self.answered: list[ExtensionParameters] = []

    def offers(self) -> Sequence[ExtensionParameters]:
        return [(("best", "1"),), ()]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        accepted = not self.wants or any(name == self.wants for name, _ in parameters)
        return ExtensionAnswer(tuple(parameters), self) if accepted else None

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        self.answered.append(parameters)
        if ("bad", None) in parameters:
            raise HandshakeFailed("bad parameters", status=101)
        return self


def response(headers: Fields | None = None, status: str = "101 So be it", **changes: str | None) -> bytes:
    """Return a good response with changes: ``None`` drops a field; ``headers`` follow."""
    made: dict[str, str | None] = {"Upgrade": "websocket", "Connection": "Upgrade"}
    made["Sec-WebSocket-Accept"] = ACCEPT
    made.update({name.replace("_", "-"): value for name, value in changes.items()})
    every = [(name, value) for name, value in made.items() if value is not None] + (headers or [])
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in every), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def client(
    url: str = "ws://server.example.com/chat",
    *,
    subprotocols: Sequence[str] = (),
    extensions: Sequence[Toy] = (),
    headers: Sequence[tuple[str, str]] = (),
    origin: str | None = None,
    max_head_bytes: int = 16384,
    max_header_count: int = 100,
) -> ClientHandshake:
    return ClientHandshake(
        parse_uri(url),
        NONCE,
        subprotocols=subprotocols,
        extensions=extensions,
        headers=headers,
        origin=origin,
        max_head_bytes=max_head_bytes,
        max_header_count=max_header_count,
    )


def refusal(handshake: ClientHandshake, data: bytes) -> HandshakeFailed:
    with pytest.raises(HandshakeFailed) as caught:
        handshake.feed(data)
    assert (handshake.subprotocol, handshake.extensions) == (None, ())
    with pytest.raises(InvalidState):
        handshake.feed(b"")
    return caught.value


# --------------------------------------------------------------------------------------- the request


def test_least_request_then_it_is_as_the_rfc_asks() -> None:
    handshake = client()
    assert handshake.request() == (
        b"GET /chat HTTP/1.1\r\n"
        b"Host: server.example.com\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"\r\n"
    )
    assert handshake.request() == handshake.request()


def test_nonce_of_the_rfc_then_its_key() -> None:
    handshake = ClientHandshake(parse_uri("ws://h"), bytes(range(1, 17)))
    # RFC 6455 §4.1 item 7, with erratum 3150.
    assert b"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n" in handshake.request()


def test_full_request_then_everything_is_offered_in_order() -> None:
    handshake = client(
        "wss://[::1]:9001/a?b=c",
        subprotocols=("chat", "superchat"),
        extensions=(Toy("one"), Toy("two")),
        headers=(("Cookie", "a=b"), ("Authorization", "Basic eDp5")),
        origin="http://example.com",
    )
    assert handshake.request().split(b"\r\n") == [
        b"GET /a?b=c HTTP/1.1",
        b"Host: [::1]:9001",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + KEY.encode(),
        b"Sec-WebSocket-Version: 13",
        b"Origin: http://example.com",
        b"Sec-WebSocket-Protocol: chat, superchat",
        b"Sec-WebSocket-Extensions: one; best=1, one, two; best=1, two",
        b"Cookie: a=b",
        b"Authorization: Basic eDp5",
        b"",
        b"",
    ]


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(17), KEY.encode()])
def test_key_of_another_length_then_invalid_argument(key: bytes) -> None:
    with pytest.raises(InvalidArgument):
        ClientHandshake(parse_uri("ws://h"), key)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "ORIGIN",
        "upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "sec-websocket-protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
    ],
)
def test_header_of_the_handshake_then_the_user_may_not_set_it(name: str) -> None:
    with pytest.raises(InvalidArgument):
        client(headers=(("A", "b"), (name, "x")))


def test_wrong_argument_then_invalid_argument() -> None:
    with pytest.raises(InvalidArgument):
        client(subprotocols=("a", "a"))
    with pytest.raises(InvalidArgument):
        client(extensions=(Toy(), Toy()))
    with pytest.raises(InvalidArgument):
        client(headers=(("A", "b\nc"),))
    with pytest.raises(InvalidArgument):
        client(origin="http://a\r\nHost: b")
    with pytest.raises(InvalidArgument):
        client(max_head_bytes=0)
    with pytest.raises(InvalidArgument):
        client(max_header_count=-1)


# -------------------------------------------------------------------------------------- the response


@pytest.mark.parametrize(
    "data",
    [
        response(),
        response(status="101 "),
        response(Upgrade="WebSocket", Connection="keep-alive, UPGRADE"),
        response([("connection", "upgrade")], Connection="keep-alive"),
        response(Upgrade=", websocket"),
        response([("Set-Cookie", "a"), ("Content-Length", "0")]),
        response(Sec_WebSocket_Accept=f" {ACCEPT}\t"),  # RFC 6455 §4.1: white space around it is ignored
    ],
)
def test_right_response_then_the_handshake_succeeds(data: bytes) -> None:
    handshake = client()
    assert handshake.response is None
    head = handshake.feed(data)
    assert head is not None and head is handshake.response
    assert (handshake.subprotocol, handshake.extensions, handshake.leftover) == (None, (), b"")


def test_frame_in_the_packet_of_the_response_then_it_is_left_over() -> None:
    handshake = client()
    data = response()
    assert handshake.feed(data[:50]) is None
    assert handshake.leftover == b""
    assert handshake.feed(data[50:] + b"\x81\x02hi") is not None
    assert handshake.leftover == b"\x81\x02hi"


@pytest.mark.parametrize("status", [100, 103, 200, 301, 400, 401, 426, 503])
def test_other_status_then_the_error_has_it_and_the_response_is_kept(status: int) -> None:
    handshake = client()
    error = refusal(handshake, response([("Location", "/x")], status=f"{status} So") + b"body")
    assert error.status == status
    assert handshake.response is not None
    assert (handshake.response.status, handshake.response.header("Location")) == (status, "/x")
    assert handshake.leftover == b"body"


@pytest.mark.parametrize(
    "data",
    [
        response(Upgrade=None),
        response(Upgrade=""),
        response(Upgrade="h2c"),
        response(Upgrade="websocket, h2c"),
        response([("upgrade", "websocket")]),
        response(Connection=None),
        response(Connection="keep-alive"),
        response(Sec_WebSocket_Accept=None),
        response(Sec_WebSocket_Accept=""),
        response(Sec_WebSocket_Accept=KEY),  # an echo
        response(Sec_WebSocket_Accept=ACCEPT.lower()),
        response(Sec_WebSocket_Accept=ACCEPT.rstrip("=")),
        response([("sec-websocket-accept", ACCEPT)]),
        response([("Sec-WebSocket-Protocol", "")]),
        response([("Sec-WebSocket-Protocol", "other")]),
        response([("Sec-WebSocket-Protocol", "CHAT")]),
        response([("Sec-WebSocket-Protocol", "chat, superchat")]),
        response([("Sec-WebSocket-Protocol", "chat"), ("Sec-WebSocket-Protocol", "chat")]),
        response([("Sec-WebSocket-Extensions", "")]),
        response([("Sec-WebSocket-Extensions", "toy;;")]),
        response([("Sec-WebSocket-Extensions", "unknown")]),
        response([("Sec-WebSocket-Extensions", "toy, toy")]),
        response([("Sec-WebSocket-Extensions", "toy"), ("Sec-WebSocket-Extensions", "toy")]),
        response([("Sec-WebSocket-Extensions", "toy, clash")]),
        response([("Sec-WebSocket-Extensions", "toy; bad")]),
    ],
)
def test_101_that_breaks_a_rule_then_it_fails_and_nothing_stays_open(data: bytes) -> None:
    toys = (Toy(), Toy("clash", RSV1 | RSV2))
    handshake = client(subprotocols=("chat", "superchat"), extensions=toys)
    error = refusal(handshake, data)
    assert error.status == 101
    assert handshake.response is not None
    made = [toy for toy in toys if toy.answered and ("bad", None) not in toy.answered[-1]]
    assert all(toy.closed for toy in made)


def test_nothing_offered_then_nothing_may_be_chosen() -> None:
    assert refusal(client(), response([("Sec-WebSocket-Protocol", "chat")])).status == 101
    assert refusal(client(), response([("Sec-WebSocket-Extensions", "toy")])).status == 101


@pytest.mark.parametrize("data", [b"\x00", b"HTTP/1.0 101 ", b"HTTP/1.1 101 a\n", b"SSH-2.0-x\r\n", b"<a>"])
def test_malformed_response_then_status_0(data: bytes) -> None:
    handshake = client()
    assert refusal(handshake, data).status == 0
    assert handshake.response is None


def test_response_beyond_a_limit_then_status_0() -> None:
    assert refusal(client(max_head_bytes=30), response()).status == 0
    assert refusal(client(max_header_count=2), response()).status == 0


def test_choices_among_the_offers_then_they_hold_in_the_order_of_the_server() -> None:
    one, two = Toy("one", RSV1), Toy("two", RSV2)
    handshake = client(subprotocols=("chat", "superchat"), extensions=(one, two))
    fields = [("Sec-WebSocket-Protocol", "superchat"), ("Sec-WebSocket-Extensions", 'two; a="1"')]
    assert handshake.feed(response([*fields, ("sec-websocket-extensions", "one")])) is not None
    assert handshake.subprotocol == "superchat"
    assert handshake.extensions == (two, one)
    assert two.answered == [(("a", "1"),)]
    assert not one.closed and not two.closed


# ------------------------------------------------------------------------------------ both together

names = st.text(TOKEN_BYTES.decode("ascii"), min_size=1, max_size=5)
name_lists = st.lists(st.sampled_from(["chat", "a", "b", "c"]) | names, unique=True, max_size=5)


@given(
    st.binary(min_size=16, max_size=16),
    name_lists,
    name_lists,
    st.permutations(["one", "two", "three"]),
    st.integers(1, 400),
)
def test_any_lists_then_both_halves_agree_on_the_same(
    nonce: bytes, offered: list[str], supported: list[str], order: list[str], size: int
) -> None:
    bits = {"one": RSV1, "two": RSV2, "three": RSV1}
    ours = [Toy(name, bits[name]) for name in order]
    theirs = [Toy(name, bits[name], wants="best") for name in ("one", "two", "three")]
    client_half = ClientHandshake(parse_uri("wss://h:9/p?q"), nonce, subprotocols=offered, extensions=ours)
    server_half = ServerHandshake(HandshakeConfig(tuple(supported), tuple(theirs)))

    sent = client_half.request()
    for start in range(0, len(sent), size):
        server_half.feed(sent[start : start + size])
    server_half.check()
    answer = server_half.accept(extra_headers=[("X-A", "b")]) + b"frame"
    response_head = None
    while response_head is None:
        response_head, answer = client_half.feed(answer[:size]), answer[size:]

    assert client_half.subprotocol == server_half.subprotocol
    assert client_half.subprotocol == next((name for name in offered if name in supported), None)
    agreed = [extension.name for extension in client_half.extensions]
    assert agreed == [extension.name for extension in server_half.extensions]
    # "one" and "three" claim the same bit: of these two, the one the client prefers.
    first = min(order.index("one"), order.index("three"))
    assert agreed == sorted([order[first], "two"], key=order.index)
    assert client_half.leftover + answer == b"frame"
    assert response_head.header("X-A") == "b"


def test_refusal_of_the_server_then_the_client_knows_its_status() -> None:
    client_half = client(origin="http://evil")
    server_half = ServerHandshake(HandshakeConfig(check_origin=lambda origin, request: False))
    server_half.feed(client_half.request())
    with pytest.raises(HandshakeFailed) as caught:
        server_half.check()
    assert refusal(client_half, server_half.reject(failure_response(caught.value))).status == 403
    assert client_half.leftover == b"the origin is not welcome\n"


pieces = st.sampled_from(
    [
        b"HTTP/1.1 101 a\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: Upgrade\r\n",
        f"Sec-WebSocket-Accept: {ACCEPT}\r\n".encode(),
        b"Sec-WebSocket-Protocol: chat\r\n",
        b"Sec-WebSocket-Extensions: toy\r\n",
        b"\r\n",
    ]
)


@given(st.lists(pieces | st.binary(max_size=6), max_size=6), st.integers(0, 1000))
def test_any_bytes_then_only_handshake_failed_however_they_are_cut(soup: list[bytes], place: int) -> None:
    good = response()
    place %= len(good) + 1
    data = good[:place] + b"".join(soup) + good[place:]

    def outcome(size: int) -> tuple[object, ...]:
        handshake = client(subprotocols=("chat",), extensions=(Toy(),))
        head: Response | None = None
        try:
            for start in range(0, len(data), size):
                head = handshake.feed(data[start : start + size])
                if head is not None:
                    break
        except HandshakeFailed as error:
            return error.status, str(error)
        return head, handshake.subprotocol, len(handshake.extensions)

    assert outcome(len(data)) == outcome(1)
