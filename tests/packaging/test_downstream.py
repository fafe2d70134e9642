"""A project of somebody else, which has our wheel and nothing of our sources, uses what we made for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).with_name("project")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project, far from this repository."""
    return shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))


def test_the_wheel_offers_the_extra_of_the_kit(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    asked = [line.removeprefix("Requires-Dist:").split(";") for line in lines if "extra == " in line]
    needed = [what.split(">")[0].strip() for what, when in asked if "contract" in when]
    assert needed == ["hypothesis", "pytest"]


def test_the_library_and_the_kit_come_from_the_wheel(downstream: Path, project: Path, run: Run) -> None:
    script = (
        "import sys, hioload_ws, hioload_ws.contract, _hioload_ws_pytest\n"
        "print(hioload_ws.__file__, hioload_ws.contract.__file__, _hioload_ws_pytest.__file__)\n"
        f"assert not [each for each in sys.path if each.startswith({str(REPOSITORY / 'src')!r})]"
    )
    places = run([downstream, "-c", script], project).stdout.split()
    assert all(Path(place).is_relative_to(downstream.parents[1]) for place in places)


def test_its_tests_pass_by_subclass_with_fixtures_and_by_option(downstream: Path, project: Path, run: Run) -> None:
    contracts = ["--contract", "ring=parts.ring:make_ring", "--contract", "transport=parts.transport:make_pair"]
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", *contracts]
    done = run([downstream, "-m", "pytest", *options], project)
    assert "passed" in done.stdout and "skipped" not in done.stdout, done.stdout


def test_the_function_says_that_its_parts_are_conformant(downstream: Path, project: Path, run: Run) -> None:
    done = run([downstream, "-W", "error", "check_parts.py"], project)
    assert done.stdout.splitlines() == ["ring: conformant", "transport: conformant"]


def test_the_command_line_runs_its_parts_and_finds_a_planted_defect(
    downstream: Path, project: Path, run: Run
) -> None:
    program = [downstream, "-W", "error", "-m", "hioload_ws", "contract", "run"]
    run([*program, "transport", "parts.transport:make_pair"], project)
    command = [*program, "ring"]
    run([*command, "parts.ring:make_ring", "--json", "ring.json", "--html", "ring.html", "--svg", "ring.svg"], project)
    assert json.loads((project / "ring.json").read_text("utf-8"))["verdict"] == "conformant"
    assert "conformant" in (project / "ring.html").read_text("utf-8")
    assert (project / "ring.svg").read_text("utf-8").startswith("<svg")
    file = project / "parts" / "ring.py"
    file.write_text(file.read_text("utf-8").replace("popleft()", "pop()"))
    done = run([*command, "parts.ring:make_ring"], project, code=1)
    assert done.stdout.startswith("FAIL RNG-03")


def test_it_is_clean_under_mypy_strict(downstream: Path, project: Path, run: Run) -> None:
    command = [downstream, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", "cache", "."]
    assert run(command, project).stdout == ""
