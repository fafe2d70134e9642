"""Rfc: where each sentence of the RFCs is kept, and which test proves it, for people and for programs.

The tables are package data of ``protocol/``; the lines are looked up in the sources that are installed, so
they are those of the code that runs. The tests are named only: they are in the repository, not in the package.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Final, TypedDict

from ..api.errors import InvalidArgument
from ..protocol.requirements import Requirement, Rfc, Section, find_line, parse_rfc

TABLES: Final = ("rfc6455.toml", "rfc7692.toml")
"""The tables in ``protocol/``; the first one is meant where a section is given without its RFC."""

_PACKAGE: Final = (__package__ or "").rpartition(".")[0]

ReadText = Callable[[str], str]


class RowSeen(TypedDict):
    """One row, in plain values that JSON can hold; a code is ``module.py:line name``, the line if known."""

    id: str
    section: str
    level: str
    text: str
    verdict: str
    code: list[str]
    tests: list[str]
    reason: str
    deviation: str


def read_package(path: str) -> str:
    """Return the text of a file of the package (``protocol/close.py``). Raises ``OSError``."""
    return resources.files(_PACKAGE).joinpath(path).read_text("utf-8")


def load(read: ReadText = read_package) -> tuple[Rfc, ...]:
    """Return the tables. Raises ``InvalidArgument`` for a table that is malformed."""
    return tuple(parse_rfc(read(f"protocol/{name}")) for name in TABLES)


def run(section: str | None, *, as_json: bool, deviations: bool = False) -> int:
    """Print all rows, or those of ``section`` and the sections below it, and return 0.

    ``deviations``: only those that we keep otherwise than they say.
    ``section`` is ``5.5.1``, ``7692-7.2.1``, ``7692`` or an id, ``6455-5.5.1-02``. Raises ``InvalidArgument``
    for one that has no row.
    """
    rfcs = load()
    rows = look(rfcs if section is None else choose(rfcs, section), read_package)
    if deviations:
        rows = [row for row in rows if row["deviation"]]
    print(json.dumps(rows, indent=2) if as_json else render(rfcs, rows))
    return 0


def choose(rfcs: Sequence[Rfc], wanted: str) -> list[Rfc]:
    """Return the part of the tables that ``wanted`` names; errors as ``run``."""
    text = wanted.strip().removeprefix("§")
    first, dash, rest = text.partition("-")
    numbers = [str(rfc.number) for rfc in rfcs]
    if dash or first in numbers:
        if first not in numbers:
            raise InvalidArgument(f"no table of RFC {first}: there are {' and '.join(numbers)}")
        rfc = rfcs[numbers.index(first)]
        if not dash:
            return [rfc]
    else:
        rfc, rest = rfcs[0], text
    number, _, row = rest.partition("-")
    sections = rfc.select(number)
    if row:
        sections = tuple(_only(section, f"{rfc.number}-{rest}") for section in sections)
        sections = tuple(section for section in sections if section.requirements)
    if not sections:
        raise InvalidArgument(_unknown(rfc, rest))
    return [Rfc(rfc.number, rfc.title, sections)]


def _only(section: Section, wanted: str) -> Section:
    found = tuple(each for each in section.requirements if each.id == wanted)
    return Section(section.number, section.title, section.sentences, found)


def _unknown(rfc: Rfc, wanted: str) -> str:
    """Return a sentence that says what there is instead: the sections nearby, else all."""
    top = wanted.split(".")[0]
    numbers = [section.number for section in rfc.select(top)] or [each.number for each in rfc.sections]
    return f"RFC {rfc.number} has no row for {wanted!r}; there are {', '.join(numbers)}"


def look(rfcs: Sequence[Rfc], read: ReadText) -> list[RowSeen]:
    """Return every row as plain values, with the lines of its code in the sources that ``read`` returns."""
    return [
        _row(section.number, each, read)
        for rfc in rfcs
        for section in rfc.sections
        for each in section.requirements
    ]


def _row(section: str, requirement: Requirement, read: ReadText) -> RowSeen:
    return {
        "id": requirement.id,
        "section": section,
        "level": requirement.level,
        "text": requirement.text,
        "verdict": requirement.verdict,
        "code": [_place(each, read) for each in requirement.code],
        "tests": list(requirement.tests),
        "reason": requirement.reason,
        "deviation": requirement.deviation,
    }


def _place(code: str, read: ReadText) -> str:
    path, _, name = code.partition(":")
    line = find_line(read(path), name)
    return f"{path} {name}" if line is None else f"{path}:{line} {name}"


def render(rfcs: Sequence[Rfc], rows: Sequence[RowSeen]) -> str:
    """Return rows as text: a heading per section (named in ``rfcs``), and a count of verdicts at the end."""
    titles = {
        f"{rfc.number}-{section.number}": f"RFC {rfc.number} §{section.number} {section.title}"
        for rfc in rfcs
        for section in rfc.sections
    }
    lines: list[str] = []
    heading = ""
    for row in rows:
        key = row["id"].rpartition("-")[0]
        if key != heading:
            heading = key
            lines.append(titles[key])
        lines += _row_lines(row)
    counts = Counter(row["verdict"] for row in rows)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    lines.append(f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}: {verdicts or 'none deviates'}")
    return "\n".join(lines)


def deviations_table(rows: Sequence[RowSeen]) -> str:
    """Return the rows that deviate as a table in Markdown, as it stands in ``protocol/DEVIATIONS.md``."""
    lines = ["| Rule | Level | What the RFC says | What we do, and why |", "|---|---|---|---|"]
    lines += [
        f"| {row['id'].partition('-')[0]} §{row['section']} | {row['level']} | {row['text']} | {row['deviation']} |"
        for row in rows
        if row["deviation"]
    ]
    return "\n".join(lines)


def _row_lines(row: RowSeen) -> list[str]:
    lines = [f"  {row['id']:<16} {row['level']:<10} {row['text']}"]
    lines += [f"      code       {each}" for each in row["code"]]
    lines += [f"      test       {each}" for each in row["tests"]]
    lines += [f"      not ours   {row['reason']}"] if row["reason"] else []
    lines += [f"      deviates   {row['deviation']}"] if row["deviation"] else []
    return lines


__all__ = ["TABLES", "RowSeen", "choose", "deviations_table", "load", "look", "read_package", "render", "run"]
