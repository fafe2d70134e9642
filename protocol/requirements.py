"""Requirements: which sentence of an RFC is kept where, and which test would notice if it were not.

A table in TOML has one row per normative sentence, in our own words. A row ends in exactly one verdict:

- *kept*: ``code`` names what keeps it and ``tests`` name what proves it;
- *not ours*: ``reason`` says why the sentence does not bind a library (browsers, proxies, registries);
- *deviates*: ``deviation`` says what we do instead. Such rows are the list of what is known to be missing.

Code is named ``room/module.py:Qualified.name`` and never by line: lines move with every edit, names only when
somebody means it. ``find_line`` turns a name into today's line. It reads syntax trees and runs nothing.

A section says how many of its sentences have an upper-case key word (``sentences``), so that a row which gets
lost is missed: the table does not load when a section has fewer such rows than sentences. Steps of an
algorithm and statements we rely on have rows as well, the latter with the level ``STATES``.

Nothing here opens a file: texts come in as arguments, as everything does in this room.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..api.errors import InvalidArgument

LEVELS: Final = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "STATES")
"""Key words of RFC 2119, and ``STATES`` for a sentence without one that the code relies on."""

_KEY_WORDS: Final = frozenset(LEVELS[:4])
_SECTION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_CODE: Final = re.compile(r"[a-z_]+/[a-z_0-9/]+\.py:[A-Za-z_][A-Za-z_0-9.]*")
_TEST: Final = re.compile(r"tests/[a-z_0-9/]+\.py::test_[a-z_0-9]+")

_ROW_KEYS: Final = frozenset({"id", "level", "text", "code", "tests", "reason", "deviation"})
_SECTION_KEYS: Final = frozenset({"number", "title", "sentences", "row"})
_RFC_KEYS: Final = frozenset({"rfc", "title", "section"})

Verdict: TypeAlias = 'Literal["kept", "not ours", "deviates"]'
_Table: TypeAlias = "Mapping[str, object]"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One normative sentence and what became of it."""

    id: str
    """``RFC-section-number``: ``6455-5.5.1-02``. Never given to another sentence."""
    level: str
    """One of ``LEVELS``."""
    text: str
    """The sentence in our own words."""
    code: tuple[str, ...] = ()
    """``room/module.py:Qualified.name`` of what keeps it."""
    tests: tuple[str, ...] = ()
    """``tests/path.py::test_name`` of what fails when it is broken."""
    reason: str = ""
    """Why it does not bind a library."""
    deviation: str = ""
    """What is done instead."""

    @property
    def verdict(self) -> Verdict:
        """What became of the sentence."""
        if self.deviation:
            return "deviates"
        return "not ours" if self.reason else "kept"


@dataclass(frozen=True, slots=True)
class Section:
    """One section of an RFC with its rows, in the order of the text."""

    number: str
    title: str
    sentences: int
    """How many of its sentences have MUST, SHALL, REQUIRED, SHOULD or RECOMMENDED in upper case."""
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Rfc:
    """The table of one RFC."""

    number: int
    title: str
    sections: tuple[Section, ...]

    def select(self, number: str) -> tuple[Section, ...]:
        """Return the section of this number and those below it; none for an unknown number."""
        return tuple(
            section
            for section in self.sections
            if section.number == number or section.number.startswith(number + ".")
        )


def parse_rfc(text: str) -> Rfc:
    """Return the table that a TOML text holds.

    Raises ``InvalidArgument`` that names the place for: text that is not TOML, keys that are missing, unknown
    or of another type, an id that is used twice or belongs to another section, a level that is none, a row
    without words, a row with no verdict or more than one, code and tests not in their form, a section that
    is listed twice, and one with fewer rows than sentences, or none.
    """
    try:
        table: _Table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"a table of requirements is not TOML: {error}") from error
    _check_keys(table, _RFC_KEYS, "the table")
    number = _integer(table, "rfc", "the table")
    sections = tuple(_section(each, number) for each in _tables(table, "section", "the table"))
    _refuse_repetition("section", [section.number for section in sections])
    _refuse_repetition("id", [row.id for section in sections for row in section.requirements])
    return Rfc(number, _string(table, "title", "the table"), sections)


