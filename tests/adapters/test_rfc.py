"""Rfc: the command that shows where the sentences of the RFCs are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hioload_ws.adapters import rfc
from hioload_ws.adapters.cli import main
from hioload_ws.api import InvalidArgument
from hioload_ws.protocol.requirements import Requirement, Rfc, Section

REPOSITORY = Path(__file__).resolve().parents[2]

KEPT = Requirement(
    "1-2.1-01", "MUST", "It shines.", ("room/a.py:B.c", "room/a.py:gone"), ("tests/a.py::test_b",)
)
NOT_OURS = Requirement("1-2.1-02", "SHOULD NOT", "It hides.", reason="Nobody looks.")
DEVIATES = Requirement("1-2.1.1-01", "MAY", "It sings.", deviation="It hums.")
LIGHT, SOUND = Section("2.1", "Light", 2, (KEPT, NOT_OURS)), Section("2.1.1", "Sound", 0, (DEVIATES,))
MADE_UP = Rfc(1, "Lamps", (LIGHT, SOUND))
OTHER = Rfc(12, "Chairs", (Section("2.1", "Legs", 0, (Requirement("12-2.1-01", "MAY", "x", reason="y"),)),))
BOTH = (MADE_UP, OTHER)


def read_made_up(path: str) -> str:
    assert path == "room/a.py"
    return "\nclass B:\n    c = 1\n"


def chosen(wanted: str) -> list[str]:
    """Return the ids that a wish selects from the tables above."""
    return [row["id"] for row in rfc.look(rfc.choose(BOTH, wanted), read_made_up)]


def test_text_has_a_heading_per_section_and_a_count_of_verdicts() -> None:
    assert rfc.render(BOTH, rfc.look([MADE_UP], read_made_up)).splitlines() == [
        "RFC 1 §2.1 Light",
        "  1-2.1-01         MUST       It shines.",
        "      code       room/a.py:3 B.c",
        "      code       room/a.py gone",
        "      test       tests/a.py::test_b",
        "  1-2.1-02         SHOULD NOT It hides.",
        "      not ours   Nobody looks.",
        "RFC 1 §2.1.1 Sound",
        "  1-2.1.1-01       MAY        It sings.",
        "      deviates   It hums.",
        "3 rows: 1 kept, 1 not ours, 1 deviates",
    ]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("2.1", ["1-2.1-01", "1-2.1-02", "1-2.1.1-01"]),
        ("2", ["1-2.1-01", "1-2.1-02", "1-2.1.1-01"]),
        (" §2.1.1 ", ["1-2.1.1-01"]),
        ("1", ["1-2.1-01", "1-2.1-02", "1-2.1.1-01"]),
        ("1-2.1", ["1-2.1-01", "1-2.1-02", "1-2.1.1-01"]),
        ("12", ["12-2.1-01"]),
        ("12-2.1", ["12-2.1-01"]),
        ("1-2.1-02", ["1-2.1-02"]),
        ("1-2.1.1-01", ["1-2.1.1-01"]),
    ],
)
def test_a_section_an_rfc_or_an_id_selects_its_rows(wanted: str, ids: list[str]) -> None:
    assert chosen(wanted) == ids


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("2.2", "RFC 1 has no row for '2.2'; there are 2.1, 2.1.1"),
        ("7", "RFC 1 has no row for '7'; there are 2.1, 2.1.1"),
        ("12-2.1.1", "RFC 12 has no row for '2.1.1'; there are 2.1"),
        ("1-2.1-77", "RFC 1 has no row for '2.1-77'"),
        ("9-2.1", "no table of RFC 9: there are 1 and 12"),
        ("", "RFC 1 has no row for ''"),
        ("frames", "RFC 1 has no row for 'frames'"),
    ],
)
def test_what_has_no_row_is_answered_with_what_there_is(wanted: str, says: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        chosen(wanted)
    assert says in str(caught.value)


def test_one_row_is_counted_in_the_singular() -> None:
    assert rfc.render(BOTH, rfc.look([OTHER], read_made_up)).endswith("1 row: 1 not ours")


def test_without_a_section_the_command_prints_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc"]) == 0
    text = capsys.readouterr().out
    for each in rfc.load():
        for section in each.sections:
            assert f"RFC {each.number} §{section.number} {section.title}\n" in text
            for row in section.requirements:
                assert f"  {row.id} " in text


def test_a_section_shows_its_code_with_the_line_of_today(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc", "5.5.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "RFC 6455 §5.5.1 Close"
    [place] = {line.split()[1] for line in lines if line.endswith(" check_close_body")}
    path, _, number = place.partition(":")
    source = (REPOSITORY / path).read_text("utf-8").splitlines()
    assert source[int(number) - 1].startswith("def check_close_body(")


def test_json_has_the_same_rows_with_every_line_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [
        row.id for each in rfc.load() for section in each.sections for row in section.requirements
    ]
    for row in rows:
        assert all(code.partition(" ")[0].rpartition(":")[2].isdigit() for code in row["code"]), row["id"]
        assert row["section"] == row["id"].split("-")[1]


def test_an_unknown_section_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc", "5.9"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "hioload-ws: RFC 6455 has no row for '5.9'; there are "
        "5.1, 5.2, 5.3, 5.4, 5.5, 5.5.1, 5.5.2, 5.5.3, 5.6, 5.8\n"
    )


def test_the_page_of_deviations_is_that_of_the_tables() -> None:
    page = (REPOSITORY / "protocol" / "DEVIATIONS.md").read_text("utf-8")
    begin, end = "<!-- deviations: kept by tests/adapters/test_rfc.py -->\n\n", "\n\n<!-- /deviations -->"
    table = rfc.deviations_table(rfc.look(rfc.load(), rfc.read_package))
    found = page[page.index(begin) + len(begin) : page.index(end)]
    assert found == table, f"put this between the marks of protocol/DEVIATIONS.md:\n{table}"


def test_deviations_are_shown_by_themselves_and_per_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc", "--deviations"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("      deviates") for line in lines) == int(lines[-1].split()[0]) > 0
    assert not [line for line in lines if line.startswith("      test")]
    assert main(["rfc", "7.1.5", "--deviations", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == ["6455-7.1.5-04"]
    assert main(["rfc", "7692", "--deviations"]) == 0
    assert capsys.readouterr().out == "0 rows: none deviates\n"
