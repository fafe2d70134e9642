"""The contract of ``GracefulShutdown``: what was begun is finished, nothing is begun any more, and then it ends.

What is shut down differs, so ``make`` returns a ``Business``: the subject, and how to give it work and to let that
work finish. For a server work is a connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from ...api.shutdown import GracefulShutdown
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

SHUTDOWN = (
    must("SHD-01", "Without work under way it ends at once, not when the time-out does, and answers True."),
    must("SHD-02", "It waits for the work under way, and answers True when that has finished.", "SHD-01"),
    must("SHD-03", "Work that is not done after the time-out is dropped, and it answers False.", "SHD-01"),
    must("SHD-04", "From its beginning on no new work is taken.", "SHD-02"),
    must("SHD-05", "A second call gives the same answer.", "SHD-02", "SHD-03"),
    must("SHD-06", "A call from another thread waits for the same end, with the same answer.", "SHD-02"),
    must("SHD-07", "On the thread that does the work it only begins, and answers False at once.", "SHD-02"),
)

LONG_NS: Final = 20_000_000_000
"""Longer than anybody has patience."""

SHORT_NS: Final = 20_000_000
NAP_SECONDS: Final = 0.001


class Business(Protocol):
    """Something at work that can be shut down. Closed when the check is over."""

    @property
    def subject(self) -> GracefulShutdown:
        """What is shut down."""

    def begin(self) -> Callable[[], object]:
        """Begin some work that stays under way; return a function that lets it finish, and does no harm when the
        work was dropped. Raises anything where no new work is taken."""

    def on_its_thread(self, function: Callable[[], object]) -> None:
        """Have the thread that does the work call a function, soon."""

    def close(self) -> None:
        """Let go of everything. Idempotent."""


class GracefulShutdownContract(Contract, name="graceful-shutdown", requirements=SHUTDOWN):
    """What everything owes that can be shut down; override ``make``."""

    def make(self) -> Business:
        """Return something that is at work."""
        raise NotImplementedError

    def business(self, trial: Trial) -> tuple[Business, GracefulShutdown]:
        """Return a fresh one."""
        business = trial.make(self.make)
        return business, business.subject

    def beside(self, trial: Trial, business: Business, timeout_ns: int) -> _Call:
        """Call shutdown on a thread of its own."""
        trial.did(f"shutdown({timeout_ns}) on another thread")
        call = _Call(trial, business.subject, timeout_ns)
        trial.defer(call.thread.join)
        trial.defer(business.close)
        return call

    @requirement("SHD-01")
    def idle_ends_at_once(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        answer = trial.returns(f"shutdown({LONG_NS})", partial(subject.shutdown, LONG_NS))
        trial.same(answer, True, "the answer")

    @requirement("SHD-02")
    def work_is_finished(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        finish = business.begin()
        call = self.beside(trial, business, LONG_NS)
        for _ in range(20):
            time.sleep(NAP_SECONDS)
            trial.true(not call.answers, "it waits for the work under way", got=call.answers)
        trial.did("the work finishes")
        finish()
        trial.equal(call.answer(), True, "the answer")

    @requirement("SHD-03")
    def late_work_is_dropped(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        finish = business.begin()
        call = f"shutdown({SHORT_NS}), while work is under way"
        trial.same(trial.returns(call, partial(subject.shutdown, SHORT_NS)), False, "the answer")
        finish()

    @requirement("SHD-04")
    def nothing_is_begun(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        finish = business.begin()
        call = self.beside(trial, business, LONG_NS)
        waited_seconds = 0.0
        while _takes(business):
            time.sleep(NAP_SECONDS)
            waited_seconds += NAP_SECONDS
            trial.alive()
            if waited_seconds >= trial.patience_seconds:
                trial.fail("new work is taken, though it is shutting down")
        finish()
        trial.equal(call.answer(), True, "the answer: what was refused was not taken")
        trial.true(not _takes(business), "no new work is taken when it has ended")

    @requirement("SHD-05")
    def answers_stay(self, trial: Trial) -> None:
        for timeout_ns, wanted in ((LONG_NS, True), (SHORT_NS, False)):
            business, subject = self.business(trial)
            finish = None if wanted else business.begin()
            for _ in range(3):
                trial.did(f"shutdown({timeout_ns})")
                trial.same(subject.shutdown(timeout_ns), wanted, "the answer")
            if finish is not None:
                finish()

    @requirement("SHD-06")
    def everybody_waits_for_the_end(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        finish = business.begin()
        calls = [self.beside(trial, business, LONG_NS) for _ in range(2)]
        for _ in range(20):
            time.sleep(NAP_SECONDS)
            answers = [call.answers for call in calls]
            trial.equal(answers, [[], []], "the answers while work is under way")
        trial.did("the work finishes")
        finish()
        trial.equal([call.answer() for call in calls], [True, True], "the answers")

    @requirement("SHD-07")
    def own_thread_does_not_wait(self, trial: Trial) -> None:
        business, subject = self.business(trial)
        finish = business.begin()
        answers: list[bool] = []
        trial.did("shutdown() on the thread that does the work")
        business.on_its_thread(lambda: answers.append(subject.shutdown(LONG_NS)))
        _wait(trial, lambda: answers, "shutdown does not return on the thread that does the work")
        trial.equal(answers, [False], "the answer")
        trial.did("the work finishes")
        finish()
        trial.same(subject.shutdown(LONG_NS), True, "what another thread is answered then")


class _Call:
    """A shutdown on a thread of its own."""

    def __init__(self, trial: Trial, subject: GracefulShutdown, timeout_ns: int) -> None:
        self.answers: list[object] = []
        self._trial = trial

        def body() -> None:
            try:
                self.answers.append(subject.shutdown(timeout_ns))
            except Exception as error:
                self.answers.append(error)

        self.thread = threading.Thread(target=body, name="contract shutdown", daemon=True)
        self.thread.start()

    def answer(self) -> object:
        """Wait for the answer."""
        _wait(self._trial, lambda: self.answers, "shutdown does not return")
        return self.answers[0]


def _wait(trial: Trial, condition: Callable[[], object], complaint: str) -> None:
    """Wait for something; a busy machine uses up no more patience than a nap each time."""
    waited_seconds = 0.0
    while not condition():
        time.sleep(NAP_SECONDS)
        waited_seconds += NAP_SECONDS
        trial.alive()
        if waited_seconds >= trial.patience_seconds:
            trial.fail(complaint, got=f"nothing for {waited_seconds:.2f} s", wanted="it returns")


def _takes(business: Business) -> bool:
    """Return whether new work is taken; what was taken is finished at once."""
    try:
        finish = business.begin()
    except Exception:
        return False
    finish()
    return True


SUITES = (GracefulShutdownContract,)

__all__ = ["SUITES", "Business", "GracefulShutdownContract"]
