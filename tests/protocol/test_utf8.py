"""Text is refused at the first byte that no continuation can save, wherever it is cut."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.protocol.utf8 import Utf8Checker, is_utf8

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit

# One byte from each side of every edge in the table of RFC 3629 §4.
EDGE_BYTES = [
    edge
    for low in (0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5)
    for edge in (low - 1, low)
]
TEXTS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.lists(st.sampled_from(EDGE_BYTES), max_size=8).map(bytes),
)


def feed_bytewise(text: bytes) -> int | None:
    """Return the index of the byte that was refused."""
    checker = Utf8Checker()
    for index in range(len(text)):
        if not checker.feed(text[index : index + 1], False):
            return index
    return None


def proven_bad_at(kit: Kit, text: bytes) -> int | None:
    return next((stop for stop in range(len(text)) if kit.utf8_verdict(text[: stop + 1]) == "bad"), None)


def test_every_start_of_one_or_two_bytes_is_judged_as_the_table_says(kit: Kit) -> None:
    for first in range(256):
        assert feed_bytewise(bytes((first,))) == proven_bad_at(kit, bytes((first,)))
        for second in range(256):
            text = bytes((first, second))
            assert feed_bytewise(text) == proven_bad_at(kit, text), text.hex()


def test_every_longer_start_with_edge_bytes_is_judged_as_the_table_says(kit: Kit) -> None:
    for first, second in ((0xE0, 0xA0), (0xE1, 0x80), (0xED, 0x9F), (0xEE, 0xBF), (0xF0, 0x90), (0xF4, 0x8F)):
        for rest in product(EDGE_BYTES, repeat=2):
            text = bytes((first, second, *rest))
            assert feed_bytewise(text) == proven_bad_at(kit, text), text.hex()


@pytest.mark.parametrize(
    "start", [b"\xc0", b"\xc1", b"\xe0\x80", b"\xed\xa0", b"\xf0\x80", b"\xf4\x90", b"\xf5", b"\xff"]
)
def test_a_start_that_no_byte_can_save_is_refused_at_once(start: bytes) -> None:
    assert feed_bytewise(b"ok" + start) == 1 + len(start)
    assert not Utf8Checker().feed(start, False)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 12), max_size=6))
def test_a_text_cut_anywhere_is_judged_as_a_whole(text: bytes, cuts: list[int]) -> None:
    try:
        text.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert is_utf8(text) is valid
    edges = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[start:stop] for start, stop in zip(edges, edges[1:], strict=False)] or [b""]
    checker = Utf8Checker()
    verdicts = [checker.feed(memoryview(piece), False) for piece in pieces]
    assert (all(verdicts) and checker.feed(b"", True)) is valid


@pytest.mark.parametrize("length", [65535, 65536, 65537, 200_001])
@pytest.mark.parametrize("character", ["a", "ä", "€", "𐍈"])
def test_long_texts_are_checked_in_blocks_without_a_seam(length: int, character: str) -> None:
    text = b"x" * (length % 4) + character.encode() * (length // len(character.encode()))
    assert is_utf8(text) and is_utf8(memoryview(text))
    assert not is_utf8(text + b"\x80") and not is_utf8(text[:-1] + b"\xff")
    assert is_utf8(text[:-1]) is (character == "a")
    assert Utf8Checker().feed(text[:-1], False)


def test_a_character_that_is_cut_at_the_end_is_refused_only_when_it_is_the_end() -> None:
    checker = Utf8Checker()
    assert checker.feed(b"\xf0", False) and checker.feed(b"\x90", False) and checker.feed(b"", False)
    assert checker.feed(b"\x8d\x88!", False) and checker.feed(b"\xe2\x82", False)
    assert not checker.feed(b"", True)


@pytest.mark.parametrize("first", "\u0080\u07ff\u0800\uefff\uf000\uffff\U00010000\U0010ffff")
@pytest.mark.parametrize("ending", [b"", b"\xff", b"\xc3"])
def test_after_a_character_that_was_cut_the_rest_of_the_piece_is_judged(first: str, ending: bytes) -> None:
    character = first.encode()
    for cut in range(1, len(character)):
        checker = Utf8Checker()
        assert checker.feed(character[:cut], False)
        # What follows begins with another character, so that whoever takes too much or too little is found out.
        assert checker.feed(character[cut:] + "\u00e9".encode() + b"a" * 5 + ending, False) is (ending != b"\xff")
        assert ending == b"\xff" or checker.feed(b"", True) is (not ending)
