"""HTTP heads of any bytes: what is rendered reads back, and the parser agrees with its clear twin."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api.http import Request, Response
from hioload_ws.protocol.http_rendering import render_request, render_response
from hioload_ws.protocol.tokens import TOKEN_BYTES
from tests.protocol.heads import each_byte, parse

# The clear twin of the parser: the whole grammar as one pattern, over a whole head (RFC 9112 §2.1, §3, §5).
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELDS = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
REQUEST_HEAD = re.compile(_TOKEN + rb" [/Hh][\x21\x22\x24-\x7e]* HTTP/1\.1\r\n" + _FIELDS)
RESPONSE_HEAD = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*\r\n" + _FIELDS)


token_text = st.text(TOKEN_BYTES.decode("ascii"), min_size=1, max_size=8)
content = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
value_text = st.text(content, max_size=12).map(lambda value: value.strip(" \t"))
fields = st.lists(
    st.tuples(token_text, value_text).filter(
        lambda field: field[0].lower() not in ("content-length", "transfer-encoding")
    ),
    max_size=4,
).map(tuple)
targets = st.text('abc/?=&%20:@!"{}', max_size=10).map("/".__add__)


def request_to(method: str, target: str, headers: tuple[tuple[str, str], ...]) -> Request:
    path, _, query = target.partition("?")
    return Request(method, target, headers, path, query)


requests = st.builds(request_to, token_text, targets, fields)
responses = st.builds(Response, st.integers(100, 599), value_text.filter(bool), fields)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in zip(edges, edges[1:], strict=False)]


@given(requests, st.binary(max_size=8), st.lists(st.integers(0, 1 << 16), max_size=5))
def test_rendered_request_then_it_reads_back_however_it_is_cut(
    request_head: Request, tail: bytes, places: list[int]
) -> None:
    wire = render_request(request_head)
    for pieces in ([wire + tail], cut(wire + tail, places), each_byte(wire + tail)):
        assert parse(pieces) == ("complete", request_head, tail)


@given(responses, st.lists(st.integers(0, 1 << 16), max_size=5))
def test_rendered_response_then_it_reads_back_however_it_is_cut(
    response: Response, places: list[int]
) -> None:
    wire = render_response(response)
    for pieces in ([wire], cut(wire, places), each_byte(wire)):
        head = parse(pieces, is_response=True)[1]
        assert isinstance(head, Response)
        assert (head.status, head.reason) == (response.status, response.reason)
        assert head.headers[: len(response.headers)] == response.headers


alphabet = [b"GET", b"/", b"http://h", b" ", b"\t", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b":", b"Host: h\r\n"]
alphabet += [b"a", b"\0", b"\xff", b"#", b"200 OK", b"Content-Length: 1\r\n", b"\r\n\r\n", b"1.0", b"("]
soups = st.lists(st.sampled_from(alphabet) | st.binary(max_size=2), max_size=14).map(b"".join)


@given(
    st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 101 a\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n"]),
    soups,
    st.lists(st.integers(0, 1 << 16), max_size=4),
    st.booleans(),
)
@example(b"", b"GET / HTTP/1.1\r\n\r\n", [], False)
@example(b"HTTP/1.1 101 a\r\n", b"\r\n", [], True)
def test_any_bytes_then_the_cuts_do_not_matter_and_the_whole_grammar_agrees(
    start: bytes, soup: bytes, places: list[int], is_response: bool
) -> None:
    wire = start + soup
    outcome = parse([wire], is_response)
    assert parse(cut(wire, places), is_response) == outcome == parse(each_byte(wire), is_response)
    whole = (RESPONSE_HEAD if is_response else REQUEST_HEAD).match(wire)
    if outcome[0] == "complete":
        assert whole is not None
        assert outcome[2] == wire[whole.end() :]
    elif whole is not None:
        # Only what a line means can refuse a head of valid syntax: its lengths, or the form of its target.
        assert outcome[:2] == ("failed", 0 if is_response else 400)
        assert b"content-length" in wire.lower() or wire.split(b" ")[1][:1] in (b"h", b"H")
