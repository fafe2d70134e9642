"""What the server demands of an opening: every check of RFC 6455 §4.2.1."""

from __future__ import annotations

import pytest

from hioload_ws.api.errors import HandshakeFailed, InvalidState
from hioload_ws.api.http import Request, Response
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.server_handshake import ServerHandshake, accept_key
from tests.protocol.openings import ACCEPT, KEY, checked, fed, fields, refusal, response_of, wire

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
