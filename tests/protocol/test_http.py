"""HTTP heads that we read: how strictly, within which limits, in whatever pieces."""

from __future__ import annotations

import time

import pytest

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, InvalidState
from hioload_ws.api.http import Request, Response
from hioload_ws.protocol.http import HeadParser, check_limits, split_target
from tests.protocol.heads import GOOD, GOOD_REQUEST, PLAIN, each_byte, parse, refusal


def test_valid_request_then_all_its_parts_come_out() -> None:
    parser = HeadParser()
    assert parser.leftover == b""
    assert parser.feed(GOOD + b"\x81\x00rest") == GOOD_REQUEST
    assert parser.leftover == b"\x81\x00rest"


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"])
def test_any_kind_of_memory_then_it_is_read_and_given_back(
    convert: type[bytes] | type[bytearray] | type[memoryview],
) -> None:
    backing = bytearray(GOOD + b"more")
    parser = HeadParser()
    assert parser.feed(convert(backing)) == GOOD_REQUEST
    backing.clear()  # a BufferError if anybody still held a view of it
    assert parser.leftover == b"more"


def test_memory_of_another_item_size_then_it_is_read_as_bytes() -> None:
    padded = GOOD + b"." * (-len(GOOD) % 4)
    parser = HeadParser()
    assert parser.feed(memoryview(padded).cast("I")) == GOOD_REQUEST
    assert parser.leftover == padded[len(GOOD) :]


def test_empty_pieces_then_nothing_changes() -> None:
    assert parse([b"", GOOD[:7], b"", GOOD[7:]]) == ("complete", GOOD_REQUEST, b"")


def test_values_then_outer_white_space_goes_and_inner_stays_and_bytes_are_latin_1() -> None:
    parser = HeadParser()
    request = parser.feed(b"GET / HTTP/1.1\r\nA: \t b \t c\t \r\na:d\r\nB: \xe9\x80\xff\r\nC:   \r\n\r\n")
    assert request is not None
    assert request.headers == (("A", "b \t c"), ("a", "d"), ("B", "\xe9\x80\xff"), ("C", ""))
    assert request.values("A") == ("b \t c", "d")


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ("", "/", "")),
        ("/a%20b?c?d", ("", "/a%20b", "c?d")),
        ("/?", ("", "/", "")),
        ("//evil/x", ("", "//evil/x", "")),
        ("http://h", ("h", "/", "")),
        ("http://h?q", ("h", "/", "q")),
        ("HTTPS://h:8/p?q", ("h:8", "/p", "q")),
        ("http://[::1]:8/p", ("[::1]:8", "/p", "")),
        ("http://u@h/", None),
        ("http://", None),
        ("http:///p", None),
        ("http://h:99999/", None),
        ("http:/p", None),
        ("https//h", None),
        ("host:80", None),
        ("ws://h/", None),
        ("*", None),
        ("h:443", None),
        ("p", None),
    ],
)
def test_target_then_origin_and_absolute_form_are_taken_and_no_other(
    target: str, parts: tuple[str, str, str] | None
) -> None:
    assert split_target(target) == parts
    outcome = parse([f"GET {target} HTTP/1.1\r\n\r\n".encode()])
    if parts is None:
        assert outcome[:2] == ("failed", 400)
    else:
        assert outcome == ("complete", Request("GET", target, (), parts[1], parts[2]), b"")


