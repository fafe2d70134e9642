"""Explanations: contracts and requirements as text, for people who ask what they are held to."""

from __future__ import annotations

import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator

from . import catalogue
from .requirement import Requirement
from .suite import Check, Contract


def overview() -> str:
    """Return one line per contract: its name, how many requirements, what it is about."""
    lines = []
    for name, suite in catalogue.suites().items():
        count = len(suite.requirements)
        about = (inspect.getdoc(suite) or "").split("\n")[0]
        lines.append(f"{name:<18}{count:>3}  {about}")
    total = len({each.id for suite in catalogue.suites().values() for each in suite.requirements})
    lines.append(f"{total} requirements; hioload-ws contract list NAME shows those of one contract")
    return "\n".join(lines)


def made_with(suite: type[Contract]) -> inspect.Signature:
    """Return how a suite calls what makes a subject."""
    whole = inspect.signature(getattr(suite, "make"))
    return whole.replace(parameters=[each for each in whole.parameters.values() if each.name != "self"])


def requirements_of(suite: type[Contract]) -> str:
    """Return the requirements of a contract, what each belongs to and builds on, and how to make a subject."""
    make = getattr(suite, "make")
    lines = [f"{suite.__name__}: {inspect.getdoc(suite) or ''}", "", f"make{made_with(suite)}"]
    lines += [f"    {line}" for line in (inspect.getdoc(make) or "").splitlines()]
    lines.append("")
    for each in suite.requirements:
        extras = [f"needs {', '.join(each.depends)}"] if each.depends else []
        extras += [f"if {each.capability}"] if each.capability else []
        extras += [f"since {each.since}"] if each.since != "1.0" else []
        behind = f"  [{'; '.join(extras)}]" if extras else ""
        lines.append(f"{each.id:<12}{each.level:<7}{each.sentence}{behind}")
    levels = Counter(each.level for each in suite.requirements)
    lines.append(", ".join(f"{count} {level}" for level, count in levels.items()))
    return "\n".join(lines)


def as_markdown() -> str:
    """Return the requirements of all contracts as tables, for a page. One that a contract has from another is in
    that one's table only."""
    lines = []
    shown: set[str] = set()
    suites = list(catalogue.suites().values())
    # A contract that others extend comes first, so that its requirements stand with it.
    for suite in sorted(suites, key=lambda each: (sum(base in suites for base in each.__mro__), each.name)):
        own = [each for each in suite.requirements if each.id not in shown]
        shown |= {each.id for each in own}
        base = next((each.__name__ for each in suite.__mro__[1:] if each in suites), "")
        extends = f", and all of `{base}`" if base else ""
        lines += [f"## {suite.name}", "", f"`{suite.__name__}`{extends}.", ""]
        lines += ["| Id | Level | Requirement | Since | If it declares | Builds on |", "|---|---|---|---|---|---|"]
        for each in own:
            cells = each.id, each.level, each.sentence, each.since, each.capability or "", ", ".join(each.depends)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def requirement_in_full(suite: type[Contract], required: Requirement) -> str:
    """Return everything there is to know about one requirement, the code of its check included."""
    return "\n".join(_in_full(suite, required))


def _in_full(suite: type[Contract], required: Requirement) -> Iterator[str]:
    yield f"{required.id} ({required.level}, since {required.since}) of {suite.__name__}"
    yield f"  {required.sentence}"
    if required.depends:
        yield f"  builds on:       {', '.join(required.depends)}; not run where one of these is not met"
    above = [each.id for each in suite.requirements if required.id in each.depends]
    if above:
        yield f"  others build on: {', '.join(above)}"
    if required.capability is not None:
        yield f"  applies to those that declare {required.capability}; the others have to refuse:"
        yield from _code(suite.refusals[required.capability])
    for mutant in catalogue.mutants():
        if mutant.kills == required.id:
            yield f"  broken by one that {mutant.why}"
    yield "  checked by:"
    yield from _code(suite.checks[required.id])


def _code(check: Check) -> Iterator[str]:
    for line in textwrap.dedent(inspect.getsource(check)).splitlines():
        yield f"    {line}"


__all__ = ["as_markdown", "made_with", "overview", "requirement_in_full", "requirements_of"]
