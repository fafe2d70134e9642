"""Model-based checks: random operations on a subject and on a simple model beside it.

A script is a list of operations, each a name with arguments. The suite says how to draw one and how to replay
a script on a fresh subject while comparing with a model; this module draws scripts, and when one breaks,
shortens it: whole blocks of operations are left out for as long as it still breaks. What remains is printed as
the story of the failure, usually a handful of lines, and as a program to paste (``replaying.py``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from .report import Finding
from .trial import Broken, Trial

Operation: TypeAlias = tuple[str, int]
"""A name and one number, which is all that the models of this kit need."""

Replay: TypeAlias = Callable[[Sequence[Operation]], None]
"""Does a script with a fresh subject; raises ``Broken`` at the first difference."""

MAX_REPLAYS: Final = 200
"""Replays spent on shortening."""

MAX_SECONDS: Final = 0.5
"""Time spent on shortening: where each replay ends with a time-out, few have to do."""


def explore(
    trial: Trial,
    draw: Callable[[random.Random], Operation],
    replay: Replay,
    *,
    scripts: int,
    length: int = 40,
) -> None:
    """Replay random scripts; raise ``Broken`` with the shortest one found that breaks. Where the trial has a
    script, that one alone is replayed."""
    if trial.script is not None:
        trial.script_used = True
        replay(trial.script)
        return
    for _ in range(scripts):
        script = [draw(trial.rng) for _ in range(trial.rng.randint(1, length))]
        finding = _attempt(trial, replay, script)
        if finding is not None:
            raise Broken(_shortened(trial, replay, script, finding))


def _attempt(trial: Trial, replay: Replay, script: Sequence[Operation]) -> Finding | None:
    trial.forget()
    try:
        replay(script)
    except Broken as broken:
        return broken.finding
    return None


def _shortened(trial: Trial, replay: Replay, script: list[Operation], finding: Finding) -> Finding:
    """Leave out ever smaller blocks for as long as something breaks."""
    size = len(script) // 2
    replays = 0
    end = time.monotonic() + MAX_SECONDS
    while size:
        start = 0
        while start < len(script) and replays < MAX_REPLAYS and time.monotonic() < end:
            shorter = script[:start] + script[start + size :]
            replays += 1
            found = _attempt(trial, replay, shorter)
            if found is None:
                start += size
            else:
                script, finding = shorter, found
        size //= 2
    summary = f"{finding.summary} (script shortened to {len(script)} operations)"
    return replace(finding, summary=summary, script=repr(script))


__all__ = ["MAX_REPLAYS", "MAX_SECONDS", "Operation", "Replay", "explore"]
