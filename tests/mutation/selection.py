"""Selection: which tests ran a line, so that only those are asked about a change in it.

A test that never comes to a line can't notice what is wrong there. So all tests of the room are run once, unchanged,
with coverage noting for each line the tests that came by, and each test's time. Lines that run when a module is
imported (constants, defaults of arguments) concern every test of the room.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final

import coverage
import pytest

LEAST_CPU_S: Final = 3
"""No test is given less: a mutant may make it slower without being wrong."""

class Recorder:
    """A pytest plugin: tells coverage which test is running, and measures how long it takes."""

    def __init__(self, measuring: coverage.Coverage) -> None:
        self._measuring = measuring
        self.seconds: dict[str, float] = {}

    @functools.cached_property
    def _cached(self) -> list[functools._lru_cache_wrapper[object]]:
        kept = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        return [each for each in kept if each.__module__.startswith("hioload_ws.")]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        # What is computed once and kept would be there for all tests but the first, which would be asked alone.
        for cached in self._cached:
            cached.cache_clear()
        self._measuring.switch_context(item.nodeid)
        start = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - start


class Chooser:
    """A pytest plugin: runs only some tests, in their order, and ends the process when one takes far more CPU time than
    it took unchanged."""

    def __init__(self, wanted: Mapping[str, float]) -> None:
        self._wanted = wanted

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self._wanted]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        limit_cpu(self._wanted[item.nodeid])
        return (yield)


def limit_cpu(seconds: float) -> None:
    """End this process (SIGXCPU) when it takes far more CPU time from now on than ``seconds``."""
    limit_s = math.ceil(time.process_time() + LEAST_CPU_S + 4 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))


class Selection:
    """For each line the tests that ran it, and for each test its seconds of CPU."""

    def __init__(
        self,
        tests_of: Mapping[tuple[str, int], Sequence[str]],
        seconds: Mapping[str, float],
        imported: Set[tuple[str, int]] = frozenset(),
    ) -> None:
        self._tests_of = tests_of
        self._seconds = seconds
        self._imported = imported

    @property
    def test_count(self) -> int:
        """How many tests there are."""
        return len(self._seconds)

    def of(self, module: str, lines: range) -> dict[str, float]:
        """Return the tests to ask about some lines of a module, and their seconds; all of them where only an import ran
        the lines. Those of the module itself come first, then the quick ones."""
        found = {test for line in lines for test in self._tests_of.get((module, line), ())} or set(self._seconds)
        own = f"/test_{module}"
        order = sorted(found, key=lambda test: (own not in test, self._seconds[test], test))
        return {test: self._seconds[test] for test in order}

    def is_imported(self, module: str, lines: range) -> bool:
        """Whether an import runs one of the lines: whoever changes it has to import the module again."""
        return any((module, line) in self._imported for line in lines)


def record(options: Sequence[str], files: Sequence[str], folder: Path) -> Selection:
    """Run the tests of ``files`` here, in this process, and return what they ran. Raises ``RuntimeError`` when one
    fails: nothing could be learned from a broken room."""
    measuring = coverage.Coverage(data_file=str(folder / "coverage"), branch=False, include=["*/protocol/*"])
    recorder = Recorder(measuring)
    measuring.start()
    try:
        code = pytest.main([*options, *files], plugins=[recorder])
    finally:
        measuring.stop()
    if code:
        raise RuntimeError(f"the tests fail without any change (pytest says {int(code)})")
    data = measuring.get_data()
    tests_of: dict[tuple[str, int], list[str]] = {}
    imported: set[tuple[str, int]] = set()
    for file in data.measured_files():
        if os.path.basename(os.path.dirname(file)) != "protocol" or "tests" in Path(file).parts[-3:-1]:
            continue
        for line, tests in data.contexts_by_lineno(file).items():
            if "" in tests:  # before the first test
                imported.add((Path(file).stem, line))
            named = [test for test in tests if test in recorder.seconds]
            if named:
                tests_of[(Path(file).stem, line)] = named
    return Selection(tests_of, recorder.seconds, imported)


__all__ = ["Chooser", "Selection", "limit_cpu", "record"]
