"""The contract of ``Session``: the life of one client. Two threads are interleaved step by step."""

from __future__ import annotations

from functools import partial

from ...api.session import Session, SessionStatus
from ...api.types import Nanoseconds
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

SESSION = (
    must("SES-01", "A new session is connecting, not done, and has an id and the deadline it was given."),
    must("SES-02", "The context is made once, and is the session's own."),
    must("SES-03", "advance moves forward and answers True; it may pass over a status.", "SES-01"),
    must("SES-04", "advance to what is not ahead answers False and changes nothing.", "SES-03"),
    must("SES-05", "cancel ends the session and answers True; from then on it is closed and done.", "SES-01"),
    must("SES-06", "cancel of a session that has ended answers False.", "SES-05"),
    must("SES-07", "advance to CLOSED ends the session as cancel does.", "SES-05", "SES-03"),
    must(
        "SES-08",
        "Every done-callback is called once, with the session, when it ends, and not before.",
        "SES-05",
    ),
    must("SES-09", "A done-callback that is added after the end is called at once, once.", "SES-08"),
    must("SES-10", "What a done-callback raises stops no other, and is not raised by cancel.", "SES-08"),
    must("SES-11", "A done-callback sees the session ended, and may use it.", "SES-08"),
    must("SES-12", "An ended session does not come back: nothing moves it.", "SES-05"),
    must("SES-13", "Of two threads that end a session, one is told True; callbacks are called once.", "SES-08"),
    must("SES-14", "A callback that is added while another thread ends the session is called once.", "SES-09"),
    must("SES-15", "Of two threads that ask for the context first, both get the same.", "SES-02"),
    must("SES-16", "id, deadline and context are the same after the end.", "SES-05", "SES-02"),
)

