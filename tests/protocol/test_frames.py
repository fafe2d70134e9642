"""Headers: every cell of the first-byte tables, every prefix, and building back what was parsed."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import ProtocolViolation
from hioload_ws.protocol.frames import (
    CONTINUE,
    CONTROL,
    MASKED,
    START,
    build_header,
    first_byte_fault,
    first_byte_table,
    parse_header,
)

HUGE = (1 << 63) - 1
LENGTHS = st.one_of(
    st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, HUGE]), st.integers(0, 70_000), st.integers(0, HUGE)
)


@pytest.mark.parametrize("in_message", [False, True])
@pytest.mark.parametrize("claimed", [0, 0x40, 0x60])
def test_every_first_byte_means_what_the_rfc_says(in_message: bool, claimed: int) -> None:
    table = first_byte_table(in_message, claimed)
    assert len(table) == 256
    for fin, reserved, opcode in product((0, 0x80), range(0, 0x80, 0x10), range(16)):
        meaning = table[fin | reserved | opcode]
        if opcode in (1, 2):
            legal = START if not in_message and not reserved & ~claimed else None
        elif opcode == 0:
            legal = CONTINUE if in_message and not reserved else None
        else:
            legal = CONTROL if opcode in (8, 9, 10) and fin and not reserved else None
        assert meaning == legal if legal else meaning < 0


def test_each_fault_of_a_first_byte_has_words_of_its_own() -> None:
    firsts = {
        False: [(0x83, "opcode"), (0xC1, "bit"), (0x09, "control"), (0x80, "continue")],
        True: [(0x81, "inside")],
    }
    for in_message, cases in firsts.items():
        for first, word in cases:
            error = first_byte_fault(first_byte_table(in_message, 0)[first], first)
            assert word in error.message and error.close_code == 1002


@given(length=LENGTHS, mask_bit=st.sampled_from([0, MASKED]), first=st.sampled_from([0x81, 0x02, 0xC1]))
def test_a_header_parses_to_what_it_was_built_from_and_every_prefix_is_incomplete(
    length: int, mask_bit: int, first: int
) -> None:
    header = build_header(first, length, mask_bit) + (b"mask" if mask_bit else b"")
    for stop in range(1, len(header)):
        assert parse_header(header[:stop], bool(mask_bit), HUGE) is None
    assert parse_header(header + b"payload", bool(mask_bit), HUGE) == (len(header), length)
    assert header[0] == first and len(header) <= 14


@pytest.mark.parametrize(
    ("prefix", "masks", "limit", "code"),
    [
        (b"\x81\x00", True, HUGE, 1002),
        (b"\x81\x80", False, HUGE, 1002),
        (b"\x89\x7e", False, HUGE, 1002),
        (b"\x89\x7f", False, HUGE, 1002),
        (b"\x88\x01", False, HUGE, 1002),
        (b"\x82\x7e\x00\x7d", False, HUGE, 1002),
        (b"\x82\x7f\x80", False, HUGE, 1002),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00", False, HUGE, 1002),
        (b"\x82\x05", False, 4, 1009),
        (b"\x82\x7f", False, 4, None),
        (b"\x82\x7e\x01", False, 255, 1009),
        (b"\x82\x7f\x00\x00\x01", False, 1 << 39, 1009),
    ],
)
def test_a_prefix_without_a_legal_completion_is_refused(
    prefix: bytes, masks: bool, limit: int, code: int | None
) -> None:
    assert parse_header(prefix[:-1], masks, limit) is None
    if code is None:
        assert parse_header(prefix, masks, limit) is None
        return
    with pytest.raises(ProtocolViolation) as caught:
        parse_header(prefix, masks, limit)
    assert caught.value.close_code == code


def test_a_control_frame_is_not_held_to_the_limit_of_data_frames() -> None:
    assert parse_header(b"\x89\x7d", False, 1) == (2, 125)
