"""The store: atomic get-or-create, an exact limit, deadlines that cost nothing while none is due, and its
size."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hioload_ws.api.errors import Closed, InvalidArgument, ResourceExhausted
from hioload_ws.api.session import Session, SessionManager, SessionStatus
from hioload_ws.api.types import SessionId
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.session.context import ValueContextFactory
from hioload_ws.session.session import LiveSession
from hioload_ws.session.store import DEAD_MIN_COUNT, ShardedSessions, random_id

A, B = SessionId("a"), SessionId("b")


@pytest.fixture
def store(clock: VirtualClock) -> ShardedSessions:
    return ShardedSessions(clock, shard_count=4)


def heap_sizes(store: ShardedSessions) -> int:
    return sum(len(shard.heap) for shard in store._shards)


def test_create_returns_the_live_session_of_an_id_and_keeps_its_deadline(store: ShardedSessions) -> None:
    session = store.create(A, deadline_ns=100)
    assert session.status is SessionStatus.CONNECTING
    assert store.create(A, deadline_ns=5) is session is store.get(A)
    assert session.deadline_ns == 100 and len(store) == 1


def test_get_of_an_unknown_id_is_none(store: ShardedSessions) -> None:
    assert store.get(A) is None and store.delete(A) is False


def test_ids_are_fresh_and_of_132_random_bits(store: ShardedSessions) -> None:
    ids = {store.create().id for _ in range(100)}
    assert len(ids) == 100 and all(len(each) == 22 for each in ids)
    assert len({random_id() for _ in range(100)}) == 100


def test_no_id_is_handed_out_twice_by_threads_that_draw_at_once() -> None:
    drawn: list[list[str]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda ids=ids: ids.extend(random_id() for _ in range(2000))) for ids in drawn
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for ids in drawn for each in ids}) == 8000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_draws_other_ids_than_its_parent() -> None:
    random_id()  # a block is begun
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - another process
        os.write(writing, random_id().encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        theirs = pipe.read().decode()
    os.waitpid(child, 0)
    assert len(theirs) == 22 and theirs not in {random_id() for _ in range(200)}


def test_a_fresh_id_that_is_in_use_never_hands_over_its_session(clock: VirtualClock) -> None:
    ids = iter(["a", "a", "a", "b"])
    store = ShardedSessions(clock, new_id=lambda: next(ids))
    first = store.create()
    assert store.create().id == "b" and store.get(A) is first


def test_a_maker_of_ids_that_repeats_itself_is_given_up_on(clock: VirtualClock) -> None:
    store = ShardedSessions(clock, new_id=lambda: "a")
    store.create()
    with pytest.raises(ResourceExhausted):
        store.create()
    assert len(store) == 1


def test_delete_cancels_and_the_id_is_free_for_another(store: ShardedSessions) -> None:
    session = store.create(A)
    assert store.delete(A) is True
    assert session.done and store.get(A) is None and len(store) == 0
    assert store.create(A) is not session


@pytest.mark.parametrize("way", ["cancel", "advance"])
def test_a_session_that_ends_by_itself_has_left_when_its_callbacks_run(
    store: ShardedSessions, way: str
) -> None:
    session = store.create(A)
    seen: list[object] = []
    session.on_done(lambda ended: seen.append((store.get(A), len(store), list(store))))
    assert session.cancel() if way == "cancel" else session.advance(SessionStatus.CLOSED)
    assert seen == [(None, 0, [])]


def test_the_end_of_an_old_session_does_not_remove_its_successor(store: ShardedSessions) -> None:
    old = store.create(A)
    successors: list[Session] = []
    old.on_done(lambda _: successors.append(store.create(A)))
    old.cancel()
    assert old.cancel() is False
    assert [store.get(A)] == successors


def test_the_limit_is_exact_over_all_shards_and_an_end_makes_room(clock: VirtualClock) -> None:
    store = ShardedSessions(clock, shard_count=3, limit=5)
    sessions = [store.create() for _ in range(5)]
    with pytest.raises(ResourceExhausted) as caught:
        store.create()
    assert caught.value.context == {"resource": "sessions", "limit": 5}
    assert len(store) == 5 == store.limit
    assert store.create(sessions[0].id) is sessions[0]
    sessions[0].cancel()
    store.create(A)
    with pytest.raises(ResourceExhausted):
        store.create(B)
    assert store.get(B) is None and len(store) == 5


def test_a_deadline_is_met_at_its_nanosecond_and_not_before(store: ShardedSessions) -> None:
    session, other = store.create(A, deadline_ns=100), store.create(B)
    assert store.expire(99) == 0 and not session.done
    assert store.expire(100) == 1
    assert session.done and not other.done and list(store) == [other]
    assert store.expire(10**18) == 0


def test_a_session_that_ended_before_its_deadline_is_not_counted(store: ShardedSessions) -> None:
    store.create(A, deadline_ns=100).cancel()
    store.create(A, deadline_ns=200)
    assert store.expire(150) == 0 and len(store) == 1
    assert store.expire(250) == 1 and heap_sizes(store) == 0


def test_expiring_calls_in_order_of_deadline_within_a_shard(clock: VirtualClock) -> None:
    store = ShardedSessions(clock, shard_count=1)
    order: list[int | None] = []
    for deadline_ns in (30, 10, 20, 10):
        store.create(deadline_ns=deadline_ns).on_done(lambda session: order.append(session.deadline_ns))
    assert store.expire(25) == 3 and order == [10, 10, 20]


def test_an_interrupt_while_expiring_loses_no_other_session(clock: VirtualClock) -> None:
    def interrupt(_: Session) -> None:
        raise KeyboardInterrupt

    store = ShardedSessions(clock, shard_count=1)
    store.create(A, deadline_ns=1).on_done(interrupt)
    store.create(B, deadline_ns=2)
    with pytest.raises(KeyboardInterrupt):
        store.expire(5)
    assert [session.id for session in store] == [B]
    assert store.expire(5) == 1 and len(store) == 0


def test_sessions_that_come_and_go_under_far_deadlines_leave_no_pile(clock: VirtualClock) -> None:
    store = ShardedSessions(clock, shard_count=1)
    stays = [store.create(deadline_ns=10**15 + number) for number in range(10)]
    for _ in range(2000):
        store.create(deadline_ns=10**15).cancel()
        assert heap_sizes(store) <= DEAD_MIN_COUNT + 2 * len(stays)
    assert store.expire(10**15 + 4) == 5 and [each.done for each in stays] == [True] * 5 + [False] * 5


def test_iterating_is_over_a_snapshot_and_allows_changes(clock: VirtualClock) -> None:
    store = ShardedSessions(clock, shard_count=1)
    for number in range(5):
        store.create(SessionId(str(number)))
    seen = []
    for session in store:
        seen.append(session.id)
        session.cancel()
        store.create()
    assert seen == ["0", "1", "2", "3", "4"] and len(store) == 5


def test_close_ends_all_refuses_new_ones_and_may_be_repeated(clock: VirtualClock) -> None:
    store: SessionManager = ShardedSessions(clock, limit=10)
    sessions = [store.create() for _ in range(10)]
    store.close()
    store.close()
    assert all(session.done for session in sessions) and len(store) == 0
    for session_id in (None, A, sessions[0].id):
        with pytest.raises(Closed):
            store.create(session_id)


@pytest.mark.parametrize(("shard_count", "limit"), [(0, None), (1, 0), (-1, 5)])
def test_counts_below_one_are_refused(clock: VirtualClock, shard_count: int, limit: int | None) -> None:
    with pytest.raises(InvalidArgument):
        ShardedSessions(clock, shard_count=shard_count, limit=limit)


def test_contexts_and_the_error_hook_may_be_brought_along(clock: VirtualClock) -> None:
    class Marked(ValueContextFactory):
        __slots__ = ()

    def fail(_: Session) -> None:
        raise ValueError("x")

    reported: list[BaseException] = []
    factory = Marked(clock)
    store = ShardedSessions(clock, contexts=factory, on_error=lambda error, _: reported.append(error))
    session = store.create()
    assert session._home.contexts is factory
    session.on_done(fail)
    session.cancel()
    assert [str(error) for error in reported] == ["x"]


def test_values_in_a_session_expire_by_the_store_s_clock(store: ShardedSessions, clock: VirtualClock) -> None:
    context = store.create(A).context
    context.set("a", 1, ttl_ns=10)
    clock.advance(10)
    assert "a" not in context


def test_a_signal_handler_that_creates_the_same_session_in_the_middle_wins(clock: VirtualClock) -> None:
    class Interrupted(deque[None]):
        """Permits; taking the first one is where the handler comes in."""

        def pop(self) -> None:  # type: ignore[override]  # deque.pop takes no argument either
            super().pop()
            self.pop = super().pop  # type: ignore[method-assign]  # the handler runs once
            inner.append(store.create(A, deadline_ns=5))

    inner: list[LiveSession] = []
    store = ShardedSessions(clock, shard_count=1, limit=2)
    store._shards[0].permits = Interrupted([None, None])
    assert store.create(A, deadline_ns=7) is inner[0]
    assert len(store) == 1 and heap_sizes(store) == 1
    store.create(B)
    with pytest.raises(ResourceExhausted):
        store.create(SessionId("c"))


def test_of_many_threads_that_create_one_id_all_get_the_same_session(clock: VirtualClock) -> None:
    store, thread_count, ids = ShardedSessions(clock, shard_count=2, limit=200), 6, range(200)
    start = threading.Barrier(thread_count)
    found: list[list[LiveSession]] = [[] for _ in range(thread_count)]

    def work(number: int) -> None:
        start.wait(10)
        found[number].extend(store.create(SessionId(str(each)), deadline_ns=10) for each in ids)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(thread_count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(row == found[0] for row in found) and len(found[0]) == 200
    assert len(store) == 200 and store.expire(10) == 200 and len(store) == 0


def test_threads_that_create_and_end_never_pass_the_limit_and_leave_nothing(clock: VirtualClock) -> None:
    store, start = ShardedSessions(clock, shard_count=3, limit=4), threading.Barrier(4)
    refused_count = count()

    def work() -> None:
        start.wait(10)
        for number in range(500):
            try:
                session = store.create(deadline_ns=number)
            except ResourceExhausted:
                next(refused_count)
                continue
            assert store.get(session.id) is session
            session.cancel()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(store) == 0
    # Four threads hold one session each at most, so four permits are enough: nobody was refused.
    assert next(refused_count) == 0
    assert [store.create() for _ in range(4)] and len(store) == 4


def test_an_idle_session_costs_at_most_250_bytes(clock: VirtualClock) -> None:
    session_count = 10_000
    store = ShardedSessions(clock, limit=session_count)
    sessions = [store.create() for _ in range(session_count)]
    own_bytes = sum(sys.getsizeof(session) + sys.getsizeof(session.id) for session in sessions)
    shards = store._shards
    table_bytes = sum(sys.getsizeof(shard.table) + sys.getsizeof(shard.heap) for shard in shards)
    permit_bytes = 8 * session_count
    assert (own_bytes + table_bytes + permit_bytes) / session_count <= 250
    with pytest.raises(ResourceExhausted):
        store.create()


class StoreMachine(RuleBasedStateMachine):
    """Random use against a plain dictionary of id to session."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.numbers = count()
        self.store = ShardedSessions(
            VirtualClock(), shard_count=2, limit=6, new_id=lambda: f"new {next(self.numbers)}"
        )
        self.model: dict[str, LiveSession] = {}
        self.ended: list[Session] = []
        self.closed = False

    @rule(name=st.sampled_from(["a", "b", "c", "d", None]), ttl_ns=st.none() | st.integers(-2, 9))
    def create(self, name: str | None, ttl_ns: int | None) -> None:
        session_id = None if name is None else SessionId(name)
        deadline_ns = None if ttl_ns is None else self.now_ns + ttl_ns
        if self.closed:
            with pytest.raises(Closed):
                self.store.create(session_id, deadline_ns=deadline_ns)
        elif name not in self.model and len(self.model) == 6:
            with pytest.raises(ResourceExhausted):
                self.store.create(session_id, deadline_ns=deadline_ns)
        else:
            session = self.store.create(session_id, deadline_ns=deadline_ns)
            if session.id in self.model:
                assert session is self.model[session.id] and name is not None
            else:
                assert not session.done and session.deadline_ns == deadline_ns
                session.on_done(self.ended.append)
                self.model[session.id] = session

    @precondition(lambda self: self.model)
    @rule(data=st.data(), way=st.sampled_from(["delete", "cancel", "advance"]))
    def end(self, data: st.DataObject, way: str) -> None:
        session = self.model.pop(data.draw(st.sampled_from(sorted(self.model))))
        if way == "delete":
            assert self.store.delete(session.id)
        else:
            assert session.cancel() if way == "cancel" else session.advance(SessionStatus.CLOSED)
        self.check_ended([session])

    @rule(duration_ns=st.integers(0, 6))
    def expire(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
        due = [
            session
            for session in self.model.values()
            if session.deadline_ns is not None and session.deadline_ns <= self.now_ns
        ]
        assert self.store.expire(self.now_ns) == len(due)
        for session in due:
            del self.model[session.id]
        self.check_ended(due)

    @rule()
    def close(self) -> None:
        self.store.close()
        self.closed = True
        self.check_ended(list(self.model.values()))
        self.model.clear()

    def check_ended(self, sessions: list[LiveSession]) -> None:
        assert sorted(each.id for each in self.ended) == sorted(each.id for each in sessions)
        assert all(session.done for session in sessions)
        self.ended.clear()

    @invariant()
    def store_and_model_agree(self) -> None:
        assert {session.id: session for session in self.store} == self.model
        assert len(self.store) == len(self.model)
        assert all(self.store.get(SessionId(name)) is session for name, session in self.model.items())

    @invariant()
    def the_books_balance(self) -> None:
        for shard in self.store._shards:
            assert shard.dead_count == sum(session.done for _, _, session in shard.heap)
        permits = self.store._shards[0].permits
        assert len(permits) + len(self.model) == 6


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
