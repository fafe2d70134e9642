"""Reports: JSON there and back, a page that is well-formed whatever is in it, a badge, and an honest verdict."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hioload_ws.api import InvalidArgument
from hioload_ws.contract import Entry, Finding, Outcome, Report, RingContract, Verdict, check, must, should
from hioload_ws.contract.badge import to_svg
from hioload_ws.contract.compare import changes
from hioload_ws.contract.page import to_html
from hioload_ws.contract.record import from_json, to_json
from hioload_ws.contract.text import render
from hypothesis import given
from hypothesis import strategies as st
from tests.kit import sample

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)

REQUIREMENTS = st.builds(
    lambda number, is_must, sentence: (must if is_must else should)(f"X-{number}", sentence),
    st.integers(0, 99),
    st.booleans(),
    TEXTS,
)

ENTRIES = st.builds(
    Entry,
    REQUIREMENTS,
    st.sampled_from(Outcome),
    st.none() | st.builds(Finding, TEXTS, st.tuples(TEXTS, TEXTS), TEXTS, TEXTS, TEXTS, TEXTS, st.booleans(), TEXTS),
    st.just("") | st.just("X-1"),
    st.tuples(TEXTS),
    st.integers(0, 10**6).map(lambda micros: micros / 10**6),
)

REPORTS = st.builds(
    Report, TEXTS, TEXTS, st.integers(0), TEXTS, st.lists(ENTRIES, max_size=6).map(tuple), TEXTS, st.booleans()
)


class Tags(HTMLParser):
    """Finds out whether every tag is closed, and collects the text."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        assert not {"src", "onload"} & set(names)  # nothing is loaded from elsewhere

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(REPORTS)
def test_a_report_comes_back_from_json_as_it_was(report: Report) -> None:
    text = to_json(report)
    assert from_json(text) == report
    assert json.loads(text)["verdict"] == report.verdict.value


@given(REPORTS)
def test_all_forms_carry_the_same_numbers(report: Report) -> None:
    counts = {outcome.value: count for outcome, count in report.counts.items()}
    assert json.loads(to_json(report))["counts"] == counts
    assert sum(counts.values()) == len(report.entries)
    page = to_html(report)
    for outcome, count in counts.items():
        assert f">{count} {outcome}</li>" in page
    numbers = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "no requirements"
    title = ElementTree.fromstring(to_svg(report))[0].text
    assert title is not None and title.endswith(f"{report.verdict} ({numbers})")
    assert render(report).splitlines()[-2].endswith(f"{report.verdict} ({numbers})")


@given(REPORTS)
def test_a_page_is_well_formed_whatever_is_in_it(report: Report) -> None:
    tags = Tags()
    tags.feed(to_html(report))
    tags.close()
    assert tags.open == []


def test_what_an_implementation_says_is_shown_as_text_and_not_as_markup() -> None:
    report = check(RingContract, sample.hopeless)
    page = to_html(report)
    assert "no &lt;ring&gt; &amp; no 1" in page and "<ring>" not in page


def test_damaged_records_are_refused() -> None:
    text = to_json(check(RingContract, sample.Good))
    for wrong, why in (
        ("", "is no JSON"),
        ("[]", "is no report"),
        (text.replace('"format_version": 1', '"format_version": 2'), "has version 2 of the format"),
        (text.replace('"outcome": "pass"', '"outcome": "fine"', 1), "is damaged: ValueError"),
        (text.replace('"since"', '"sins"', 1), "is damaged: KeyError"),
        (text.replace('"depends": []', '"depends": null', 1), "is damaged: TypeError"),
        (text.replace('"seconds": ', '"seconds": "x", "was": '), "is damaged: TypeError"),
    ):
        with pytest.raises(InvalidArgument, match=why):
            from_json(wrong, "it")


def _report(*outcomes: Outcome) -> Report:
    entries = [Entry(must(f"X-{number}", "It is so."), each) for number, each in enumerate(outcomes)]
    return Report("X", "y", 1, "0", tuple(entries))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((), Verdict.NOTHING),
        ((Outcome.UNSUPPORTED,), Verdict.NOTHING),
        ((Outcome.UNTESTED, Outcome.UNSUPPORTED), Verdict.NOTHING),
        ((Outcome.PASS,), Verdict.CONFORMANT),
        ((Outcome.PASS, Outcome.UNSUPPORTED), Verdict.CONFORMANT),
        ((Outcome.PASS, Outcome.WARN), Verdict.WARNINGS),
        ((Outcome.PASS, Outcome.UNTESTED), Verdict.INCOMPLETE),
        ((Outcome.PASS, Outcome.BLOCKED), Verdict.INCOMPLETE),
        ((Outcome.PASS, Outcome.KIT_ERROR), Verdict.INCOMPLETE),
        ((Outcome.PASS, Outcome.FAIL, Outcome.KIT_ERROR), Verdict.NOT_CONFORMANT),
        ((Outcome.KIT_ERROR,), Verdict.INCOMPLETE),
    ],
)
def test_the_verdict_claims_no_more_than_is_known(outcomes: tuple[Outcome, ...], verdict: Verdict) -> None:
    report = _report(*outcomes)
    assert report.verdict is verdict
    assert report.conformant == (verdict in (Verdict.CONFORMANT, Verdict.WARNINGS))


def test_what_has_to_be_looked_at_begins_with_root_causes() -> None:
    entries = (
        Entry(should("X-1", "."), Outcome.WARN),
        Entry(must("X-2", "."), Outcome.KIT_ERROR),
        Entry(must("X-3", "."), Outcome.FAIL),
        Entry(must("X-4", "."), Outcome.FAIL),
        Entry(must("X-5", "."), Outcome.BLOCKED, blocked_by="X-4"),
        Entry(must("X-6", "."), Outcome.PASS),
    )
    found = Report("X", "y", 1, "0", entries).findings
    assert [each.requirement.id for each in found] == ["X-4", "X-3", "X-2", "X-1"]


def test_a_requirement_that_is_gone_is_worse_than_one_that_passed() -> None:
    (change,) = changes(_report(Outcome.PASS), _report())
    assert change.is_worse and not change.is_better
    (change,) = changes(_report(), _report(Outcome.PASS))
    assert not change.is_worse and not change.is_better
