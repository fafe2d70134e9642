"""The contracts as tests."""

from __future__ import annotations

from hioload_ws.api import Ring, Transport
from hioload_ws.contract import MpmcRingContract, TransportContract
from parts.ring import make_ring
from parts.transport import make_pair


class TestLockedRing(MpmcRingContract):
    def make(self, capacity: int) -> Ring[object]:
        return make_ring(capacity)


class TestCountingTransport(TransportContract):
    def make(self) -> tuple[Transport, Transport]:
        return make_pair()
