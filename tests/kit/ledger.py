"""The ledger: what is known of every implementation of ours under its contract, as lines of ``fake/FIDELITY.md``.

``hold`` writes a line here for each implementation that it has held to a suite; nothing is run twice for it.
``test_ledger.py``, the last of the folder, compares the lines with the page. What a fake is known to do in another
way than the real thing, beyond what its contract leaves open, stands below as a divergence with an id; the test
that shows it names the id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hioload_ws.fake
from hioload_ws.contract import Contract

PAGE: Final = Path(hioload_ws.fake.__file__).resolve().parent / "FIDELITY.md"
REGENERATE: Final = "FIDELITY=write python -m pytest tests/kit"
"""What writes the page. A part of the folder, with ``test_ledger.py``, renews the lines of that part."""

ROWS: Final = "| Contract | Implementation | | Requirements met | Not declared, and why | SHOULD not met, and why |\n"
DIVERGENCES_HEAD: Final = "| Id | Fake | What it does otherwise | Why |\n"

HEAD: Final = f"""# Fidelity: what the fakes keep of their contracts

The tests in `tests/kit` hold every implementation, real and played, to the suite of its contract. This page is what
they find, and they fail when it is not; `{REGENERATE}` writes it. What is met was run
and has passed. What is not declared was asked for all the same, and is refused as the contract says.

"""


@dataclass(frozen=True, slots=True)
class Divergence:
    """Something that a fake does in another way than what it plays."""

    id: str
    fake: str
    what: str
    why: str


DIVERGENCES: Final = (
    Divergence(
        "DIV-01",
        "FakeRing",
        "RNG-21 of `mpmc-ring`, and with it RNG-24 and RNG-25: two threads may both get the last place.",
        "Who has threads takes the real ring: what a fake adds is a ring that is full when the test says so.",
    ),
    Divergence(
        "DIV-02",
        "FakeBufferPool",
        "`limit_bytes` bounds what is out; with slabs it bounds what is mapped, so they may refuse earlier.",
        "No memory is kept for later here, so that a use after release is found; the limit says what a test means.",
    ),
    Divergence(
        "DIV-03",
        "ScriptedTransport",
        "`reset()` drops what was fed and not read; sockets of Linux, and `SimNetwork`, let it be read first.",
        "RFC 9293 §3.10.7.4 flushes it, other systems do: here a test decides, by reading before it resets.",
    ),
)

NOT_HELD: Final[Mapping[str, str]] = {
    "ReplayTransport": "it plays one conversation, the recorded one: a check that asks another finds `InvalidState`",
    "SimHost.registry": "it is the real `Registry`, held above, with `tcp` in it; the suite begins with an empty one",
    "SimHost.seams": "its executor is a `FakeExecutor`, held above, and the rest are those of `SimNetwork`",
    "fake_control()": "it is the real `ConfigControl`, held above; the suite brings a configuration of its own",
}
"""Fakes of the table in ``fake/README.md`` that are under no suite, and why."""

rows: Final[dict[tuple[str, str], str]] = {}
"""The lines of this run so far, by contract and implementation."""


def is_played(name: str) -> bool:
    """Whether an implementation is a fake: its name begins with that of something in ``hioload_ws.fake``."""
    return re.split(r"\W", name)[0] in hioload_ws.fake.__all__


def record(suite: type[Contract], name: str, unsupported: Mapping[str, str], warned: Mapping[str, str]) -> None:
    """Add the line of an implementation that met all of the suite but what is named."""
    absent = {
        capability: [each.id for each in suite.requirements if each.capability == capability]
        for capability in unsupported
    }
    met_count = len(suite.requirements) - sum(map(len, absent.values())) - len(warned)
    cells = (
        suite.name,
        name,
        "played" if is_played(name) else "real",
        f"{met_count} of {len(suite.requirements)}",
        "; ".join(f"{each} ({_ranges(absent[each])}): {why}" for each, why in unsupported.items()),
        "; ".join(f"{id}: {why}" for id, why in warned.items()),
    )
    line = _line(cells)
    assert rows.setdefault((cells[0], name), line) == line, f"there are two of the name {name!r} under {cells[0]}"


def page(lines: Mapping[tuple[str, str], str]) -> str:
    """Return the page with these lines: by contract, and what is real before what is played."""
    keys = sorted(lines, key=lambda key: (key[0], is_played(key[1]), key[1]))
    parts = [HEAD, ROWS, "|---|---|---|---|---|---|\n", *(lines[key] for key in keys)]
    parts += ["\n## What differs all the same\n\n", DIVERGENCES_HEAD, "|---|---|---|---|\n"]
    parts += [_line((each.id, f"`{each.fake}`", each.what, each.why)) for each in DIVERGENCES]
    parts += ["\n## Under no suite\n\n", *(f"- `{name}`: {why}.\n" for name, why in NOT_HELD.items())]
    return "".join(parts)


def lines_of(text: str) -> dict[tuple[str, str], str]:
    """Return the lines of a page, by contract and implementation."""
    table = text.partition(ROWS)[2].partition("\n\n")[0].splitlines()[1:]
    found = {}
    for line in table:
        contract, name = line.split(" | ")[:2]
        found[contract.removeprefix("| "), name] = f"{line}\n"
    return found


def _ranges(ids: Iterable[str]) -> str:
    """Return the ids of a suite in short: ``EXE-21 to EXE-30, EXE-33``."""
    runs: list[list[str]] = []
    for id in ids:
        kind, number = id.rsplit("-", 1)
        if runs and runs[-1][-1] == f"{kind}-{int(number) - 1:02}":
            runs[-1].append(id)
        else:
            runs.append([id])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _line(cells: Iterable[str]) -> str:
    texts = list(cells)
    assert not any("|" in each for each in texts), texts
    return f"| {' | '.join(texts)} |\n".replace("|  |", "| |").replace("|  |", "| |")
