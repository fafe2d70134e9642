"""Command: ``hioload-ws bench``.

Exit codes: 0 when all went well, 1 when a reply was wrong, a server died, or something of ours got slower than a
baseline by more than the noise, 2 for a command line that makes no sense. Goals that are missed are shown and do not
change the code: they are about machines and peers too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TextIO

from ..api.errors import InvalidArgument
from .plot import svg
from .process import check_supported
from .report import as_json, compare, comparison, machine, read_baseline, table
from .run import Progress, Result, measure
from .scenario import SCENARIOS, Scenario, chosen
from .servers import KINDS

DESCRIPTION: Final = """\
Measure this library's server against its peers, each on one CPU: work per second of the server's CPU time, medians of
interleaved rounds, every reply compared byte for byte. Peers that are not installed are left out; the extra "bench"
brings them. Linux only. About twelve minutes in full, less than two with --quick."""

_QUICK: Final = (3, 0.4)
_FULL: Final = (5, 1.5)


def mount(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``bench`` to a command line (an entry point of the group ``hioload_ws.commands``)."""
    parser = add_parser("bench", help="measure this server against its peers", description=DESCRIPTION)
    add_arguments(parser)
    parser.set_defaults(command=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``bench``."""
    names = ", ".join(each.name for each in SCENARIOS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"these only: {names}")
    parser.add_argument(
        "--servers", metavar="NAMES", help=f"these only, with commas between: {', '.join(KINDS)}"
    )
    parser.add_argument("--quick", action="store_true", help="three short rounds: for a look, not for a claim")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds per scenario (default: 5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a server's turn (default: 1.5)")
    parser.add_argument("--json", metavar="FILE", help="write the results, which are a baseline too")
    parser.add_argument("--svg", metavar="FILE", help="write a picture of the results")
    parser.add_argument(
        "--compare", metavar="FILE", help="compare with an earlier --json FILE; exit code 1 if we got slower"
    )
    parser.add_argument("--list", action="store_true", help="show scenarios and servers, and end")


def run(options: argparse.Namespace, output: TextIO | None = None) -> int:
    """Do what the options say, print to ``output`` (``None``: standard output), and return the exit code.

    Raises ``InvalidArgument`` for options that make no sense, ``NotSupported`` where processes can't be measured,
    ``InternalError`` for a wrong reply, and ``OSError`` for files.
    """
    out = sys.stdout if output is None else output
    scenarios = chosen(options.scenarios)
    servers = _servers(options.servers)
    if options.list:
        print(_listing(), file=out)
        return 0
    check_supported()
    rounds, seconds = _QUICK if options.quick else _FULL
    rounds = rounds if options.rounds is None else options.rounds
    seconds = seconds if options.seconds is None else options.seconds
    if not 1 <= rounds <= 1000 or not 0.01 <= seconds <= 600:
        raise InvalidArgument("rounds are 1 to 1000, seconds 0.01 to 600", rounds=rounds, seconds=seconds)
    baseline = None if options.compare is None else read_baseline(options.compare)
    results = _measured(scenarios, servers, rounds, seconds)
    found = as_json(results, rounds, seconds)
    print(table(results), file=out)
    print(f"\n{machine(found)}", file=out)
    if options.json is not None:
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if options.svg is not None:
        Path(options.svg).write_text(svg(results, machine(found)), "utf-8")
    if baseline is None:
        return 0
    changes = compare(baseline, results)
    print(f"\nagainst {options.compare}\n{comparison(changes)}", file=out)
    return 1 if any(each.regressed for each in changes) else 0


def _servers(names: str | None) -> tuple[str, ...]:
    """Return the servers that take part: all that are installed, or those asked for, which have to be."""
    asked = list(KINDS) if names is None else [name.strip() for name in names.split(",")]
    unknown = [name for name in asked if name not in KINDS]
    if unknown:
        raise InvalidArgument(f"no server {', '.join(unknown)}: there are {', '.join(KINDS)}")
    present = []
    for name in asked:
        missing = KINDS[name].missing()
        if missing and names is not None:
            raise InvalidArgument(f"{name} needs what is not installed: pip install {' '.join(missing)}")
        if missing:
            print(f"left out, not installed: {', '.join(missing)}", file=sys.stderr)
        else:
            present.append(name)
    return tuple(present)


def _measured(
    scenarios: Sequence[Scenario], servers: Sequence[str], rounds: int, seconds: float
) -> list[Result]:
    plans = [(each, [name for name in each.servers if name in servers]) for each in scenarios]
    plans = [(scenario, names) for scenario, names in plans if names]
    bar = _Bar(sum(len(names) * rounds for _, names in plans))
    results = [
        measure(scenario, names, rounds, seconds, bar.telling(scenario.title)) for scenario, names in plans
    ]
    bar.end()
    return results


class _Bar:
    """A progress bar on standard error, if that is a terminal; else a line per scenario."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()

    def telling(self, title: str) -> Progress:
        if not self._terminal:
            print(f"measuring: {title}", file=sys.stderr, flush=True)

        def tell(server: str) -> None:
            self._done += 1
            if self._terminal:
                filled = 30 * self._done // self._total
                bar = "#" * filled + "." * (30 - filled)
                print(f"\r[{bar}] {title}: {server}\x1b[K", end="", file=sys.stderr, flush=True)

        return tell

    def end(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _listing() -> str:
    lines = ["scenarios"]
    lines += [f"  {each.name:<14}{each.title}" for each in SCENARIOS]
    lines.append("servers")
    for name, kind in KINDS.items():
        missing = kind.missing()
        note = f"not installed: {', '.join(missing)}" if missing else kind.versions()
        lines.append(f"  {name:<20}{kind.title:<28}{note}".rstrip())
    return "\n".join(lines)


__all__ = ["DESCRIPTION", "add_arguments", "mount", "run"]
