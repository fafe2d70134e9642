"""The edges of HTTP, asked of a live server: what it answers to requests that two readers could read differently.

Every row is what a visitor sends, and the status that comes back. It is sent at once and cut in two at a byte
of every line. A refusal has to be one response, with ``Connection: close``, and the end of the connection: what
follows on it, a second request say, is never looked at. What is not refused has to be a WebSocket that works.
``tests/protocol`` looks at the same rules without a socket, byte by byte.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hioload_ws.adapters import Server
from hioload_ws.api.connection import Connection
from hioload_ws.api.message import Message
from tests.faults.wire import KEY, LIMIT_S, TEXT, Wire, accept_of, close_frame, frame

START = b"GET /chat HTTP/1.1\r\n"
HOST = b"Host: h\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
PROOF = b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\nSec-WebSocket-Version: 13\r\n"
REST = HOST + UPGRADE + PROOF
END = b"\r\n"
GOOD = START + REST + END
SECOND = b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n"


def with_field(field: bytes) -> bytes:
    """Return a good request with one more line."""
    return START + REST + field + b"\r\n" + END


REFUSED: list[tuple[str, bytes, int]] = [
    # Where does the body end? (RFC 9112 §6)
    ("two equal Content-Length", with_field(b"Content-Length: 0\r\nContent-Length: 0"), 400),
    ("two different Content-Length", with_field(b"Content-Length: 0\r\nContent-Length: 5"), 400),
    ("Content-Length as a list", with_field(b"Content-Length: 0, 0"), 400),
    ("Content-Length with a sign", with_field(b"Content-Length: +0"), 400),
    ("Content-Length in hexadecimal", with_field(b"Content-Length: 0x0"), 400),
    ("Content-Length and Transfer-Encoding", with_field(b"Content-Length: 0\r\nTransfer-Encoding: chunked"), 400),
    ("Transfer-Encoding", with_field(b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + SECOND, 400),
    ("a body with a request in it", with_field(b"Content-Length: %d" % len(SECOND)) + SECOND, 400),
    # Where does a line end? (RFC 9112 §2.2, §5)
    ("a folded line", with_field(b"X: a\r\n b"), 400),
    ("a folded first line", START + b" x: y\r\n" + REST + END, 400),
    ("bare LF after the request line", b"GET /chat HTTP/1.1\n" + REST + END, 400),
    ("bare LF after a field", with_field(b"X: a\nY: b"), 400),
    ("bare CR in a field", with_field(b"X: a\rY: b"), 400),
    ("bare LF as the blank line", START + REST + b"\n", 400),
    ("an empty line before the request", b"\r\n" + GOOD, 400),
    ("white space before the colon", with_field(b"Content-Length : 0"), 400),
    ("a field without a name", with_field(b": a"), 400),
    ("a field without a colon", with_field(b"Nonsense"), 400),
    # Which bytes pass? (RFC 9110 §5.5, RFC 9112 §3)
    ("NUL in a value", with_field(b"X: a\x00b"), 400),
    ("NUL in a name", with_field(b"X\x00: a"), 400),
    ("NUL in the target", b"GET /ch\x00at HTTP/1.1\r\n" + REST + END, 400),
    ("DEL in a value", with_field(b"X: a\x7f"), 400),
    ("8 bits in a name", with_field(b"X\xe9: a"), 400),
    ("8 bits in the target", b"GET /ch\xc3\xa4t HTTP/1.1\r\n" + REST + END, 400),
    ("8 bits in Host", START + b"Host: h\xe9\r\n" + UPGRADE + PROOF + END, 400),
    # What is asked for, and of whom? (RFC 9112 §3.2)
    ("absolute form of another host", b"GET http://other/chat HTTP/1.1\r\n" + REST + END, 400),
    ("absolute form with user-info", b"GET http://h@other/chat HTTP/1.1\r\n" + REST + END, 400),
    ("absolute form of another scheme", b"GET file:///chat HTTP/1.1\r\n" + REST + END, 400),
    ("authority form", b"GET h:80 HTTP/1.1\r\n" + REST + END, 400),
    ("asterisk form", b"GET * HTTP/1.1\r\n" + REST + END, 400),
    ("a fragment in the target", b"GET /chat#x HTTP/1.1\r\n" + REST + END, 400),
    ("a space in the target", b"GET /chat x HTTP/1.1\r\n" + REST + END, 400),
    ("two spaces before the version", b"GET /chat  HTTP/1.1\r\n" + REST + END, 400),
    ("no Host", START + UPGRADE + PROOF + END, 400),
    ("two Hosts", START + HOST + REST + END, 400),
    ("Host with a path", START + b"Host: h/x\r\n" + UPGRADE + PROOF + END, 400),
    ("Host with user-info", START + b"Host: u@h\r\n" + UPGRADE + PROOF + END, 400),
    ("a slash as percent escape", b"GET /chat%2F HTTP/1.1\r\n" + REST + END, 404),
    ("dots in the path", b"GET /x/../chat HTTP/1.1\r\n" + REST + END, 404),
    ("two slashes", b"GET //chat HTTP/1.1\r\n" + REST + END, 404),
    # Which HTTP, which method, which upgrade? (RFC 9110 §7.8, RFC 6455 §4.2.1)
    ("HTTP/1.0", b"GET /chat HTTP/1.0\r\n" + REST + END, 505),
    ("HTTP/2.0", b"GET /chat HTTP/2.0\r\n" + REST + END, 505),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /chat\r\n", 400),
    ("http in lower case", b"GET /chat http/1.1\r\n" + REST + END, 400),
    ("get in lower case", b"get /chat HTTP/1.1\r\n" + REST + END, 405),
    ("POST", b"POST /chat HTTP/1.1\r\n" + REST + END, 405),
    ("no Upgrade", START + HOST + b"Connection: Upgrade\r\n" + PROOF + END, 426),
    ("an Upgrade to something else", START + HOST + UPGRADE.replace(b"websocket", b"h2c") + PROOF + END, 426),
    ("an Upgrade that only begins so", START + HOST + UPGRADE.replace(b"socket", b"sockets") + PROOF + END, 426),
    ("no Connection", START + HOST + b"Upgrade: websocket\r\n" + PROOF + END, 400),
    ("two versions", with_field(b"Sec-WebSocket-Version: 13"), 426),
    ("two keys", with_field(b"Sec-WebSocket-Key: " + KEY.encode()), 400),
    ("two Origins", with_field(b"Origin: http://a\r\nOrigin: http://b"), 400),
    ("an empty list of extensions", with_field(b"Sec-WebSocket-Extensions: ,"), 400),
    ("a subprotocol twice", with_field(b"Sec-WebSocket-Protocol: a, a"), 400),
    # How much of it? (RFC 9110 §15.5.15, RFC 6585 §5)
    ("a huge target", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + REST + END, 414),
    ("a huge field", with_field(b"X: " + b"a" * 20_000), 431),
    ("one field too many", START + REST + b"X: y\r\n" * 96 + END, 431),
    ("ten thousand fields", START + b"X: y\r\n" * 10_000, 431),
]

ACCEPTED: list[tuple[str, bytes]] = [
    ("the plain request", GOOD),
    ("names in any case", GOOD.replace(b"Upgrade", b"uPGRADE").replace(b"Host", b"HOST")),
    ("values in any case", GOOD.replace(b": websocket", b": WebSocket").replace(b": Upgrade", b": UPGRADE")),
    ("white space around values", GOOD.replace(b"Host: h", b"Host: \t h \t ")),
    ("no white space before a value", GOOD.replace(b"Host: h", b"Host:h")),
    ("several Upgrade tokens", GOOD.replace(b"websocket", b"h2c, websocket")),
    ("several Upgrade fields", GOOD.replace(b"Upgrade: w", b"Upgrade: h2c\r\nUpgrade: w")),
    ("several Connection tokens", GOOD.replace(b": Upgrade", b": keep-alive, , Upgrade")),
    ("Content-Length of 0", with_field(b"Content-Length: 0")),
    ("an empty value", with_field(b"X:")),
    ("8 bits in a value that nobody reads", with_field(b"X: \xff\xfe")),
    ("absolute form of the same host", GOOD.replace(b"/chat", b"http://h/chat")),
    ("absolute form in other letters", GOOD.replace(b"/chat", b"HTTP://H/chat")),
    ("a letter as percent escape (RFC 3986 §6.2.2.2)", GOOD.replace(b"/chat", b"/%63hat")),
    ("a query", GOOD.replace(b"/chat", b"/chat?a=%00&b=/../")),
    ("an empty query", GOOD.replace(b"/chat", b"/chat?")),
    ("as many fields as may be", START + REST + b"X: y\r\n" * 95 + END),
    ("a version of an extension nobody has", with_field(b"Sec-WebSocket-Extensions: x-unknown; a=\"b\"")),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a live server that echoes under /chat and says what it made of names under /files."""
    made = Server("127.0.0.1", 0)
    made.route("/chat")(_echo)
    made.route("/files/:name")(_tell_name)
    with made.background():
        yield made


