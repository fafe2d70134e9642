"""A store per node: where sessions live, how they are found, and one limit for all."""

from __future__ import annotations

import threading

import pytest

from hioload_ws.api.errors import Closed, InvalidArgument, ResourceExhausted
from hioload_ws.api.session import SessionManager
from hioload_ws.api.types import NodeId, SessionId
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.session import LiveSession, NodeSessions

ZERO, TWO = NodeId(0), NodeId(2)


class Here:
    """Tells on which node every thread is."""

    def __init__(self) -> None:
        self.node = ZERO

    def __call__(self) -> NodeId:
        return self.node


def store(here: Here, limit: int | None = None, clock: VirtualClock | None = None) -> NodeSessions:
    return NodeSessions(VirtualClock() if clock is None else clock, [TWO, ZERO], current_node=here, limit=limit)


def test_a_session_lives_on_the_node_of_the_thread_that_made_it_and_is_found_from_every_other() -> None:
    here = Here()
    sessions: NodeSessions = store(here)
    typed: SessionManager = sessions
    low = sessions.create()
    here.node = TWO
    high = typed.create()
    assert (low.id[:2], high.id[:2]) == ("0.", "2.")
    assert {node: len(each) for node, each in sessions.stores.items()} == {ZERO: 1, TWO: 1}
    assert sessions.stores[TWO].get(high.id) is high and sessions.stores[ZERO].get(high.id) is None
    for here.node in (ZERO, TWO):
        assert sessions.get(low.id) is low and sessions.get(high.id) is high
        assert sessions.create(low.id) is low, "an id that lives is found and not made again elsewhere"
    assert [*sessions] == [low, high] and len(sessions) == 2
    assert sessions.delete(high.id) and not sessions.delete(high.id)
    assert sessions.get(high.id) is None and len(sessions) == 1


def test_a_thread_on_a_node_that_is_not_served_gets_the_lowest() -> None:
    here = Here()
    here.node = NodeId(7)
    assert store(here).create().id.startswith("0.")


@pytest.mark.parametrize("name", ["alice", "7.alice", "", ".", "2.alice", "nobody.2"])
def test_an_id_of_somebody_s_own_has_one_home_whoever_asks(name: str) -> None:
    here = Here()
    sessions = store(here)
    made = []
    for here.node in (ZERO, TWO, ZERO):
        made.append(sessions.create(SessionId(name)))
    assert made[0] is made[1] is made[2] is sessions.get(SessionId(name))
    assert len(sessions) == 1


def test_of_threads_on_all_nodes_that_ask_for_one_id_all_get_the_same() -> None:
    local = threading.local()
    sessions = NodeSessions(VirtualClock(), [ZERO, TWO], current_node=lambda: local.node)
    start = threading.Barrier(4)
    found: list[LiveSession] = []

    def ask(node: NodeId) -> None:
        local.node = node
        start.wait(10)
        found.extend(sessions.create(SessionId(str(number))) for number in range(100))

    threads = [threading.Thread(target=ask, args=(node,)) for node in (ZERO, TWO, ZERO, TWO)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 400 and len(set(map(id, found))) == 100 == len(sessions)


def test_the_limit_counts_over_all_nodes() -> None:
    here = Here()
    sessions = store(here, limit=2)
    assert sessions.limit == 2
    first = sessions.create()
    here.node = TWO
    sessions.create()
    for here.node in (ZERO, TWO):
        with pytest.raises(ResourceExhausted):
            sessions.create()
    first.cancel()
    assert sessions.create().id.startswith("2."), "a place that a session of another node has left"


def test_sessions_of_all_nodes_expire_and_end_with_the_store() -> None:
    here, clock = Here(), VirtualClock()
    sessions = store(here, clock=clock)
    late = sessions.create(deadline_ns=10)
    here.node = TWO
    due, stays = sessions.create(deadline_ns=5), sessions.create()
    assert sessions.expire(4) == 0
    assert sessions.expire(5) == 1 and due.done
    assert sessions.expire(10) == 1 and late.done
    sessions.close()
    sessions.close()
    assert stays.done and len(sessions) == 0
    for here.node in (ZERO, TWO):
        with pytest.raises(Closed):
            sessions.create()


def test_a_store_without_a_node_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        NodeSessions(VirtualClock(), [], current_node=Here())
