"""How a check is run: on a thread of its own, where its subjects are closed, too, and no hang is for ever."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest
from hioload_ws.contract import Contract, Outcome, Trial, check, must, requirement

MINI = (
    must("MIN-01", "It can be used."),
    must("MIN-02", "It can be used once more.", "MIN-01"),
)


class Subject:
    """Something that belongs to the thread that made it."""

    def __init__(self, close: Callable[[], object]) -> None:
        self.owner = threading.get_ident()
        self.close = close

    def use(self) -> None:
        """Do nothing."""


class MiniContract(Contract, name="mini", requirements=MINI):
    """Two requirements."""

    def make(self) -> Subject:
        """Return a subject."""
        raise NotImplementedError

    @requirement("MIN-01")
    def used(self, trial: Trial) -> None:
        trial.make(self.make).use()

    @requirement("MIN-02")
    def used_again(self, trial: Trial) -> None:
        trial.make(self.make).use()


def wait_for_ever() -> None:
    while True:
        time.sleep(0.005)  # what never ends; the watchdog ends it


def test_a_subject_is_closed_on_the_thread_that_made_it() -> None:
    closed: list[bool] = []

    def make() -> Subject:
        subject = Subject(lambda: closed.append(threading.get_ident() == subject.owner))
        return subject

    assert check(MiniContract, make).conformant
    assert closed == [True, True]


def test_a_close_that_never_returns_is_noted_and_does_not_hold_up_the_kit() -> None:
    report = check(MiniContract, lambda: Subject(wait_for_ever), patience_seconds=0.1)
    assert [entry.outcome for entry in report.entries] == [Outcome.PASS, Outcome.PASS]
    assert report["MIN-01"].notes == ("closing the subject never returned",)


def test_a_check_that_never_returns_fails_and_its_subject_is_closed() -> None:
    closed: list[None] = []

    def make() -> Subject:
        subject = Subject(lambda: closed.append(None))
        setattr(subject, "use", wait_for_ever)
        return subject

    report = check(MiniContract, make, patience_seconds=0.1)
    entry = report["MIN-01"]
    assert (entry.outcome, report["MIN-02"].outcome) == (Outcome.FAIL, Outcome.BLOCKED)
    assert entry.finding is not None and entry.finding.hung
    assert len(closed) == 1


def test_a_failure_is_told_even_where_closing_hangs() -> None:
    def make() -> Subject:
        subject = Subject(wait_for_ever)
        setattr(subject, "use", lambda: 1 // 0)
        return subject

    entry = check(MiniContract, make, patience_seconds=0.1)["MIN-01"]
    assert entry.finding is not None and "ZeroDivisionError" in entry.finding.summary
    assert not entry.finding.hung


def test_what_gives_up_a_check_is_not_reported_where_it_hits_a_destructor(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: heard.append(unraisable.exc_type))
    hits: list[type[BaseException]] = []

    class Dropped:
        def __del__(self) -> None:
            try:
                wait_for_ever()
            except BaseException as error:
                hits.append(type(error))
                if len(hits) == 1:
                    raise ValueError from error
                raise

    def drop() -> None:
        while len(hits) < 2:
            Dropped()

    def make() -> Subject:
        subject = Subject(lambda: None)
        setattr(subject, "use", drop)
        return subject

    entry = check(MiniContract, make, patience_seconds=0.1)["MIN-01"]
    assert entry.finding is not None and entry.finding.hung
    assert [hit.__name__ for hit in hits] == ["Abandoned"] * 2
    assert heard == [ValueError]
    assert sys.unraisablehook.__name__ == "<lambda>"