@pytest.fixture
def port(server: Server) -> Iterator[int]:
    """Return the server's port; after the test no connection is left, within a time limit."""
    yield int(server.url.rpartition(":")[2])
    limit = time.monotonic() + LIMIT_S
    while server.connection_count:
        assert time.monotonic() < limit, "a connection was kept"
        time.sleep(0.001)


def _echo(connection: Connection, message: Message) -> None:
    connection.send(message)


def _tell_name(connection: Connection, message: Message) -> None:
    connection.send(repr(connection.params["name"]))


def pieces_of(data: bytes) -> list[list[bytes]]:
    """Return the ways to send it: at once, and cut in two in the middle and before its last byte."""
    return [[data], *([data[:cut], data[cut:]] for cut in (len(data) // 2, len(data) - 1))]


def send_in(wire: Wire, pieces: list[bytes]) -> None:
    """Send pieces; the peer may have heard enough before the last one."""
    try:
        for piece in pieces:
            wire.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        return


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_request_that_may_be_read_in_two_ways_then_it_is_refused_and_the_connection_ends(
    port: int, data: bytes, status: int
) -> None:
    for pieces in pieces_of(data):
        with Wire.to(port) as wire:
            send_in(wire, pieces)
            answer = wire.read_to_end()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), answer
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert b"close" in fields[b"connection"].split(b", ")
        assert int(fields[b"content-length"]) == len(body)
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("status", [405, 426])
def test_a_refusal_that_has_to_say_what_is_possible_then_it_does(port: int, status: int) -> None:
    data = next(data for _, data, answered in REFUSED if answered == status)
    with Wire.to(port) as wire:
        wire.send(data)
        head = wire.read_head()
    wanted = {405: [b"Allow: GET"], 426: [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]}
    for line in wanted[status]:
        assert line in head.split(b"\r\n")


@pytest.mark.parametrize("data", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_a_request_that_is_unusual_and_right_then_it_is_served(port: int, data: bytes) -> None:
    for pieces in pieces_of(data):
        with Wire.to(port) as wire:
            send_in(wire, pieces)
            head = wire.read_head()
            assert head.startswith(b"HTTP/1.1 101 "), head
            assert b"Sec-WebSocket-Accept: " + accept_of(KEY).encode() in head.split(b"\r\n")
            assert b"Sec-WebSocket-Extensions" not in head and b"Sec-WebSocket-Protocol" not in head
            assert wire.echoes()


@pytest.mark.parametrize(
    ("name", "told"),
    [(b"a%20b", "'a b'"), (b"a%2Fb", "'a/b'"), (b"%2e%2e", "'..'"), (b"%2525", "'%25'"), (b"a+b", "'a+b'"),
     (b"%zz", "'%zz'"), (b"%C3%A4", "'ä'")],
)  # fmt: skip
def test_a_percent_escape_in_a_name_then_it_is_decoded_once_and_never_splits_the_path(
    port: int, name: bytes, told: str
) -> None:
    with Wire.to(port) as wire:
        wire.send(GOOD.replace(b"/chat", b"/files/" + name))
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
        wire.send(frame(TEXT, b"?"))
        assert wire.read_frame().payload.decode() == told


def test_a_second_request_behind_the_handshake_then_it_is_read_as_frames_and_fails(port: int) -> None:
    with Wire.to(port) as wire:
        wire.send(GOOD + SECOND)
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
        assert wire.read_frame().close_code == 1002
        assert wire.read_to_end() == b""


def test_frames_behind_the_handshake_then_all_of_them_count(port: int) -> None:
    with Wire.to(port) as wire:
        wire.send(GOOD + frame(TEXT, b"one") + frame(TEXT, b"two") + close_frame(1000))
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
        assert [wire.read_frame().payload for _ in range(2)] == [b"one", b"two"]
        assert wire.read_frame().close_code == 1000


def test_frames_behind_a_refused_request_then_nothing_is_said_to_them(port: int) -> None:
    with Wire.to(port) as wire:
        wire.send(GOOD.replace(b"/chat", b"/nowhere") + frame(TEXT, b"one") + SECOND)
        answer = wire.read_to_end()
    assert answer.startswith(b"HTTP/1.1 404 ") and answer.endswith(b"no such path\n")
