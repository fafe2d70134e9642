"""WebSocket URIs: what is taken, what is refused, and what comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.protocol.uri import WebSocketUri, is_authority, parse_uri


@pytest.mark.parametrize(
    ("text", "secure", "host", "port", "resource", "host_header"),
    [
        ("ws://example.com/chat", False, "example.com", 80, "/chat", "example.com"),
        ("wss://example.com/chat", True, "example.com", 443, "/chat", "example.com"),
        ("WSS://EXAMPLE.com/Chat", True, "example.com", 443, "/Chat", "example.com"),
        ("ws://example.com", False, "example.com", 80, "/", "example.com"),
        ("ws://example.com:80", False, "example.com", 80, "/", "example.com"),
        ("wss://example.com:80/", True, "example.com", 80, "/", "example.com:80"),
        ("ws://example.com:443/", False, "example.com", 443, "/", "example.com:443"),
        ("ws://example.com:/", False, "example.com", 80, "/", "example.com"),
        ("ws://example.com:0008080/", False, "example.com", 8080, "/", "example.com:8080"),
        ("ws://h:65535", False, "h", 65535, "/", "h:65535"),
        ("ws://127.0.0.1:9001/a/b", False, "127.0.0.1", 9001, "/a/b", "127.0.0.1:9001"),
        ("ws://[::1]/", False, "::1", 80, "/", "[::1]"),
        ("ws://[2001:DB8::7]:9/x", False, "2001:db8::7", 9, "/x", "[2001:db8::7]:9"),
        ("ws://[::ffff:1.2.3.4]", False, "::ffff:1.2.3.4", 80, "/", "[::ffff:1.2.3.4]"),
        ("ws://h?q=1", False, "h", 80, "/?q=1", "h"),
        ("ws://h/?q=1&r=%23?/@:", False, "h", 80, "/?q=1&r=%23?/@:", "h"),
        ("ws://h/p?", False, "h", 80, "/p", "h"),  # RFC 6455 §3: "?" if the query component is non-empty
        ("ws://h//x", False, "h", 80, "//x", "h"),
        ("ws://h/a@b:c", False, "h", 80, "/a@b:c", "h"),
        ("ws://a_b.c-d~!$&'()*+,;=%41/", False, "a_b.c-d~!$&'()*+,;=%41", 80, "/", "a_b.c-d~!$&'()*+,;=%41"),
    ],
)
def test_valid_uri_then_its_parts_come_out(
    text: str, secure: bool, host: str, port: int, resource: str, host_header: str
) -> None:
    uri = parse_uri(text)
    assert uri == WebSocketUri(secure, host, port, resource, text)
    assert uri.host_header == host_header


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ws:// or wss://"),
        ("example.com", "ws:// or wss://"),
        ("http://example.com/", "ws:// or wss://"),
        ("ws+unix:///run/socket", "ws:// or wss://"),
        ("ws:/example.com", "ws:// or wss://"),
        ("://example.com", "ws:// or wss://"),
        ("ws://h/#", "%23"),
        ("ws://h/a#b", "%23"),
        ("ws://h#b", "%23"),
        ("ws://user@h/", "Authorization"),
        ("ws://user:secret@h/", "Authorization"),
        ("ws://@h/", "Authorization"),
        ("ws://", "host"),
        ("ws:///chat", "host"),
        ("ws://:80/", "host"),
        ("ws://h:80:80/", "host"),
        ("ws://h:x/", "host"),
        ("ws://h:-1/", "host"),
        ("ws://h:+1/", "host"),
        ("ws://::1/", "host"),
        ("ws://[::1/", "host"),
        ("ws://[]/", "host"),
        ("ws://[:::]/", "host"),
        ("ws://[1.2.3.4]/", "host"),
        ("ws://[::1]x/", "host"),
        ("ws://[fe80::1%25eth0]/", "host"),
        ("ws://[v1.a]/", "host"),
        ("ws://h%4/", "host"),
        ("ws://h\\x/", "host"),
        ("ws://h:0/", "port"),
        ("ws://h:65536/", "port"),
        ("ws://h:100000/", "port"),
        ("ws://h:" + "9" * 5000, "port"),
        ("ws://h/a b", "percent-encode"),
        (" ws://h/", "percent-encode"),
        ("ws://h/\n", "percent-encode"),
        ("ws://h/\r\nX: y", "percent-encode"),
        ("ws://h/\0", "percent-encode"),
        ("ws://h/\x7f", "percent-encode"),
        ("ws://h/\xfc", "percent-encode"),
        ("ws://m\xfcnchen.de/", "percent-encode"),
        ("ws://h/%4", "percent-encode"),
        ("ws://h/%zz", "percent-encode"),
        ('ws://h/"', "percent-encode"),
        ("ws://h/?a[]=1", "percent-encode"),
        ("ws://h/?{}", "percent-encode"),
        ("ws://h/\\", "percent-encode"),
    ],
)
def test_invalid_uri_then_the_message_says_what_to_do(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_uri(text)
    assert says in caught.value.message


def test_refused_credentials_then_no_message_quotes_them() -> None:
    for text in ("ws://user:secret@h/", "ws://h/?token=secret[", "ws://h/secret#", "http://secret"):
        with pytest.raises(InvalidArgument) as caught:
            parse_uri(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("h", True),
        ("h:", True),
        ("h:80", True),
        ("[::1]:80", True),
        ("", False),
        (":80", False),
        ("h:0", False),
        ("h:65536", False),
        ("a b", False),
        ("a, b", False),
        ("u@h", False),
        ("h/", False),
        ("[::g]", False),
        ("h\n", False),
    ],
)
def test_authority_then_it_is_host_with_or_without_port(text: str, valid: bool) -> None:
    assert is_authority(text) == valid


path_letters = st.text("abcXYZ019-._~!$&'()*+,;=:@/", max_size=8)


@given(
    st.sampled_from(["ws", "wss", "Ws", "WSS"]),
    st.sampled_from(["h", "a.example", "127.0.0.1", "[::1]", "[fe80::1]"]),
    st.none() | st.integers(1, 65535),
    path_letters,
    path_letters,
)
def test_any_valid_parts_then_host_header_and_resource_make_the_same_uri_again(
    scheme: str, host: str, port: int | None, path: str, query: str
) -> None:
    text = f"{scheme}://{host}{'' if port is None else f':{port}'}/{path}?{query}"
    uri = parse_uri(text)
    again = parse_uri(f"{'wss' if uri.secure else 'ws'}://{uri.host_header}{uri.resource}")
    assert (again.secure, again.host, again.port, again.resource) == (
        uri.secure,
        uri.host,
        uri.port,
        uri.resource,
    )
    assert uri.port == (port or (443 if scheme.lower() == "wss" else 80))


@given(st.text(max_size=12) | st.text("ws:/[]@#?%.:019a", max_size=16).map("ws://".__add__))
def test_any_text_then_a_valid_uri_or_invalid_argument(text: str) -> None:
    try:
        uri = parse_uri(text)
    except InvalidArgument:
        return
    assert uri.resource.startswith("/")
    assert is_authority(uri.host_header)
    assert 1 <= uri.port <= 65535
