"""The contract of registries of transports on the one there is."""

from __future__ import annotations

from hioload_ws.contract import TransportRegistryContract
from hioload_ws.transport import Registry
from tests.kit.holding import hold


def test_the_registry_is_conformant() -> None:
    hold(TransportRegistryContract, Registry, "Registry")
