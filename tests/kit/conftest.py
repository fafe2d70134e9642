"""Order of the kit's tests: the ledger comes last, when all the others have written their lines into it.

Whether these are all the lines there are depends on what was asked for: ``whole_folder`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).resolve().parent
MODULES: Final = {path for path in FOLDER.glob("test_*.py") if "holding import hold" in path.read_text("utf-8")}
CHOSEN: Final = pytest.StashKey[bool]()
"""Whether tests were left out by their name or marker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.parent == FOLDER]
    if ours:
        end = items.index(ours[-1]) + 1
        late = [item for item in ours if item.path.name == "test_ledger.py"]
        items[:end] = [item for item in items[:end] if item not in late] + late


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash[CHOSEN] = True


@pytest.fixture
def whole_folder(request: pytest.FixtureRequest) -> bool:
    """Whether everything that is held to a suite was, in this run."""
    chosen = request.config.stash.get(CHOSEN, False) or any("::" in each for each in request.config.args)
    ran = {item.path for item in request.session.items}
    return not (chosen or request.session.testsfailed or MODULES - ran)
