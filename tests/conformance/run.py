"""The conformance run: plays the Autobahn cases against our server and our client, and judges the result.

Usage: ``python tests/conformance/run.py [--all] [--role server|client|both] [--json FILE] [CASE ...]``

Without options the 301 cases of core and limits are played in both roles, in a few seconds. ``--all`` adds the
216 cases of permessage-deflate. ``CASE`` is an id or a pattern (``7.*``): then only those are played, and
counts are not compared. Exits with 0 when the run is what ``expected.toml`` says, 1 when it is not, 2 when the
suite (``pip install kosoku``) is not installed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by its path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.conformance.peers import play_client, play_server  # noqa: E402  # the path comes first
from tests.conformance.verdict import RANKS, Played, complaints, on_record  # noqa: E402

LIMIT_S: Final = {"core": 90.0, "all": 1800.0}
"""A run that takes longer is stuck; each role has this time."""
_PLAY: Final = {"server": play_server, "client": play_client}
_MAX_LINES: Final = 20


def main(arguments: list[str]) -> int:
    """Play, print, compare; return the exit code."""
    parser = argparse.ArgumentParser(description="Play the Autobahn cases against our server and client.")
    parser.add_argument("--all", action="store_true", help="permessage-deflate (12.* and 13.*), too")
    parser.add_argument("--role", choices=("server", "client", "both"), default="both", help="which end is ours")
    parser.add_argument("--json", type=Path, help="write the verdict of every case into this file")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="case ids or patterns; none: every case")
    chosen = parser.parse_args(arguments)
    if importlib.util.find_spec("kosoku") is None:
        print("the suite is not installed: pip install kosoku", file=sys.stderr)
        return 2
    roles = ("server", "client") if chosen.role == "both" else (chosen.role,)
    wrong, rows = 0, {}
    for role in roles:
        played, seconds = _play(role, chosen.cases, chosen.all)
        selection = None if chosen.cases else "all" if chosen.all else "core"
        lines = list(complaints(played, on_record(role, selection)))
        print(_summary(role, played, seconds))
        for line in lines[:_MAX_LINES]:
            print(f"  {line}")
        if len(lines) > _MAX_LINES:
            print(f"  and {len(lines) - _MAX_LINES} more")
        wrong += len(lines)
        rows[role] = {row.case: row.verdicts for row in played.rows}
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(rows, indent=1), "utf-8")
    print("conformance: as expected" if not wrong else f"conformance: {wrong} differences from the record")
    return 1 if wrong else 0


def _play(role: str, cases: list[str], with_deflate: bool) -> tuple[Played, float]:
    start = time.monotonic()
    limit_s = LIMIT_S["all" if with_deflate else "core"]
    try:
        played = _PLAY[role](cases, with_deflate, limit_s)
    except TimeoutError:
        played = Played(faults=[f"the run did not end within {limit_s:.0f} s"])
    except ValueError as error:  # a pattern that fits no case
        played = Played(faults=[f"the suite refused: {error}"])
    return played, time.monotonic() - start


def _summary(role: str, played: Played, seconds: float) -> str:
    columns = []
    for column in ("behavior", "close"):
        counts = played.counts(column)
        names = sorted(counts, key=lambda name: RANKS.index(name) if name in RANKS else len(RANKS))
        columns.append(f"{column}: " + (", ".join(f"{counts[name]} {name}" for name in names) or "nothing"))
    return f"our {role}: {len(played.rows)} cases in {seconds:.1f} s; " + "; ".join(columns)


__all__ = ["main"]

if __name__ == "__main__":
    code = main(sys.argv[1:])
    gc.collect()  # what was not closed says so now
    sys.stdout.flush()
    sys.stderr.flush()
    # Not SystemExit: kosoku 0.1.0 leaves native threads that abort an interpreter on its way out, one run in ten,
    # whichever server it played against. The verdict has been told by now.
    os._exit(code)
