"""Implementations that the tests of the kit put under contracts: right, broken, and hopeless ones."""

from __future__ import annotations

from hioload_ws.contract import RingContract
from hioload_ws.contract.mutants.ring import KeepsLast, Stack
from hioload_ws.pool import SpscRing

Good = SpscRing
Broken = Stack
KeepsItsLast = KeepsLast

number = 3


def hopeless(capacity: int) -> object:
    raise RuntimeError(f"no <ring> & no {capacity}")


class UnderTest(RingContract):
    def make(self, capacity: int) -> SpscRing[object]:
        return SpscRing(capacity)
