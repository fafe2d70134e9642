"""Which proxy is chosen, what it is told, and what each of its answers means to the client."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.adapters.proxy import Proxy, choose_proxy, is_exempt, proxy_of_environment
from hioload_ws.api import ConnectionLost, HandshakeFailed, InvalidArgument, NotSupported, ProxyRefused, TimedOut
from hioload_ws.protocol.uri import parse_uri
from tests.adapters.stage import Stage

WS, WSS = parse_uri("ws://server/"), parse_uri("wss://server/")
CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://proxy:3128", "proxy:3128"),
        ("http://proxy:3128/", "proxy:3128"),
        ("http://proxy", "proxy:80"),
        ("proxy:3128", "proxy:3128"),
        ("HTTPS://Proxy", "proxy:443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_a_proxy_has_an_address_and_by_default_says_nothing(url: str, address: str) -> None:
    proxy = Proxy(url)
    assert (str(proxy.address), proxy.headers) == (address, ())
    assert (proxy.tls is not None) == url.lower().startswith("https")


@pytest.mark.parametrize(
    ("user_info", "told"),
    [("me:secret", "me:secret"), ("me", "me:"), ("me:", "me:"), ("m%65:p%40s%3As", "me:p@s:s"), ("a:b:c", "a:b:c"),
     ("a:b@c", "a:b@c"), ("%C3%A9:x y", "\u00e9:x y"), ("a:b://c", "a:b://c")],
)  # fmt: skip
def test_user_name_and_password_are_decoded_and_sent_as_basic(user_info: str, told: str) -> None:
    proxy = Proxy(f"http://{user_info}@proxy", headers=[("X-More", "1")])
    expected = "Basic " + base64.b64encode(told.encode()).decode()
    assert list(proxy.headers) == [("Proxy-Authorization", expected), ("X-More", "1")]
    assert repr(proxy) == "<Proxy http://proxy:80>"


@pytest.mark.parametrize(
    "url",
    ["", "http://", "ftp://proxy", "http://proxy/path", "http://proxy?q", "http://proxy:0", "http://pro xy",
     "http://me%3Ayou:x@proxy", "http://me:a%0Ab@proxy", "http://me:%00@proxy", "ws://proxy", "http://me:%FF@proxy"],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Proxy(url)
    assert not url or url not in str(caught.value)


def test_header_fields_that_would_end_the_request_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        Proxy("http://proxy", headers=[("X", "a\r\nb")])


@pytest.mark.parametrize("url", ["socks5://proxy", "socks5h://me:secret@proxy:1080", "SOCKS4://proxy"])
def test_socks_is_not_spoken_and_that_is_said(url: str) -> None:
    with pytest.raises(NotSupported, match="SOCKS"):
        Proxy(url)


def test_a_context_is_for_proxies_that_speak_tls() -> None:
    context = ssl.create_default_context()
    assert Proxy("https://proxy", tls=context).tls is context
    with pytest.raises(InvalidArgument):
        Proxy("http://proxy", tls=context)
    checking = Proxy("https://proxy").tls
    assert checking is not None
    assert (checking.verify_mode, checking.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("environ", "for_ws", "for_wss"),
    [
        ({}, None, None),
        ({"http_proxy": "h"}, "h", None),
        ({"https_proxy": "s"}, "s", "s"),
        ({"http_proxy": "h", "https_proxy": "s"}, "s", "s"),
        ({"all_proxy": "a"}, "a", "a"),
        ({"all_proxy": "a", "http_proxy": "h"}, "h", "a"),
        ({"HTTP_PROXY": "h", "HTTPS_PROXY": "s"}, "s", "s"),
        ({"https_proxy": "low", "HTTPS_PROXY": "up"}, "low", "low"),
        ({"https_proxy": "", "HTTPS_PROXY": "up", "all_proxy": "a"}, "a", "a"),
        ({"ALL_PROXY": " a "}, "a", "a"),
        ({"HTTP_PROXY": "h", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "h", "REQUEST_METHOD": "GET"}, "h", None),
        ({"all_proxy": "a", "no_proxy": "server"}, None, None),
        ({"all_proxy": "a", "NO_PROXY": "*"}, None, None),
        ({"all_proxy": "a", "NO_PROXY": "*", "no_proxy": ""}, "a", "a"),
        ({"all_proxy": "a", "no_proxy": "server:443"}, "a", None),
        ({"all_proxy": "a", "no_proxy": "other"}, "a", "a"),
    ],
)
def test_the_environment_decides_by_the_conventions(
    environ: dict[str, str], for_ws: str | None, for_wss: str | None
) -> None:
    found = [proxy_of_environment(uri, environ) for uri in (WS, WSS)]
    assert [None if proxy is None else proxy.address.host for proxy in found] == [for_ws, for_wss]


@pytest.mark.parametrize(("url", "kind"), [("ftp://x", InvalidArgument), ("socks5://x", NotSupported)])
def test_a_variable_that_can_not_be_used_is_named(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="^all_proxy: "):
        proxy_of_environment(WS, {"all_proxy": url})


def test_the_environment_counts_only_when_asked() -> None:
    environ = {"all_proxy": "a"}
    assert choose_proxy(None, WS, environ) is None
    named = choose_proxy("http://b", WS, environ)
    assert named is not None and named.address.host == "b"
    proxy = Proxy("http://c")
    assert choose_proxy(proxy, WS, environ) is proxy
    found = choose_proxy("env", WS, environ)
    assert found is not None and found.address.host == "a"


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("", "h", False),
        ("*", "h", True),
        ("a, b ,c", "b", True),
        ("example.org", "example.org", True),
        ("example.org", "www.example.org", True),
        ("example.org", "badexample.org", False),
        (".example.org", "www.example.org", True),
        (".example.org", "example.org", True),
        ("*.example.org", "www.example.org", True),
        ("EXAMPLE.ORG", "example.org", True),
        ("example.org:80", "example.org", True),
        ("example.org:81", "example.org", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "example.org", False),
        ("10.0.0.5/8", "10.9.9.9", True),
        ("nonsense/8", "10.1.2.3", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.1", "127.0.0.1", False),
        ("127.0.0.1:80", "127.0.0.1", True),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:80", "::1", True),
        ("[::1]:81", "::1", False),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("fd00::/8", "fd00::5", True),
        ("., :80 ,*.", "h", False),
    ],
)
def test_no_proxy_lists_who_is_reached_directly(no_proxy: str, host: str, exempt: bool) -> None:
    assert is_exempt(host, 80, no_proxy) is exempt


@given(st.text(max_size=40), st.sampled_from(["example.org", "127.0.0.1", "::1"]))
def test_any_text_in_no_proxy_is_a_list(no_proxy: str, host: str) -> None:
    assert is_exempt(host, 80, no_proxy) in (True, False)


def asked_proxy(make_stage: Callable[..., Stage], **options: object) -> Stage:
    stage = make_stage(proxy="http://me:secret@proxy:3128", **options)
    stage.client.start()
    stage.turn()
    assert str(stage.provider.asked[0][0]) == "proxy:3128"
    head = "CONNECT server:80 HTTP/1.1\r\nHost: server:80\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"
    assert stage.new_bytes() == head.encode()
    return stage


def test_the_handshake_goes_through_the_tunnel_once_it_stands(make_stage: Callable[..., Stage]) -> None:
    stage = asked_proxy(make_stage)
    stage.answer(ESTABLISHED)
    stage.accept()
    connection = stage.client.connection
    assert connection is not None
    assert connection.features().name == "tunnel+scripted"
    assert stage.handshake.request.header("Proxy-Authorization") is None
    assert stage.handshake.request.header("Host") == "server"


def test_an_answer_that_comes_byte_by_byte_is_one(make_stage: Callable[..., Stage]) -> None:
    stage = asked_proxy(make_stage)
    for byte in ESTABLISHED:
        assert stage.new_bytes() == b""
        stage.answer(bytes([byte]))
    stage.accept()
    assert stage.client.connection is not None


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", 403, "does not connect us"),
        (b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", 502, "does not connect us"),
        (b"HTTP/1.1 407 No\r\n\r\n", 407, "does not take these credentials"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", 302, "does not connect us"),
        (b"\x00\x01garbage", 0, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, 0, "not HTTP"),
    ],
)
def test_a_refusal_is_typed_and_carries_what_the_proxy_said(
    make_stage: Callable[..., Stage], answer: bytes, status: int, words: str
) -> None:
    # Redirects of a proxy are not the server's, and are not followed.
    stage = asked_proxy(make_stage, max_redirects=5)
    stage.answer(answer)
    failure = stage.client.failure
    assert isinstance(failure, ProxyRefused)
    assert words in failure.message and "secret" not in str(failure)
    assert (failure.status, failure.context["proxy"]) == (status, "proxy:3128")
    assert (0 if failure.response is None else failure.response.status) == status
    assert stage.client.ended and stage.transport.closed
    assert len(stage.provider.asked) == 1


def test_a_proxy_that_wants_credentials_is_answered_with_how_to_give_them(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(proxy="http://proxy")
    stage.client.start()
    stage.turn()
    stage.answer(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n")
    failure = stage.client.failure
    assert isinstance(failure, ProxyRefused) and "USER:PASSWORD" in failure.message
    assert failure.response is not None
    assert failure.response.header("Proxy-Authenticate") == "Basic realm=x"


def test_a_proxy_that_hangs_up_or_resets_is_named(make_stage: Callable[..., Stage]) -> None:
    for end in ("feed_end", "reset"):
        stage = asked_proxy(make_stage)
        getattr(stage.transport, end)()
        stage.turn()
        failure = stage.client.failure
        assert isinstance(failure, ConnectionLost)
        assert not isinstance(failure, ProxyRefused)
        assert "by way of the proxy" in failure.message


def test_the_time_limit_of_the_handshake_holds_for_the_proxy_and_the_server_together(
    make_stage: Callable[..., Stage],
) -> None:
    stage = asked_proxy(make_stage, handshake_timeout_s=1.0)
    stage.clock.advance(SECOND_NS * 6 // 10)
    stage.answer(ESTABLISHED)
    assert stage.new_bytes().startswith(b"GET /path?q ")
    stage.clock.advance(SECOND_NS * 5 // 10)
    stage.turn()
    assert isinstance(stage.client.failure, TimedOut)


def test_bytes_behind_the_answer_are_the_servers_and_judged_as_such(make_stage: Callable[..., Stage]) -> None:
    stage = asked_proxy(make_stage)
    stage.answer(ESTABLISHED + b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")  # fmt: skip
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert failure.status == 101
