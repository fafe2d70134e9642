"""Probes of a server: what each room says of itself in a dump, and the numbers beside them.

A dump (``server.probes.dump_state()``) is for the day on which something is wrong: every room is asked, whatever the
others answer. The names begin with what a person would look for. Values are plain or have a readable ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..api.registry import TransportRegistry
from ..control.probes import platform_probe
from ..internal.windows_topology import system_topology
from .hub import Hub
from .observation import connection_states, observe_connections, observe_executor, observe_pool, observe_reactor
from .probe import look

if TYPE_CHECKING:
    from .server import Server


def show_inside(app: Server, hub: Hub, registry: TransportRegistry) -> None:
    """Register the probes and the numbers of a server that has started."""
    add, pool = app.probes.register_probe, app.pool
    add("platform", platform_probe)
    add("machine", lambda: look(system_topology(), registry))
    add("config", lambda: MappingProxyType({"values": app.config, **app.control.stats()}))
    add("connections", lambda: connection_states(hub))
    add("sessions", lambda: MappingProxyType({"alive": len(app.sessions), "store": type(app.sessions).__name__}))
    add("protocol", lambda: _protocol(app, hub))
    add("pool", pool.stats)
    add("leaks", pool.leaks)
    add("leaks.collected", pool.collected_leaks)
    add("reactor", hub.reactor.stats)
    add("executor", app.executor.stats)
    add("placement", app.placement.state)
    observe_connections(app.metrics, hub, app.sessions)
    observe_pool(app.metrics, pool)
    observe_reactor(app.metrics, hub)
    observe_executor(app.metrics, app.executor)


def _protocol(app: Server, hub: Hub) -> Mapping[str, object]:
    return MappingProxyType(
        {
            "limits": hub.settings.limits,
            "subprotocols": app.config.subprotocols,
            "extensions": tuple(type(extension).__name__ for extension in app.extensions),
        }
    )


__all__ = ["show_inside"]
