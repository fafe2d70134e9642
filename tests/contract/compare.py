"""Comparison of two reports: what became worse, what became better, what is new.

*Worse* is counted in steps of what is known to be right: a pass is better than a warning, that is better than
anything that says nothing (unsupported, blocked, untested, an error of the kit), and that is better than a
failure. A requirement that is gone is worse than one that passed: it is not checked any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .report import Outcome, Report
from .text import summary

_RANK: Final = {Outcome.FAIL: 0, Outcome.WARN: 2, Outcome.PASS: 3}
_SILENT: Final = 1


@dataclass(frozen=True, slots=True)
class Change:
    """How a requirement's outcome changed; ``""`` stands for one that is not in that report."""

    id: str
    before: str
    after: str
    sentence: str

    @property
    def is_worse(self) -> bool:
        """Whether less is known to be right than before."""
        return bool(self.before) and _rank(self.after) < _rank(self.before)

    @property
    def is_better(self) -> bool:
        """Whether more is known to be right than before."""
        return bool(self.before) and _rank(self.after) > _rank(self.before)


def _rank(outcome: str) -> int:
    return _RANK.get(Outcome(outcome), _SILENT) if outcome else _SILENT


def changes(old: Report, new: Report) -> Iterator[Change]:
    """Yield what is not the same, in the order of the new report and then of the old one."""
    before = {entry.requirement.id: entry for entry in old.entries}
    after = {entry.requirement.id: entry for entry in new.entries}
    for id in dict.fromkeys([*after, *before]):
        was, now = before.get(id), after.get(id)
        change = Change(
            id,
            was.outcome.value if was else "",
            now.outcome.value if now else "",
            (now or before[id]).requirement.sentence,
        )
        if change.before != change.after:
            yield change


def compared(old: Report, new: Report) -> tuple[str, bool]:
    """Return the comparison as text, and whether something became worse."""
    found = list(changes(old, new))
    groups = (
        ("worse", [each for each in found if each.is_worse]),
        ("better", [each for each in found if each.is_better]),
        ("other", [each for each in found if not each.is_worse and not each.is_better]),
    )
    lines = [f"old: {summary(old)}", f"new: {summary(new)}"]
    for title, group in groups:
        for each in group:
            way = f"{each.before or 'not there'} -> {each.after or 'not there'}"
            lines.append(f"{title + ':':<8}{each.id:<12}{way}: {each.sentence}")
    if not found:
        lines.append("no outcome has changed")
    return "\n".join(lines), bool(groups[0][1])


__all__ = ["Change", "changes", "compared"]
