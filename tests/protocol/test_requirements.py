"""Requirements: the tables of this repository point to what exists; a table that is wrong does not load."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.protocol.requirements import LEVELS, Requirement, Rfc, find_line, parse_rfc

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = "api protocol internal pool transport session control adapters fake".split()
CITED = re.compile(
    r"RFC (6455|7692)\s+((?:(?:and|,|to)?\s*§+[0-9]+(?:\.[0-9]+)*(?:\s*,\s*|\s+and\s+|\s+to\s+)?)+)"
)
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")


@cache
def table(number: int) -> Rfc:
    return parse_rfc((REPOSITORY / f"protocol/rfc{number}.toml").read_text("utf-8"))


@cache
def source(path: str) -> str:
    return (REPOSITORY / path).read_text("utf-8")


def rows() -> list[Requirement]:
    return [
        row for number in (6455, 7692) for section in table(number).sections for row in section.requirements
    ]


def citations(text: str) -> Iterator[tuple[int, str]]:
    """Yield RFC and section of everything like "RFC 6455 §5.2, §5.4 and §7" that a text cites."""
    # A citation may go on in the next line of a comment.
    for rfc, sections in CITED.findall(re.sub(r"\n\s*#?\s*", " ", text)):
        for section in NUMBER.findall(sections):
            yield int(rfc), section


def missing(names: Iterator[str], separator: str) -> list[str]:
    """Return the names that lead to no definition in the repository."""
    found = []
    for each in names:
        path, _, name = each.partition(separator)
        if not (REPOSITORY / path).is_file() or find_line(source(path), name) is None:
            found.append(each)
    return found


# ------------------------------------------------------------------------------ the tables of this repository


def test_every_name_of_code_leads_to_a_definition() -> None:
    assert missing((each for row in rows() for each in row.code), ":") == []


def test_every_name_of_a_test_leads_to_a_test() -> None:
    assert missing((each for row in rows() for each in row.tests), "::") == []


def test_a_name_that_leads_nowhere_is_found() -> None:
    wrong = ["protocol/close.py:nothing", "protocol/nowhere.py:is_wire_code"]
    assert missing(iter([*wrong, "protocol/close.py:is_wire_code"]), ":") == wrong


@pytest.mark.parametrize("room", ROOMS)
def test_every_section_that_the_library_cites_has_a_row(room: str) -> None:
    unknown = {
        f"{file.relative_to(REPOSITORY)}: RFC {rfc} §{section}"
        for file in sorted((REPOSITORY / room).glob("**/*.py"))
        for rfc, section in citations(file.read_text("utf-8"))
        if not table(rfc).select(section)
    }
    assert unknown == set()


def test_citations_are_read_in_all_their_forms() -> None:
    text = "RFC 6455 §5.2, §5.4; (RFC 7692 §7.2.1 and §7.2.2)"
    text += " RFC 6455\n    # §3 RFC 9110 §5.3, RFC 6455 §5 to §7."
    assert list(citations(text)) == [
        (6455, "5.2"), (6455, "5.4"), (7692, "7.2.1"), (7692, "7.2.2"), (6455, "3"), (6455, "5"), (6455, "7")
    ]  # fmt: skip


def test_the_tables_are_as_large_as_the_rfcs() -> None:
    # RFC 6455 has 152 sentences with MUST, SHALL, REQUIRED, SHOULD or RECOMMENDED outside of section 2.
    assert sum(section.sentences for section in table(6455).sections) == 152
    assert {row.level for row in rows()} == set(LEVELS)


def test_what_deviates_is_known() -> None:
    # Whoever mends one takes it from here; whoever breaks one has to think twice.
    assert [row.id for row in rows() if row.verdict == "deviates" and row.level != "STATES"] == [
        "6455-4.1-04", "6455-4.1-05", "6455-4.1-06", "6455-4.1-07", "6455-4.1-08", "6455-5.5.1-04", "6455-7.1.7-03"
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ tables in general

GOOD = """
rfc = 1
title = "A"

[[section]]
number = "2.1"
title = "B"
sentences = 1

[[section.row]]
id = "1-2.1-01"
level = "MUST"
text = "C"
code = ["protocol/a.py:B.c"]
tests = ["tests/a/test_b.py::test_c"]

[[section.row]]
id = "1-2.1-02"
level = "MAY"
text = "D"
reason = "E"

[[section]]
number = "2.1.1"
title = "F"
sentences = 0

