"""Probe: this machine as the library sees it, for people and for programs.

What is missing is as interesting as what is there: each transport that can't work here says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..api.registry import TransportRegistry
from ..api.topology import NodeInfo, Topology
from ..control.probes import platform_probe
from ..internal.topology import SysTopology
from ..transport.registry import default_registry

_MIB = 1024 * 1024


def run(*, as_json: bool, topology: Topology | None = None, registry: TransportRegistry | None = None) -> int:
    """Print the machine and return 0. ``topology`` and ``registry`` replace this machine's own."""
    seen = look(SysTopology() if topology is None else topology, registry or default_registry())
    print(json.dumps(seen, indent=2) if as_json else render(seen))
    return 0


def look(topology: Topology, registry: TransportRegistry) -> dict[str, object]:
    """Return platform, CPUs, nodes and transports as plain values."""
    return {
        "platform": dict(platform_probe()),
        "cpus": {
            "present": len(topology.cpus),
            "online": sum(info.online for info in topology.cpus.values()),
            "usable": [int(cpu) for cpu in topology.usable_cpus()],
        },
        "nodes": [_node(info) for info in topology.nodes.values()],
        "transports": [_transport(name, registry) for name in registry.names()],
    }


def _node(info: NodeInfo) -> dict[str, object]:
    return {
        "node": int(info.node),
        "cpus": [int(cpu) for cpu in info.cpus],
        "memory_mib": info.memory_bytes // _MIB,
        "free_mib": info.free_bytes // _MIB,
        "distances": {str(node): distance for node, distance in info.distances.items()},
        "huge_pages": [
            {"size_kib": pages.size_bytes // 1024, "total": pages.total_count, "free": pages.free_count}
            for pages in info.huge_pages
        ],
    }


def _transport(name: str, registry: TransportRegistry) -> dict[str, object]:
    answer = registry.availability(name)
    return {"name": name, "available": answer.available, "reason": answer.reason}


def render(seen: Mapping[str, object]) -> str:
    """Return the same as lines of text: a heading per part, two columns below it."""
    lines: list[str] = []
    for part, content in seen.items():
        lines.append(part)
        if isinstance(content, Mapping):
            lines.extend(f"  {key:<20} {_text(value)}" for key, value in content.items())
        elif part == "nodes":
            lines.extend(_node_lines(content))
        else:
            lines.extend(_transport_lines(content))
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _node_lines(nodes: object) -> list[str]:
    lines = []
    for node in nodes if isinstance(nodes, list) else ():
        lines.append(f"  node {node['node']}")
        lines.append(f"    {'cpus':<18} {_text(node['cpus'])}")
        lines.append(f"    {'memory':<18} {node['memory_mib']} MiB, {node['free_mib']} MiB free")
        lines.append(f"    {'distances':<18} {_pairs(node['distances'])}")
        for pages in node["huge_pages"]:
            size = f"{pages['size_kib']} KiB pages"
            lines.append(f"    {size:<18} {pages['total']} reserved, {pages['free']} free")
    return lines


def _pairs(distances: Mapping[str, int]) -> str:
    return ", ".join(f"node {node}: {distance}" for node, distance in distances.items())


def _transport_lines(transports: object) -> list[str]:
    return [
        f"  {each['name']:<20} {'yes' if each['available'] else 'no: ' + each['reason']}"
        for each in (transports if isinstance(transports, list) else ())
    ]


__all__ = ["look", "render", "run"]
