"""Footprint: what an idle connection owns, object by object.

What can be reached from one connection and from no other is its own; of the tables that hold all connections each has
its share. Sizes are CPython's (``sys.getsizeof``), rounded up to the 16 bytes in which its allocator counts. So the
figures depend on the code and the version of Python, and on nothing else that happens on the machine.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from types import FunctionType, ModuleType

from hioload_ws import Server
from hioload_ws.adapters.connection import WebSocketConnection


def size_bytes(item: object) -> int:
    """Return what an object takes, with the allocator's rounding."""
    return -(-sys.getsizeof(item) // 16) * 16


def own_objects(connections: list[WebSocketConnection], shared: set[int]) -> Iterator[object]:
    """Yield what can be reached from one connection only, without passing what is ``shared``."""
    reached_by: Counter[int] = Counter()
    found: dict[int, object] = {}
    for connection in connections:
        mine: set[int] = set()
        stack: list[object] = [connection]
        while stack:
            item = stack.pop()
            if id(item) in mine or id(item) in shared or isinstance(item, (type, ModuleType, FunctionType)):
                continue
            mine.add(id(item))
            found[id(item)] = item
            stack += gc.get_referents(item)
        reached_by.update(mine)
    return (item for number, item in found.items() if reached_by[number] == 1)


def object_bytes(app: Server) -> tuple[dict[str, float], dict[str, float]]:
    """Return bytes per idle connection: of its own objects by kind, and its share of each table."""
    hub = app._running_hub()
    reactor = hub.reactor
    callbacks = reactor._callbacks  # type: ignore[attr-defined]  # looked at, not used
    handles = reactor._poller._handles._marks  # type: ignore[attr-defined]  # the same
    shards = app.sessions._shards  # type: ignore[attr-defined]  # the same
    buckets = list(hub.wheel._filed.values())
    connections = list(hub.connections)
    tables: dict[str, list[object]] = {
        "table of callbacks": [callbacks],
        "table of connections": [hub.connections],
        "tables of sessions": [shard.table for shard in shards],
        "deadlines by tick": list(buckets),
        "marks of handles": [handles],
    }
    shared = {id(each) for each in (app, hub, reactor, *shards, *buckets)}
    owned: Counter[str] = Counter()
    for item in own_objects(connections, shared):
        owned[type(item).__name__] += size_bytes(item)
    count = len(connections)
    shares = {name: sum(size_bytes(item) for item in items) / count for name, items in tables.items()}
    return {name: total / count for name, total in owned.most_common()}, shares
