"""Sessions: forward only, one end, callbacks once, nothing made before it is used."""

from __future__ import annotations

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api.context import Context
from hioload_ws.api.session import Session, SessionStatus
from hioload_ws.api.types import SessionId
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.session.context import ValueContext, ValueContextFactory
from hioload_ws.session.session import LiveSession, SessionHome

Reported = list[tuple[BaseException, object]]


@pytest.fixture
def home(clock: VirtualClock, reported: Reported) -> SessionHome:
    return SessionHome(ValueContextFactory(clock), lambda error, origin: reported.append((error, origin)))


@pytest.fixture
def session(home: SessionHome) -> LiveSession:
    return LiveSession(SessionId("session-1"), home, 500)


def test_a_new_session_is_connecting_and_has_made_nothing(session: LiveSession) -> None:
    assert (session.id, session.status, session.deadline_ns, session.done) == (
        "session-1",
        SessionStatus.CONNECTING,
        500,
        False,
    )
    assert session._context is None and session._functions is None


def test_the_context_is_made_at_first_use_and_stays(session: LiveSession) -> None:
    session.context.set("a", 1)
    assert session.context.get("a") == 1


def test_of_two_that_make_the_context_at_once_both_get_the_first(clock: VirtualClock) -> None:
    class Slow:
        """While it makes the first context, somebody else asks for it too."""

        def __init__(self) -> None:
            self.inner: Context | None = None
            self.busy = False

        def create(self) -> Context:
            if not self.busy:
                self.busy = True
                self.inner = sessions[0].context
            return ValueContext(clock)

    factory = Slow()
    sessions = [LiveSession(SessionId("a"), SessionHome(factory))]
    assert sessions[0].context is factory.inner is sessions[0].context


@given(st.lists(st.sampled_from(SessionStatus), max_size=8))
@example(sorted(SessionStatus))
@example(sorted(SessionStatus, reverse=True))
@example([status for status in sorted(SessionStatus) for _ in range(2)])
def test_status_moves_forward_or_not_at_all(moves: list[SessionStatus]) -> None:
    session = LiveSession(SessionId("a"), SessionHome(ValueContextFactory(VirtualClock())))
    ends: list[Session] = []
    session.on_done(ends.append)
    for status in moves:
        before = session.status
        assert session.advance(status) is (status > before)
        assert session.status == max(before, status)
        assert ends == [session] * session.done
        assert session.done is (session.status is SessionStatus.CLOSED)


def test_cancel_ends_it_once_and_calls_each_callback_once_in_order(session: LiveSession) -> None:
    calls: list[tuple[str, Session]] = []
    session.on_done(lambda ended: calls.append(("first", ended)))
    session.on_done(lambda ended: calls.append(("second", ended)))
    session.on_done(lambda ended: calls.append(("third", ended)))
    assert session.cancel() is True
    assert session.cancel() is False and session.advance(SessionStatus.CLOSED) is False
    assert calls == [("first", session), ("second", session), ("third", session)]
    assert session.done and session.status is SessionStatus.CLOSED


def test_a_callback_added_after_the_end_is_called_at_once(session: LiveSession) -> None:
    session.advance(SessionStatus.CLOSED)
    calls: list[Session] = []
    session.on_done(calls.append)
    assert calls == [session]


def test_a_callback_may_use_the_session_it_is_told_about(session: LiveSession) -> None:
    seen: list[object] = []

    def ended(told: Session) -> None:
        told.on_done(lambda again: seen.append(again.status))
        told.context.set("last words", "bye")
        seen.append(told.cancel())

    session.on_done(ended)
    session.cancel()
    assert seen == [SessionStatus.CLOSED, False] and session.context.get("last words") == "bye"


def test_what_a_callback_raises_is_reported_and_the_others_are_called(
    session: LiveSession, reported: Reported
) -> None:
    def fail(_: Session) -> None:
        raise ValueError("x")

    calls: list[Session] = []
    session.on_done(fail)
    session.on_done(calls.append)
    session.cancel()
    session.on_done(fail)
    assert calls == [session]
    assert [(str(error), origin) for error, origin in reported] == [("x", fail), ("x", fail)]


def test_an_interrupt_in_a_callback_is_passed_on_after_the_others_were_called(session: LiveSession) -> None:
    def interrupt(_: Session) -> None:
        raise KeyboardInterrupt

    calls: list[Session] = []
    session.on_done(interrupt)
    session.on_done(calls.append)
    with pytest.raises(KeyboardInterrupt):
        session.cancel()
    assert calls == [session] and session.done


def test_callbacks_run_without_the_lock(session: LiveSession, home: SessionHome) -> None:
    def ask(_: Session) -> None:
        # Another thread must be able to use the session while a callback runs.
        other = threading.Thread(target=lambda: answers.append(session.advance(SessionStatus.CLOSING)))
        other.start()
        other.join(10)

    answers: list[bool] = []
    session.on_done(ask)
    session.cancel()
    assert answers == [False]


def test_of_many_threads_that_end_a_session_one_does(home: SessionHome) -> None:
    for _ in range(50):
        session, start = LiveSession(SessionId("a"), home), threading.Barrier(4)
        wins: list[bool] = []
        calls: list[Session] = []

        def end(session: LiveSession = session, start: threading.Barrier = start) -> None:
            start.wait(10)
            session.on_done(calls.append)
            wins.append(session.cancel())

        threads = [threading.Thread(target=end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert sorted(wins) == [False, False, False, True] and calls == [session] * 4


def test_the_text_shows_the_status_and_not_the_whole_id(session: LiveSession) -> None:
    assert repr(session) == "<LiveSession sess…: CONNECTING>"