class SessionContract(Contract, name="session", requirements=SESSION):
    """What every session owes; override ``make``."""

    def make(self, *, deadline_ns: Nanoseconds | None) -> Session:
        """Return a new session with this deadline, which nobody watches here."""
        raise NotImplementedError

    def fresh(self, trial: Trial, deadline_ns: Nanoseconds | None = None) -> Session:
        """Return a fresh session."""
        return trial.make(self.make, deadline_ns=deadline_ns)

    @requirement("SES-01")
    def new_one_is_connecting(self, trial: Trial) -> None:
        for deadline_ns in (None, 0, 12345):
            session = self.fresh(trial, deadline_ns)
            found = (session.status, session.done, session.deadline_ns)
            trial.equal(found, (SessionStatus.CONNECTING, False, deadline_ns), "status, done, deadline")
            trial.true(isinstance(session.id, str) and session.id, "the id is a text", got=session.id)

    @requirement("SES-02")
    def context_is_its_own(self, trial: Trial) -> None:
        session, other = self.fresh(trial), self.fresh(trial)
        context = session.context
        trial.same(session.context, context, "the context, asked again")
        trial.did("set('a', 1) in the context of one of two sessions")
        context.set("a", 1)
        trial.equal((session.context.get("a"), other.context.get("a")), (1, None), "the value in both contexts")

    @requirement("SES-03")
    def status_moves_forward(self, trial: Trial) -> None:
        ways = ((SessionStatus.ACTIVE, SessionStatus.CLOSING), (SessionStatus.CLOSING,))
        for way in ways:
            session = self.fresh(trial)
            for status in way:
                trial.did(f"advance({status.name})")
                trial.same(session.advance(status), True, "what advance answers")
                trial.equal((session.status, session.done), (status, False), "status and done")

    @requirement("SES-04")
    def status_never_moves_back(self, trial: Trial) -> None:
        order = tuple(SessionStatus)
        for now in (SessionStatus.CONNECTING, SessionStatus.ACTIVE, SessionStatus.CLOSING):
            for behind in order[: order.index(now) + 1]:
                session = self.fresh(trial)
                session.advance(now)
                trial.did(f"advance({behind.name}) of a session that is {now.name}")
                trial.same(session.advance(behind), False, "what advance answers")
                trial.equal((session.status, session.done), (now, False), "status and done")

    @requirement("SES-05")
    def cancel_ends(self, trial: Trial) -> None:
        for status in (SessionStatus.CONNECTING, SessionStatus.ACTIVE, SessionStatus.CLOSING):
            session = self.fresh(trial)
            session.advance(status)
            trial.did(f"cancel() of a session that is {status.name}")
            trial.same(session.cancel(), True, "what cancel answers")
            trial.equal((session.status, session.done), (SessionStatus.CLOSED, True), "status and done")

    @requirement("SES-06")
    def cancel_is_late(self, trial: Trial) -> None:
        session = self.fresh(trial)
        session.cancel()
        trial.did("cancel(), again")
        trial.equal((session.cancel(), session.cancel()), (False, False), "what cancel answers then")

    @requirement("SES-07")
    def closed_is_the_end(self, trial: Trial) -> None:
        session = self.fresh(trial)
        ended: list[Session] = []
        session.on_done(ended.append)
        trial.did("advance(CLOSED)")
        trial.same(session.advance(SessionStatus.CLOSED), True, "what advance answers")
        trial.equal((session.status, session.done, ended), (SessionStatus.CLOSED, True, [session]), "what is told")
        trial.same(session.advance(SessionStatus.CLOSED), False, "what advance answers then")

    @requirement("SES-08")
    def all_are_told(self, trial: Trial) -> None:
        session = self.fresh(trial)
        told: list[tuple[int, Session]] = []
        for number in range(5):
            session.on_done(partial(_note, told, number))
        session.advance(SessionStatus.ACTIVE)
        session.advance(SessionStatus.CLOSING)
        trial.equal(told, [], "who was told before the end")
        trial.did("cancel(), twice")
        session.cancel()
        session.cancel()
        trial.equal(sorted(each[0] for each in told), [0, 1, 2, 3, 4], "who was told")
        trial.true(all(each[1] is session for each in told), "each was told with the session")

    @requirement("SES-09")
    def late_ones_are_told(self, trial: Trial) -> None:
        session = self.fresh(trial)
        session.cancel()
        told: list[Session] = []
        for count in (1, 2):
            trial.did("on_done() of a session that has ended")
            session.on_done(told.append)
            trial.equal(told, [session] * count, "who was told at once")

    @requirement("SES-10")
    def faults_stop_nobody(self, trial: Trial) -> None:
        session = self.fresh(trial)
        told: list[tuple[int, Session]] = []
        for number in range(3):
            session.on_done(partial(_note, told, number))
            session.on_done(_raise)
        trial.did("cancel(), with done-callbacks that raise")
        trial.same(session.cancel(), True, "what cancel answers")
        trial.equal(len(told), 3, "how many of the others were told")
        trial.did("on_done(one that raises) after the end")
        session.on_done(_raise)

    @requirement("SES-11")
    def callbacks_may_use_it(self, trial: Trial) -> None:
        session = self.fresh(trial)
        found: list[object] = []

        def callback(ended: Session) -> None:
            found.extend((ended.done, ended.status, ended.cancel(), ended.advance(SessionStatus.CLOSED)))
            ended.on_done(lambda _: found.append("late"))
            ended.context.set("a", 1)

        session.on_done(callback)
        session.cancel()
        wanted = [True, SessionStatus.CLOSED, False, False, "late"]
        trial.equal(found, wanted, "done, status, cancel() and advance(CLOSED) within the callback, and a late one")

    @requirement("SES-12")
    def ended_ones_stay_ended(self, trial: Trial) -> None:
        session = self.fresh(trial)
        session.cancel()
        for status in SessionStatus:
            trial.did(f"advance({status.name}) after the end")
            trial.same(session.advance(status), False, "what advance answers")
            trial.equal((session.status, session.done), (SessionStatus.CLOSED, True), "status and done")

    @requirement("SES-13")
    def one_thread_ends_it(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            session = self.fresh(trial)
            told: list[Session] = []
            session.on_done(told.append)
            trial.did(f"hold cancel() at step {schedule.at}, and cancel() on another thread meanwhile")
            answers = schedule.run(session.cancel, session.cancel)
            trial.equal(sorted(map(bool, answers)), [False, True], "what the two are told")
            trial.equal((told, session.done), ([session], True), "who was told, and done")

    @requirement("SES-14")
    def nobody_is_missed(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            session = self.fresh(trial)
            told: list[Session] = []
            trial.did(f"hold on_done() at step {schedule.at}, and cancel() on another thread meanwhile")
            schedule.run(partial(session.on_done, told.append), session.cancel)
            trial.equal(told, [session], "who was told")
        for schedule in interruptions(trial):
            session = self.fresh(trial)
            told = []
            trial.did(f"hold cancel() at step {schedule.at}, and on_done() on another thread meanwhile")
            schedule.run(session.cancel, partial(session.on_done, told.append))
            trial.equal(told, [session], "who was told")

    @requirement("SES-15")
    def one_context_is_made(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            session = self.fresh(trial)
            trial.did(f"hold context at step {schedule.at}, and ask for it on another thread meanwhile")
            ask = partial(getattr, session, "context")
            first, second = schedule.run(ask, ask)
            trial.same(first, second, "the context that both got")
            trial.same(session.context, first, "the context afterwards")

    @requirement("SES-16")
    def facts_stay(self, trial: Trial) -> None:
        session = self.fresh(trial, 777)
        session.context.set("a", 1)
        before = (session.id, session.deadline_ns, session.context)
        session.cancel()
        trial.equal((session.id, session.deadline_ns, session.context), before, "id, deadline, context after the end")
        trial.equal(session.context.get("a"), 1, "a value in the context after the end")


def _note(told: list[tuple[int, Session]], number: int, session: Session) -> None:
    told.append((number, session))


def _raise(session: Session) -> None:
    raise _Fault


class _Fault(Exception):
    """Raised by a done-callback."""


SUITES = (SessionContract,)

__all__ = ["SUITES", "SessionContract"]
