"""Watchdog: a check that never returns is a finding, not a hanging kit.

Each check runs on a thread of its own. It is given up when it has shown no sign of life for as long as the
patience says, or has taken too long in all. Then the stacks of all threads are kept, its subjects are closed
(which is what ends most waits), and an exception is raised inside it (which ends loops in Python). What still
lives after that is a daemon thread and is left alone.

Time is counted in ticks: a tick counts no more than its length, however long the machine took to come back
from it. So a machine that was asleep uses up nobody's patience. One that is busy with other things lets the check
wait for its turn while this thread, which sleeps most of the time, gets its own at once: so patience grows with the
number of those who wait for each CPU (``crowd``).

It does not touch ``faulthandler.dump_traceback_later``: there is only one such timer in a process, and the
user's test suite may need it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

TICK_SECONDS: Final = 0.02
RESCUE_SECONDS: Final = 0.3
"""How long a check that was given up may take to end."""

MAX_FRAMES: Final = 12


MAX_CROWD: Final = 10.0


def crowd() -> float:
    """Return how many want each CPU of this machine, 1 to ``MAX_CROWD``: its load, where the system tells it."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        return 1.0
    return min(max(load / (os.cpu_count() or 1), 1.0), MAX_CROWD)


class Abandoned(BaseException):
    """Raised inside a check that was given up."""


@dataclass(frozen=True, slots=True)
class Watched:
    """How a check ended: ``error`` is what it raised; ``stacks`` is not empty when it was given up."""

    error: BaseException | None
    stacks: str
    seconds: float


def stacks(marked: threading.Thread | None = None) -> str:
    """Return the stacks of all threads, the marked one first, the innermost frames of each."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    frames = sys._current_frames()
    parts = []
    for ident in sorted(frames, key=lambda each: marked is None or each != marked.ident):
        if ident != own:
            lines = traceback.format_stack(frames[ident])[-MAX_FRAMES:]
            parts.append(f"thread {names.get(ident, ident)}:\n{''.join(lines)}")
    return "\n".join(parts)


def watch(
    function: Callable[[], object],
    *,
    name: str,
    patience_seconds: float,
    limit_seconds: float,
    sign_of_life: Callable[[], int],
    rescue: Callable[[], object],
) -> Watched:
    """Run ``function`` on a thread called ``name`` and return how it ended.

    It is given up after ``patience_seconds`` in which ``sign_of_life()`` stayed the same, or after
    ``limit_seconds`` in all; ``rescue`` is called then, to free what it waits for.
    """
    raised: list[BaseException] = []

    def body() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body, name=name, daemon=True)
    begin = time.monotonic()
    thread.start()
    try:
        found = _wait(thread, patience_seconds, limit_seconds, sign_of_life)
    except BaseException:  # Ctrl-C: do not leave the check running behind the prompt
        _give_up(thread, rescue)
        raise
    seconds = time.monotonic() - begin
    if found:
        _give_up(thread, rescue)
    return Watched(raised[0] if raised and not found else None, found, seconds)


def _wait(
    thread: threading.Thread, patience_seconds: float, limit_seconds: float, sign_of_life: Callable[[], int]
) -> str:
    """Wait for the end of the thread; return the stacks when it has to be given up."""
    quiet_seconds = all_seconds = 0.0
    last = sign_of_life()
    while True:
        thread.join(TICK_SECONDS)
        if not thread.is_alive():
            return ""
        all_seconds += TICK_SECONDS
        now = sign_of_life()
        quiet_seconds = quiet_seconds + TICK_SECONDS if now == last else 0.0
        last = now
        if quiet_seconds >= patience_seconds or all_seconds >= limit_seconds:
            return stacks(thread) or "no stacks: it ended just then"


def _give_up(thread: threading.Thread, rescue: Callable[[], object]) -> None:
    """Close what the thread may wait for, and raise ``Abandoned`` in it until it ends or the time is over."""
    rescue()
    end = time.monotonic() + RESCUE_SECONDS
    with _unheard():
        while thread.is_alive() and time.monotonic() < end:
            if thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(Abandoned)
                )
            thread.join(TICK_SECONDS)


@contextmanager
def _unheard() -> Iterator[None]:
    """Nobody has to read that ``Abandoned`` hit a destructor or a callback of a weak reference, where Python can only
    report it: the next one is on its way. (On free-threaded builds that is where the first one goes, as a rule.)"""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, Abandoned):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


__all__ = ["Abandoned", "Watched", "crowd", "stacks", "watch"]
