"""Record: a report as JSON, and back.

This is the form for programs: dashboards, gates, and ``hioload-ws contract diff``. The keys are part of the
interface. A new one may come with any version; one that goes, or means something else, raises ``FORMAT_VERSION``.
All texts are for people, except ids, outcomes, levels and the verdict, which are from closed lists.
"""

from __future__ import annotations

import json
from typing import Final

from ..api.errors import InvalidArgument
from .report import Entry, Finding, Outcome, Report
from .requirement import Level, Requirement

FORMAT: Final = "hioload-ws contract report"
FORMAT_VERSION: Final = 1


def to_json(report: Report) -> str:
    """Return the report as JSON text, for people to read as well."""
    return json.dumps(to_dict(report), indent=2, ensure_ascii=False) + "\n"


def to_dict(report: Report) -> dict[str, object]:
    """Return the report as what JSON can hold."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kit": report.version,
        "suite": report.suite,
        "subject": report.subject,
        "locator": report.locator,
        "seed": report.seed,
        "full": report.full,
        "verdict": report.verdict.value,
        "conformant": report.conformant,
        "counts": {outcome.value: count for outcome, count in report.counts.items()},
        "seconds": round(report.seconds, 6),
        "requirements": [_entry(report, each) for each in report.entries],
    }


def _entry(report: Report, entry: Entry) -> dict[str, object]:
    required, finding = entry.requirement, entry.finding
    return {
        "id": required.id,
        "level": required.level.value,
        "sentence": required.sentence,
        "since": required.since,
        "capability": required.capability,
        "depends": list(required.depends),
        "outcome": entry.outcome.value,
        "blocked_by": entry.blocked_by or None,
        "blocks": list(report.blocked_by(required.id)),
        "notes": list(entry.notes),
        "seconds": round(entry.seconds, 6),
        "repeat": report.repeat(required.id),
        "finding": None
        if finding is None
        else {
            "summary": finding.summary,
            "did": list(finding.did),
            "got": finding.got,
            "wanted": finding.wanted,
            "difference": finding.difference,
            "trace": finding.trace,
            "script": finding.script,
            "hung": finding.hung,
        },
    }


def from_json(text: str, name: str = "the text") -> Report:
    """Return the report that ``to_json`` made. Raises ``InvalidArgument``, with ``name``, for anything else."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"{name} is no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InvalidArgument(f"{name} is no report of the contract kit")
    if data.get("format_version") != FORMAT_VERSION:
        found = data.get("format_version")
        raise InvalidArgument(f"{name} has version {found} of the format; this kit reads {FORMAT_VERSION}")
    try:
        return Report(
            suite=str(data["suite"]),
            subject=str(data["subject"]),
            seed=int(data["seed"]),
            version=str(data["kit"]),
            entries=tuple(_from_entry(each) for each in data["requirements"]),
            locator=str(data["locator"]),
            full=bool(data["full"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgument(f"{name} is damaged: {type(error).__name__}: {error}") from error


def _from_entry(data: dict[str, object]) -> Entry:
    capability, found = data["capability"], data["finding"]
    required = Requirement(
        id=str(data["id"]),
        level=Level(str(data["level"])),
        sentence=str(data["sentence"]),
        since=str(data["since"]),
        capability=None if capability is None else str(capability),
        depends=_texts(data["depends"]),
    )
    finding = None
    if isinstance(found, dict):
        texts = {key: str(found[key]) for key in ("summary", "got", "wanted", "difference", "trace", "script")}
        finding = Finding(did=_texts(found["did"]), hung=bool(found["hung"]), **texts)
    seconds = data["seconds"]
    if not isinstance(seconds, (int, float)):
        raise TypeError("seconds is no number")
    outcome, notes = Outcome(str(data["outcome"])), _texts(data["notes"])
    return Entry(required, outcome, finding, str(data["blocked_by"] or ""), notes, float(seconds))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return tuple(str(each) for each in value)


__all__ = ["FORMAT", "FORMAT_VERSION", "from_json", "to_dict", "to_json"]
