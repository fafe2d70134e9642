"""The Autobahn cases of core and limits, in both roles, in every run of the tests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

RUN: Final = Path(__file__).with_name("run.py")
CORE_CASES: Final = 301

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kosoku") is None, reason="the conformance suite is not installed: pip install kosoku"
)


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run the command in a process of its own: the suite changes the interpreter it runs in."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", RUN, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("role", ["server", "client"])
def test_every_case_of_core_and_limits_then_the_result_on_record(role: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    code, output = run("--role", role, "--json", file)
    assert code == 0, output
    summary, verdict = output.splitlines()  # and no warning
    assert verdict == "conformance: as expected", summary
    rows = json.loads(file.read_text("utf-8"))[role]
    assert len(rows) == CORE_CASES
    assert [case for case, verdicts in rows.items() if "OK" not in verdicts] == ["7.1.6", "7.13.1", "7.13.2"]


def test_the_cases_that_ask_for_answers_before_a_violation_then_they_are_strict_each_time() -> None:
    # 3.4, 4.1.5 and 4.2.5 send octet by octet: an end that closes without reading on resets its own echo away.
    for _ in range(5):
        code, output = run("3.4", "4.1.5", "4.2.5")
        assert code == 0, output
        assert output.count("3 cases") == 2


def test_a_pattern_that_fits_no_case_then_the_run_fails() -> None:
    code, output = run("--role", "server", "99.*")
    assert code == 1
    assert "no cases match pattern" in output and "no case was played" in output
