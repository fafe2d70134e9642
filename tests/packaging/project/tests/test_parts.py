"""The contracts as tests."""

from __future__ import annotations

from hioload_ws.api import Ring
from hioload_ws.contract import MpmcRingContract
from parts.ring import make_ring


class TestLockedRing(MpmcRingContract):
    def make(self, capacity: int) -> Ring[object]:
        return make_ring(capacity)
