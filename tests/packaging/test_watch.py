"""The watch over every test: a hang ends the run and shows where, and what a test leaves behind fails it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

RunTests = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_tests(tmp_path: Path) -> RunTests:
    """Return a function that runs a test module of the given source under the watch of ``tests/conftest.py``."""

    def run(source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  time_limit(s): x\n  keeps(reason): x\n")
        shutil.copy(REPOSITORY / "tests" / "conftest.py", tmp_path)
        (tmp_path / "test_it.py").write_text(source)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COVERAGE"))}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
        return subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=100)

    return run


def test_a_test_that_hangs_ends_the_run_and_shows_where_it_hung(run_tests: RunTests) -> None:
    done = run_tests(
        "import pytest, threading\n"
        "@pytest.mark.time_limit(0.5)\n"
        "def test_stuck():\n"
        "    threading.Event().wait()\n"
        "def test_never_reached():\n"
        "    pass\n"
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr and "in test_stuck" in done.stderr
    assert "test_it.py\", line 4" in done.stderr
    assert "passed" not in done.stdout


def test_the_limit_is_each_tests_own(run_tests: RunTests) -> None:
    slow = "@pytest.mark.time_limit(1.5)\ndef test_{}():\n    time.sleep(0.6)\n"
    done = run_tests("import pytest, time\n" + "".join(slow.format(name) for name in "abc"))
    assert (done.returncode, "3 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list descriptors")
def test_a_descriptor_left_open_fails_the_test_and_is_named(run_tests: RunTests) -> None:
    done = run_tests(
        "import os\n"
        "def test_leaks(tmp_path):\n"
        "    os.open(tmp_path / 'left.txt', os.O_CREAT)\n"
        "def test_closes(tmp_path):\n"
        "    os.close(os.open(tmp_path / 'closed.txt', os.O_CREAT))\n"
    )
    assert done.returncode == 1 and "2 passed, 1 error" in done.stdout
    assert "the test left behind: descriptor" in done.stdout and "left.txt" in done.stdout
    assert "closed.txt" not in done.stdout


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list descriptors")
def test_what_only_waits_to_be_collected_is_not_left_behind(run_tests: RunTests) -> None:
    done = run_tests(
        "import gc, os\n"
        "class Holder:\n"
        "    def __init__(self, path):\n"
        "        self.me, self.number = self, os.open(path, os.O_CREAT)\n"
        "    def __del__(self):\n"
        "        os.close(self.number)\n"
        "def test_circle(tmp_path):\n"
        "    gc.disable()\n"
        "    Holder(tmp_path / 'circle.txt')\n"
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_a_thread_left_running_fails_the_test_and_one_that_ends_does_not(run_tests: RunTests) -> None:
    done = run_tests(
        "import threading, time\n"
        "import conftest\n"
        "conftest.THREADS_END_SECONDS = 1.0\n"
        "def test_leaks():\n"
        "    threading.Thread(target=threading.Event().wait, name='left', daemon=True).start()\n"
        "def test_ends():\n"
        "    threading.Thread(target=time.sleep, args=(0.1,), name='ends').start()\n"
    )
    assert done.returncode == 1 and "2 passed, 1 error" in done.stdout
    assert "the test left behind: thread left" in done.stdout


def test_a_test_that_says_why_may_leave_things_behind(run_tests: RunTests) -> None:
    done = run_tests(
        "import os, pytest\n"
        "@pytest.mark.keeps('to try it')\n"
        "def test_keeps(tmp_path):\n"
        "    os.open(tmp_path / 'left.txt', os.O_CREAT)\n"
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_what_a_fixture_of_wider_scope_opens_is_not_the_tests(run_tests: RunTests) -> None:
    done = run_tests(
        "import os, pytest\n"
        "@pytest.fixture(scope='module')\n"
        "def wide(tmp_path_factory):\n"
        "    number = os.open(tmp_path_factory.mktemp('a') / 'b', os.O_CREAT)\n"
        "    yield number\n"
        "    os.close(number)\n"
        "def test_a(wide): pass\n"
        "def test_b(wide): pass\n"
    )
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
