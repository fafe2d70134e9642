"""The command line of the kit: what it prints and writes, its exit codes, and its help for wrong input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hioload_ws.contract import catalogue, check
from hioload_ws.contract.command import _check_call, main
from hioload_ws.contract.suites.ring import RING, RingContract

HERE = "tests.kit.sample"
HERE_AS_FILE = str(Path(__file__).with_name("sample.py"))

BLOCKED = len(RING) - 3
NUMBERS = f"2 pass, 1 fail, {BLOCKED} blocked"
"""What comes of ``Broken``, a stack: RNG-01 and RNG-02 say nothing against it, and all the rest needs RNG-03."""

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it printed."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_right_component_is_conformant_and_the_exit_code_is_0(capsys: Capture) -> None:
    code, out, err = run(capsys, "run", "ring", f"{HERE}:Good")
    assert (code, err) == (0, "")
    assert f"RingContract on {HERE}:Good: conformant ({len(RING)} pass)" in out


def test_a_broken_one_is_told_with_its_root_cause_and_the_exit_code_is_1(capsys: Capture) -> None:
    code, out, _ = run(capsys, "run", "ring", f"{HERE}:Broken")
    assert code == 1
    first = out.splitlines()[0]
    assert first.startswith("FAIL RNG-03 (MUST): Items come out in the order in which they went in")
    assert out.count("FAIL ") == 1
    assert "blocked by this, and not run: RNG-04, RNG-05" in out
    assert f"not conformant ({NUMBERS})" in out


def test_the_command_that_a_failure_shows_repeats_it(capsys: Capture) -> None:
    _, out, _ = run(capsys, "run", "ring", f"{HERE}:Broken", "--seed", "5", "--full")
    (shown,) = re.findall(r"again: +hioload-ws contract (.*)", out)
    assert shown == f"repro RNG-03 {HERE}:Broken --seed 5 --full"
    code, out, _ = run(capsys, *shown.split())
    assert code == 1
    assert out.startswith("FAIL RNG-03") and out.endswith("RNG-03: fail\n")


def test_repro_of_a_met_requirement_ends_with_0(capsys: Capture) -> None:
    code, out, _ = run(capsys, "repro", "RNG-03", f"{HERE}:Good", "--seed", "5")
    assert code == 0 and out.endswith("RNG-03: pass\n")


def test_a_selection_is_never_conformant(capsys: Capture) -> None:
    code, out, _ = run(capsys, "run", "ring", f"{HERE}:Good", "--only", "RNG-03")
    assert code == 1
    assert f"incomplete (2 pass, {len(RING) - 2} untested)" in out


@pytest.mark.parametrize("locator", [f"{HERE_AS_FILE}:Good", f"{HERE}:UnderTest", f"{HERE}:UnderTest.make"])
def test_files_subclasses_and_dotted_names_can_be_run(locator: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, "run", "ring", locator)
    assert (code == 0) == ("make" not in locator), out


def test_a_contract_can_be_named_by_module_and_class(capsys: Capture) -> None:
    code, _, _ = run(capsys, "run", "hioload_ws.contract:RingContract", f"{HERE}:Good")
    assert code == 0


def test_verbose_lists_what_passed_too(capsys: Capture) -> None:
    _, out, _ = run(capsys, "run", "ring", f"{HERE}:Broken", "--verbose")
    assert "ok RNG-01" in out and "blocked RNG-04" in out and "(by RNG-03)" in out


def test_reports_are_written_and_have_the_same_numbers(tmp_path: Path, capsys: Capture) -> None:
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "svg")}
    files = [part for kind, path in paths.items() for part in (f"--{kind}", str(path))]
    code, out, _ = run(capsys, "run", "ring", f"{HERE}:Broken", *files)
    assert code == 1 and NUMBERS in out
    data = json.loads(paths["json"].read_text("utf-8"))
    assert data["counts"] == {
        "pass": 2, "fail": 1, "warn": 0, "unsupported": 0, "blocked": BLOCKED, "untested": 0, "kit-error": 0
    }  # fmt: skip
    assert (data["verdict"], data["conformant"]) == ("not conformant", False)
    for kind in ("html", "svg"):
        assert f"not conformant ({NUMBERS})" in paths[kind].read_text("utf-8")


def test_json_on_standard_output_is_all_there_is(capsys: Capture) -> None:
    _, out, _ = run(capsys, "run", "ring", f"{HERE}:Good", "--json", "-")
    assert json.loads(out)["verdict"] == "conformant"


def test_diff_tells_what_became_worse_and_better(tmp_path: Path, capsys: Capture) -> None:
    good, bad = str(tmp_path / "good.json"), str(tmp_path / "bad.json")
    run(capsys, "run", "ring", f"{HERE}:Good", "--json", good)
    run(capsys, "run", "ring", f"{HERE}:KeepsItsLast", "--json", bad)
    code, out, _ = run(capsys, "diff", good, bad)
    assert code == 1 and "worse:  RNG-08      pass -> fail: The ring keeps no reference" in out
    code, out, _ = run(capsys, "diff", bad, good)
    assert code == 0 and "better: RNG-08      fail -> pass" in out
    code, out, _ = run(capsys, "diff", good, good)
    assert code == 0 and out.endswith("no outcome has changed\n")


def test_list_names_every_contract_and_every_requirement(capsys: Capture) -> None:
    _, out, _ = run(capsys, "list")
    assert re.search(r"^mpmc-ring +\d+ ", out, re.MULTILINE)
    _, out, _ = run(capsys, "list", "ring")
    assert [line.split()[0] for line in out.splitlines() if line.startswith("RNG-")] == [each.id for each in RING]
    assert "Return a new ring for ``capacity`` items, 1 or more." in out
    assert f"{len(RING) - 1} MUST, 1 SHOULD" in out


def test_explain_shows_the_sentence_what_depends_on_it_its_check_and_what_breaks_it(capsys: Capture) -> None:
    code, out, _ = run(capsys, "explain", "RNG-04")
    assert code == 0
    assert "A full ring refuses with False and keeps what it has." in out
    assert "builds on:       RNG-03" in out
    assert "others build on: RNG-05" in out
    assert "broken by one that loses the oldest item when it is full" in out
    assert "def full_ring_refuses(self, trial: Trial) -> None:" in out


def test_selftest_prints_the_table_and_the_totals(capsys: Capture) -> None:
    code, out, _ = run(capsys, "selftest", "--suite", "clock")
    assert code == 0
    assert re.search(r"CLK-02 +killed by CLK-02 +\d+ ms  GoesBack: goes back now and then", out)
    assert re.search(r"odd +passes +\d+ ms  StandsStill", out)
    assert "1 contracts, 6 requirements" in out
    assert re.search(r"(\d+) broken implementations: \1 killed by the requirement that they name, 0 by another", out)
    assert "0 false alarms" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run", "rign", "x:y"), "there is no contract 'rign'; did you mean ring?"),
        (("run", "x", "x:y"), "there is no contract 'x'; there is "),
        (("run", "ring", "nothing"), "'nothing' is not module:name"),
        (("run", "ring", "no.such.module:x"), "there is no module no here ("),
        (("run", "ring", "tests/kit/nothing.py:x"), "there is no file tests/kit/nothing.py"),
        (("run", "ring", f"{HERE}:God"), f"{HERE} has no God; did you mean Good?"),
        (("run", "ring", f"{HERE}:number"), f"{HERE}:number is int and can't be called"),
        (("run", "clock", f"{HERE}:UnderTest"), "is a test of RingContract and not of ClockContract"),
        (("run", f"{HERE}:Good", f"{HERE}:Good"), f"{HERE}:Good is no contract"),
        (("run", "ring", f"{HERE}:Good", "--only", "RNG-O3"), "RingContract has no requirement 'RNG-O3'; did you"),
        (("run", "ring", f"{HERE}:Good", "--since", "new"), "'new' is not a version of a contract, such as 1.0"),
        (("run", "ring", f"{HERE}:Good", "--since", "0.9"), "RingContract begins with version 1.0; there is no 0.9"),
        (("explain", "RNG-99"), "there is no requirement 'RNG-99'; did you mean RNG-"),
        (("explain", "ring"), "that is a contract, and hioload-ws contract list ring names its requirements"),
        (("list", "pool"), " or buffer-pool"),
        (("repro", "RNG-01", f"{HERE}:Good", "--suite", "clock"), "ClockContract has no requirement 'RNG-01'"),
        (("diff", "nothing.json", "nothing.json"), "nothing.json can't be read: "),
        (("diff", "pyproject.toml", "pyproject.toml"), "pyproject.toml is no JSON: "),
    ],
)
def test_a_command_line_that_makes_no_sense_is_told_so_with_2(
    arguments: tuple[str, ...], complaint: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"contract: {complaint}") or complaint in err


@pytest.mark.parametrize("action", ["run ring", "repro RNG-01"])
def test_a_factory_that_can_not_be_called_as_the_contract_does_is_told_so_with_2(
    action: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "no_capacity.py"
    file.write_text("def make():\n    raise AssertionError\n", "utf-8")
    code, _, err = run(capsys, *action.split(), f"{file}:make")
    assert code == 2 and "and RingContract calls make(capacity: 'int') -> " in err, err


def test_every_factory_of_the_kit_can_be_called_as_its_contract_does() -> None:
    made = [(each.suite, each.make) for each in catalogue.mutants()]
    made += [(each.suite, each.make) for each in catalogue.oddballs()]
    for suite, make in made:
        _check_call(suite, repr(make), make)


def test_a_factory_without_a_signature_is_tried(capsys: Capture) -> None:
    code, out, _ = run(capsys, "run", "ring", "builtins:dict")
    assert code == 1 and "FAIL RNG-01" in out


def test_reports_of_two_contracts_are_not_compared(tmp_path: Path, capsys: Capture) -> None:
    one, other = str(tmp_path / "one.json"), str(tmp_path / "other.json")
    run(capsys, "run", "ring", f"{HERE}:Good", "--json", one)
    run(capsys, "run", "mpmc-ring", f"{HERE}:Good", "--only", "RNG-01", "--json", other)
    code, _, err = run(capsys, "diff", one, other)
    assert code == 2 and "two contracts: RingContract and MpmcRingContract" in err


def test_a_module_that_fails_while_it_is_imported_is_told_apart(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "explodes.py").write_text("raise ValueError('not today')\n")
    (tmp_path / "lacks.py").write_text("import a_package_that_nobody_has\n")
    code, _, err = run(capsys, "run", "ring", f"{tmp_path}/explodes.py:x")
    assert code == 2 and "raised ValueError: not today" in err
    code, _, err = run(capsys, "run", "ring", f"{tmp_path}/lacks.py:x")
    assert code == 2 and "a_package_that_nobody_has" in err


def test_a_report_that_can_t_be_written_is_1_and_one_line(tmp_path: Path, capsys: Capture) -> None:
    code, _, err = run(capsys, "run", "ring", f"{HERE}:Good", "--html", str(tmp_path / "no" / "page.html"))
    assert code == 1 and err.startswith("contract: ") and err.count("\n") == 1


def test_the_module_runs_as_a_program() -> None:
    command = [sys.executable, "-W", "error", "-m", "hioload_ws.contract", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mpmc-ring" in done.stdout


def test_a_class_of_somebodys_is_repeated_by_its_own_name() -> None:
    from tests.kit.sample import UnderTest

    assert check(UnderTest).repeat("RNG-01") == "hioload-ws contract repro RNG-01 tests.kit.sample:UnderTest --seed 1"
    made = check(RingContract, lambda capacity: None, only=["RNG-01"])
    assert made.repeat("RNG-01") == 'check(RingContract, make, only=["RNG-01"], seed=1)'
