"""Memory that is read into: a medium frame is unmasked where it lies, and becomes its own reply there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hioload_ws.protocol import masks
from hioload_ws.protocol.masks import unmask_clear
from hioload_ws.protocol.read_memory import LEAST_BYTES, MASKED_START, ReadMemory

KEY = b"\x01\x80\xff\x00"


@pytest.fixture(params=["plain", "accelerated"])
def made_by(request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """Yield the lengths that an accelerator has done; without one, none."""
    lengths: list[int] = []

    def standing(view: memoryview) -> Callable[[int, bytes], object]:
        def unmask(length: int, key: bytes) -> None:
            lengths.append(length)
            view[:length] = unmask_clear(view[:length], key)

        return unmask

    before = masks._bulk_xor, masks._standing_xor
    masks.use_bulk_xor(None, standing if request.param == "accelerated" else None)
    yield lengths
    masks.use_bulk_xor(*before)


@pytest.mark.parametrize("length", [1, 126, 599, 600, 16384])
def test_a_payload_is_unmasked_where_it_lies_and_nothing_else_changes(made_by: list[int], length: int) -> None:
    payload = bytes(index % 251 for index in range(length))
    memory = bytearray(b"12345678" + unmask_clear(payload, KEY) + b"behind")
    read = ReadMemory(memoryview(memory))
    read.unmask(length, KEY)
    assert bytes(memory) == b"12345678" + payload + b"behind"
    assert made_by in ([], [length])
    assert bytes(read.shown) == bytes(memory) and read.shown.readonly


@pytest.mark.parametrize("length", [126, 256, 65535])
def test_the_reply_is_the_payload_behind_a_header_of_four_bytes(length: int) -> None:
    payload = b"p" * length
    memory = bytearray(b"\x82\xfe" + length.to_bytes(2, "big") + KEY + payload + b"behind")
    read = ReadMemory(memoryview(memory))
    once = read.reply(0x82, length)
    again = read.reply(0x82, length)
    assert once == again == b"\x82\x7e" + length.to_bytes(2, "big") + payload
    assert memory[:4] == b"\x82\xfe" + length.to_bytes(2, "big") and memory.endswith(b"behind")


def test_at_first_nothing_is_lent() -> None:
    read = ReadMemory(memoryview(bytearray(LEAST_BYTES)))
    assert not read.lent
    assert LEAST_BYTES > MASKED_START
