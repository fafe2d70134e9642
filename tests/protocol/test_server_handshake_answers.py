"""What the server answers to an opening: subprotocol, extensions, headers, refusals; each once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, InvalidState
from hioload_ws.api.http import Response
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.server_handshake import ServerHandshake, accept_key, failure_response
from tests.protocol.openings import KEY, Fields, Toy, checked, fed, fields, response_of, wire

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


@pytest.mark.parametrize(
    ("status", "answered"),
    [(0, 400), (101, 400), (399, 400), (400, 400), (401, 401), (503, 503), (599, 599), (600, 400)],
)
def test_error_without_a_status_to_answer_then_400(status: int, answered: int) -> None:
    response = failure_response(HandshakeFailed("k\u00fcrzer \ud800", status=status, secret="s3cret"))
    assert response.status == answered
    assert response.body == "k\u00fcrzer ?\n".encode()
    assert response.header("Connection") == "close"


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
