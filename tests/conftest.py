"""What every test of this repository runs under: a time limit, a count of what it leaves behind, a seed.

A test that hangs is worse than one that fails, because it says nothing. So each test has a time limit (120
seconds, or ``@pytest.mark.time_limit(seconds)``); when it passes, the stacks of all threads go to the terminal
and the run ends at once with exit code 1. The limit is kept by ``faulthandler``, in C: it also works when the
interpreter itself is stuck.

A test that leaks is the next worse: it fails its neighbours. After each test its descriptors and threads must
be gone, else the test fails and names them. ``@pytest.mark.keeps("reason")`` is the way out.

Hypothesis runs without deadline (a time limit per example fails on a busy machine, and says nothing about the
code). With ``CI`` in the environment it prints what repeats a failure.
"""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, TextIO

import pytest
from hypothesis import settings

DEFAULT_LIMIT_SECONDS: Final = 120.0
THREADS_END_SECONDS: Final = 5.0
DESCRIPTORS: Final = "/proc/self/fd"

STDERR: Final = pytest.StashKey[TextIO]()

settings.register_profile("default", deadline=None)
# Named like the profile Hypothesis would choose by itself, which is derandomized: the same data in every run
# would find nothing after the first. Ours stays random, and prints the blob that repeats a failure.
settings.register_profile("ci", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell lets what it runs in the background ignore Ctrl-C, and that is inherited by every process that a
        # test starts and interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # pytest captures descriptor 2 while a test runs; the stacks must reach the terminal.
    config.stash[STDERR] = os.fdopen(os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2), "w")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[STDERR].close()


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """Keep the collector from going through what other tests have left, for tests with a limit of their own: that may
    take longer than the test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch set-up, call and tear-down of one test together."""
    marker = item.get_closest_marker("time_limit")
    seconds = float(marker.args[0]) if marker else DEFAULT_LIMIT_SECONDS
    faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _descriptors() -> dict[int, str]:
    """Return the open descriptors and what they lead to; nothing where the system does not tell."""
    found: dict[int, str] = {}
    try:
        numbers = os.listdir(DESCRIPTORS)
    except OSError:
        return found
    for number in numbers:
        try:
            found[int(number)] = os.readlink(f"{DESCRIPTORS}/{number}")
        except OSError:
            continue  # the descriptor that listed the folder
    # Started at first use and meant to stay: it cleans up after the processes of multiprocessing.
    tracker = getattr(multiprocessing.resource_tracker, "_resource_tracker", None)
    found.pop(getattr(tracker, "_fd", None) or -1, None)
    return found


def _new_descriptors(before: dict[int, str]) -> list[str]:
    """Return what is open now and was not before, after a collection if there is anything."""
    for attempt in range(2):
        new = [f"{number} ({what})" for number, what in _descriptors().items() if before.get(number) != what]
        if not new or attempt:
            break
        gc.collect()
    return new


def _new_threads(before: set[threading.Thread]) -> list[str]:
    """Return the threads that were not there before and do not end within a time limit."""
    end = time.monotonic() + THREADS_END_SECONDS
    new = set(threading.enumerate()) - before
    for thread in new:
        thread.join(max(end - time.monotonic(), 0.0))
    return sorted(thread.name for thread in new if thread.is_alive())


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose descriptors or threads outlive it.

    Being autouse and in the outermost conftest, it is set up before the other fixtures of a test and torn
    down after them, but after those of wider scope: what they open stays.
    """
    threads, descriptors = set(threading.enumerate()), _descriptors()
    yield
    if request.node.get_closest_marker("keeps"):
        return
    left = [f"thread {name}" for name in _new_threads(threads)]
    left += [f"descriptor {each}" for each in _new_descriptors(descriptors)]
    if left:
        pytest.fail(f"the test left behind: {', '.join(left)}", pytrace=False)
