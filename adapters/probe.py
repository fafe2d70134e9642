"""Probe: this machine as the library sees it, for people and for programs.

What is missing is as interesting as what is there: each transport that can't work here says why. What the
system does not tell is ``null`` in JSON and "unknown" in text, never a zero that looks like an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

from ..api.registry import TransportRegistry
from ..api.topology import NodeInfo, Topology
from ..control.probes import platform_probe
from ..internal.windows_topology import system_topology
from ..transport.registry import default_registry
from .accelerate import bulk_xor

_MIB = 1024 * 1024


class CpusSeen(TypedDict):
    """CPUs: how many there are, and which of them this process may use."""

    present: int
    online: int
    usable: list[int]


class PagesSeen(TypedDict):
    """Huge pages of one size."""

    size_kib: int
    total: int
    free: int


class NodeSeen(TypedDict):
    """One NUMA node; memory is ``None`` where the system does not tell."""

    node: int
    cpus: list[int]
    memory_mib: int | None
    free_mib: int | None
    distances: dict[str, int]
    huge_pages: list[PagesSeen]


class TransportSeen(TypedDict):
    """One transport, and why it does not work here if it does not."""

    name: str
    available: bool
    reason: str


class Seen(TypedDict):
    """The whole answer, in plain values that JSON can hold."""

    platform: dict[str, object]
    cpus: CpusSeen
    nodes: list[NodeSeen]
    transports: list[TransportSeen]


def run(*, as_json: bool, topology: Topology | None = None, registry: TransportRegistry | None = None) -> int:
    """Print the machine and return 0. ``topology`` and ``registry`` replace this machine's own."""
    seen = look(
        system_topology() if topology is None else topology, default_registry() if registry is None else registry
    )
    print(json.dumps(seen, indent=2) if as_json else render(seen))
    return 0


def look(topology: Topology, registry: TransportRegistry) -> Seen:
    """Return platform, CPUs, nodes and transports as plain values."""
    found = bulk_xor()
    return {
        "platform": {**platform_probe(), "mask_accelerator": found.library if found else "none"},
        "cpus": {
            "present": len(topology.cpus),
            "online": sum(info.online for info in topology.cpus.values()),
            "usable": [int(cpu) for cpu in topology.usable_cpus()],
        },
        "nodes": [_node(info) for info in topology.nodes.values()],
        "transports": [_transport(name, registry) for name in registry.names()],
    }


def _node(info: NodeInfo) -> NodeSeen:
    is_known = info.memory_bytes > 0
    return {
        "node": int(info.node),
        "cpus": [int(cpu) for cpu in info.cpus],
        "memory_mib": info.memory_bytes // _MIB if is_known else None,
        "free_mib": info.free_bytes // _MIB if is_known else None,
        "distances": {str(node): distance for node, distance in info.distances.items()},
        "huge_pages": [
            {"size_kib": pages.size_bytes // 1024, "total": pages.total_count, "free": pages.free_count}
            for pages in info.huge_pages
        ],
    }


def _transport(name: str, registry: TransportRegistry) -> TransportSeen:
    answer = registry.availability(name)
    return {"name": name, "available": answer.available, "reason": answer.reason}


def render(seen: Seen) -> str:
    """Return the same as lines of text: a heading per part, two columns below it."""
    lines = ["platform", *_columns(seen["platform"]), "cpus", *_columns(seen["cpus"]), "nodes"]
    for node in seen["nodes"]:
        lines.extend(_node_lines(node))
    lines.append("transports")
    lines.extend(
        f"  {each['name']:<20} {'yes' if each['available'] else 'no: ' + each['reason']}"
        for each in seen["transports"]
    )
    return "\n".join(lines)


def _columns(values: Mapping[str, object]) -> list[str]:
    return [f"  {key:<20} {_text(value)}" for key, value in values.items()]


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def _node_lines(node: NodeSeen) -> list[str]:
    memory = "unknown"
    if node["memory_mib"] is not None:
        memory = f"{node['memory_mib']} MiB, {node['free_mib']} MiB free"
    distances = ", ".join(f"node {other}: {distance}" for other, distance in node["distances"].items())
    lines = [
        f"  node {node['node']}",
        f"    {'cpus':<18} {_text(node['cpus'])}",
        f"    {'memory':<18} {memory}",
        f"    {'distances':<18} {distances or 'unknown'}",
    ]
    for pages in node["huge_pages"]:
        size = f"{pages['size_kib']} KiB pages"
        lines.append(f"    {size:<18} {pages['total']} reserved, {pages['free']} free")
    return lines


__all__ = ["CpusSeen", "NodeSeen", "PagesSeen", "Seen", "TransportSeen", "look", "render", "run"]
