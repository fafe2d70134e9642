"""The server's half of the opening handshake: every check of RFC 6455 §4.2.1, the answer, the refusals."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, InvalidState
from hioload_ws.api.extension import RSV1, Extension, ExtensionAnswer, ExtensionParameters
from hioload_ws.api.http import Request, Response
from hioload_ws.api.message import MessageKind
from hioload_ws.api.types import ReadableMemory
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.http import HeadParser
from hioload_ws.protocol.server_handshake import ServerHandshake, accept_key, failure_response

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
Fields = list[tuple[str, str]]


class Toy:
    """Extension and factory in one: accepts every offer, answers with its ``answer``."""

    name = "toy"
    rsv_bits = RSV1

    def __init__(self, answer: str = "x") -> None:
        self.answer = answer
        self.closed = False

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        return payload, 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        return False

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        return chunk

    def close(self) -> None:
        self.closed = True

    def offers(self) -> Sequence[ExtensionParameters]:
        return [()]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        return ExtensionAnswer(((self.answer, None),), self)

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        return self


def fields(**changes: str | None) -> Fields:
    """Return the fields of a good request; ``sec_websocket_key="x"`` changes one, ``None`` drops it."""
    made = {
        "Host": "server.example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    for name, value in changes.items():
        key = next((each for each in made if each.lower().replace("-", "_") == name), name.replace("_", "-"))
        if value is None:
            del made[key]
        else:
            made[key] = value
    return list(made.items())


def wire(headers: Fields, start: str = "GET /chat HTTP/1.1") -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def fed(data: bytes, config: HandshakeConfig | None = None) -> ServerHandshake:
    handshake = ServerHandshake(config or HandshakeConfig())
    assert handshake.feed(data) is not None
    return handshake


def checked(headers: Fields, config: HandshakeConfig | None = None) -> ServerHandshake:
    handshake = fed(wire(headers), config)
    handshake.check()
    return handshake


def response_of(data: bytes) -> Response:
    parser = HeadParser(is_response=True)
    head = parser.feed(data)
    assert head is not None
    return Response(head.status, head.reason, head.headers, parser.leftover)


def refusal(data: bytes, config: HandshakeConfig | None = None) -> HandshakeFailed:
    handshake = fed(data, config)
    with pytest.raises(HandshakeFailed) as caught:
        handshake.check()
    with pytest.raises(InvalidState):
        handshake.accept()
    return caught.value


# ---------------------------------------------------------------------------------------- accepting


def test_example_of_the_rfc_then_it_is_accepted_as_the_rfc_shows() -> None:
    # RFC 6455 §1.3.
    request = wire(
        [
            ("Host", "server.example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Origin", "http://example.com"),
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Version", "13"),
        ]
    )
    handshake = ServerHandshake(HandshakeConfig(subprotocols=("superchat", "chat")))
    assert handshake.feed(request[:40]) is None
    head = handshake.feed(request[40:])
    assert head is not None and head is handshake.request
    assert head.path == "/chat"
    assert handshake.is_upgrade
    handshake.check()
    assert handshake.subprotocol is None
    assert handshake.accept() == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"\r\n"
    )
    assert handshake.subprotocol == "chat"
    assert handshake.extensions == ()
    assert accept_key(KEY) == ACCEPT


@pytest.mark.parametrize(
    "changes",
    [
        {"upgrade": "WebSocket"},
        {"upgrade": "h2c, WEBSOCKET"},
        {"connection": "keep-alive, upgrade"},
        {"connection": "close,,\tUPGRADE"},
        {"host": "localhost:9001"},
        {"host": "[::1]:9001"},
        {"Content-Length": "0"},
        {"Content-Length": "000"},
        {"X-Anything": "\xff"},
        {"Origin": "null"},
    ],
)
def test_allowed_variation_then_the_request_passes(changes: dict[str, str]) -> None:
    assert checked(fields(**changes)).accept().startswith(b"HTTP/1.1 101 ")


def test_tokens_spread_over_several_fields_then_the_request_passes() -> None:
    more = [("upgrade", "websocket"), ("connection", "upgrade")]
    headers = [*fields(upgrade="h2c", connection="keep-alive"), *more]
    assert checked(headers).accept().startswith(b"HTTP/1.1 101 ")


def test_absolute_target_then_it_must_name_the_host_of_the_request() -> None:
    good = wire(fields(), "GET http://SERVER.example.com/chat?q HTTP/1.1")
    handshake = fed(good)
    handshake.check()
    assert (handshake.request.path, handshake.request.query) == ("/chat", "q")
    assert refusal(wire(fields(), "GET http://other.example.com/chat HTTP/1.1")).status == 400


def test_bytes_behind_the_head_then_they_are_left_over() -> None:
    second = wire(fields())
    handshake = fed(wire(fields()) + second)
    handshake.check()
    handshake.accept()
    assert handshake.leftover == second


def test_extra_headers_then_they_follow_in_order() -> None:
    response = checked(fields()).accept(extra_headers=[("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")])
    assert response.endswith(b"\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n")


# ------------------------------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": None}, 400),
        ({"host": ""}, 400),
        ({"host": "a b"}, 400),
        ({"host": "a,b c"}, 400),
        ({"host": "u@h"}, 400),
        ({"host": "h:0"}, 400),
        ({"host": "h/"}, 400),
        ({"upgrade": None}, 426),
        ({"upgrade": ""}, 426),
        ({"upgrade": "h2c"}, 426),
        ({"upgrade": "websocket/13"}, 426),
        ({"upgrade": "websockets"}, 426),
        ({"connection": None}, 400),
        ({"connection": "keep-alive"}, 400),
        ({"connection": "up grade"}, 400),
        ({"sec_websocket_version": None}, 426),
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": "13, 8"}, 426),
        ({"sec_websocket_version": "013"}, 426),
        ({"sec_websocket_version": ""}, 426),
        ({"sec_websocket_key": None}, 400),
        ({"sec_websocket_key": ""}, 400),
        ({"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA"}, 400),
        ({"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAB=="}, 400),
        ({"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAA"}, 400),
        ({"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAAAA"}, 400),
        ({"sec_websocket_key": KEY + ", " + KEY}, 400),
        ({"Sec_WebSocket_Protocol": ""}, 400),
        ({"Sec_WebSocket_Protocol": "a, b c"}, 400),
        ({"Sec_WebSocket_Protocol": "a, b, a"}, 400),
        ({"Sec_WebSocket_Extensions": ""}, 400),
        ({"Sec_WebSocket_Extensions": "a;;b"}, 400),
        ({"Content-Length": "1"}, 400),
        ({"Content-Length": "010"}, 400),
        ({"Transfer-Encoding": "chunked"}, 400),
        ({"Transfer-Encoding": ""}, 400),
    ],
)
def test_request_against_the_rules_then_its_status(changes: dict[str, str | None], status: int) -> None:
    assert refusal(wire(fields(**changes))).status == status


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Host", "server.example.com", 400),
        ("host", "other.example.com", 400),
        ("Sec-WebSocket-Key", KEY, 400),
        ("Sec-WebSocket-Version", "13", 426),
        ("sec-websocket-version", "8", 426),
        ("Sec-WebSocket-Protocol", "a", 400),
        ("Origin", "http://a", 400),
    ],
)
def test_field_that_may_appear_once_then_twice_is_refused(name: str, value: str, status: int) -> None:
    headers = fields(Sec_WebSocket_Protocol="a", Origin="http://a")
    checked(headers)
    assert refusal(wire([*headers, (name, value)])).status == status


@pytest.mark.parametrize("method", ["POST", "HEAD", "get", "PRI", "OPTIONS", "CONNECT"])
def test_other_method_then_405_before_anything_else_is_said(method: str) -> None:
    assert refusal(wire([], f"{method} / HTTP/1.1")).status == 405


def test_plain_get_then_it_is_no_upgrade_and_can_be_answered() -> None:
    handshake = fed(wire([("Host", "h"), ("Upgrade", "h2c")], "GET /health HTTP/1.1"))
    assert not handshake.is_upgrade
    response = response_of(handshake.reject(Response(200, body=b"fine")))
    assert response.status == 200
    assert response.header("Connection") == "close"
    assert response.body == b"fine"


@pytest.mark.parametrize(
    ("sent", "seen"), [(None, None), ("http://Example.COM", "http://example.com"), ("", ""), ("null", "null")]
)
def test_origin_then_the_hook_sees_it_in_lower_case_and_decides(sent: str | None, seen: str | None) -> None:
    calls: list[tuple[str | None, Request]] = []

    def refuse(origin: str | None, request: Request) -> bool:
        calls.append((origin, request))
        return False

    headers = fields() if sent is None else fields(Origin=sent)
    assert refusal(wire(headers), HandshakeConfig(check_origin=refuse)).status == 403
    (origin, request), = calls  # fmt: skip
    assert origin == seen
    assert request.path == "/chat"
    checked(headers, HandshakeConfig(check_origin=lambda origin, request: origin == seen))


def test_malformed_request_then_the_origin_hook_is_not_asked() -> None:
    def fail(origin: str | None, request: Request) -> bool:
        raise AssertionError("asked")

    config = HandshakeConfig(check_origin=fail)
    assert refusal(wire(fields(Sec_WebSocket_Extensions="a;;b")), config).status == 400
    with pytest.raises(AssertionError, match="asked"):
        checked(fields(), config)


def test_check_that_fails_after_one_that_passed_then_nothing_can_be_accepted() -> None:
    answers = iter([True, False])
    config = HandshakeConfig(check_origin=lambda origin, request: next(answers))
    handshake = checked(fields(), config)
    with pytest.raises(HandshakeFailed):
        handshake.check()
    with pytest.raises(InvalidState):
        handshake.accept()


def test_limits_of_the_configuration_then_the_head_is_held_to_them() -> None:
    for config, status in (
        (HandshakeConfig(max_head_bytes=10), 414),
        (HandshakeConfig(max_head_bytes=40), 431),
        (HandshakeConfig(max_header_count=2), 431),
    ):
        with pytest.raises(HandshakeFailed) as caught:
            ServerHandshake(config).feed(wire(fields()))
        assert caught.value.status == status


# ------------------------------------------------------------------------------------- subprotocols


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        (None, ("a",), None),
        ("a", (), None),
        ("b, a", ("a", "b"), "b"),
        ("c, a", ("a", "b"), "a"),
        ("A", ("a",), None),
    ],
)
def test_subprotocols_then_the_first_common_one_of_the_client_is_chosen(
    offered: str | None, supported: tuple[str, ...], chosen: str | None
) -> None:
    headers = fields() if offered is None else fields(Sec_WebSocket_Protocol=offered)
    handshake = checked(headers, HandshakeConfig(subprotocols=supported))
    response = response_of(handshake.accept())
    assert handshake.subprotocol == response.header("Sec-WebSocket-Protocol") == chosen


def test_hook_for_subprotocols_then_it_decides_instead_of_the_list() -> None:
    seen: list[Sequence[str]] = []

    def last(offered: Sequence[str]) -> str | None:
        seen.append(offered)
        return offered[-1] if offered else None

    config = HandshakeConfig(subprotocols=("a",), select_subprotocol=last)
    handshake = checked(fields(Sec_WebSocket_Protocol="a, b"), config)
    handshake.accept()
    assert handshake.subprotocol == "b"
    handshake = checked(fields(), config)
    handshake.accept()
    assert handshake.subprotocol is None
    assert seen == [("a", "b"), ()]


def test_choice_the_client_did_not_offer_then_invalid_argument_and_another_try_is_free() -> None:
    toy = Toy()
    config = HandshakeConfig(extensions=(toy,), select_subprotocol=lambda offered: "c")
    handshake = checked(fields(Sec_WebSocket_Protocol="a, b", Sec_WebSocket_Extensions="toy"), config)
    with pytest.raises(InvalidArgument):
        handshake.accept()
    with pytest.raises(InvalidArgument):
        handshake.accept(subprotocol="A")
    with pytest.raises(InvalidArgument):
        handshake.accept(subprotocol="")
    assert (handshake.subprotocol, handshake.extensions, toy.closed) == (None, (), False)
    handshake.accept(subprotocol="b")
    assert handshake.subprotocol == "b"


def test_none_as_choice_then_no_subprotocol_is_answered() -> None:
    config = HandshakeConfig(subprotocols=("a",))
    handshake = checked(fields(Sec_WebSocket_Protocol="a"), config)
    assert b"Protocol:" not in handshake.accept(subprotocol=None)
    assert handshake.subprotocol is None


# --------------------------------------------------------------------------------------- extensions


def test_extension_offered_and_supported_then_it_is_answered_in_one_field() -> None:
    toy = Toy()
    handshake = checked(
        [*fields(Sec_WebSocket_Extensions="other, toy; a"), ("sec-websocket-extensions", "toy; b")],
        HandshakeConfig(extensions=(toy,)),
    )
    response = response_of(handshake.accept())
    assert response.values("Sec-WebSocket-Extensions") == ("toy; x",)
    assert handshake.extensions == (toy,)
    assert not toy.closed


def test_extension_declined_then_no_field_is_answered() -> None:
    handshake = checked(fields(Sec_WebSocket_Extensions="other"), HandshakeConfig(extensions=(Toy(),)))
    assert b"Extensions" not in handshake.accept()
    assert handshake.extensions == ()


def test_extension_that_answers_no_token_then_it_is_closed_and_nothing_agreed() -> None:
    toy = Toy(answer="a\r\nb")
    handshake = checked(fields(Sec_WebSocket_Extensions="toy"), HandshakeConfig(extensions=(toy,)))
    with pytest.raises(InvalidArgument):
        handshake.accept()
    assert toy.closed
    assert handshake.extensions == ()
    handshake.reject(Response(500))


# ------------------------------------------------------------------------------------- one answer


@pytest.mark.parametrize(
    "header", [("Upgrade", "x"), ("sec-websocket-accept", "x"), ("Content-Length", "0"), ("A", "b\r\nC: d")]
)
def test_extra_header_that_is_not_the_callers_then_invalid_argument(header: tuple[str, str]) -> None:
    handshake = checked(fields())
    with pytest.raises(InvalidArgument):
        handshake.accept(extra_headers=[header])
    assert handshake.accept().startswith(b"HTTP/1.1 101")


def test_calls_before_the_head_is_complete_then_invalid_state() -> None:
    handshake = ServerHandshake(HandshakeConfig())
    handshake.feed(b"GET / HTTP/1.1\r\n")
    with pytest.raises(InvalidState):
        handshake.request  # noqa: B018 - the property raises
    with pytest.raises(InvalidState):
        handshake.is_upgrade  # noqa: B018 - the property raises
    with pytest.raises(InvalidState):
        handshake.check()
    with pytest.raises(InvalidState):
        handshake.accept()
    assert handshake.leftover == b""


def test_accept_without_check_then_invalid_state() -> None:
    with pytest.raises(InvalidState):
        fed(wire(fields())).accept()


def test_second_answer_then_invalid_state() -> None:
    accepted = checked(fields())
    accepted.accept()
    rejected = checked(fields())
    rejected.reject(Response(404))
    for answered in (accepted, rejected):
        with pytest.raises(InvalidState):
            answered.accept()
        with pytest.raises(InvalidState):
            answered.reject(Response(404))


def test_rejection_that_is_none_then_invalid_argument_and_another_try_is_free() -> None:
    handshake = checked(fields())
    for response in (Response(101), Response(100), Response(404, headers=(("A", "\n"),)), Response(600)):
        with pytest.raises(InvalidArgument):
            handshake.reject(response)
    assert handshake.reject(Response(404)).startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_rejection_before_any_byte_then_it_is_allowed() -> None:
    handshake = ServerHandshake(HandshakeConfig())
    response = response_of(handshake.reject(Response(503, headers=(("connection", "Close"),))))
    assert response.values("Connection") == ("Close",)


# ------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("data", "status", "has"),
    [
        (wire(fields(), "POST / HTTP/1.1"), 405, {"Allow": "GET", "Connection": "close"}),
        (
            wire(fields(upgrade=None)),
            426,
            {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Connection": "Upgrade, close"},
        ),
        (
            wire(fields(sec_websocket_version="8")),
            426,
            {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Connection": "Upgrade, close"},
        ),
        (wire(fields(sec_websocket_key=None)), 400, {"Connection": "close"}),
        (b"GET / HTTP/1.0\r\n", 505, {"Connection": "close"}),
        (b"GET /" + b"a" * 20000, 414, {"Connection": "close"}),
        (b"\x16\x03\x01", 400, {"Connection": "close"}),
    ],
)
def test_refused_request_then_the_answer_says_why_and_what_is_possible(
    data: bytes, status: int, has: dict[str, str]
) -> None:
    handshake = ServerHandshake(HandshakeConfig())
    with pytest.raises(HandshakeFailed) as caught:
        handshake.feed(data)
        handshake.check()
    response = response_of(handshake.reject(failure_response(caught.value)))
    assert response.status == status
    assert {name: response.header(name) for name in has} == has
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    assert response.header("Content-Length") == str(len(response.body))
    assert response.body == caught.value.message.encode() + b"\n"


@pytest.mark.parametrize(("status", "answered"), [(0, 400), (101, 400), (302, 400), (600, 400), (503, 503)])
def test_error_without_a_status_to_answer_then_400(status: int, answered: int) -> None:
    response = failure_response(HandshakeFailed("k\u00fcrzer \ud800", status=status, secret="s3cret"))
    assert response.status == answered
    assert response.body == "k\u00fcrzer ?\n".encode()


# ------------------------------------------------------------------------------------ any bytes at all

pieces = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"Host: h\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: Upgrade\r\n",
        b"Sec-WebSocket-Version: 13\r\n",
        f"Sec-WebSocket-Key: {KEY}\r\n".encode(),
        b"Sec-WebSocket-Protocol: a, b\r\n",
        b"Sec-WebSocket-Extensions: toy; a=1, b\r\n",
        b"Origin: a\r\n",
        b"\r\n",
    ]
)


@given(
    st.permutations([fields()[index] for index in range(5)]),
    st.lists(pieces | st.binary(max_size=6), max_size=6),
    st.integers(0, 400),
)
def test_any_bytes_then_only_handshake_failed_and_what_passes_is_a_101(
    headers: Fields, soup: list[bytes], place: int
) -> None:
    good = wire(headers)
    place %= len(good) + 1
    data = good[:place] + b"".join(soup) + good[place:]
    config = HandshakeConfig(subprotocols=("b",), extensions=(Toy(),))
    handshake = ServerHandshake(config)
    try:
        for index in range(len(data)):
            if handshake.feed(data[index : index + 1]) is not None:
                break
        else:
            return
        handshake.check()
    except HandshakeFailed as error:
        assert response_of(handshake.reject(failure_response(error))).status == error.status >= 400
        return
    assert handshake.is_upgrade
    assert response_of(handshake.accept()).header("Sec-WebSocket-Accept") == accept_key(
        handshake.request.header("Sec-WebSocket-Key") or ""
    )
