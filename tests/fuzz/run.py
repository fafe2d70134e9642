"""The fuzz run: mutated inputs for everything that reads what a peer sends, on all cores, for as long as asked.

Usage: ``python tests/fuzz/run.py [--seconds N | --inputs N] [--target NAME ...] [--seed S] [--processes N]``
and ``python tests/fuzz/run.py --target NAME --repeat FILE`` for an input that failed.

It ends by itself: after the time or the number of inputs (for all processes together), at the first failure, or
when a worker is stuck. A failure leaves a file with its input and prints the command that repeats it. The same
seed, number of processes and number of inputs try the same inputs. Exits with 0 when nothing was found, else 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.fuzz.targets import TARGETS  # noqa: E402  # the path comes first
from tests.fuzz.worker import Done, Job, repeat, work  # noqa: E402

DEFAULT_SECONDS: Final = 60.0
_STUCK_S: Final = 60.0
"""How much longer than asked for a timed run may take."""
_SLOWEST_PER_S: Final = 200
"""No process is slower than that, so a run of so many inputs that takes longer is stuck."""


def main(arguments: list[str]) -> int:
    """Run the jobs, print what they did, keep what failed; return the exit code."""
    chosen = _parser().parse_args(arguments)
    names = chosen.target or list(TARGETS)
    if chosen.repeat is not None:
        failures = [repeat(name, chosen.repeat.read_bytes()) for name in names]
        print("\n".join(filter(None, failures)) or "nothing found")
        return 1 if any(failures) else 0
    seed = chosen.seed or os.urandom(4).hex()
    shares = len(names) * chosen.processes
    seconds = chosen.seconds / len(names) if chosen.inputs is None else None
    inputs = None if chosen.inputs is None else -(-chosen.inputs // shares)
    jobs = [
        Job([name], f"{seed} {number}", seconds, inputs) for name in names for number in range(chosen.processes)
    ]
    print(f"seed {seed}, {chosen.processes} processes, targets: {', '.join(names)}", flush=True)
    start = time.monotonic()
    limit_s = _STUCK_S + (seconds or (inputs or 0) / _SLOWEST_PER_S)
    done: list[Done] = []
    # A spawned process has nothing of ours but what it imports, so that its memory is its own.
    with multiprocessing.get_context("spawn").Pool(chosen.processes) as pool:
        results = pool.imap_unordered(work, jobs)
        try:
            while len(done) < shares and not any(each.failure for each in done):
                done += results.next(limit_s)
                print(f"  {done[-1].target}: {done[-1].inputs} inputs in {done[-1].seconds:.1f} s", flush=True)
        except multiprocessing.TimeoutError:
            print(f"stuck: no share of the work was done within {limit_s:.0f} s")
            return 1
    _report(done, time.monotonic() - start)
    failed = [each for each in done if each.failure]
    for each in failed:
        _keep(each, chosen.out)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fuzz everything that reads what a peer sends.")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="how long (default: %(default)s)")
    amount.add_argument("--inputs", type=int, help="how many inputs, all processes together")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--seed", help="makes a run with --inputs repeatable (default: random, and printed)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one per core")
    parser.add_argument("--out", type=Path, default=Path.cwd(), help="folder for inputs that fail (default: this)")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="give this one input to the targets")
    return parser


def _report(done: Sequence[Done], seconds: float) -> None:
    for name in dict.fromkeys(each.target for each in done):
        of_target = [each for each in done if each.target == name]
        inputs, busy_s = sum(each.inputs for each in of_target), sum(each.cpu_seconds for each in of_target)
        print(
            f"{name:13} {inputs:>9} inputs, {inputs / busy_s if busy_s else 0:>6.0f} per second of CPU, "
            f"{max(each.signatures for each in of_target)} signatures, "
            f"memory {max(each.growth_bytes for each in of_target) / 1024:+.0f} KiB"
        )
    total, busy_s = sum(each.inputs for each in done), sum(each.cpu_seconds for each in done)
    print(f"{total} inputs in {seconds:.1f} s, {busy_s:.1f} s of CPU, {len(done)} shares of work")


def _keep(done: Done, folder: Path) -> None:
    """Write the input of a failure into a file and say how to repeat it."""
    print(f"\n{done.target} failed at input {done.inputs}:\n{done.failure}")
    if done.data:
        file = folder / f"fuzz-{done.target}-{os.urandom(4).hex()}.bin"
        file.write_bytes(done.data)
        print(f"repeat it with: python tests/fuzz/run.py --target {done.target} --repeat {file}")


__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
