"""Limits are checked when they are made, and hold on the announced length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.protocol.limits import MAX_LENGTH_BYTES, Limits

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit


def test_by_default_a_frame_may_be_as_large_as_a_message() -> None:
    assert Limits().max_message_bytes == 32 * 1024 * 1024 == Limits().frame_bytes
    assert Limits().max_fragments == 128 * 1024
    assert Limits(max_message_bytes=7).frame_bytes == 7
    assert Limits(max_message_bytes=7, max_frame_bytes=9).frame_bytes == 9
    assert Limits(max_fragments=None).max_fragments is None


@pytest.mark.parametrize("name", ["max_message_bytes", "max_frame_bytes", "max_fragments"])
@pytest.mark.parametrize("value", [0, -1, MAX_LENGTH_BYTES + 1, 1.5, "1"])
def test_a_limit_out_of_range_is_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidArgument, match=name):
        Limits(**{name: value})


def test_the_message_limit_can_not_be_switched_off() -> None:
    with pytest.raises(InvalidArgument):
        Limits(max_message_bytes=None)  # type: ignore[arg-type]  # that is the point


def test_a_message_at_the_limit_passes_and_one_byte_more_is_refused_from_its_header(kit: Kit) -> None:
    for size in (100, 200, 70_000):
        limits = Limits(max_message_bytes=size)
        assert kit.bench(limits=limits).feed(kit.frame(2, bytes(size))) == [("message", 2, bytes(size))]
        header = kit.frame(2, announced=size + 1)[:-4]
        assert kit.bench(limits=limits).feed(header) == [("violation", 1009)]


def test_fragments_count_together_for_the_message_limit_and_alone_for_the_frame_limit(kit: Kit) -> None:
    limits = Limits(max_message_bytes=10, max_frame_bytes=6)
    fragments = kit.frame(2, b"123456", fin=False) + kit.frame(0, b"7890")
    assert kit.bench(limits=limits).feed(fragments) == [("message", 2, b"1234567890")]
    for bad in (kit.frame(2, b"1234567"), kit.frame(2, b"123456", fin=False) + kit.frame(0, b"78901")):
        assert kit.bench(limits=limits).feed(bad) == [("violation", 1009)]


def test_the_number_of_fragments_is_limited_per_message(kit: Kit) -> None:
    two = kit.frame(2, b"1", fin=False) + kit.frame(0, b"2")
    limits = Limits(max_fragments=2)
    assert kit.bench(limits=limits).feed(two + two) == [("message", 2, b"12")] * 2
    three = kit.frame(2, b"1", fin=False) + kit.frame(0, b"2", fin=False) + kit.frame(0, b"3")
    assert kit.bench(limits=limits).feed(three) == [("violation", 1009)]
    assert kit.bench(limits=Limits(max_fragments=None)).feed(three) == [("message", 2, b"123")]
