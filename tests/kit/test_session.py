"""The contracts of sessions and their stores, on those in real time and those in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hioload_ws.api import Nanoseconds, SessionId
from hioload_ws.api.types import NodeId
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.session import SessionContract
from hioload_ws.contract.suites.session_manager import SessionManagerContract
from hioload_ws.fake import VirtualClock, virtual_sessions
from hioload_ws.internal import SystemClock
from hioload_ws.session import LiveSession, NodeSessions, ShardedSessions
from tests.kit.holding import hold


def _ignore(error: BaseException, origin: object) -> None:
    """What done-callbacks raise is what the checks made them raise."""


def sharded(*, limit: int | None) -> ShardedSessions:
    return ShardedSessions(SystemClock(), limit=limit, on_error=_ignore)


def one_shard(*, limit: int | None) -> ShardedSessions:
    return ShardedSessions(SystemClock(), shard_count=1, limit=limit, on_error=_ignore)


def two_nodes(*, limit: int | None) -> NodeSessions:
    nodes = (NodeId(0), NodeId(1))
    return NodeSessions(SystemClock(), nodes, current_node=lambda: NodeId(1), limit=limit, on_error=_ignore)


def virtual(*, limit: int | None) -> ShardedSessions:
    return virtual_sessions(VirtualClock(), limit=limit)


def real_session(*, deadline_ns: Nanoseconds | None) -> LiveSession:
    return sharded(limit=None).create(deadline_ns=deadline_ns)


def virtual_one(*, deadline_ns: Nanoseconds | None) -> LiveSession:
    return virtual(limit=None).create(SessionId("a"), deadline_ns=deadline_ns)


@pytest.mark.parametrize(("name", "make"), [("LiveSession", real_session), ("virtual_session()", virtual_one)])
def test_every_session_of_ours_is_conformant(name: str, make: Factory) -> None:
    hold(SessionContract, make, name)


STORES: Mapping[str, Factory] = {
    "ShardedSessions": sharded,
    "ShardedSessions, one shard": one_shard,
    "NodeSessions": two_nodes,
    "virtual_sessions()": virtual,
}


@pytest.mark.parametrize("name", STORES)
def test_every_store_of_ours_is_conformant(name: str) -> None:
    hold(SessionManagerContract, STORES[name], name)
