"""Mutation: breaks ``protocol/`` in many small ways, one at a time, and asks its tests whether they notice.

Usage: ``python tests/mutation/run.py [--count N | --all] [--seed S] [--module NAME ...]``, and for single
mutants ``python tests/mutation/run.py --only MODULE:NUMBER ... [--show]``.

Coverage says that a line was run by a test; only a broken line says whether anybody looked at what came out. A
mutant is *killed* when a test fails or its time is up. Whoever survives is a missing test, or a change that makes no
difference; the second kind is on record in ``equivalent.toml``, each with its reason, and is not counted.

A mutant lives in a process of its own, forked from one that has imported pytest and Hypothesis already and nothing
of ours that could be mutated; an import hook gives it the changed module. Only tests that run the changed line are
asked (``selection.py``). Time limits are in CPU seconds, so that a busy machine kills nobody. Exits with 0 when the
score is as high as asked for (``--at-least``, 90 %).
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.machinery
import os
import pickle
import random
import resource
import shutil
import sys
import tempfile
import time
import tomllib
import traceback
import types
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import hypothesis.stateful
import hypothesis.strategies  # imported here, once, and not by each of the children
import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.mutation.operators import Mutant, mutants_of, unchanged  # noqa: E402  # the path comes first
from tests.mutation.selection import Chooser, Selection, record  # noqa: E402

ROOM: Final = "protocol"
TESTS: Final = REPOSITORY / "tests" / ROOM
RECORD: Final = Path(__file__).with_name("equivalent.toml")
DEFAULT_COUNT: Final = 500
RECORDING_CPU_S: Final = 600
COLLECTING_CPU_S: Final = 60
MEMORY_LIMIT_BYTES: Final = 2 << 30
OPTIONS: Final = (
    *("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"--rootdir={REPOSITORY}"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # Hypothesis is imported already, on purpose
)


class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutated module in place of the one on disk."""

    def __init__(self, mutant: Mutant, room: str = ROOM) -> None:
        self._name = f"hioload_ws.{room}.{mutant.module}"
        self._file = str(REPOSITORY / room / f"{mutant.module}.py")
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._file)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = self._file
        exec(compile(self._mutant.tree(), self._file, "exec"), module.__dict__)


def texts(modules: Sequence[str] = ()) -> dict[str, str]:
    """Return the sources of the room's modules by name, or of some of them."""
    files = sorted(REPOSITORY.joinpath(ROOM).glob("[a-z]*.py"))
    return {file.stem: file.read_text("utf-8") for file in files if not modules or file.stem in modules}


def in_child(function: Callable[[Path], int], cpu_s: float, *, quiet: bool = True) -> bool:
    """Run ``function`` with a scratch folder in a forked process; ``True`` when it returned 0 in time."""
    scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
    child = os.fork()
    if not child:
        try:
            code = _limited(function, scratch, cpu_s, quiet=quiet)
        except BaseException:
            if not quiet:
                traceback.print_exc()
            code = 1
        os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return status == 0


def _limited(function: Callable[[Path], int], scratch: Path, cpu_s: float, *, quiet: bool) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (round(cpu_s), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    # Hypothesis remembers what failed: a fresh memory for each, so that mutants do not help to kill each other.
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch)
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    return function(scratch)


def select() -> Selection:
    """Run all tests once, in a process of their own, and return which of them ran which line.

    Raises ``RuntimeError`` when one fails without any change: nothing could be learned then.
    """
    files = [str(file) for file in sorted(TESTS.glob("test_*.py"))]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "selection"

        def run(scratch: Path) -> int:
            result.write_bytes(pickle.dumps(record(OPTIONS, files, scratch)))
            return 0

        if not in_child(run, RECORDING_CPU_S):
            raise RuntimeError("the tests fail without any change: nothing can be learned from them")
        return cast(Selection, pickle.loads(result.read_bytes()))