[[section.row]]
id = "1-2.1.1-01"
level = "STATES"
text = "G"
deviation = "H"
code = ["protocol/a.py:B"]
"""


def test_a_table_is_read_with_sections_rows_and_verdicts() -> None:
    rfc = parse_rfc(GOOD)
    assert (rfc.number, rfc.title) == (1, "A")
    first, second = rfc.sections
    assert (first.number, first.title, first.sentences) == ("2.1", "B", 1)
    assert first.requirements == (
        Requirement("1-2.1-01", "MUST", "C", ("protocol/a.py:B.c",), ("tests/a/test_b.py::test_c",)),
        Requirement("1-2.1-02", "MAY", "D", reason="E"),
    )
    assert [row.verdict for row in (*first.requirements, *second.requirements)] == [
        "kept", "not ours", "deviates"
    ]  # fmt: skip


def test_a_section_is_selected_with_those_below_it_and_no_others() -> None:
    rfc = parse_rfc(GOOD)
    assert [section.number for section in rfc.select("2")] == ["2.1", "2.1.1"]
    assert [section.number for section in rfc.select("2.1")] == ["2.1", "2.1.1"]
    assert [section.number for section in rfc.select("2.1.1")] == ["2.1.1"]
    assert rfc.select("2.1.1.1") == rfc.select("1") == rfc.select("") == ()


CODE = 'code = ["protocol/a.py:B.c"]'
TESTS = 'tests = ["tests/a/test_b.py::test_c"]'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rfc = 1", "rfc = ", "not TOML"),
        ("rfc = 1", "rfc = '1'", "number as its rfc"),
        ("rfc = 1", "rfc = true", "number as its rfc"),
        ("rfc = 1", "rfc = -1", "number as its rfc"),
        ("rfc = 1", "", "number as its rfc"),
        ("rfc = 1", "rfc = 1\nother = 2", "unknown keys"),
        ('title = "A"', "", "words as its title"),
        ('title = "A"', 'title = " "', "words as its title"),
        ('title = "A"', "title = 1", "words as its title"),
        ('number = "2.1.1"', 'number = "2.1"', "belongs|is its section"),
        ('number = "2.1"\n', 'number = "2.x"\n', "digits and dots"),
        ("sentences = 1", "", "number as its sentences"),
        ("sentences = 1", "sentences = 2", "too few rows"),
        ("sentences = 1", "sentences = 1\nother = 2", "unknown keys"),
        ('level = "MUST"', 'level = "OUGHT"', "level that is none"),
        ('level = "MUST"', 'level = "STATES"', "too few rows"),
        ('level = "MUST"', "", "words as its level"),
        ('id = "1-2.1-02"', 'id = "1-2.1-01"', "used twice"),
        ('id = "1-2.1-02"', 'id = "1-2.2-02"', "its section"),
        ('id = "1-2.1-02"', 'id = "1-2.1-x"', "its section"),
        ('id = "1-2.1-02"', "", "words as its id"),
        ('text = "C"', 'text = ""', "words as its text"),
        ('text = "C"', 'text = "C"\nother = 1', "unknown keys"),
        (CODE, "", "needs code and tests"),
        (CODE, "code = []", "needs code and tests"),
        (TESTS, "", "needs code and tests"),
        (CODE, CODE + '\nreason = "E"', "one of them only"),
        (CODE, CODE + '\ndeviation = "E"', "one of them only"),
        (CODE, 'deviation = "E"', "no use for"),
        (TESTS, 'reason = "E"', "no use for"),
        (CODE, 'code = "protocol/a.py:B.c"', "list as its code"),
        (CODE, 'code = ["protocol/a.py"]', "another form"),
        (CODE, "code = [1]", "another form"),
        (TESTS, 'tests = ["tests/a/test_b.py::c"]', "another form"),
        ('reason = "E"', 'reason = ""', "words as its reason"),
        ('reason = "E"', "", "needs code and tests"),
    ],
)
def test_a_table_that_is_wrong_does_not_load_and_says_where(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidArgument, match=says):
        parse_rfc(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("sections", ["section = 1", "section = [1]"])
def test_sections_that_are_no_tables_do_not_load(sections: str) -> None:
    with pytest.raises(InvalidArgument, match="tables as its section"):
        parse_rfc(f'rfc = 1\ntitle = "A"\n{sections}\n')


def test_a_section_without_rows_and_one_listed_twice_do_not_load() -> None:
    head, _, rest = GOOD.partition("[[section.row]]")
    with pytest.raises(InvalidArgument, match="section 2.1 has too few rows"):
        parse_rfc(head.replace("sentences = 1", "sentences = 0"))
    again = "[[section]]" + GOOD.partition("[[section]]")[2].partition("[[section]]")[0]
    with pytest.raises(InvalidArgument, match="a section is used twice"):
        parse_rfc(GOOD + again)


# ---------------------------------------------------------------------------------------------- finding lines

SOURCE = '''\
"""Doc."""
import os
A = 1
B: int = 2
C = D = 3
E, F = 4, 5
os.x = 6

class K:
    a: int
    b = 1
    def m(self): ...
    @property
    def p(self): ...
    class L:
        def n(self): ...

@overload
def f(a: int): ...
@overload
def f(a: str): ...
def f(a): ...

async def g():
    def inner(): ...
'''


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("A", 3), ("B", 4), ("C", 5), ("D", 5), ("K", 9), ("K.a", 10), ("K.b", 11), ("K.m", 12), ("K.p", 14),
        ("K.L", 15), ("K.L.n", 16), ("f", 22), ("g", 24), ("os", None), ("x", None), ("K.x", None),
        ("K.m.self", None), ("g.inner", None), ("", None), ("A.B", None),
    ],
)  # fmt: skip
def test_a_name_is_found_where_it_is_defined(name: str, line: int | None) -> None:
    assert find_line(SOURCE, name) == line


def test_the_line_moves_with_the_source() -> None:
    assert ast.parse(SOURCE)
    assert find_line("\n\n" + SOURCE, "K.m") == 14
    with pytest.raises(SyntaxError):
        find_line("def", "a")
