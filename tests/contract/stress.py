"""Tier C: a black box and real threads.

What is written in C, or waits in ways that no controller sees, can only be watched: real threads play a scene, every
call is recorded with the time before and after it, and the history is judged as those of tiers A and B are. Under
the GIL threads hardly ever meet at the wrong moment, so what this does not find proves nothing; no MUST stands on
it. The interval at which Python switches threads is lowered meanwhile, which helps a little.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Final, TypeVar

from .history import Call, Recorder
from .schedules import Body, Judge, Scene
from .trial import Trial

SWITCH_SECONDS: Final = 1e-6
QUICK_ROUNDS: Final = 5
FULL_ROUNDS: Final = 2_000

S = TypeVar("S")


def race(
    trial: Trial, scene: Scene[S], judge: Judge, *, quick: int = QUICK_ROUNDS, full: int = FULL_ROUNDS
) -> None:
    """Play a scene with real threads, again and again. Raises ``Broken`` for a history that is judged so, and what
    a thread raised."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        for _ in range(trial.rounds(quick, full)):
            trial.forget()
            calls = _played(scene)
            for call in sorted(calls, key=lambda each: each.end):
                trial.did(str(call))
            judge(calls)
    finally:
        sys.setswitchinterval(before)


def _played(scene: Scene[S]) -> list[Call]:
    """Play a scene once; return what was recorded."""
    calls: list[Call] = []
    errors: list[BaseException] = []
    recorder = Recorder(calls.append, time.perf_counter_ns)
    subject = scene.make()
    start = threading.Barrier(len(scene.threads))

    def play(body: Body[S]) -> None:
        try:
            start.wait()
            body(subject, recorder)
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=play, args=(body,), name=f"contract race {name}", daemon=True)
        for name, body in scene.threads.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    scene.finish(subject, recorder)
    return calls


__all__ = ["FULL_ROUNDS", "QUICK_ROUNDS", "race"]
