"""Report: what a run found, as a value that JSON can hold, as a table, and against an earlier run.

The JSON form is the baseline too. Two runs are compared by what each of our servers did *relative to the floor*, the
raw TCP echo of the same run (or, where it takes no part, to the slowest-changing peer), since absolute figures of two
days differ by what the machine was doing. A ratio that fell by more than both runs' spread, and by 5 % at least, is a
regression.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..api.errors import InvalidArgument
from .run import Figure, Result
from .scenario import COROUTINES, IDLE_CORE_SHARE_GOAL, NO_CTYPES, OURS, RAW, SCENARIOS, Goal, Mode, Scenario
from .servers import KINDS

FORMAT: Final = 1
"""Version of the JSON form."""

LEAST_CHANGE: Final = 0.05
"""A smaller change than this is never called a regression."""

_OURS: Final = (OURS, COROUTINES, NO_CTYPES)
_REFERENCES: Final = (RAW, "websockets", "picows", "aiohttp")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a goal was reached: ``value`` is the ratio (or the figure, where less is better)."""

    goal: Goal
    value: float
    reached: bool


@dataclass(frozen=True, slots=True)
class Change:
    """How a server of ours did against a reference, then and now; ``noise`` is what both runs scattered."""

    scenario: str
    server: str
    against: str
    before: float
    now: float
    noise: float
    less_is_better: bool = False

    @property
    def change(self) -> float:
        """Relative change for the better; negative is worse."""
        ratio = self.before / self.now if self.less_is_better else self.now / self.before
        return ratio - 1

    @property
    def regressed(self) -> bool:
        """Whether it got worse by more than the noise."""
        return self.change < -max(LEAST_CHANGE, self.noise)


def by_name(name: str) -> Scenario:
    """Return a scenario."""
    return next(each for each in SCENARIOS if each.name == name)


def verdicts(result: Result) -> list[Verdict]:
    """Return the goals of the scenario whose servers took part, and what came of them."""
    found = []
    for goal in by_name(result.scenario).goals:
        if goal.server not in result.figures or (goal.against and goal.against not in result.figures):
            continue
        if goal.against:
            value = result.ratio(goal.server, goal.against)
            found.append(Verdict(goal, value, value >= goal.ratio))
        else:
            value = result.figures[goal.server].median
            found.append(Verdict(goal, value, value <= goal.ratio))
    return found


def as_json(results: Sequence[Result], rounds: int, seconds: float) -> dict[str, Any]:
    """Return a run as plain values."""
    return {
        "format": FORMAT,
        "library": __version__,
        "python": platform.python_version(),
        "implementation": f"{platform.python_implementation()} {platform.python_compiler()}",
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "rounds": rounds,
        "seconds": seconds,
        "results": [
            {
                "scenario": each.scenario,
                "title": by_name(each.scenario).title,
                "unit": by_name(each.scenario).unit,
                "figures": {
                    name: {
                        "version": KINDS[name].versions(),
                        "median": figure.median,
                        "spread": figure.spread,
                        "values": figure.values,
                        "core_share": figure.core_share,
                    }
                    for name, figure in each.figures.items()
                },
                "goals": [
                    {
                        "server": verdict.goal.server,
                        "against": verdict.goal.against,
                        "goal": verdict.goal.ratio,
                        "value": verdict.value,
                        "reached": verdict.reached,
                    }
                    for verdict in verdicts(each)
                ],
            }
            for each in results
        ],
    }


