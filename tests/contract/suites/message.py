"""The contract of ``Message``: what a handler receives, and what it may do with the memory.

``make`` returns a *loan*: a message as a handler gets it, and the means to end the loan, as happens when the handler
returns. What the message was received into may be overwritten then, and the checks expect that it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from ...api.errors import DoubleRelease, UseAfterRelease
from ...api.message import BINARY, TEXT, Message, MessageKind
from ..hostile import HUGE_BYTES, SIZES, content
from ..interleave import interruptions
from ..line import text
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

MESSAGE = (
    must("MSG-01", "A message has its kind, its length in bytes and its bytes, at every size."),
    must("MSG-02", "data is a read-only, contiguous view of format B.", "MSG-01"),
    must("MSG-03", "copy is bytes of its own, and stays when the message has ended.", "MSG-01"),
    must("MSG-04", "text is the payload as UTF-8; other binary data raises UnicodeDecodeError.", "MSG-01"),
    must("MSG-05", "When the loan ends, data, text, copy and retain raise UseAfterRelease.", "MSG-01"),
    must("MSG-06", "retain answers the message, which stays as it is when the loan ends.", "MSG-05"),
    must("MSG-07", "Each retain needs a release; with the last one the message ends.", "MSG-06"),
    must("MSG-08", "A release too many raises DoubleRelease, and takes nobody's count.", "MSG-07"),
    must("MSG-09", "A release within the loan leaves the message as it is until the loan ends.", "MSG-07"),
    must("MSG-10", "A retained message may be read and released by another thread.", "MSG-07"),
    must("MSG-11", "Two threads that release two counts at once end the message, once.", "MSG-08"),
)


class Loan(Protocol):
    """A message on trial, borrowed until ``end`` is called."""

    @property
    def message(self) -> Message:
        """The message."""

    def end(self) -> None:
        """End the loan, as when a handler returns, and overwrite what it was received into. Idempotent."""


class MessageContract(Contract, name="message", requirements=MESSAGE):
    """What every message owes; override ``make``."""

    def make(self, kind: MessageKind, payload: bytes) -> Loan:
        """Return a new message with this kind and payload, as a handler gets it."""
        raise NotImplementedError

    def lend(self, trial: Trial, payload: bytes, kind: MessageKind = BINARY) -> Loan:
        """Return a fresh loan."""
        trial.forget()
        loan = trial.make(self.make, kind, payload)
        trial.defer(loan.end)
        return loan

    @requirement("MSG-01")
    def bytes_are_there(self, trial: Trial) -> None:
        for size_bytes in (*SIZES, HUGE_BYTES):
            for kind in (BINARY, TEXT):
                payload = content(size_bytes, trial.rng) if kind == BINARY else text(size_bytes, trial)
                message = self.lend(trial, payload, kind).message
                trial.equal((message.kind, len(message)), (kind, size_bytes), "kind and length")
                trial.equal(bytes(message.data), payload, "data")
                trial.equal(message.copy(), payload, "copy()")

    @requirement("MSG-02")
    def views_are_exact(self, trial: Trial) -> None:
        for size_bytes in SIZES:
            data = self.lend(trial, content(size_bytes, trial.rng)).message.data
            trial.true(isinstance(data, memoryview), "data is a memoryview", got=data)
            form = (data.readonly, data.format, data.ndim, data.contiguous, data.nbytes)
            trial.equal(form, (True, "B", 1, True, size_bytes), "read-only, format, dimensions, contiguous, bytes")

    @requirement("MSG-03")
    def copies_are_independent(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            payload = content(size_bytes, trial.rng)
            loan = self.lend(trial, payload)
            copied = loan.message.copy()
            trial.true(type(copied) is bytes, "copy() is bytes", got=copied)
            trial.did("the loan ends")
            loan.end()
            trial.equal(copied, payload, "the copy afterwards")

    @requirement("MSG-04")
    def text_is_decoded(self, trial: Trial) -> None:
        for kind in (TEXT, BINARY):
            for wanted in ("", "plain", "gr\u00fc\u00dfe \u20ac \U0001f600", "\x00", "\ufeffx", "a\r\nb" * 30000):
                trial.equal(self.lend(trial, wanted.encode(), kind).message.text, wanted, "text")
        for payload in (b"\xff", b"\xc3", b"abc\xed\xa0\x80", b"\xc0\x80"):
            message = self.lend(trial, payload).message
            trial.raises(UnicodeDecodeError, f"text of {payload!r}", partial(getattr, message, "text"))
            trial.equal(message.copy(), payload, "copy() after it")

    @requirement("MSG-05")
    def loans_end(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            loan = self.lend(trial, content(size_bytes, trial.rng))
            trial.did("the loan ends")
            loan.end()
            over(trial, loan.message)

    @requirement("MSG-06")
    def retained_ones_stay(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            payload = content(size_bytes, trial.rng)
            loan = self.lend(trial, payload)
            trial.did("retain(), and the loan ends")
            trial.same(loan.message.retain(), loan.message, "what retain() answers")
            loan.end()
            trial.equal((len(loan.message), loan.message.copy()), (size_bytes, payload), "length and copy() afterwards")
            trial.equal(bytes(loan.message.data), payload, "data afterwards")
            loan.message.release()

    @requirement("MSG-07")
    def counts_are_kept(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            payload = content(size_bytes, trial.rng)
            loan = self.lend(trial, payload)
            for _ in range(3):
                loan.message.retain()
            loan.end()
            trial.did("three times retain(), the loan ends, a fourth retain(), four times release()")
            loan.message.retain()
            for _ in range(4):
                trial.equal(loan.message.copy(), payload, "copy() before a release")
                loan.message.release()
            over(trial, loan.message)

    @requirement("MSG-08")
    def one_too_many_is_refused(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            payload = content(size_bytes, trial.rng)
            loan = self.lend(trial, payload)
            trial.raises(DoubleRelease, "release() without retain()", loan.message.release)
            trial.equal(loan.message.copy(), payload, "copy() after it")
            loan.message.retain()
            loan.message.release()
            trial.raises(DoubleRelease, "a second release() after one retain()", loan.message.release)
            trial.equal(loan.message.copy(), payload, "copy() after it")
            loan.message.retain()
            loan.end()
            loan.message.release()
            trial.raises(DoubleRelease, "release() after the end", loan.message.release)

    @requirement("MSG-09")
    def loans_last(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 126, 70000):
            payload = content(size_bytes, trial.rng)
            loan = self.lend(trial, payload)
            trial.did("retain(), release(), within the loan")
            loan.message.retain()
            loan.message.release()
            trial.equal(loan.message.copy(), payload, "copy() after it")
            loan.end()
            over(trial, loan.message)

    @requirement("MSG-10")
    def retained_ones_travel(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            payload = content(300, trial.rng)
            loan = self.lend(trial, payload)
            message = loan.message.retain()

            def elsewhere(message: Message = message) -> bytes:
                copied = message.copy()
                message.release()
                return copied

            trial.did(f"hold the end of the loan at step {schedule.at}; copy() and release() on another thread")
            _, copied = schedule.run(loan.end, elsewhere)
            trial.equal(copied, payload, "the copy that the other thread made")
            over(trial, message)

    @requirement("MSG-11")
    def threads_release_once(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            loan = self.lend(trial, content(300, trial.rng))
            message = loan.message.retain().retain()
            loan.end()
            trial.did(f"hold release() at step {schedule.at}, and release() on another thread meanwhile")
            schedule.run(message.release, message.release)
            over(trial, message)
            trial.raises(DoubleRelease, "a third release()", message.release)


def over(trial: Trial, message: Message) -> None:
    """Expect that the message has ended."""
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("data", lambda: message.data),
        ("text", lambda: message.text),
        ("copy()", lambda: message.copy()),
        ("retain()", lambda: message.retain()),
    )
    for name, call in calls:
        trial.raises(UseAfterRelease, f"{name} of a message that has ended", call)


SUITES = (MessageContract,)

__all__ = ["SUITES", "Loan", "MessageContract", "over"]
