"""The contract of topologies on this machine, and on machines that do not exist."""

from __future__ import annotations

from functools import partial

import pytest

from hioload_ws.contract import TopologyContract
from hioload_ws.fake import FakeTopology
from hioload_ws.internal import SysTopology
from tests.kit.holding import hold

MACHINES = ["1x1", "2x8, distance 10/21", "4x2, threads 2, memory-only 2, offline 1", "2x2, nodes 0,4, cpus 0-1,8-9"]


def test_the_topology_of_this_machine_is_conformant() -> None:
    hold(TopologyContract, SysTopology, "SysTopology")


@pytest.mark.parametrize("text", MACHINES)
def test_topologies_of_machines_that_do_not_exist_are_conformant(text: str) -> None:
    hold(TopologyContract, partial(FakeTopology.parse, text), f"FakeTopology {text}")


def test_a_topology_stays_conformant_when_cpus_come_and_go() -> None:
    hold(TopologyContract, lambda: FakeTopology.parse("2x4").hotplug(offline=[1, 5]), "FakeTopology 2x4, after hotplug")
