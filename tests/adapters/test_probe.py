"""Probe: a made-up machine, and this one, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from hioload_ws.adapters import probe
from hioload_ws.api import (
    Address,
    Availability,
    ConnectOptions,
    CpuId,
    CpuInfo,
    Features,
    HugePages,
    Listener,
    ListenOptions,
    NodeId,
    NodeInfo,
    NotSupported,
    Transport,
)
from hioload_ws.transport.registry import Registry

MIB = 1024 * 1024


class MadeUpTopology:
    """Two nodes: one with two CPUs, of which one is offline, and one with memory of unknown size only."""

    def __init__(self) -> None:
        near, far = NodeId(0), NodeId(7)
        pages = (HugePages(2 * MIB, 10, 4), HugePages(1024 * MIB, 0, 0))
        self.nodes = {
            near: NodeInfo(near, (CpuId(0), CpuId(3)), 8192 * MIB, 100 * MIB, {near: 10, far: 21}, pages),
            far: NodeInfo(far, (), 0, 0, {}, ()),
        }
        self.cpus = {
            CpuId(0): CpuInfo(CpuId(0), near, True, True, (CpuId(0),)),
            CpuId(3): CpuInfo(CpuId(3), near, False, False, (CpuId(3),)),
        }

    def node_of(self, cpu: CpuId) -> NodeId:
        raise NotImplementedError

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        assert node is None
        return (CpuId(0),)

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        raise NotImplementedError


class MadeUpProvider:
    """A transport that only says whether it is there."""

    def __init__(self, name: str, answer: Availability) -> None:
        self.name = name
        self._answer = answer

    def availability(self) -> Availability:
        return self._answer

    def features(self) -> Features:
        return Features(self.name)

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        raise NotSupported("made up")

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        raise NotSupported("made up")


@pytest.fixture
def registry() -> Registry:
    """Return a registry with a transport that is there and one that is not."""
    registry = Registry()
    registry.register(MadeUpProvider("pigeon", Availability(True)))
    registry.register(MadeUpProvider("beam", Availability(False, "no dish on this roof")))
    return registry


def test_text_has_a_heading_per_part_and_the_reason_for_what_is_missing(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.run(as_json=False, topology=MadeUpTopology(), registry=registry) == 0
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if not line.startswith(" ")] == [
        "platform", "cpus", "nodes", "transports"
    ]  # fmt: skip
    assert text.endswith(
        "cpus\n"
        "  present              2\n"
        "  online               1\n"
        "  usable               0\n"
        "nodes\n"
        "  node 0\n"
        "    cpus               0 3\n"
        "    memory             8192 MiB, 100 MiB free\n"
        "    distances          node 0: 10, node 7: 21\n"
        "    2048 KiB pages     10 reserved, 4 free\n"
        "    1048576 KiB pages  0 reserved, 0 free\n"
        "  node 7\n"
        "    cpus               none\n"
        "    memory             unknown\n"
        "    distances          unknown\n"
        "transports\n"
        "  pigeon               yes\n"
        "  beam                 no: no dish on this roof\n"
    )


def test_json_says_the_same_to_programs(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(as_json=True, topology=MadeUpTopology(), registry=registry) == 0
    seen = json.loads(capsys.readouterr().out)
    assert list(seen) == ["platform", "cpus", "nodes", "transports"]
    assert seen["cpus"] == {"present": 2, "online": 1, "usable": [0]}
    near, far = seen["nodes"]
    assert near == {
        "node": 0,
        "cpus": [0, 3],
        "memory_mib": 8192,
        "free_mib": 100,
        "distances": {"0": 10, "7": 21},
        "huge_pages": [
            {"size_kib": 2048, "total": 10, "free": 4},
            {"size_kib": 1048576, "total": 0, "free": 0},
        ],
    }
    assert (far["memory_mib"], far["free_mib"], far["distances"]) == (None, None, {})
    assert seen["transports"] == [
        {"name": "pigeon", "available": True, "reason": ""},
        {"name": "beam", "available": False, "reason": "no dish on this roof"},
    ]


def test_an_empty_registry_is_not_replaced_by_this_machine_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(as_json=False, topology=MadeUpTopology(), registry=Registry()) == 0
    assert capsys.readouterr().out.endswith("transports\n")


def test_what_the_platform_does_not_say_is_unknown_and_not_none(registry: Registry) -> None:
    seen = probe.look(MadeUpTopology(), registry)
    seen["platform"] = {"cpu_count": None, "gil_enabled": True, "free_threaded_build": False, "system": "Made-up"}
    assert probe.render(seen).splitlines()[1:5] == [
        "  cpu_count            unknown",
        "  gil_enabled          yes",
        "  free_threaded_build  no",
        "  system               Made-up",
    ]


def test_this_machine_has_a_cpu_a_node_and_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(as_json=True) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["cpus"]["usable"]
    assert seen["nodes"]
    assert {"name": "tcp", "available": True, "reason": ""} in seen["transports"]
    assert all(each["available"] or each["reason"] for each in seen["transports"])
