"""The door for test frameworks: one requirement, one test.

pytest and unittest both find the methods ``test_<id>`` that a suite gives to a user's class, and both know the
exceptions used here, so nothing has to be installed or imported. A test passes, fails with everything the
finding knows, warns, or is skipped: as unsupported (the refusal was checked), or as blocked, and that only where
the test that it is blocked by has failed already in this process. A selected blocked test fails by itself, so
that nothing is green that does not work.
"""

from __future__ import annotations

import unittest
import warnings
from typing import Final
from weakref import WeakKeyDictionary

from .engine import Factory, Options, Session, locate
from .report import Entry, Outcome, Report
from .requirement import closure
from .suite import Contract
from .text import story
from .trial import KitError

_sessions: Final[WeakKeyDictionary[type[Contract], Session]] = WeakKeyDictionary()
_locators: Final[WeakKeyDictionary[type[Contract], str]] = WeakKeyDictionary()


class ContractWarning(UserWarning):
    """A requirement of level SHOULD is not met, or something works that is not declared."""


class ContractFailure(AssertionError):
    """A requirement is not met; the text is the finding."""


def session_of(cls: type[Contract]) -> Session:
    """Return the session that the tests of a class share."""
    if cls not in _sessions:
        _sessions[cls] = Session(cls, Options())
    return _sessions[cls]


def use(cls: type[Contract], options: Options, locator: str) -> None:
    """Run the tests of a class with these options, and call it by this locator in what failures show."""
    _sessions[cls] = Session(cls, options)
    _locators[cls] = locator


def run_test(test: Contract, id: str) -> None:
    """Run one requirement with the ``make`` of a test object, and end as a test of that outcome ends."""
    __tracebackhide__ = True
    factory: Factory = getattr(test, "make")
    session = session_of(type(test))
    entry = session.run(id, factory)
    shown_before = entry.blocked_by in session.told
    if entry.outcome is Outcome.BLOCKED and not shown_before:
        entry = session.run(entry.blocked_by, factory)
    session.told.add(entry.requirement.id)
    _end(entry, _text(type(test), session, entry), shown_before)


def _text(cls: type[Contract], session: Session, entry: Entry) -> str:
    """Return the story of an entry. Of a failure, all that depends on it is told as blocked: it will be."""
    options, locator, id = session.options, _locators.get(cls) or locate(cls), entry.requirement.id
    entries = [entry]
    if entry.outcome is Outcome.FAIL:
        above = [each for each in cls.suite.requirements if id in closure(each.depends, cls.suite.requirements)]
        entries += [Entry(each, Outcome.BLOCKED, blocked_by=id) for each in above]
    report = Report(cls.suite.__name__, cls.__name__, options.seed, "", tuple(entries), locator, options.full)
    return story(report, entry)


def _end(entry: Entry, text: str, shown_before: bool) -> None:
    __tracebackhide__ = True
    match entry.outcome:
        case Outcome.FAIL:
            raise ContractFailure(text)
        case Outcome.WARN:
            warnings.warn(text, ContractWarning, stacklevel=3)
        case Outcome.UNSUPPORTED:
            raise unittest.SkipTest(f"unsupported: {entry.requirement.id}")
        case Outcome.BLOCKED:
            raise unittest.SkipTest(f"blocked by {entry.blocked_by}, which failed")
        case Outcome.UNTESTED | Outcome.KIT_ERROR:
            raise KitError(text)
        case Outcome.PASS:
            return


__all__ = ["ContractFailure", "ContractWarning", "run_test", "session_of", "use"]
