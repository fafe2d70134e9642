"""Text: a report for people in front of a terminal.

Failures come with all that is known; blocked requirements are one line under what blocks them; the last line
has the verdict and the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from .report import Entry, Outcome, Report

_MARKS = {
    Outcome.PASS: "ok",
    Outcome.FAIL: "FAIL",
    Outcome.WARN: "warn",
    Outcome.UNSUPPORTED: "unsupported",
    Outcome.BLOCKED: "blocked",
    Outcome.UNTESTED: "untested",
    Outcome.KIT_ERROR: "KIT ERROR",
}


def story(report: Report, entry: Entry) -> str:
    """Return all that is known about one entry, several lines."""
    return "\n".join(_story(report, entry))


def _story(report: Report, entry: Entry) -> Iterator[str]:
    required = entry.requirement
    yield f"{_MARKS[entry.outcome]} {required.id} ({required.level}): {required.sentence}"
    finding = entry.finding
    if finding is not None:
        yield f"  {finding.summary}"
        if finding.did:
            yield "  what was done:"
            yield from (f"    {step}" for step in finding.did)
        for label, value in (
            ("got", finding.got),
            ("wanted", finding.wanted),
            ("difference", finding.difference),
        ):
            if value:
                yield f"  {label + ':':<12}{value}"
        if finding.trace:
            yield from (f"  | {line}" for line in finding.trace.rstrip().splitlines())
    program = report.program(entry)
    if program:
        yield "  to paste:"
        yield from (f"    {line}" for line in program.splitlines())
    if entry.blocked_by:
        yield f"  not run: it depends on {entry.blocked_by}, which is not met"
    yield from (f"  note: {note}" for note in entry.notes)
    blocked = report.blocked_by(required.id)
    if blocked:
        yield f"  blocked by this, and not run: {', '.join(blocked)}"
    if finding is not None:
        yield f"  again:      {report.repeat(required.id)}"


def summary(report: Report) -> str:
    """Return the verdict and the numbers, in one line."""
    numbers = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items() if count)
    return f"{report.suite} on {report.subject}: {report.verdict} ({numbers or 'no requirements'})"


def render(report: Report, *, verbose: bool = False) -> str:
    """Return the whole report; ``verbose`` lists what passed, too."""
    lines: list[str] = []
    for entry in report.findings:
        lines += [*_story(report, entry), ""]
    for entry in report.entries if verbose else ():
        if entry not in report.findings:
            why = f" (by {entry.blocked_by})" if entry.blocked_by else ""
            lines.append(f"{_MARKS[entry.outcome]} {entry.requirement.id} {entry.requirement.sentence}{why}")
    seed = f"seed {report.seed}, {report.seconds:.2f} s, kit {report.version}"
    return "\n".join([*lines, summary(report), seed])


__all__ = ["render", "story", "summary"]
