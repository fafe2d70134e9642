"""The list of examples is complete, each program has a test, and each says how it is run."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
PROGRAMS = {path.name for path in EXAMPLES.glob("*.py")}


def test_the_page_has_one_line_for_each_program_and_none_for_another() -> None:
    rows = re.findall(
        r"^\| \[`(\w+\.py)`\]\(\1\) \| .+ \|$", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(rows) == sorted(PROGRAMS)


def test_each_program_is_run_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py") if path != Path(__file__))
    assert [name for name in PROGRAMS if not re.search(rf"\b{name.removesuffix('.py')}\b", tests)] == []


def test_each_program_says_how_it_is_run() -> None:
    for name in PROGRAMS:
        assert f"``python examples/{name}" in (EXAMPLES / name).read_text("utf-8"), name
