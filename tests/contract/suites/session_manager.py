"""The contract of ``SessionManager``: sessions by id.

Time is a number that the checks pass to ``expire``; nothing waits. Two threads are interleaved step by step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

from ...api.errors import Closed, ResourceExhausted
from ...api.session import Session, SessionManager, SessionStatus
from ...api.types import Nanoseconds, SessionId
from ..interleave import interruptions
from ..model import Operation, explore
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

MANAGER = (
    must("SEM-01", "A new store is empty."),
    must(
        "SEM-02",
        "create without an id makes a new session each time, connecting, with an id of its own.",
        "SEM-01",
    ),
    must("SEM-03", "create with the id of a live session returns that one, as it is; else a new one.", "SEM-01"),
    must("SEM-04", "get, length and iteration show the live sessions and no others.", "SEM-02", "SEM-03"),
    must("SEM-05", "A session that ends by itself has left the store.", "SEM-04"),
    must("SEM-06", "delete cancels and removes; it answers whether there was one.", "SEM-04"),
    must("SEM-07", "An id can be used again when its session has ended, for a new session.", "SEM-06"),
    must(
        "SEM-08",
        "expire ends the sessions whose deadline has come, this moment included, and counts them.",
        "SEM-04",
    ),
    must("SEM-09", "Sessions without a deadline, and those that ended before, are nothing to expire.", "SEM-08"),
    must(
        "SEM-10",
        "At the limit a new session raises ResourceExhausted; one that is there is still found.",
        "SEM-03",
    ),
    must("SEM-11", "A session that ends makes room below the limit, however it ends.", "SEM-10", "SEM-05"),
    must("SEM-12", "The store may change while it is iterated.", "SEM-04"),
    must("SEM-13", "close ends all sessions and may be repeated; create raises Closed from then on.", "SEM-04"),
    must(
        "SEM-14",
        "Done-callbacks are called by delete, expire and close, and may use the store.",
        "SEM-06",
        "SEM-08",
    ),
    must("SEM-15", "Of two threads that create one id, both get the same session.", "SEM-03"),
    must("SEM-16", "Two threads that create at once do not pass the limit.", "SEM-10"),
    must("SEM-17", "Any mixture of calls does what a dictionary with deadlines does.", "SEM-06", "SEM-08"),
)


class SessionManagerContract(Contract, name="session-manager", requirements=MANAGER):
    """What every store of sessions owes; override ``make``."""

    def make(self, *, limit: int | None) -> SessionManager:
        """Return a new store for at most ``limit`` live sessions (``None``: any number)."""
        raise NotImplementedError

    def fresh(self, trial: Trial, limit: int | None = None) -> SessionManager:
        """Return a fresh store."""
        return trial.make(self.make, limit=limit)

    @requirement("SEM-01")
    def new_one_is_empty(self, trial: Trial) -> None:
        store = self.fresh(trial)
        found = (len(store), list(store), store.get(SessionId("a")), store.expire(1 << 62))
        trial.equal(found, (0, [], None, 0), "length, sessions, get('a'), and how many expire")

    @requirement("SEM-02")
    def new_ids_are_made(self, trial: Trial) -> None:
        store = self.fresh(trial)
        sessions = [store.create() for _ in range(200)]
        trial.equal(len({each.id for each in sessions}), 200, "how many ids 200 new sessions have")
        trial.equal({each.status for each in sessions}, {SessionStatus.CONNECTING}, "their statuses")
        trial.equal({each.deadline_ns for each in sessions}, {None}, "their deadlines")
        trial.true(all(store.get(each.id) is each for each in sessions), "each is found by its id")

    @requirement("SEM-03")
    def get_or_create(self, trial: Trial) -> None:
        store = self.fresh(trial)
        session = create(trial, store, "a", 100)
        session.advance(SessionStatus.ACTIVE)
        again = create(trial, store, "a", 500)
        trial.same(again, session, "the session of an id that is there")
        trial.equal((again.status, again.deadline_ns), (SessionStatus.ACTIVE, 100), "its status and deadline")
        other = create(trial, store, "b", 500)
        trial.equal((other is session, other.id, other.deadline_ns), (False, "b", 500), "another id is another session")

    @requirement("SEM-04")
    def live_ones_are_shown(self, trial: Trial) -> None:
        store = self.fresh(trial)
        sessions = {each.id: each for each in (create(trial, store, f"id {number}") for number in range(40))}
        trial.equal(len(store), 40, "the length")
        trial.equal(sorted(each.id for each in store), sorted(sessions), "the ids that iteration shows")
        trial.true(all(store.get(id) is each for id, each in sessions.items()), "each is found by its id")
        trial.equal(store.get(SessionId("other")), None, "get() of an id that is not there")

    @requirement("SEM-05")
    def ended_ones_leave(self, trial: Trial) -> None:
        ends: tuple[tuple[str, Callable[[Session], object]], ...] = (
            ("cancel()", lambda session: session.cancel()),
            ("advance(CLOSED)", lambda session: session.advance(SessionStatus.CLOSED)),
        )
        for name, end in ends:
            store = self.fresh(trial)
            session, other = create(trial, store, "a"), create(trial, store, "b")
            trial.did(f"{name} of one")
            end(session)
            found = (store.get(session.id), len(store), list(store), store.delete(session.id))
            trial.equal(found, (None, 1, [other], False), "get(), length, iteration and delete() afterwards")

    @requirement("SEM-06")
    def delete_cancels(self, trial: Trial) -> None:
        store = self.fresh(trial)
        session, other = create(trial, store, "a"), create(trial, store, "b")
        trial.did("delete('a'), twice, and delete of an id that never was")
        answers = [store.delete(SessionId(id)) for id in ("a", "a", "never")]
        trial.equal(answers, [True, False, False], "what delete answers")
        trial.equal((session.done, other.done, list(store)), (True, False, [other]), "done of both, and who is left")

    @requirement("SEM-07")
    def ids_come_again(self, trial: Trial) -> None:
        store = self.fresh(trial)
        session = create(trial, store, "a", 100)
        store.delete(session.id)
        again = create(trial, store, "a", 900)
        trial.true(again is not session, "the id has a new session")
        trial.equal((again.status, again.deadline_ns, again.done), (SessionStatus.CONNECTING, 900, False), "its state")
        trial.same(store.get(again.id), again, "get() of the id")
        trial.equal(store.expire(500), 0, "how many expire at the deadline of the old one")
        session.cancel()
        trial.equal((again.done, len(store)), (False, 1), "the new one, after the old one was cancelled again")

    @requirement("SEM-08")
    def deadlines_are_kept(self, trial: Trial) -> None:
        store = self.fresh(trial)
        deadlines = [trial.rng.randint(1, 50) for _ in range(60)]
        sessions = [create(trial, store, str(number), each) for number, each in enumerate(deadlines)]
        left = 60
        for now_ns in (0, 1, 10, 11, 30, 49, 50, 51):
            trial.did(f"expire({now_ns})")
            wanted = left - sum(each > now_ns for each in deadlines)
            trial.equal(store.expire(now_ns), wanted, "how many expire")
            left -= wanted
            trial.equal([each.done for each in sessions], [each <= now_ns for each in deadlines], "done of each")
            trial.equal(len(store), left, "the length")

    @requirement("SEM-09")
    def others_do_not_expire(self, trial: Trial) -> None:
        store = self.fresh(trial)
        forever = create(trial, store, "forever")
        ended = create(trial, store, "ended", 10)
        ended.cancel()
        trial.did("expire(a moment far away), with one that ended before and one without deadline")
        trial.equal((store.expire(1 << 62), forever.done, len(store)), (0, False, 1), "how many expire, done, length")

    @requirement("SEM-10")
    def limit_is_kept(self, trial: Trial) -> None:
        store = self.fresh(trial, 3)
        sessions = [create(trial, store, str(number)) for number in range(3)]
        for _ in range(2):
            trial.raises(ResourceExhausted, "create('new') at the limit", lambda: store.create(SessionId("new")))
            trial.raises(ResourceExhausted, "create() at the limit", store.create)
        trial.same(create(trial, store, "1"), sessions[1], "create() of an id that is there")
        trial.equal((len(store), store.get(SessionId("new"))), (3, None), "the length, and get('new')")

    @requirement("SEM-11")
    def ends_make_room(self, trial: Trial) -> None:
        store = self.fresh(trial, 1)
        ends: tuple[tuple[str, Callable[[Session], object]], ...] = (
            ("cancel()", lambda session: session.cancel()),
            ("delete()", lambda session: store.delete(session.id)),
            ("expire()", lambda session: store.expire(100)),
            ("advance(CLOSED)", lambda session: session.advance(SessionStatus.CLOSED)),
        )
        for name, end in ends * 2:
            session = create(trial, store, "a", 50)
            trial.raises(ResourceExhausted, "create('b') at the limit", lambda: store.create(SessionId("b")))
            trial.did(name)
            end(session)
            store.delete(session.id)
            session.cancel()

    @requirement("SEM-12")
    def iteration_bears_changes(self, trial: Trial) -> None:
        store = self.fresh(trial)
        sessions = [create(trial, store, str(number)) for number in range(30)]
        trial.did("iterate; cancel, delete and create meanwhile")
        shown = []
        for number, session in enumerate(store):
            shown.append(session)
            sessions[number].cancel()
            store.delete(sessions[-1 - number % 30].id)
            store.create(SessionId(f"new {number % 7}"))
            if number > 1000:
                trial.fail("the iteration does not end")
        trial.equal(len(set(shown)), len(shown), "how many different sessions were shown, and how many in all")

    @requirement("SEM-13")
    def close_ends_all(self, trial: Trial) -> None:
        store = self.fresh(trial)
        sessions = [create(trial, store, str(number), number) for number in range(30)]
        trial.did("close(), twice")
        store.close()
        store.close()
        trial.true(all(each.done for each in sessions), "all sessions have ended")
        found = (len(store), list(store), store.get(SessionId("1")), store.delete(SessionId("1")), store.expire(99))
        trial.equal(found, (0, [], None, False, 0), "length, iteration, get, delete and expire after close")
        trial.raises(Closed, "create() after close()", store.create)
        trial.raises(Closed, "create('1') after close()", lambda: store.create(SessionId("1")))

    @requirement("SEM-14")
    def callbacks_may_use_the_store(self, trial: Trial) -> None:
        ends: tuple[tuple[str, Callable[[SessionManager], object]], ...] = (
            ("delete('a')", lambda store: store.delete(SessionId("a"))),
            ("expire(100)", lambda store: store.expire(100)),
            ("close()", lambda store: store.close()),
        )
        for name, end in ends:
            store = self.fresh(trial)
            found: list[object] = []

            def callback(session: Session, store: SessionManager = store, found: list[object] = found) -> None:
                found.append((store.get(session.id), store.delete(session.id), len(store)))

            create(trial, store, "a", 50).on_done(callback)
            trial.did(name)
            end(store)
            trial.equal(found, [(None, False, 0)], "get(), delete() and length within the callback")

    @requirement("SEM-15")
    def one_session_per_id(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            store = self.fresh(trial)
            make = partial(store.create, SessionId("a"))
            trial.did(f"hold create('a') at step {schedule.at}, and create('a') on another thread meanwhile")
            first, second = schedule.run(make, make)
            trial.same(first, second, "the session that both got")
            trial.equal((len(store), store.get(SessionId("a"))), (1, first), "the length, and get('a')")

    @requirement("SEM-16")
    def two_threads_keep_the_limit(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            store = self.fresh(trial, 1)
            trial.did(f"hold create('a') at step {schedule.at}, and create('b') on another thread, with a limit of 1")
            made = schedule.run(partial(_try_create, store, "a"), partial(_try_create, store, "b"))
            trial.equal((sum(map(bool, made)), len(store)), (1, 1), "how many were made, and the length")

    @requirement("SEM-17")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(25, 400))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        store = self.fresh(trial, 5)
        live: dict[str, tuple[Session, int | None]] = {}
        for name, value in script:
            id, now_ns = f"id {value % 7}", value
            trial.did(f"{name} {id if name != 'expire' else now_ns}")
            if name == "create":
                made = _try_create(store, id, value * 3 if value % 2 else None)
                trial.equal(made is not None, id in live or len(live) < 5, "whether there is a session")
                if made is not None:
                    known = live.setdefault(id, (made, value * 3 if value % 2 else None))
                    trial.same(made, known[0], "the session")
            elif name == "delete":
                trial.equal(store.delete(SessionId(id)), live.pop(id, None) is not None, "whether there was one")
            elif name == "cancel" and id in live:
                live.pop(id)[0].cancel()
            elif name == "expire":
                due = [id for id, (_, deadline_ns) in live.items() if deadline_ns is not None and deadline_ns <= now_ns]
                trial.equal(store.expire(now_ns), len(due), "how many expire")
                for each in due:
                    trial.true(live.pop(each)[0].done, "what has expired is done")
            trial.equal(sorted(each.id for each in store), sorted(live), "the live ids")
            trial.equal(len(store), len(live), "the length")


def create(trial: Trial, store: SessionManager, id: str, deadline_ns: Nanoseconds | None = None) -> Session:
    """Create a session."""
    trial.did(f"create({id!r}, deadline_ns={deadline_ns})")
    return store.create(SessionId(id), deadline_ns=deadline_ns)


def _try_create(store: SessionManager, id: str, deadline_ns: Nanoseconds | None = None) -> Session | None:
    try:
        return store.create(SessionId(id), deadline_ns=deadline_ns)
    except ResourceExhausted:
        return None


def _draw(rng: random.Random) -> Operation:
    return rng.choice(("create", "create", "create", "delete", "cancel", "expire")), rng.randint(0, 40)


SUITES = (SessionManagerContract,)

__all__ = ["SUITES", "SessionManagerContract"]
