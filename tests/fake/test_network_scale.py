"""Thousands of connections, a million messages, and the same path each time."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

import hioload_ws
from tests.fake import crowd

TRACE_OF_40_CLIENTS: Final = "9aa69c8f6001505bb94a292d7359afd1ab200f94b0d296268d5c922c9eef340d"
"""What 40 clients with 20 messages each come to, on every machine and every Python that runs this test. It is made
of who got how many bytes when: a change to what is sent (a header field, when acknowledgements or closes go out) or
to the simulated network's timing changes it. Then run ``python tests/fake/crowd.py 40 20`` under two Pythons, and
where they agree put the new one here."""

WHOLE: Final = "import ctypes, multiprocessing, ssl, zlib"


def played_by(python: str, **environment: str) -> str:
    """Return the digest that another process prints."""
    package = Path(hioload_ws.__file__).resolve().parents[1]
    command = [python, str(Path(crowd.__file__)), "40", "20"]
    variables = {**os.environ, "PYTHONPATH": str(package), **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=100)
    return done.stdout.strip()


def other_pythons() -> Mapping[str, str]:
    """Return the other supported Pythons beside this one, if they are whole: on the path, or pyenv's."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    folders = [*map(Path, os.get_exec_path()), *sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    found: dict[str, str] = {}
    for path in (path for folder in folders if "shims" not in folder.parts for path in folder.glob("python3.*")):
        match = re.fullmatch(r"python(3\.1[1-4])", path.name)
        if match and match[1] != own and os.access(path, os.X_OK):
            found.setdefault(match[1], str(path))
    return {version: path for version, path in found.items() if subprocess.run([path, "-c", WHOLE]).returncode == 0}


def test_two_hundred_connections_take_the_same_path_twice() -> None:
    assert crowd.play(200, 50) == crowd.play(200, 50)


def test_the_path_is_the_same_on_every_python_and_every_machine() -> None:
    assert crowd.play(40, 20) == TRACE_OF_40_CLIENTS


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_the_order_of_hashes_does_not_change_the_path(seed: str) -> None:
    assert played_by(sys.executable, PYTHONHASHSEED=seed) == TRACE_OF_40_CLIENTS


def test_the_other_pythons_of_this_machine_take_the_same_path() -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("there is no other supported Python here; the one that runs this agrees with those that did before")
    traces = {version: played_by(python) for version, python in pythons.items()}
    assert traces == dict.fromkeys(pythons, TRACE_OF_40_CLIENTS)


@pytest.mark.slow
@pytest.mark.time_limit(600)
def test_ten_thousand_connections_exchange_a_million_messages() -> None:
    crowd.play(10_000, 51)  # 51 to the server and 51 back, less what the ten that are reset do not get
    gc.collect()  # two million objects: seconds, which are not for the tests that follow
