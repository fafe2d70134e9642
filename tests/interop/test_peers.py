"""Runs `peers.py` for each peer that is present on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).with_name("peers.py")
LIMIT_S = 300


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PEERS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


@pytest.mark.parametrize("peer", ["ws", "chromium"])
def test_a_peer_that_is_present_gets_back_what_it_sent(peer: str) -> None:
    done = run("--only", peer)
    assert done.returncode == 0, done.stdout + done.stderr
    absent = [line for line in done.stdout.splitlines() if line.startswith("not present")]
    if absent:
        pytest.skip(absent[0])
    assert "passed" in done.stdout


def test_a_required_peer_that_is_absent_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert run("--only", "ws").returncode == 0
    done = run("--require", "ws", "--only", "ws")
    assert done.returncode == 1
    assert "not present: node, but required" in done.stdout


def test_a_peer_nobody_knows_is_refused() -> None:
    done = run("--only", "netscape")
    assert done.returncode == 2
    assert "no such peer: netscape" in done.stderr
