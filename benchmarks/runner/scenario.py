"""Scenarios: what is asked of a server, and what the answer shall be compared with.

A scenario says what the load does; every server that can take part is given the same. What is compared is work
per second of the *server's CPU time*, summed over its threads and processes: a shared machine stretches wall time,
and a load generator that is too slow leaves the server idle, but neither changes much what a message costs.

Goals are ratios within one run. An absolute figure says as much about the machine as about the code.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from ..api.errors import InvalidArgument


class Mode(enum.Enum):
    """What the load does."""

    ECHO = "echo"
    """Each connection sends ``in_flight`` messages at once, and again when all came back."""
    BROADCAST = "broadcast"
    """One connection sends ``in_flight`` messages, every connection must get them; then the next."""
    HANDSHAKE = "handshake"
    """Each of ``connections`` slots connects, upgrades, closes with the closing handshake, and begins again."""
    IDLE = "idle"
    """Connections are opened and left alone."""


@dataclass(frozen=True, slots=True)
class Goal:
    """``server`` does at least ``ratio`` times the work of ``against`` per second of CPU time; where less is better
    (``Scenario.limit_unit``), ``against`` is empty and ``ratio`` the most that is allowed."""

    server: str
    against: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table. ``limits`` are for idle servers: bytes per connection, then share of a core."""

    name: str
    title: str
    mode: Mode
    unit: str
    connections: int
    in_flight: int = 1
    size_bytes: int = 32
    servers: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()


OURS: Final = "hioload"
COROUTINES: Final = "hioload-coroutines"
NO_CTYPES: Final = "hioload-no-ctypes"
UNCOUNTED: Final = "hioload-uncounted"
WORKERS: Final = "hioload-2-workers"
RAW: Final = "raw"

_PEERS: Final = ("picows", "websockets", "aiohttp")
_ALL: Final = (OURS, COROUTINES, RAW, *_PEERS)

SCENARIOS: Final = (
    Scenario(
        "small", "64 connections, 1 in flight, 32 B", Mode.ECHO, "messages", 64, servers=_ALL,
        goals=(
            Goal(OURS, "picows", 0.8), Goal(OURS, "websockets", 4), Goal(OURS, RAW, 0.55),
            Goal(COROUTINES, OURS, 0.7),
        ),
    ),
    Scenario(
        "counting", "metrics: 64 connections, 1 in flight, 32 B", Mode.ECHO, "messages", 64, servers=(OURS, UNCOUNTED),
        goals=(Goal(OURS, UNCOUNTED, 0.97),),
    ),
    Scenario(
        "pipelined", "64 connections, 16 in flight, 32 B", Mode.ECHO, "messages", 64, 16, servers=_ALL,
        goals=(Goal(OURS, "picows", 3), Goal(OURS, "websockets", 12), Goal(COROUTINES, OURS, 0.7)),
    ),
    Scenario(
        "workers", "workers: 64 connections, 1 in flight, 32 B", Mode.ECHO, "messages", 64, servers=(OURS, WORKERS),
        goals=(Goal(WORKERS, OURS, 1.8),),
    ),
    Scenario(
        "many", "1000 connections, 125 B", Mode.ECHO, "messages", 1000, 1, 125, servers=_ALL,
        goals=(Goal(OURS, "picows", 1.0), Goal(OURS, "websockets", 4)),
    ),
    Scenario(
        "medium", "64 connections, 16 KiB", Mode.ECHO, "messages", 64, 1, 16 * 1024,
        servers=(OURS, NO_CTYPES, RAW, *_PEERS),
        goals=(Goal(OURS, "picows", 0.95), Goal(OURS, "websockets", 2.2), Goal(NO_CTYPES, "websockets", 1.0)),
    ),
    Scenario(
        "large", "8 connections, 4 in flight, 1 MiB", Mode.ECHO, "messages", 8, 4, 1024 * 1024,
        servers=(OURS, NO_CTYPES, RAW, *_PEERS),
        goals=(Goal(OURS, "websockets", 1.5),),
    ),
    Scenario(
        "handshakes", "handshakes, with the closing one", Mode.HANDSHAKE, "handshakes", 64,
        servers=(OURS, *_PEERS),
        goals=(Goal(OURS, "websockets", 5),),
    ),
    Scenario(
        "broadcast", "broadcast of 32 B to 1000, one after the other", Mode.BROADCAST, "deliveries", 1000,
        servers=(OURS, *_PEERS),
    ),
    Scenario(
        "broadcasts", "broadcast of 32 B to 1000, 16 on their way", Mode.BROADCAST, "deliveries", 1000, 16,
        servers=(OURS, *_PEERS),
        goals=(Goal(OURS, "websockets", 3),),
    ),
    Scenario(
        "idle", "5000 idle connections", Mode.IDLE, "bytes each", 5000, servers=(OURS, RAW, *_PEERS),
        goals=(Goal(OURS, "", 1024),),
    ),
)  # fmt: skip
"""All scenarios, in the order of the table."""

IDLE_CORE_SHARE_GOAL: Final = 0.005
"""Most that an idle server with its connections may use of a core."""


def chosen(names: list[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these names (none: all), in the order of the table. Raises ``InvalidArgument``."""
    known = [each.name for each in SCENARIOS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidArgument(f"no scenario {', '.join(unknown)}: there are {', '.join(known)}")
    return tuple(each for each in SCENARIOS if not names or each.name in names)


__all__ = [
    "COROUTINES",
    "IDLE_CORE_SHARE_GOAL",
    "NO_CTYPES",
    "OURS",
    "RAW",
    "SCENARIOS",
    "UNCOUNTED",
    "WORKERS",
    "Goal",
    "Mode",
    "Scenario",
    "chosen",
]
