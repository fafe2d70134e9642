"""The page of all requirements is made from the kit, and current."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import hioload_ws.contract
from hioload_ws.contract import catalogue
from hioload_ws.contract.explain import as_markdown

PAGE: Final = Path(hioload_ws.contract.__file__).resolve().parent / "REQUIREMENTS.md"
MARK: Final = "<!-- made by: hioload-ws contract list --markdown -->\n\n"


def test_the_page_is_what_the_kit_says() -> None:
    text = PAGE.read_text("utf-8")
    head, mark, tables = text.partition(MARK)
    command = f"python -m hioload_ws.contract list --markdown, and put that behind the mark of {PAGE}"
    assert mark and tables == as_markdown(), f"run {command}"


def test_each_requirement_stands_on_it_once() -> None:
    text = PAGE.read_text("utf-8")
    ids = {each.id for suite in catalogue.suites().values() for each in suite.requirements}
    assert [id for id in sorted(ids) if text.count(f"\n| {id} |") != 1] == []
