"""The contract of probes, on the registry there is and the one of the fakes."""

from __future__ import annotations

import pytest

from hioload_ws.contract.suites.debug import DebugContract
from hioload_ws.control import ProbeRegistry
from hioload_ws.fake import FaultyProbes
from tests.kit.holding import hold


@pytest.mark.parametrize("make", [ProbeRegistry, FaultyProbes])
def test_every_registry_of_ours_is_conformant(make: type[ProbeRegistry]) -> None:
    hold(DebugContract, make, make.__name__)
