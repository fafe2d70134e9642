"""Every interface has a suite, and the table that says so is made from the kit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import hioload_ws.contract
from hioload_ws.contract import catalogue
from tests.docs.test_implementations import interfaces

PAGE: Final = Path(hioload_ws.contract.__file__).parent / "README.md"
BEGIN: Final = "<!-- suites: kept by tests/kit/test_catalogue.py -->\n"
END: Final = "<!-- /suites -->"

NO_PROTOCOLS: Final = frozenset({"Middleware"})
"""What a suite proves though it is no Protocol: the types of functions."""


def table() -> str:
    """Return the table as it has to stand in the README."""
    mutants = Counter(each.suite.name for each in catalogue.mutants())
    oddballs = Counter(each.suite.name for each in catalogue.oddballs())
    lines = ["", "| Suite | Interfaces | Requirements | Mutants | Oddballs |", "|---|---|---|---|---|"]
    for name, suite in sorted(catalogue.suites().items()):
        proves = ", ".join(f"`{each}`" for each in catalogue.INTERFACES.get(name, ()))
        numbers = f"{len(suite.requirements)} | {mutants[name]} | {oddballs[name]}"
        lines.append(f"| `{name}`: `{suite.__name__}` | {proves} | {numbers} |")
    return "\n".join(lines) + "\n\n"


def test_every_interface_has_a_suite() -> None:
    proved = {each for names in catalogue.INTERFACES.values() for each in names}
    assert interfaces().keys() - proved == set()
    assert proved - interfaces().keys() == NO_PROTOCOLS


def test_every_suite_can_be_imported_from_the_front() -> None:
    for suite in catalogue.suites().values():
        assert getattr(hioload_ws.contract, suite.__name__) is suite


def test_ids_are_those_of_one_suite_or_of_one_that_extends_it() -> None:
    first: dict[str, type] = {}
    for suite in sorted(catalogue.suites().values(), key=lambda each: len(each.__mro__)):
        for each in suite.requirements:
            assert issubclass(suite, first.setdefault(each.id, suite)), each.id


def test_the_table_in_the_readme_is_current() -> None:
    page = PAGE.read_text("utf-8")
    found = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert found == table(), f"put this between the marks of {PAGE}:\n{table()}"
