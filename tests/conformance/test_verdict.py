"""The verdict: what a conformance run has to be blamed for, and nothing else; and that the README says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.verdict import PASSED, RANKS, Expected, Played, Row, complaints, on_record

INFORMATIONAL: Final = ("INFORMATIONAL", "INFORMATIONAL")
RECORD: Final = Expected(
    {"behavior": {"OK": 2, "INFORMATIONAL": 1}, "close": {"OK": 2, "INFORMATIONAL": 1, "UNCLEAN": 0}},
    {"7.1.6": INFORMATIONAL},
)
README: Final = Path(__file__).with_name("README.md")


def played(**changes: tuple[str, str]) -> Played:
    """Return a run that is as on record, but for ``changes`` (``c1_1`` for case 1.1)."""
    rows = {"1.1": PASSED, "1.2": PASSED, "7.1.6": INFORMATIONAL}
    rows |= {name[1:].replace("_", "."): verdicts for name, verdicts in changes.items()}
    return Played([Row(case, *verdicts, "a story") for case, verdicts in rows.items()])


def test_a_run_as_on_record_then_nothing_to_say() -> None:
    assert list(complaints(played(), RECORD)) == []


@pytest.mark.parametrize("rank", range(1, len(RANKS)))
@pytest.mark.parametrize("column", [0, 1])
def test_a_row_that_is_worse_then_it_is_named_with_its_story(rank: int, column: int) -> None:
    verdicts = (RANKS[rank], "OK") if column == 0 else ("OK", RANKS[rank])
    first, *counts = complaints(played(c1_2=verdicts), RECORD)
    assert first == f"case 1.2 is worse: {verdicts[0]} / {verdicts[1]}, not OK / OK. a story"
    assert len(counts) == 2
    assert all(line.startswith(("behavior", "close")[column]) for line in counts)


def test_a_verdict_that_nobody_knows_then_it_is_worse() -> None:
    assert "is worse" in next(complaints(played(c1_1=("PERHAPS", "OK")), RECORD))


def test_a_row_that_is_better_then_the_record_has_to_follow() -> None:
    assert "is not as on record" in next(complaints(played(c7_1_6=PASSED), RECORD))


def test_a_run_that_stopped_early_then_its_count_is_wrong() -> None:
    stopped = Played(played().rows[:2])
    assert "2 cases were played, not 3" in list(complaints(stopped, RECORD))


def test_a_run_of_nothing_then_it_is_no_success_even_without_counts() -> None:
    assert list(complaints(Played(), Expected(None, {}))) == ["no case was played"]


def test_a_case_played_twice_then_it_is_named() -> None:
    twice = played()
    twice.rows[1] = twice.rows[0]
    assert list(complaints(twice, RECORD)) == ["case 1.1 was played 2 times"]


def test_a_fault_at_our_end_then_the_run_fails_though_every_row_is_right() -> None:
    run = played()
    run.faults.append("our end reported an error")
    assert list(complaints(run, RECORD)) == ["our end reported an error"]


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize(("selection", "count"), [("core", 301), ("all", 517)])
def test_the_record_then_both_columns_have_every_case_and_the_listed_rows_explain_all_that_is_not_ok(
    role: str, selection: str, count: int
) -> None:
    expected = on_record(role, selection)
    assert expected.counts is not None and expected.case_count == count
    for column, index in (("behavior", 0), ("close", 1)):
        counts = expected.counts[column]
        assert sum(counts.values()) == count
        assert counts.keys() <= set(RANKS)
        listed = [verdicts[index] for verdicts in expected.rows.values() if verdicts[index] != "OK"]
        assert sum(counts.values()) - counts["OK"] == len(listed)


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("selection", ["core", "all"])
def test_the_readme_then_its_table_is_the_record(role: str, selection: str) -> None:
    counts = on_record(role, selection).counts
    assert counts is not None
    (line,) = re.findall(rf"^\| {role} \| {selection} \|(.*)\|$", README.read_text("utf-8"), re.MULTILINE)
    names = ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED")
    told = [int(cell) for cell in line.split("|")]
    assert told == [sum(counts["behavior"].values()), *(counts["behavior"][name] for name in names),
                    counts["close"]["UNCLEAN"]]  # fmt: skip