def survives(mutant: Mutant, selection: Selection, *, quiet: bool = True) -> bool:
    """Ask the tests that run the changed line, in a process of their own; stop at the first that fails."""
    wanted = selection.of(mutant.module, mutant.lines)

    def ask(_: Path) -> int:
        sys.meta_path.insert(0, Hook(mutant))
        files = sorted({test.partition("::")[0] for test in wanted})
        return int(pytest.main([*OPTIONS, *files], plugins=[Chooser(wanted)]))

    return in_child(ask, COLLECTING_CPU_S, quiet=quiet)


def equivalents() -> dict[tuple[str, str, str], str]:
    """Return the changes on record that make no difference: (module, line of source, change) and the reason."""
    rows = tomllib.loads(RECORD.read_text("utf-8"))["equivalent"]
    return {(row["module"], row["code"], row["change"]): row["reason"] for row in rows}


def key_of(mutant: Mutant) -> tuple[str, str, str]:
    """Return what names a change as long as its line is not edited."""
    return mutant.module, mutant.source.splitlines()[mutant.line - 1].strip(), mutant.what


def main(arguments: list[str]) -> int:
    """Run the sample, print who survives and the score; return the exit code."""
    chosen = _parser().parse_args(arguments)
    os.chdir(REPOSITORY)
    every = [mutant for name, text in texts(chosen.module or ()).items() for mutant in mutants_of(name, text)]
    if chosen.only:
        return _try([each for each in every if f"{each.module}:{each.number}" in chosen.only], chosen.show)
    known = equivalents()
    candidates = [each for each in every if key_of(each) not in known]
    count = len(candidates) if chosen.all else min(chosen.count, len(candidates))
    sample = random.Random(chosen.seed).sample(candidates, count)
    print(f"{count} of {len(every)} mutants, {len(every) - len(candidates)} known to be equivalent; seed {chosen.seed}")
    selection = select()
    print(f"{selection.test_count} tests pass unchanged", flush=True)
    if not survives(unchanged(sample[0].module, sample[0].source), selection):
        raise RuntimeError("an unchanged module is killed: the tool is broken")
    killed: Counter[str] = Counter()
    survivors: list[Mutant] = []
    start = time.monotonic()
    for done, mutant in enumerate(sample, 1):
        if survives(mutant, selection):
            survivors.append(mutant)
            print(f"survived: {mutant}\n    {key_of(mutant)[1]}", flush=True)
        else:
            killed[mutant.module] += 1
        if done % 20 == 0:
            seconds = time.monotonic() - start
            print(f"  {done} of {count} in {seconds:.0f} s, {done - len(survivors)} killed", flush=True)
    return _report(sample, killed, len(survivors), chosen.at_least)


def _try(mutants: Sequence[Mutant], show: bool) -> int:
    selection = select()
    survivor_count = 0
    for mutant in mutants:
        print(f"{mutant}\n{ast.unparse(mutant.tree())}" if show else mutant, flush=True)
        survived = survives(mutant, selection, quiet=not show)
        survivor_count += survived
        print("  survived" if survived else "  killed", flush=True)
    return min(survivor_count, 1)


def _report(sample: Sequence[Mutant], killed: Counter[str], survivor_count: int, at_least: float) -> int:
    tried = Counter(mutant.module for mutant in sample)
    print("| module | mutants | killed | survived |\n|---|---|---|---|")
    for module, count in sorted(tried.items()):
        print(f"| {module} | {count} | {killed[module]} | {count - killed[module]} |")
    score = 100 * sum(killed.values()) / len(sample)
    print(f"| all | {len(sample)} | {sum(killed.values())} | {survivor_count} |\nscore {score:.1f} %")
    return 0 if score >= at_least else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Break protocol/ in small ways and ask its tests.")
    parser.add_argument("--count", type=int, default=DEFAULT_COUNT, help="how many (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every mutant there is")
    parser.add_argument("--seed", default="1", help="which ones (default: %(default)s)")
    parser.add_argument("--module", action="append", help="only of this module; may be repeated")
    parser.add_argument("--only", metavar="MODULE:NUMBER", action="append", help="this one; may be repeated")
    parser.add_argument("--show", action="store_true", help="with --only: the mutated module and its tests' output")
    parser.add_argument("--at-least", type=float, default=90.0, help="score that is asked for (default: %(default)s)")
    return parser


__all__ = ["equivalents", "key_of", "main", "survives", "texts"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
