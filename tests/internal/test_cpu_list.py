"""The kernel's list format of CPUs and nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.internal.cpu_list import MAX_ID, format_cpu_list, parse_cpu_list


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        ("\n", ()),
        ("0\n", (0,)),
        ("0-3,5,7-8\n", (0, 1, 2, 3, 5, 7, 8)),
        (" 4 , 2-3 ,3", (2, 3, 4)),
        ("7-7", (7,)),
        (str(MAX_ID), (MAX_ID,)),
    ],
)
def test_a_list_is_read_whatever_its_order_and_spacing(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_cpu_list(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "x", "1,", ",1", "1,,2", "3-1", "-1", "1-", "1--2", "0x1", "1.0", "1 2", "+1", "1_0", "\u0663", "??",
        str(MAX_ID + 1), f"0-{MAX_ID + 1}", "999999999999", "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_cpu_list(text)


def test_a_refusal_quotes_a_long_text_in_part_only() -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_cpu_list("x" * 10_000)
    assert len(str(caught.value)) < 400


def test_runs_are_written_as_ranges() -> None:
    assert format_cpu_list([8, 7, 5, 0, 1, 2, 3, 3]) == "0-3,5,7-8"
    assert format_cpu_list([]) == ""


@given(st.sets(st.integers(0, 300)))
def test_what_was_written_is_read_back(numbers: set[int]) -> None:
    assert parse_cpu_list(format_cpu_list(numbers)) == tuple(sorted(numbers))


@given(st.sets(st.integers(0, 300)))
def test_no_shorter_list_of_ranges_exists(numbers: set[int]) -> None:
    starts = [number for number in numbers if number - 1 not in numbers]
    text = format_cpu_list(numbers)
    assert len(text.split(",")) == max(len(starts), 1)


@given(st.text(alphabet="0123456789-, \n", max_size=20))
def test_any_text_is_a_list_or_is_refused(text: str) -> None:
    try:
        numbers = parse_cpu_list(text)
    except InvalidArgument:
        return
    assert list(numbers) == sorted(set(numbers))
    assert all(0 <= number <= MAX_ID for number in numbers)
    # An independent reading, part by part.
    expected: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        ends = [int(end) for end in part.split("-")]
        expected |= set(range(ends[0], ends[-1] + 1))
    assert set(numbers) == expected