@pytest.mark.parametrize(
    ("accepted", "proof", "status"),
    [
        # What is fine so far, the bytes that prove the fault with the last of them, the answer.
        (b"", b" ", 400),
        (b"", b"\r", 400),  # no empty line before the request line
        (b"", b"\n", 400),
        (b"", b"\x16", 400),  # a TLS client at the wrong port
        (b"", b"\x00", 400),
        (b"", b"\xc3", 400),
        (b"GE", b"(", 400),
        (b"GET", b"\t", 400),
        (b"GET", b"\r", 400),
        (b"GET ", b" ", 400),
        (b"GET ", b"*", 400),
        (b"GET ", b"?", 400),
        (b"GET /", b"\t", 400),
        (b"GET /", b"\r", 400),  # HTTP/0.9
        (b"GET /", b"\n", 400),
        (b"GET /", b"\x00", 400),
        (b"GET /", b"\x7f", 400),
        (b"GET /", b"\xc3", 400),
        (b"GET /a", b"#", 400),
        (b"GET / ", b" ", 400),
        (b"GET / ", b"h", 400),
        (b"GET / HTT", b"/", 400),
        (b"GET / HTTP/", b"0", 505),
        (b"GET / HTTP/", b"2", 505),
        (b"GET / HTTP/", b"x", 400),
        (b"GET / HTTP/1", b"1", 400),
        (b"GET / HTTP/1.", b"0", 505),
        (b"GET / HTTP/1.", b"2", 505),
        (b"GET / HTTP/1.", b"\r", 400),
        (b"GET / HTTP/1.1", b" ", 400),
        (b"GET / HTTP/1.1", b"1", 400),
        (b"GET / HTTP/1.1", b"\n", 400),  # bare LF
        (b"GET / HTTP/1.1\r", b"\r", 400),
        (b"GET / HTTP/1.1\r", b"H", 400),  # bare CR
        (PLAIN, b" ", 400),  # folded
        (PLAIN, b"\t", 400),
        (PLAIN, b":", 400),
        (PLAIN, b"\n", 400),
        (PLAIN, b"\x00", 400),
        (PLAIN, b"\xe9", 400),
        (PLAIN + b"\r", b"H", 400),
        (PLAIN + b"Host", b" ", 400),  # space before the colon
        (PLAIN + b"Host", b"\t", 400),
        (PLAIN + b"Host", b"\r", 400),
        (PLAIN + b"Host", b"\x00", 400),
        (PLAIN + b"Host", b"\xe9", 400),
        (PLAIN + b"Ho", b"(", 400),
        (PLAIN + b"Host: a", b"\n", 400),  # bare LF
        (PLAIN + b"Host: a", b"\x00", 400),
        (PLAIN + b"Host: a", b"\x0b", 400),
        (PLAIN + b"Host: a", b"\x1b", 400),
        (PLAIN + b"Host: a", b"\x7f", 400),
        (PLAIN + b"Host: a\r", b"b", 400),  # bare CR
        (PLAIN + b"Host: a\r", b"\r", 400),
        (PLAIN + b"Host: a\r\n", b" ", 400),  # folded
        (PLAIN + b"Host: a\r\n", b"\t", 400),
        (PLAIN + b"Content-Length: 1\r\nContent-Length: 1\r", b"\n", 400),
        (PLAIN + b"Content-Length: 1\r\ncontent-length: 2\r", b"\n", 400),
        (PLAIN + b"Content-Length: 1, 1\r", b"\n", 400),
        (PLAIN + b"Content-Length: +1\r", b"\n", 400),
        (PLAIN + b"Content-Length: -1\r", b"\n", 400),
        (PLAIN + b"Content-Length: 0x1\r", b"\n", 400),
        (PLAIN + b"Content-Length: 1_0\r", b"\n", 400),
        (PLAIN + b"Content-Length: \xb2\r", b"\n", 400),  # a digit to str.isdigit, none to HTTP
        (PLAIN + b"Content-Length:\r", b"\n", 400),
        (PLAIN + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r", b"\n", 400),
        (PLAIN + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r", b"\n", 400),
        (b"GET ", b"x", 400),
        (b"GET http:x HTTP/1.1\r", b"\n", 400),
    ],
)
def test_fault_in_a_request_then_it_is_refused_at_the_byte_that_proves_it(
    accepted: bytes, proof: bytes, status: int
) -> None:
    assert refusal(accepted + proof) == (status, len(accepted) + 1)
    assert parse([accepted + proof + b"X: y\r\n\r\n"]) == parse(each_byte(accepted + proof))


def test_smuggling_shapes_then_the_message_names_the_rule() -> None:
    for head, section in [
        (PLAIN + b"A: b\n", "§2.2"),
        (PLAIN + b"A : b", "§5.1"),
        (PLAIN + b"A: b\r\n c", "§5.2"),
        (PLAIN + b"Content-Length: 1\r\nContent-Length: 2\r\n", "§6.3"),
        (PLAIN + b"Content-Length: 1\r\nTransfer-Encoding: x\r\n", "§6.1"),
        (b"GET / HTTP/1.0", "1.1"),
    ]:
        with pytest.raises(HandshakeFailed, match=section):
            HeadParser().feed(head)


def test_one_length_or_repeated_transfer_encoding_then_the_head_is_read() -> None:
    for fields in (b"Content-Length: 0\r\n", b"Transfer-Encoding: a\r\nTransfer-Encoding: b\r\n"):
        assert parse([PLAIN + fields + b"\r\n"])[0] == "complete"


# --------------------------------------------------------------------------------------- limits


def test_head_of_exactly_the_limit_then_it_is_read_and_one_byte_less_is_refused() -> None:
    parser = HeadParser(max_head_bytes=len(GOOD))
    assert parser.feed(GOOD + b"x") == GOOD_REQUEST
    assert parser.leftover == b"x"
    with pytest.raises(HandshakeFailed) as caught:
        HeadParser(max_head_bytes=len(GOOD) - 1).feed(GOOD)
    assert caught.value.status == 431
    assert caught.value.context["max_head_bytes"] == len(GOOD) - 1


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("data", "limit", "status"),
    [
        (b"G" * 100, 50, 414),
        (b"GET /" + b"a" * 100, 50, 414),
        (PLAIN, len(PLAIN) - 1, 414),
        (PLAIN + b"A" * 100, len(PLAIN), 431),
        (PLAIN + b"A" * 100, 50, 431),
        (PLAIN + b"A:" + b"b" * 100, 50, 431),
        (b"GET /\n" + b"a" * 100, 6, 400),  # the fault comes before the limit
        (b"GET /a\n" + b"a" * 100, 6, 414),  # and here after it
    ],
)
def test_head_beyond_the_limit_then_it_is_refused_when_the_limit_is_reached(
    data: bytes, limit: int, status: int, at_once: bool
) -> None:
    parser = HeadParser(max_head_bytes=limit)
    with pytest.raises(HandshakeFailed) as caught:
        for count, piece in enumerate([data] if at_once else each_byte(data), 1):
            parser.feed(piece)
    assert caught.value.status == status
    assert at_once or count == limit


def test_huge_piece_then_only_the_limit_of_it_is_looked_at() -> None:
    parser = HeadParser(max_head_bytes=64)
    with pytest.raises(HandshakeFailed):
        parser.feed(b"G" * (1 << 20))
    assert parser.leftover == b""


def test_headers_beyond_the_count_then_the_first_byte_of_the_next_is_refused() -> None:
    full = PLAIN + b"A: b\r\n" * 3
    assert HeadParser(max_header_count=3).feed(full + b"\r\n") is not None
    parser = HeadParser(max_header_count=3)
    assert parser.feed(full) is None
    with pytest.raises(HandshakeFailed) as caught:
        parser.feed(b"A")
    assert caught.value.status == 431
    assert HeadParser(max_header_count=0).feed(PLAIN + b"\r\n") is not None
    assert refusal(PLAIN + b"A: b\r\n" * 200)[0] == 431


def test_limits_out_of_range_then_invalid_argument() -> None:
    check_limits(1, 0)
    for max_head_bytes, max_header_count in ((0, 1), (-1, 1), (1, -1)):
        with pytest.raises(InvalidArgument):
            check_limits(max_head_bytes, max_header_count)
        with pytest.raises(InvalidArgument):
            HeadParser(max_head_bytes=max_head_bytes, max_header_count=max_header_count)


def test_feeding_after_the_end_then_invalid_state_and_nothing_changes() -> None:
    complete = HeadParser()
    complete.feed(GOOD + b"x")
    with pytest.raises(InvalidState):
        complete.feed(b"y")
    assert complete.leftover == b"x"
    for head, limit in ((b"\x00", 100), (b"GET / HTTP/1.1", 5)):
        failed = HeadParser(max_head_bytes=limit)
        with pytest.raises(HandshakeFailed):
            failed.feed(head)
        with pytest.raises(InvalidState):
            failed.feed(b"G")


def test_one_byte_at_a_time_then_the_time_grows_with_the_length_only() -> None:
    def seconds(count: int) -> float:
        best = float("inf")
        for _ in range(3):
            parser = HeadParser(max_head_bytes=count + 100)
            parser.feed(PLAIN + b"A:")
            start = time.thread_time()
            for _ in range(count):
                parser.feed(b"b")
            best = min(best, time.thread_time() - start)
        return best

    # 32 times the length: linear takes 32 times as long, quadratic 1024 times.
    assert seconds(64_000) < 200 * seconds(2_000)


# ------------------------------------------------------------------------------------ responses


@pytest.mark.parametrize(
    ("head", "response"),
    [
        (b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\n", Response(101, "Switching", (("A", "b"),))),
        (b"HTTP/1.1 200 \r\n\r\n", Response(200)),
        (b"HTTP/1.1 599  a \t\xff\r\n\r\n", Response(599, " a \t\xff")),
    ],
)
def test_valid_response_then_all_its_parts_come_out(head: bytes, response: Response) -> None:
    assert parse([head + b"\x81"], is_response=True) == ("complete", response, b"\x81")


@pytest.mark.parametrize(
    ("accepted", "proof"),
    [
        (b"", b"G"),
        (b"", b"\r"),
        (b"HTTP/1.", b"0"),
        (b"HTTP/", b"2"),
        (b"HTTP/1.1", b"\r"),
        (b"HTTP/1.1 ", b" "),
        (b"HTTP/1.1 ", b"0"),
        (b"HTTP/1.1 ", b"6"),
        (b"HTTP/1.1 1", b" "),
        (b"HTTP/1.1 10", b"x"),
        (b"HTTP/1.1 101", b"\r"),
        (b"HTTP/1.1 101", b"1"),
        (b"HTTP/1.1 101 a", b"\n"),
        (b"HTTP/1.1 101 a", b"\x00"),
        (b"HTTP/1.1 101 a\r", b"a"),
        (b"HTTP/1.1 101 a\r\n", b" "),
        (b"HTTP/1.1 101 a\r\nA: b", b"\n"),
        (b"HTTP/1.1 200 a\r\nContent-Length: 1\r\nContent-Length: 1\r", b"\n"),
    ],
)
def test_fault_in_a_response_then_it_is_refused_at_its_byte_with_status_0(
    accepted: bytes, proof: bytes
) -> None:
    assert refusal(accepted + proof, is_response=True) == (0, len(accepted) + 1)


def test_response_beyond_a_limit_then_it_is_refused_with_status_0() -> None:
    for head in (b"HTTP/1.1 101 " + b"a" * 50, b"HTTP/1.1 101 a\r\nA:" + b"a" * 50):
        with pytest.raises(HandshakeFailed) as caught:
            HeadParser(is_response=True, max_head_bytes=40).feed(head)
        assert caught.value.status == 0


_BOTH_HEADS = [(GOOD, False), (b"HTTP/1.1 101 Switching\r\nA: b\r\nC: d\r\n\r\n", True)]


@pytest.mark.parametrize(("head", "is_response"), _BOTH_HEADS, ids=["request", "response"])
def test_a_letter_put_in_where_only_one_byte_may_stand_then_it_is_refused(head: bytes, is_response: bool) -> None:
    # Wherever a version or a line end is, the next byte is decided; "x" is in no such place.
    version = head.index(b"HTTP/1.1")
    rigid = [*range(version + 1, version + 9)]
    rigid += [place + 1 for place in range(len(head)) if head[place : place + 1] == b"\r"]
    rigid += [head.index(b" 101") + place for place in range(4)] if is_response else []
    for place in rigid:
        broken = head[:place] + b"x" + head[place:]
        parser = HeadParser(is_response=True) if is_response else HeadParser()
        with pytest.raises(HandshakeFailed) as caught:
            parser.feed(broken)
        assert caught.value.context["offset"] == place
