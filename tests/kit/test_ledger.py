"""The ledger of fidelity is what this run has found, and speaks of every fake. Runs last in its folder."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

from hioload_ws.contract import catalogue
from tests.kit import ledger

README: Final = ledger.PAGE.parent / "README.md"
FOLDER: Final = Path(__file__).resolve().parent


def test_the_ledger_is_current(whole_folder: bool) -> None:
    text = ledger.PAGE.read_text("utf-8") if ledger.PAGE.exists() else ""
    known = ledger.lines_of(text)
    # Elsewhere fewer implementations exist.
    complete = whole_folder and sys.platform == "linux"
    wanted = dict(ledger.rows) if complete else known | ledger.rows
    if os.environ.get("FIDELITY") == "write":
        ledger.PAGE.write_text(ledger.page(wanted), "utf-8")
        return
    differing = [key for key in wanted.keys() | known.keys() if wanted.get(key) != known.get(key)]
    assert text == ledger.page(wanted), f"not current: {differing or 'the text'}; run {ledger.REGENERATE}"


def test_every_contract_has_a_real_implementation_in_the_ledger() -> None:
    lines = ledger.lines_of(ledger.PAGE.read_text("utf-8"))
    held = {contract for contract, name in lines if not ledger.is_played(name)}
    assert catalogue.suites().keys() - held == set()


def test_every_fake_of_the_readme_is_in_the_ledger_or_excused() -> None:
    lines = ledger.lines_of(ledger.PAGE.read_text("utf-8"))
    table = README.read_text("utf-8").partition("| Interface | Fake |")[2].partition("\n\n")[0]
    fakes = [fake for line in table.splitlines()[2:] for fake in re.findall(r"`([^`]+)`", line.split(" | ")[1])]
    assert len(fakes) > 20
    missing = [fake for fake in fakes if not any(name.startswith(fake) for _, name in lines)]
    assert sorted(missing) == sorted(ledger.NOT_HELD)


def test_every_divergence_is_shown_by_a_test() -> None:
    ids = [each.id for each in ledger.DIVERGENCES]
    assert len(ids) == len(set(ids))
    tests = "".join(path.read_text("utf-8") for path in FOLDER.glob("test_*.py"))
    assert [id for id in ids if f"``{id}``" not in tests] == []
