"""The contract of affinities on this machine, and on machines that do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pytest

from hioload_ws.api import Affinity, CpuId, Scope
from hioload_ws.api.topology import Topology
from hioload_ws.contract import AffinityContract
from hioload_ws.contract.suites.affinity import Machine
from hioload_ws.fake import FakeCpuMasks, FakeTopology, fake_affinity
from hioload_ws.internal import SysTopology, SystemAffinity
from tests.kit.holding import hold

CALLER, OTHER = 1, 2
MACHINES = ["2x4", "1x1", "4x2, offline 3, usable 0-5, memory-only 1", "2x2, nodes 0,4, cpus 0-1,8-9"]


class Played:
    """A machine that does not exist, with two threads."""

    def __init__(self, text: str) -> None:
        self.topology: Topology = FakeTopology.parse(text)
        cpuset = self.topology.usable_cpus()
        self.masks = FakeCpuMasks(self.topology, threads=(CALLER, OTHER), cpuset=cpuset)

    def get(self) -> frozenset[CpuId]:
        return self.masks.get(CALLER)

    def set(self, cpus: Iterable[CpuId]) -> None:
        self.masks.set(CALLER, frozenset(cpus))

    def get_other(self) -> frozenset[CpuId]:
        return self.masks.get(OTHER)


def real(scope: Scope) -> SystemAffinity:
    return SystemAffinity(scope, SysTopology())


def unpinnable(scope: Scope) -> tuple[Affinity, Machine]:
    machine = Played("2x2")
    return SystemAffinity(scope, machine.topology, None), machine


def played(text: str, scope: Scope) -> tuple[Affinity, Machine]:
    machine = Played(text)
    return fake_affinity(machine.topology, machine.masks, scope), machine


def test_the_affinity_of_this_machine_is_conformant() -> None:
    hold(AffinityContract, real, "SystemAffinity")


def test_an_affinity_that_can_not_pin_refuses_properly() -> None:
    hold(AffinityContract, unpinnable, "SystemAffinity without masks", unsupported={"pin": "the system can not pin"})


@pytest.mark.parametrize("text", MACHINES)
def test_affinities_of_machines_that_do_not_exist_are_conformant(text: str) -> None:
    make: Callable[[Scope], tuple[Affinity, Machine]] = partial(played, text)
    hold(AffinityContract, make, f"fake_affinity() of {text}")
