"""Replay: a shortened script of a model-based check again, outside the engine, where a debugger can follow.

A report prints three lines to paste. The check runs on the calling thread, without a watchdog, with the one script
in place of random ones; it returns when everything agrees, and raises with the whole story at the first difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..api.errors import InvalidArgument
from . import catalogue
from .engine import locate
from .model import Operation
from .report import Entry, Outcome, Report
from .suite import Contract
from .text import story
from .trial import Broken, Trial


def replay(
    id: str,
    make: Callable[..., object],
    script: Sequence[Operation],
    *,
    suite: type[Contract] | None = None,
) -> None:
    """Do a script with what ``make`` makes. Raises ``AssertionError`` at the first difference.

    ``id`` is that of a requirement with a model, ``suite`` its contract where that is none of the kit's. Raises
    ``InvalidArgument`` where there is no such requirement, or it has no model.
    """
    try:
        cls = catalogue.find(id)[0] if suite is None else suite.suite
        [required] = [each for each in cls.requirements if each.id == id]
    except (KeyError, ValueError):
        raise InvalidArgument(f"there is no requirement {id!r}") from None
    trial = Trial("replay", script=script)
    try:
        cls.checks[id](cls.bound(make), trial)
    except Broken as broken:
        entry = Entry(required, Outcome.FAIL, broken.finding)
        told = story(Report(cls.__name__, "what was made", 0, "", (entry,), locate(make)), entry)
        raise AssertionError(told) from None
    finally:
        trial.close()
    if not trial.script_used:
        raise InvalidArgument(f"{id} has no model: its check takes no script")


__all__ = ["replay"]
