"""Measures the kit on our own implementations: how long it takes, and whether any run is unlike the others.

Usage: ``python tests/kit/measure.py [--full] [--runs N]``. Every test of this folder that holds an implementation to
its contract is run, N times over, each time with another seed; the first failure ends it, and the exit code is 1 then.
In the end it prints the seconds per contract, of all its implementations, and in all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

OPTIONS: Final = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.kit.conftest import MODULES  # noqa: E402  # the path comes first
from tests.kit.holding import Mode  # noqa: E402


def main(arguments: list[str]) -> int:
    """Run, and print what it took; return the exit code."""
    parser = argparse.ArgumentParser(description="Hold our own implementations to their contracts, and take the time.")
    parser.add_argument("--full", action="store_true", help="full mode instead of quick mode")
    parser.add_argument("--runs", type=int, default=1, help="how many in a row (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    os.chdir(REPOSITORY)
    Mode.full = chosen.full
    for run in range(1, chosen.runs + 1):
        Mode.seed = run
        files = [str(path) for path in sorted(MODULES)]
        if code := pytest.main(["-x", "-q", *OPTIONS, *files]):
            print(f"run {run} of {chosen.runs}, with seed {run}, failed", flush=True)
            return int(code)
    _tell(chosen.runs)
    return 0


def _tell(runs: int) -> None:
    by_suite: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for cost in Mode.costs:
        by_suite[cost.suite].append((cost.seconds / runs, cost.cpu_seconds / runs))
    for suite, costs in sorted(by_suite.items(), key=lambda each: -sum(wall for wall, _ in each[1])):
        print(f"{sum(wall for wall, _ in costs):8.2f} s, {sum(cpu for _, cpu in costs):6.2f} of a CPU: {suite}")
    wall = sum(cost.seconds for cost in Mode.costs) / runs
    cpu = sum(cost.cpu_seconds for cost in Mode.costs) / runs
    count = len({(cost.suite, cost.name) for cost in Mode.costs})
    mode = "full" if Mode.full else "quick"
    print(f"{mode} mode: {wall:.1f} s, {cpu:.1f} of a CPU, for {len(by_suite)} contracts, {count} implementations")
    print(f"{runs} runs in a row without a failure")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
