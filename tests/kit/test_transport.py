"""The contract of transports on every transport there is, real and played."""

from __future__ import annotations

import pytest

from hioload_ws.contract import TransportContract
from tests.kit.holding import hold
from tests.kit.pairs import PAIRS


@pytest.mark.parametrize("kind", PAIRS)
def test_every_transport_of_ours_is_conformant(kind: str) -> None:
    played = kind.startswith(("simulated", "scripted"))
    hold(TransportContract, PAIRS[kind], unsupported=("descriptor",) if played else ())
