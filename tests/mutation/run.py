"""Mutation: breaks ``protocol/`` in many small ways, one at a time, and asks its tests whether they notice.

Usage: ``python tests/mutation/run.py [--count N | --all] [--seed S] [--module NAME ...]``, and for single
mutants ``python tests/mutation/run.py --only MODULE:NUMBER ... [--show]``.

Coverage says that a line was run by a test; only a broken line says whether anybody looked at what came out. A
mutant is *killed* when a test fails or its time is up. Whoever survives is a missing test, or a change that makes no
difference; the second kind is on record in ``equivalent.toml``, each with its reason, and is not counted.

A mutant lives in a process of its own (``judging.py``), and only tests that run the changed line are asked
(``selection.py``). Exits with 0 when the score is as high as asked for (``--at-least``, 90 %).
"""

from __future__ import annotations

import argparse
import ast
import os
import pickle
import random
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import hypothesis.stateful
import hypothesis.strategies  # imported here, once, and not by each of the children

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.mutation.judging import OPTIONS, ROOM, TESTS, in_child, judge, survives  # noqa: E402  # the path comes first
from tests.mutation.operators import Mutant, mutants_of, unchanged  # noqa: E402
from tests.mutation.selection import Selection, record  # noqa: E402

RECORD: Final = Path(__file__).with_name("equivalent.toml")
DEFAULT_COUNT: Final = 500
RECORDING_CPU_S: Final = 600


def texts(modules: Sequence[str] = ()) -> dict[str, str]:
    """Return the sources of the room's modules by name, or of some of them."""
    files = sorted(REPOSITORY.joinpath(ROOM).glob("[a-z]*.py"))
    return {file.stem: file.read_text("utf-8") for file in files if not modules or file.stem in modules}


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
    killed: Counter[str] = Counter()
    survivor_count = 0
    start = time.monotonic()
    tasks = [unchanged(sample[0].module, sample[0].source, lines) for lines in (range(0), range(1, 10_000))] + sample
    for done, (number, survived) in enumerate(verdicts(tasks, selection, chosen.jobs), 1):
        mutant = tasks[number]
        if not mutant.what:
            if not survived:
                raise RuntimeError("an unchanged module is killed: the tool is broken")
        elif survived:
            survivor_count += 1
            print(f"survived: {mutant}\n    {key_of(mutant)[1]}", flush=True)
        else:
            killed[mutant.module] += 1
        if done % 50 == 0:
            print(f"  {done} in {time.monotonic() - start:.0f} s, {survivor_count} survived", flush=True)
    return _report(sample, killed, survivor_count, chosen.at_least)


def verdicts(mutants: Sequence[Mutant], selection: Selection, jobs: int) -> Iterator[tuple[int, bool]]:
    """Judge mutants in so many processes; yield the index of each and whether it survived, as they come.

    Raises ``RuntimeError`` when one was not judged.
    """
    forth, back = os.pipe()
    children = []
    for job in range(jobs):
        child = os.fork()
        if not child:
            os.close(forth)
            mine = mutants[job::jobs]
            numbers = {id(mutant): job + jobs * place for place, mutant in enumerate(mine)}
            code = 1
            try:
                judge(mine, selection, lambda mutant, survived: _tell(back, numbers[id(mutant)], survived))
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        children.append(child)
    os.close(back)
    with os.fdopen(forth) as lines:
        for line in lines:
            number, survived = line.split()
            yield int(number), survived == "1"
    if any([os.waitpid(child, 0)[1] for child in children]):
        raise RuntimeError("not all mutants were judged: see above")


def _tell(pipe: int, number: int, survived: bool) -> None:
    os.write(pipe, f"{number} {int(survived)}\n".encode())  # in one piece: pipe(7), PIPE_BUF


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
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--only", metavar="MODULE:NUMBER", action="append", help="this one; may be repeated")
    parser.add_argument("--show", action="store_true", help="with --only: the mutated module and its tests' output")
    parser.add_argument("--at-least", type=float, default=90.0, help="score that is asked for (default: %(default)s)")
    return parser


__all__ = ["equivalents", "key_of", "main", "texts", "verdicts"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
