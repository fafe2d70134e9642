"""Model-based checks: scripts are shortened, printed as programs to paste, and these repeat what was found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hioload_ws.api import InvalidArgument
from hioload_ws.contract import BatchContract, RingContract, check, replay
from hioload_ws.contract.mutants.batch import StaysOpen
from hioload_ws.contract.mutants.ring import SwapsSometimes
from hioload_ws.contract.text import render
from hioload_ws.pool import SpscRing

SCRIPT = [("enqueue_batch", 3), ("dequeue_batch", 2), ("try_dequeue", 0)]


def test_what_a_model_finds_is_printed_as_a_program_that_finds_it_again() -> None:
    report = check(RingContract, SwapsSometimes, only=["RNG-14"])
    (entry,) = report.failures
    assert entry.finding is not None and entry.finding.script
    text = render(report)
    shown = text.split("to paste:\n")[1].split("\n  again")[0]
    program = "\n".join(line.removeprefix("    ") for line in shown.split("\n"))
    assert program == report.program(entry)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "AssertionError: FAIL RNG-14 (MUST): Any mixture of operations" in done.stderr


def test_a_script_is_shortened_to_what_matters() -> None:
    (entry,) = check(RingContract, SwapsSometimes, only=["RNG-14"]).failures
    assert entry.finding is not None
    assert int(re.findall(r"shortened to (\d+) operations", entry.finding.summary)[0]) <= 8
    (entry,) = check(BatchContract, StaysOpen, only=["BAT-15"]).failures
    assert entry.finding is not None
    assert int(re.findall(r"shortened to (\d+) operations", entry.finding.summary)[0]) <= 8


def test_a_script_that_agrees_just_returns() -> None:
    replay("RNG-14", SpscRing, SCRIPT)
    replay("RNG-14", SpscRing, SCRIPT, suite=RingContract)


def test_what_has_no_model_and_what_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="RNG-03 has no model"):
        replay("RNG-03", SpscRing, SCRIPT)
    with pytest.raises(InvalidArgument, match="no requirement 'RNG-99'"):
        replay("RNG-99", SpscRing, SCRIPT)
    with pytest.raises(InvalidArgument, match="no requirement 'CLK-01'"):
        replay("CLK-01", SpscRing, SCRIPT, suite=RingContract)


def test_a_program_says_what_is_missing_where_the_factory_has_no_name(tmp_path: Path) -> None:
    report = check(RingContract, lambda capacity: SwapsSometimes(capacity), only=["RNG-14"])
    (entry,) = report.failures
    assert "make = ...  # what makes your component" in report.program(entry)
    assert report.program(report["RNG-01"]) == ""