def _section(table: _Table, rfc: int) -> Section:
    number = _string(table, "number", "a section")
    where = f"section {number}"
    if _SECTION.fullmatch(number) is None:
        raise InvalidArgument("a section's number is digits and dots", number=number)
    _check_keys(table, _SECTION_KEYS, where)
    rows = tuple(_requirement(each, f"{rfc}-{number}-") for each in _tables(table, "row", where))
    sentences = _integer(table, "sentences", where)
    counted = sum(row.level in _KEY_WORDS for row in rows)
    if not rows or counted < sentences:
        raise InvalidArgument(f"{where} has too few rows", sentences=sentences, rows=counted)
    return Section(number, _string(table, "title", where), sentences, rows)


def _requirement(table: _Table, prefix: str) -> Requirement:
    where = _string(table, "id", f"a row of {prefix}")
    if not where.startswith(prefix) or not where.removeprefix(prefix).isdigit():
        raise InvalidArgument("an id is its section and a number", id=where, section=prefix)
    _check_keys(table, _ROW_KEYS, where)
    row = Requirement(
        where,
        _string(table, "level", where),
        _string(table, "text", where),
        _strings(table, "code", where, _CODE),
        _strings(table, "tests", where, _TEST),
        _string(table, "reason", where, ""),
        _string(table, "deviation", where, ""),
    )
    if row.level not in LEVELS:
        raise InvalidArgument(f"{where} has a level that is none", level=row.level)
    is_kept = bool(row.code and row.tests)
    if [is_kept, bool(row.reason), bool(row.deviation)].count(True) != 1:
        raise InvalidArgument(
            f"{where} needs code and tests, or a reason, or a deviation, and one of them only"
        )
    if row.tests and not is_kept or row.code and row.reason:
        raise InvalidArgument(f"{where} has code or tests that its verdict has no use for")
    return row


def _check_keys(table: _Table, known: frozenset[str], where: str) -> None:
    unknown = table.keys() - known
    if unknown:
        raise InvalidArgument(f"{where} has unknown keys", unknown=sorted(unknown), known=sorted(known))


def _string(table: _Table, key: str, where: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (key in table and not value.strip()):
        raise InvalidArgument(f"{where} needs words as its {key}", value=value)
    return value


def _integer(table: _Table, key: str, where: str) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidArgument(f"{where} needs a number as its {key}", value=value)
    return value


def _strings(table: _Table, key: str, where: str, form: re.Pattern[str]) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list):
        raise InvalidArgument(f"{where} needs a list as its {key}", value=values)
    for value in values:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise InvalidArgument(f"{where} names {key} in another form", value=value)
    return tuple(values)


def _tables(table: _Table, key: str, where: str) -> list[_Table]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise InvalidArgument(f"{where} needs tables as its {key}", value=values)
    return values


def _refuse_repetition(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidArgument(f"a {what} is used twice", name=name)
        seen.add(name)


def find_line(source: str, qualified_name: str) -> int | None:
    """Return the line (from 1) on which a Python source defines a function, class or name; else ``None``.

    ``qualified_name`` is ``name`` or ``Class.name``, at the top level of the module or class. Where a name is
    defined several times (overloads) the last one counts. Raises ``SyntaxError`` for what is no Python.
    """
    body: list[ast.stmt] = ast.parse(source).body
    line: int | None = None
    for name in qualified_name.split("."):
        found = [node for node in body if name in _defined(node)]
        if not found:
            return None
        node = found[-1]
        line = node.lineno
        body = node.body if isinstance(node, ast.ClassDef) else []
    return line


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that one statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


__all__ = ["LEVELS", "Requirement", "Rfc", "Section", "Verdict", "find_line", "parse_rfc"]
