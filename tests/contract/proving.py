"""The table that ``hioload-ws contract selftest`` prints: the kit's own numbers.

Per contract: every mutant with the requirement that must kill it, what did, and how long that took; every oddball
with what was held against it. Then the totals, which is what a user has to know about a kit before believing it.

The quick time of a contract is that of its fastest oddball: oddballs are right, so all of their checks run to
the end, and the fastest is the least odd.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from . import catalogue
from .selftest import Proof, try_mutant, try_oddball
from .suite import Contract
from .watchdog import crowd

QUICK_SECONDS: Final = 0.5
"""What a quick run of one contract is to take at most."""

Print = Callable[[str], object]


def run(suite: type[Contract] | None, seed: int, print_line: Print) -> int:
    """Prove one contract, or all (``None``), line by line; return the exit code."""
    begin = time.monotonic()
    faults = [each for each in catalogue.faults() if suite is None or each.startswith(f"{suite.name}:")]
    proofs: list[Proof] = []
    chosen = list(catalogue.suites().values()) if suite is None else [suite]
    for each in chosen:
        proofs += _prove(each, seed, print_line)
    for fault in faults:
        print_line(f"FAULT {fault}")
    _totals(chosen, proofs, time.monotonic() - begin, print_line)
    return 1 if faults or any(proof.fault for proof in proofs) else 0


def _prove(suite: type[Contract], seed: int, print_line: Print) -> list[Proof]:
    """Prove one contract and print its part of the table."""
    mutants = [each for each in catalogue.mutants() if each.suite is suite]
    oddballs = [each for each in catalogue.oddballs() if each.suite is suite]
    print_line(f"{suite.name}: {len(suite.requirements)} requirements, {len(mutants)} broken, {len(oddballs)} odd")
    proofs = []
    for mutant in mutants:
        proof = try_mutant(mutant, seed)
        proofs.append(proof)
        killer = proof.killed_by or "nothing"
        print_line(f"  {proof.kills:<13}killed by {killer:<26}{proof.seconds * 1000:6.0f} ms  {_named(proof)}")
    for oddball in oddballs:
        proof = try_oddball(oddball, seed)
        proofs.append(proof)
        verdict = "a false alarm" if proof.fault else "passes"
        print_line(f"  {'odd':<13}{verdict:<36}{proof.seconds * 1000:6.0f} ms  {_named(proof)}")
    quick = _quick(proofs)
    if quick is not None:
        late = f", more than {QUICK_SECONDS} s" if quick.report.seconds > QUICK_SECONDS and crowd() == 1 else ""
        print_line(f"  a quick run takes {_times(quick.report.seconds, quick.cpu_seconds)}{late}")
    return proofs


def _times(seconds: float, cpu_seconds: float) -> str:
    return f"{seconds:.2f} s, {cpu_seconds:.2f} s of a CPU"


def _named(proof: Proof) -> str:
    text = f"{proof.name}: {proof.why}"
    return f"{text}\n    FAULT {proof.fault}" if proof.fault else text


def _quick(proofs: Sequence[Proof]) -> Proof | None:
    """Return the fastest quick run of a contract, ``None`` where there is none."""
    oddballs = [each for each in proofs if each.kind == "oddball"]
    return min(oddballs, key=lambda each: each.report.seconds, default=None)


def _totals(suites: Sequence[type[Contract]], proofs: Sequence[Proof], seconds: float, print_line: Print) -> None:
    """Print the totals. A requirement that two contracts share counts once."""
    requirements = {each.id for suite in suites for each in suite.requirements}
    mutants = [each for each in proofs if each.kind == "mutant"]
    oddballs = [each for each in proofs if each.kind == "oddball"]
    named = sum(not each.fault for each in mutants)
    by_watchdog = sum("(watchdog)" in each.killed_by for each in mutants)
    survived = sum(not each.killed_by for each in mutants)
    alarms = sum(bool(each.fault) for each in oddballs)
    quick = [_quick([each for each in proofs if each.suite == suite.name]) for suite in suites]
    known = [each for each in quick if each is not None]
    times = _times(sum(each.report.seconds for each in known), sum(each.cpu_seconds for each in known))
    print_line("")
    print_line(f"{len(suites)} contracts, {len(requirements)} requirements")
    print_line(
        f"{len(mutants)} broken implementations: {named} killed by the requirement that they name, "
        f"{len(mutants) - named - survived} by another, {by_watchdog} by a hang, {survived} survived"
    )
    print_line(f"{len(oddballs)} odd implementations that are right: {alarms} false alarms")
    print_line(f"quick mode: {times}, for {len(known)} contracts; this proof: {seconds:.1f} s")
    if crowd() > 1:
        print_line(f"this machine is busy with other things: {crowd():.1f} want each CPU, and all times are longer")


__all__ = ["QUICK_SECONDS", "run"]
