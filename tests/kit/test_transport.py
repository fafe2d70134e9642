"""The contract of transports on every transport there is, real and played."""

from __future__ import annotations

import pytest

from hioload_ws.contract import TransportContract
from tests.kit.holding import hold
from tests.kit.pairs import NO_DESCRIPTOR, PAIRS


@pytest.mark.parametrize("kind", PAIRS)
def test_every_transport_of_ours_is_conformant(kind: str) -> None:
    unsupported = {"descriptor": "bytes that are played pass no descriptor"} if kind in NO_DESCRIPTOR else {}
    hold(TransportContract, PAIRS[kind], kind, unsupported=unsupported)
