"""Redirects: followed only when asked, only so far, and with nothing in the bag that is not for there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws import Request, Response, Server, connect
from hioload_ws.adapters.client import Client
from hioload_ws.adapters.follow import MAX_REDIRECTS, Trail
from hioload_ws.adapters.tls import client_context
from hioload_ws.api import ConnectionLost, HandshakeFailed, InvalidArgument, TimedOut, UnixAddress
from hioload_ws.protocol.http import HeadParser
from hioload_ws.protocol.uri import parse_uri
from tests.adapters.live import echo_server
from tests.adapters.stage import Stage

SECOND_NS = 1_000_000_000


def moved(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nbody".encode()


def started(make_stage: Callable[..., Stage], url: str = "ws://server/path?q", **options: object) -> Stage:
    stage = make_stage(url, **options)
    stage.client.start()
    stage.turn()
    return stage


def asked(stage: Stage) -> Request:
    """Return the request of the last connection."""
    request = HeadParser().feed(stage.new_bytes())
    assert request is not None
    return request


def test_a_redirect_is_a_failed_handshake_unless_asked_for(make_stage: Callable[..., Stage]) -> None:
    stage = started(make_stage)
    stage.answer(moved("/elsewhere"))
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert failure.status == 302
    assert failure.response is not None
    assert failure.response.header("Location") == "/elsewhere"
    assert len(stage.provider.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_asked_for_it_asks_there_with_a_new_key(make_stage: Callable[..., Stage], status: int) -> None:
    stage = started(make_stage, max_redirects=1, headers=[("Authorization", "secret")], subprotocols=["chat"])
    first = asked(stage)
    old = stage.transport
    stage.answer(moved("/elsewhere?x", status))
    assert old.closed and stage.client.response is not None and stage.client.response.status == status
    assert not stage.client.ended
    assert stage.handshake.feed(stage.new_bytes()) is not None
    second = stage.handshake.request
    assert second.target == "/elsewhere?x"
    assert second.header("Authorization") == "secret"  # the same origin
    assert second.header("Sec-WebSocket-Protocol") == "chat"
    assert second.header("Sec-WebSocket-Key") != first.header("Sec-WebSocket-Key")
    stage.handshake.check()
    stage.answer(stage.handshake.accept())
    connection = stage.client.connection
    assert connection is not None
    assert (connection.path, stage.client.uri.text) == ("/elsewhere", "ws://server/elsewhere?x")
    assert stage.client.failure is None


@pytest.mark.parametrize("location", ["ws://other/", "ws://server:81/", "wss://server/", "//other/"])
def test_another_origin_gets_none_of_our_header_fields_and_neither_does_the_way_back(
    make_stage: Callable[..., Stage], location: str
) -> None:
    headers = [("Authorization", "secret"), ("X-Key", "k")]
    stage = started(make_stage, max_redirects=2, headers=headers, origin="https://me")
    assert asked(stage).header("X-Key") == "k"
    stage.answer(moved(location))
    address, options = stage.provider.asked[1]
    uri = parse_uri(location if location.startswith("w") else f"ws:{location}")
    assert str(address) == f"{uri.host}:{uri.port}"
    assert (options.tls is not None, options.server_name) == (uri.secure, uri.host)
    request = asked(stage)
    assert (request.header("Authorization"), request.header("X-Key")) == (None, None)
    assert (request.header("Origin"), request.header("Host")) == ("https://me", uri.host_header)
    if not uri.secure:
        stage.answer(moved("ws://server/"))
        assert asked(stage).header("Authorization") is None


def test_too_many_redirects_end(make_stage: Callable[..., Stage]) -> None:
    stage = started(make_stage, max_redirects=3)
    for _ in range(4):
        assert not stage.client.ended
        stage.answer(moved("/path?q"))
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert (failure.message, failure.status) == ("too many redirects", 302)
    assert failure.response is not None and isinstance(failure.__cause__, HandshakeFailed)
    assert len(stage.provider.asked) == 4


@pytest.mark.parametrize(
    ("url", "response", "words"),
    [
        ("wss://server/", moved("ws://server/"), "leaves wss for ws"),
        ("ws://server/", moved("ftp://server/"), "leads nowhere"),
        ("ws://server/", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "one Location"),
        ("ws://server/", moved("/x", 300), "did not switch"),
        ("ws://server/", moved("/x", 304), "did not switch"),
        ("ws://server/", moved("/x", 401), "did not switch"),
        ("ws://server/", b"garbage\r\n\r\n", "no place here"),
    ],
)
def test_what_is_not_followed_is_a_failed_handshake(
    make_stage: Callable[..., Stage], url: str, response: bytes, words: str
) -> None:
    stage = started(make_stage, url, max_redirects=5)
    stage.answer(response)
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert words in failure.message
    assert len(stage.provider.asked) == 1


def test_a_place_that_can_not_be_reached_ends_the_client(make_stage: Callable[..., Stage]) -> None:
    stage = started(make_stage, max_redirects=1)
    stage.provider.refusal = ConnectionLost("no such host")
    stage.answer(moved("ws://nowhere/"))
    assert isinstance(stage.client.failure, ConnectionLost)
    assert stage.client.ended


def test_all_places_together_have_one_time_limit(make_stage: Callable[..., Stage]) -> None:
    stage = started(make_stage, max_redirects=9, handshake_timeout_s=1.0)
    stage.clock.advance(SECOND_NS * 6 // 10)
    stage.answer(moved("/x"))
    assert not stage.client.ended
    stage.clock.advance(SECOND_NS * 5 // 10)
    stage.turn()
    assert isinstance(stage.client.failure, TimedOut)


def test_a_unix_socket_is_left_for_nobody(make_stage: Callable[..., Stage]) -> None:
    stage = started(make_stage, kind="unix", max_redirects=2, unix="/run/x")
    stage.answer(moved("/elsewhere"))
    assert [address for address, _ in stage.provider.asked] == [UnixAddress("/run/x")] * 2
    stage.answer(moved("ws://other/"))
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert "leads away from the Unix socket" in failure.message


@pytest.mark.parametrize("count", [-1, MAX_REDIRECTS + 1])
def test_a_number_of_redirects_that_makes_no_sense_is_refused(count: int) -> None:
    with pytest.raises(InvalidArgument):
        Client("ws://server/", max_redirects=count)


def test_a_context_may_wait_for_a_redirect_to_wss() -> None:
    client = Client("ws://server/", tls=client_context(), max_redirects=1)
    client.close()


def test_without_a_response_there_is_nothing_to_follow() -> None:
    trail = Trail(parse_uri("ws://server/"), (), 1)
    assert not trail.follow(HandshakeFailed("malformed"), may_leave=True)


def test_two_live_servers_redirect_to_each_other_and_a_third_answers() -> None:
    target = echo_server()
    with target.background() as url:
        app = Server("127.0.0.1", 0)
        seen: list[str | None] = []

        @app.on_request
        def send_on(request: Request) -> Response:
            seen.append(request.header("Cookie"))
            location = f"{url}/there" if request.path == "/2" else "/2"
            return Response(307, headers=(("Location", location),))

        with app.background() as first:
            with connect(f"{first}/1", max_redirects=2, headers=[("Cookie", "c")]) as connection:
                assert connection.connection.path == "/there"
                assert connection.connection.request.header("Cookie") is None
            with pytest.raises(HandshakeFailed, match="too many redirects"):
                connect(f"{first}/1", max_redirects=1)
            with pytest.raises(HandshakeFailed) as caught:
                connect(f"{first}/1")
            assert caught.value.status == 307
    assert seen == ["c", "c", None, None, None]
