"""Rows: picks rows of the RFC tables at random, breaks the code they name, and runs the tests they name.

Usage: ``python tests/mutation/rows.py [--count N] [--seed S] [--tries N]``.

A table that says "this line keeps that sentence, and this test proves it" is worth something if the test fails when
the line is broken. So for each row some mutants of the definition it names are made (``operators.py``), and only the
row's own tests are run, until one fails. A row whose tests notice none of them is printed: either its tests prove
something else, or the changes had nothing to do with its sentence, and a reader has to look.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.mutation.judging import OPTIONS, Hook, in_child  # noqa: E402  # the path comes first
from tests.mutation.operators import Mutant, mutants_of  # noqa: E402  # isort: skip

TABLES: Final = ("rfc6455.toml", "rfc7692.toml")
CPU_S: Final = 120


def lines_of(source: str, name: str) -> range:
    """Return the lines of a definition (``Class.method``, a function, a constant) in a module's source."""
    body: list[ast.stmt] = ast.parse(source).body
    found: ast.stmt | None = None
    for part in name.split("."):
        found = next((node for node in reversed(body) if part in _names(node)), None)  # of overloads the last
        if found is None:
            return range(0)
        body = getattr(found, "body", [])
    return range(0) if found is None else range(found.lineno, (found.end_lineno or found.lineno) + 1)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def breaks(code: tuple[str, ...]) -> Iterator[tuple[str, Mutant]]:
    """Yield the mutants of the definitions that a row names, each with its room."""
    for each in code:
        path, _, name = each.partition(":")
        source = (REPOSITORY / path).read_text("utf-8")
        lines = lines_of(source, name)
        for mutant in mutants_of(Path(path).stem, source):
            if mutant.line in lines:
                yield Path(path).parent.name, mutant


def is_noticed(room: str, mutant: Mutant, tests: tuple[str, ...]) -> bool:
    """Say whether one of the tests fails when the mutant is in place."""

    def ask(_: Path) -> int:
        sys.meta_path.insert(0, Hook(mutant, room))
        return int(pytest.main([*OPTIONS, *tests]))

    return not in_child(ask, CPU_S)


def main(arguments: list[str]) -> int:
    """Try rows, print each verdict and the score; exit with 0 when nine in ten were noticed."""
    parser = argparse.ArgumentParser(description="Break the code of random rows of the RFC tables; run their tests.")
    parser.add_argument("--count", type=int, default=30, help="how many rows (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="which ones (default: %(default)s)")
    parser.add_argument("--tries", type=int, default=6, help="mutants per row at most (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    os.chdir(REPOSITORY)
    rows = load_rows()
    generator = random.Random(chosen.seed)
    sample = generator.sample(rows, min(chosen.count, len(rows)))
    noticed = 0
    for number, code, tests in sample:
        candidates = list(breaks(code))
        tried = generator.sample(candidates, min(chosen.tries, len(candidates)))
        hit = next((mutant for room, mutant in tried if is_noticed(room, mutant, tests)), None)
        noticed += hit is not None
        print(f"{'noticed' if hit else 'MISSED '} {number}: {hit or ', '.join(code)}", flush=True)
    print(f"{noticed} of {len(sample)} rows: {100 * noticed / len(sample):.0f} %; seed {chosen.seed}")
    return 0 if noticed >= 0.9 * len(sample) else 1


def load_rows() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return id, code and tests of every row that names code; without our own reader, which may be what is broken."""
    found = []
    for table in TABLES:
        data = tomllib.loads((REPOSITORY / "protocol" / table).read_text("utf-8"))
        for section in data["section"]:
            for row in section["row"]:
                if row.get("code") and row.get("tests"):
                    found.append((row["id"], tuple(row["code"]), tuple(row["tests"])))
    return found


__all__ = ["breaks", "is_noticed", "lines_of", "load_rows", "main"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
