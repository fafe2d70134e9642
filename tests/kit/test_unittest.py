"""The door for unittest, as the README shows it: in a process of its own, with a component that is broken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import hioload_ws.contract
import pytest

PAGE: Final = Path(hioload_ws.contract.__file__).parent / "README.md"
SECONDS: Final = 120

RINGS: Final = '''
from hioload_ws.pool import SpscRing as MyRing
'''

BROKEN: Final = '''
from hioload_ws.pool import SpscRing


class MyRing(SpscRing):
    def try_enqueue(self, item):
        super().try_enqueue(item)
        return True
'''


def example() -> str:
    """Return the code that the README shows for unittest."""
    found = re.search(r"^\*\*In unittest\*\*.*?```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def unittest_of(folder: Path, rings: str, *which: str) -> tuple[int, str]:
    """Run the example on such rings; return the exit code, and what was written."""
    (folder / "mypackage").mkdir()
    (folder / "mypackage" / "__init__.py").touch()
    (folder / "mypackage" / "rings.py").write_text(rings, "utf-8")
    (folder / "test_rings.py").write_text(example(), "utf-8")
    command = [sys.executable, "-m", "unittest", *which]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_is_broken_fails_with_its_story(tmp_path: Path) -> None:
    code, out = unittest_of(tmp_path, BROKEN)
    assert code == 1, out
    assert "FAIL RNG-04 (MUST)" in out and "Ran 19 tests" in out and "failures=1" in out, out


@pytest.mark.parametrize("id", ["RNG_01", "RNG_04"])
def test_what_is_right_passes_and_was_run(tmp_path: Path, id: str) -> None:
    code, out = unittest_of(tmp_path, RINGS, f"test_rings.TestMyRing.test_{id}")
    assert code == 0 and "Ran 1 test" in out and "skipped" not in out, out