def from_json(text: str, origin: str) -> list[Result]:
    """Return the results in a file that ``as_json`` made. Raises ``InvalidArgument`` for anything else."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise InvalidArgument(f"{origin} has format {data['format']}, this version reads {FORMAT}")
        return [
            Result(
                entry["scenario"],
                {
                    name: Figure([float(value) for value in figure["values"]], figure["core_share"])
                    for name, figure in entry["figures"].items()
                },
            )
            for entry in data["results"]
            if entry["scenario"] in [each.name for each in SCENARIOS]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"{origin} is no file of results", cause=repr(error)) from error


def read_baseline(path: str) -> list[Result]:
    """Return the results in a file. Raises ``InvalidArgument`` and ``OSError``."""
    return from_json(Path(path).read_text("utf-8"), path)


def compare(before: Sequence[Result], now: Sequence[Result]) -> list[Change]:
    """Return how our servers changed against a reference, in the scenarios that both runs have."""
    old = {each.scenario: each for each in before}
    found: list[Change] = []
    for result in now:
        earlier = old.get(result.scenario)
        if earlier is None:
            continue
        idle = by_name(result.scenario).mode is Mode.IDLE
        for server in _OURS:
            if server in result.figures and server in earlier.figures:
                found += [_idle_change(earlier, result, server)] if idle else _changes(earlier, result, server)
    return found


def _changes(before: Result, now: Result, server: str) -> Iterator[Change]:
    for against in _REFERENCES:
        if against in before.figures and against in now.figures:
            noise = before.ratio_spread(server, against) + now.ratio_spread(server, against)
            yield Change(
                now.scenario, server, against, before.ratio(server, against), now.ratio(server, against), noise
            )
            return


def _idle_change(before: Result, now: Result, server: str) -> Change:
    then, later = before.figures[server], now.figures[server]
    return Change(now.scenario, server, "", then.median, later.median, then.spread + later.spread, True)


def table(results: Sequence[Result]) -> str:
    """Return the run as text: per scenario each server with its figure and what we are beside it, then the goals."""
    lines: list[str] = []
    for result in results:
        scenario = by_name(result.scenario)
        idle = scenario.mode is Mode.IDLE
        unit = scenario.unit if idle else f"{scenario.unit} per second of server CPU"
        lines += ["", f"{scenario.title} ({unit})"]
        for name, figure in result.figures.items():
            line = f"  {KINDS[name].title:<26}{_number(figure.median):>10}  ±{figure.spread * 50:3.0f} %"
            if figure.core_share is not None:
                line += f"   {figure.core_share:.2%} of a core while idle"
            elif OURS in result.figures and name != OURS:
                line += f"   ours is {result.ratio(OURS, name):5.2f} x"
            lines.append(line)
        for verdict in verdicts(result):
            goal = verdict.goal
            word = "reached" if verdict.reached else "MISSED"
            if goal.against:
                what = f"{goal.server} at least {goal.ratio:g} x {goal.against}: {verdict.value:.2f}"
            else:
                what = f"{goal.server} at most {goal.ratio:g} {scenario.unit}: {verdict.value:.0f}"
            lines.append(f"    goal {word}: {what}")
        share = result.figures[OURS].core_share if OURS in result.figures else None
        if share is not None:
            word = "reached" if share <= IDLE_CORE_SHARE_GOAL else "MISSED"
            lines.append(f"    goal {word}: {OURS} at most {IDLE_CORE_SHARE_GOAL:.1%} of a core: {share:.2%}")
    return "\n".join(lines).lstrip("\n")


def comparison(changes: Sequence[Change]) -> str:
    """Return a comparison with a baseline as text."""
    lines = []
    for each in changes:
        against = f" / {each.against}" if each.against else ""
        word = "REGRESSED" if each.regressed else "ok"
        lines.append(
            f"{each.scenario:<12}{each.server + against:<34}{each.before:>9.3f} -> {each.now:<9.3f}"
            f" {each.change:+7.1%} (noise {each.noise:.1%}) {word}"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.1f} k" if value >= 10_000 else f"{value:.0f}"


def machine(run: Mapping[str, Any]) -> str:
    """Return in one line where a run (``as_json``) was made."""
    return (
        f"hioload-ws {run['library']}, Python {run['python']} ({run['implementation']}), {run['machine']}, "
        f"{run['rounds']} rounds of {run['seconds']:g} s"
    )


__all__ = [
    "FORMAT",
    "LEAST_CHANGE",
    "Change",
    "Verdict",
    "as_json",
    "by_name",
    "compare",
    "comparison",
    "from_json",
    "machine",
    "read_baseline",
    "table",
    "verdicts",
]
