"""Masking equals its definition at every length, key and phase, in memory of any kind."""

from __future__ import annotations

import mmap
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.protocol import masks
from hioload_ws.protocol.masks import (
    BIG_INTEGER_BELOW_BYTES,
    LOW_BITS,
    MASKED_FRAME,
    REPEAT,
    RUN_FRAMES,
    SHORT_BYTES,
    masked,
    split_run,
    unmask_clear,
    unmask_in_place,
    unmask_run,
)

KEYS = st.binary(min_size=4, max_size=4)
EDGES = [0, 1, 2, 3, 4, 5, BIG_INTEGER_BELOW_BYTES - 1, BIG_INTEGER_BELOW_BYTES, 65535, 65536, 65537, 200_003]


@given(payload=st.binary(max_size=1300), key=KEYS, phase=st.integers(0, 9))
@example(payload=b"Hello", key=b"\x37\xfa\x21\x3d", phase=0)
def test_unmasking_in_place_equals_the_definition(payload: bytes, key: bytes, phase: int) -> None:
    memory = bytearray(b"<<" + payload + b">>")
    unmask_in_place(memoryview(memory)[2:-2], key, phase)
    assert memory == b"<<" + unmask_clear(payload, key, phase) + b">>"


@given(payload=st.binary(max_size=1300), key=KEYS)
def test_a_masked_copy_equals_the_definition_and_masking_twice_restores(payload: bytes, key: bytes) -> None:
    for memory in (payload, bytearray(payload), memoryview(payload)):
        copy = masked(memory, key)
        assert type(copy) is bytes and copy == unmask_clear(payload, key)
        assert masked(copy, key) == payload == memory


@pytest.mark.parametrize("phase", range(5))
def test_an_accelerator_is_given_the_key_as_it_is_turned(monkeypatch: pytest.MonkeyPatch, phase: int) -> None:
    def xor(view: memoryview, key: bytes, phase: int) -> None:
        view[:] = unmask_clear(bytes(view), key, phase)

    monkeypatch.setattr(masks, "_bulk_xor", xor)
    memory = bytearray(range(256)) * 4
    unmask_in_place(memoryview(memory), b"\x00\x01\xfe\xff", phase)
    assert memory == unmask_clear(bytes(range(256)) * 4, b"\x00\x01\xfe\xff", phase)


@pytest.mark.parametrize("length", EDGES)
@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_the_edges_between_the_forms_are_seamless(length: int, phase: int) -> None:
    payload = bytes(index * 11 & 255 for index in range(length))
    expected = unmask_clear(payload, b"\x00\x01\xfe\xff", phase)
    with mmap.mmap(-1, length + 8) as mapping, memoryview(mapping) as view:
        with view[3 : 3 + length] as inner:
            inner[:] = payload
            unmask_in_place(inner, b"\x00\x01\xfe\xff", phase)
            assert inner == expected
        assert view[:3] == bytes(3) and view[3 + length :] == bytes(5)
    if phase == 0:
        assert masked(payload, b"\x00\x01\xfe\xff") == expected


@given(payload=st.binary(max_size=SHORT_BYTES), key=KEYS, before=st.integers(0, 9))
def test_the_tables_of_the_short_road_unmask_a_frame_in_one_number(payload: bytes, key: bytes, before: int) -> None:
    length = len(payload)
    data = memoryview(bytes(before) + b"\x82\x20" + key + payload + b"?")
    first, second, number, body = MASKED_FRAME[length](data, before)
    assert (first, second, body) == (0x82, 0x20, payload)
    result = (int.from_bytes(body, "little") ^ number * REPEAT[length]) & LOW_BITS[length]
    assert result.to_bytes(length, "little") == unmask_clear(payload, key)


@given(length=st.integers(1, SHORT_BYTES), count=st.integers(1, RUN_FRAMES), seed=st.randoms(use_true_random=False))
@example(length=1, count=RUN_FRAMES, seed=random.Random(1))
@example(length=SHORT_BYTES, count=RUN_FRAMES, seed=random.Random(2))
def test_a_run_of_frames_is_unmasked_and_split_as_each_by_itself(
    length: int, count: int, seed: random.Random
) -> None:
    payloads = [seed.randbytes(length) for _ in range(count)]
    keys = [seed.randbytes(4) for _ in range(count)]
    frames = b"".join(
        seed.randbytes(2) + key + unmask_clear(payload, key) for key, payload in zip(keys, payloads, strict=True)
    )
    clear = unmask_run(frames, length)
    assert len(clear) == len(frames)
    assert split_run(clear, 6, length) == payloads


def test_the_example_of_the_rfc_holds() -> None:
    assert masked(b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("7f9f4d5158")  # RFC 6455 §5.7
