"""The contract of ``Poller``: who is ready now, no sooner, nobody else, and nobody forgotten.

``make`` returns a poller that watches descriptors of this machine, or a pair of one and the ``Lines`` that it
watches (``lines.py``). With lines that no other thread may wake, what concerns threads does not apply.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from ...api.errors import AlreadyExists, Closed, InvalidArgument, NotFound
from ...api.poller import FAILED, READABLE, WRITABLE, Interest, Poller, Readiness
from ...api.types import Handle
from ..model import Operation, explore
from ..requirement import must, refusal, requirement, should
from ..suite import Contract
from ..trial import Trial
from .lines import Line, Lines, SocketLines

POLLER = (
    must("POL-01", "A new poller watches nothing, and poll(0) answers nothing at once."),
    must("POL-02", "What is ready is reported, under its handle, and what is not ready is not.", "POL-01"),
    must("POL-03", "A handle is reported at each poll for as long as it is ready, and no longer.", "POL-02"),
    must("POL-04", "Only readiness that is asked for is reported.", "POL-02"),
    must("POL-05", "modify replaces what a handle is watched for.", "POL-04"),
    must("POL-06", "A handle that was unregistered is reported no more, and can be registered again.", "POL-02"),
    must("POL-07", "Registering twice raises AlreadyExists; the others, for an unknown one, NotFound.", "POL-02"),
    must("POL-08", "Interest with other bits and handles that can't be watched raise InvalidArgument.", "POL-02"),
    must("POL-09", "A handle that was closed can be unregistered, and watched again when it is another.", "POL-06"),
    must("POL-10", "A broken handle that is watched for reading is reported.", "POL-02"),
    should("POL-11", "A broken handle is reported as FAILED, also when it is watched for nothing.", "POL-10"),
    must("POL-12", "poll answers at most max_events; below 1 raises InvalidArgument.", "POL-02"),
    must("POL-13", "A ready handle that did not fit comes within as many polls as there are handles.", "POL-12"),
    must("POL-14", "poll waits for its time-out, no less; 0 and below do not wait.", "POL-01"),
    must("POL-15", "wake ends the next poll, and only one time each.", "POL-14"),
    must("POL-16", "wake from another thread ends a poll that waits.", "POL-15", capability="threads"),
    must("POL-17", "A handle that becomes ready ends a poll that waits.", "POL-03", capability="threads"),
    must("POL-18", "The length counts the handles that are watched.", "POL-06"),
    must("POL-19", "After close calls raise Closed, wake does nothing, closing again is legal.", "POL-02"),
    must("POL-20", "Any mixture of calls reports what a list of handles and interests says.", "POL-05", "POL-06"),
)

Made: TypeAlias = "Poller | tuple[Poller, Lines]"

BOTH: Final = READABLE | WRITABLE
MILLISECOND_NS: Final = 1_000_000
LONG_NS: Final = 20_000 * MILLISECOND_NS
"""Longer than anybody has patience."""


class PollerContract(Contract, name="poller", requirements=POLLER):
    """What every poller owes; override ``make``."""

    def make(self) -> Made:
        """Return a new poller; with ``Lines`` of its own if it does not watch descriptors."""
        raise NotImplementedError

    def desk(self, trial: Trial) -> Desk:
        """Return a fresh poller with its lines."""
        made = trial.make(self.make)
        poller, lines = made if isinstance(made, tuple) else (made, SocketLines(trial))
        return Desk(trial, poller, lines)

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return ``threads`` where others may wake who waits."""
        return frozenset({"threads"}) if self.desk(trial).lines.threads else frozenset()

    @requirement("POL-01")
    def new_one_is_empty(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.equal(len(desk.poller), 0, "the length")
        desk.expect({})

    @requirement("POL-02")
    def ready_ones_are_reported(self, trial: Trial) -> None:
        desk = self.desk(trial)
        lines = desk.watch(5, READABLE)
        desk.expect({})
        for ready in ([], [2], [0, 4], [0, 1, 2, 3, 4], [3]):
            trial.did(f"lines {ready} are readable")
            for number, line in enumerate(lines):
                line.set(readable=number in ready, writable=False)
            desk.expect({lines[number].handle: READABLE for number in ready})

    @requirement("POL-03")
    def readiness_is_a_level(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        line.set(readable=True, writable=False)
        for _ in range(4):
            desk.expect({line.handle: READABLE})
        trial.did("it is readable no more")
        line.set(readable=False, writable=False)
        desk.expect({})

    @requirement("POL-04")
    def interest_is_kept(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for interest in (0, READABLE, WRITABLE, BOTH):
            [line] = desk.watch(1, interest)
            for ready in (0, READABLE, WRITABLE, BOTH):
                trial.did(f"watched for {interest}, ready for {ready}")
                line.set(readable=bool(ready & READABLE), writable=bool(ready & WRITABLE))
                desk.expect({line.handle: ready & interest} if ready & interest else {})
            line.set(readable=False, writable=False)

    @requirement("POL-05")
    def modify_replaces(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        line.set(readable=True, writable=True)
        for interest in (WRITABLE, BOTH, 0, READABLE, READABLE):
            trial.did(f"modify(handle, {interest})")
            desk.poller.modify(line.handle, interest)
            desk.expect({line.handle: interest} if interest else {})

    @requirement("POL-06")
    def unregistered_are_gone(self, trial: Trial) -> None:
        desk = self.desk(trial)
        first, second = desk.watch(2, READABLE)
        for line in (first, second):
            line.set(readable=True, writable=False)
        for _ in range(2):
            trial.did("unregister one of two")
            desk.poller.unregister(first.handle)
            desk.expect({second.handle: READABLE})
            trial.did("register it again")
            desk.poller.register(first.handle, READABLE)
            desk.expect({first.handle: READABLE, second.handle: READABLE})

    @requirement("POL-07")
    def unknown_are_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        register, modify, unregister = desk.poller.register, desk.poller.modify, desk.poller.unregister
        trial.raises(AlreadyExists, "register, again", partial(register, line.handle, WRITABLE))
        line.set(readable=True, writable=True)
        desk.expect({line.handle: READABLE})
        other = desk.lines.add()
        for _ in range(2):
            trial.raises(NotFound, "modify of an unknown handle", partial(modify, other.handle, READABLE))
            trial.raises(NotFound, "unregister of an unknown handle", partial(unregister, other.handle))
        unregister(line.handle)
        trial.raises(NotFound, "unregister, again", partial(unregister, line.handle))

    @requirement("POL-08")
    def nonsense_is_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        other = desk.lines.add()
        register, modify = desk.poller.register, desk.poller.modify
        for interest in (0x010, 0x2000 | READABLE, -1, 1 << 40):
            for name, call, handle in (("register", register, other.handle), ("modify", modify, line.handle)):
                trial.raises(InvalidArgument, f"{name}(handle, {interest:#x})", partial(call, handle, interest))
        bad = [Handle(-1), Handle(-77)]
        refused = desk.lines.refused()
        for handle in bad if refused is None else (*bad, refused):
            trial.raises(InvalidArgument, f"register({handle}, READABLE)", partial(register, handle, READABLE))
        trial.equal(len(desk.poller), 1, "the length")
        line.set(readable=True, writable=True)
        desk.expect({line.handle: READABLE})

    @requirement("POL-09")
    def closed_handles_can_go(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        handle = line.handle
        trial.did("close the handle, then unregister it")
        line.close()
        desk.poller.unregister(handle)
        trial.equal(len(desk.poller), 0, "the length")
        other = desk.lines.add()  # of the same number, where those are used again
        trial.did(f"register a new handle, number {'again' if other.handle == handle else 'new'}")
        desk.poller.register(other.handle, READABLE)
        desk.expect({})
        other.set(readable=True, writable=False)
        desk.expect({other.handle: READABLE})

    @requirement("POL-10")
    def broken_ones_are_reported(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        line.set(readable=False, writable=True)
        trial.did("the other end goes away")
        line.hang_up()
        for _ in range(2):
            trial.equal([handle for handle, _ in desk.poll()], [line.handle], "the handles reported")

    @requirement("POL-11")
    def failures_are_told(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for interest in (READABLE, BOTH, 0):
            [line] = desk.watch(1, interest)
            line.set(readable=False, writable=True)
            trial.did(f"watched for {interest}; the other end goes away")
            line.hang_up()
            found = dict(desk.poll())
            trial.true(found.get(line.handle, 0) & FAILED, "a broken handle is FAILED", got=found)
            desk.poller.unregister(line.handle)

    @requirement("POL-12")
    def number_is_bounded(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for line in desk.watch(5, READABLE):
            line.set(readable=True, writable=False)
        for most in (1, 2, 4, 5, 6, 1000):
            trial.did(f"poll(0, {most}) with five that are ready")
            events = list(desk.poller.poll(0, most))
            trial.equal(len(events), min(most, 5), "how many are reported")
            trial.equal(len(dict(events)), len(events), "how many different handles")
        for most in (0, -1):
            trial.raises(InvalidArgument, f"poll(0, {most})", partial(desk.poller.poll, 0, most))

    @requirement("POL-13")
    def nobody_starves(self, trial: Trial) -> None:
        for most in (1, 3):
            desk = self.desk(trial)
            lines = desk.watch(7, READABLE)
            for line in lines:
                line.set(readable=True, writable=False)
            for _ in range(3):
                trial.did(f"poll(0, {most}), seven times; all seven are ready")
                seen = {handle for _ in range(7) for handle, _ in desk.poller.poll(0, most)}
                trial.equal(seen, {line.handle for line in lines}, "the handles reported")

    @requirement("POL-14")
    def time_is_kept(self, trial: Trial) -> None:
        desk = self.desk(trial)
        desk.watch(1, READABLE)
        for timeout_ns in (1, 300_000, MILLISECOND_NS, 3 * MILLISECOND_NS + 1):
            begin_ns = desk.lines.now_ns()
            desk.expect({}, timeout_ns)
            spent_ns = desk.lines.now_ns() - begin_ns
            trial.true(spent_ns >= timeout_ns, f"poll({timeout_ns}) is not early", got=spent_ns, wanted=timeout_ns)
        for timeout_ns in (0, -1, -LONG_NS):
            desk.expect({}, timeout_ns)

    @requirement("POL-15")
    def wakes_are_kept(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        for count in (1, 3):
            trial.did(f"wake(), {count} times, then poll({LONG_NS})")
            for _ in range(count):
                desk.poller.wake()
            desk.expect({}, LONG_NS)
            for _ in range(count):
                desk.expect({})
            begin_ns = desk.lines.now_ns()
            desk.expect({}, MILLISECOND_NS)
            trial.true(desk.lines.now_ns() - begin_ns >= MILLISECOND_NS, "the next poll waits again")
        trial.did("wake(), and a handle is ready, too")
        desk.poller.wake()
        line.set(readable=True, writable=False)
        seen = [*desk.poll(), *desk.poll()]
        trial.true((line.handle, READABLE) in seen, "one of two polls reports the handle", got=seen)

    @requirement("POL-16")
    def wakes_come_from_threads(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for _ in range(5):
            desk.meanwhile(desk.poller.wake)
            desk.expect({}, LONG_NS)

    @requirement("POL-17")
    def readiness_ends_waiting(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for timeout_ns in (LONG_NS, None):
            [line] = desk.watch(1, READABLE)
            desk.meanwhile(partial(line.set, readable=True, writable=False))
            desk.expect({line.handle: READABLE}, timeout_ns)
            desk.poller.unregister(line.handle)

    @requirement("POL-18")
    def length_counts(self, trial: Trial) -> None:
        desk = self.desk(trial)
        lines = desk.watch(3, READABLE)
        trial.equal(len(desk.poller), 3, "the length, with three handles")
        desk.poller.modify(lines[0].handle, 0)
        desk.poller.unregister(lines[1].handle)
        trial.equal(len(desk.poller), 2, "the length, when one of them is gone")

    @requirement("POL-19")
    def closed_is_closed(self, trial: Trial) -> None:
        desk = self.desk(trial)
        [line] = desk.watch(1, READABLE)
        other = desk.lines.add()
        for _ in range(2):
            trial.did("close()")
            desk.poller.close()
        poller = desk.poller
        calls: tuple[tuple[str, Callable[[], object]], ...] = (
            ("register", partial(poller.register, other.handle, READABLE)),
            ("modify", partial(poller.modify, line.handle, READABLE)),
            ("unregister", partial(poller.unregister, line.handle)),
            ("poll(0, 1)", partial(poller.poll, 0, 1)),
        )
        for name, call in calls:
            trial.raises(Closed, f"{name} after close", call)
        trial.did("wake() after close")
        poller.wake()
        line.set(readable=True, writable=True)  # raises, if the handle was closed as well

    @requirement("POL-20")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, partial(self._replay, trial), scripts=trial.rounds(20, 300))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        desk = self.desk(trial)
        lines = [desk.lines.add() for _ in range(4)]
        ready = [0] * 4
        watched: dict[Handle, Interest] = {}
        for name, value in script:
            number, bits = value % 4, (0, READABLE, WRITABLE, BOTH)[value // 4]
            line = lines[number]
            trial.did(f"{name}: line {number}, {bits}")
            if name == "ready":
                ready[number] = bits
                line.set(readable=bool(bits & READABLE), writable=bool(bits & WRITABLE))
            elif name == "unregister" and line.handle in watched:
                desk.poller.unregister(line.handle)
                del watched[line.handle]
            elif name == "watch":
                change = desk.poller.modify if line.handle in watched else desk.poller.register
                change(line.handle, bits)
                watched[line.handle] = bits
            wanted = {each.handle: watched.get(each.handle, 0) & now for each, now in zip(lines, ready, strict=True)}
            desk.expect({handle: bits for handle, bits in wanted.items() if bits})
        for line in lines:
            line.close()

    @refusal("threads")
    def works_alone(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.did("wake(), then poll")
        desk.poller.wake()
        desk.expect({}, LONG_NS)


class Desk:
    """A poller at work, and its lines."""

    def __init__(self, trial: Trial, poller: Poller, lines: Lines) -> None:
        self.trial = trial
        self.poller = poller
        self.lines = lines

    def watch(self, count: int, interest: Interest) -> list[Line]:
        """Make some handles, and register them."""
        lines = [self.lines.add() for _ in range(count)]
        self.trial.did(f"register {count} handles for {interest}")
        for line in lines:
            self.poller.register(line.handle, interest)
        return lines

    def poll(self, timeout_ns: int | None = 0) -> list[tuple[Handle, Readiness]]:
        """Poll."""
        return list(self.trial.returns(f"poll({timeout_ns}, 100)", partial(self.poller.poll, timeout_ns, 100)))

    def expect(self, wanted: Mapping[Handle, Readiness], timeout_ns: int | None = 0) -> None:
        """Poll, and expect exactly this, in any order."""
        events = self.poll(timeout_ns)
        self.trial.equal(len(dict(events)), len(events), "how many different handles are reported")
        self.trial.equal(dict(events), dict(wanted), "what is reported")

    def meanwhile(self, function: Callable[[], object]) -> None:
        """Have another thread do something when this one is probably waiting."""
        timer = threading.Timer(0.002, function)
        timer.daemon = True
        timer.start()
        self.trial.defer(timer.join)


def _draw(rng: random.Random) -> Operation:
    return rng.choice(("ready", "ready", "watch", "watch", "unregister")), rng.randrange(16)


SUITES = (PollerContract,)

__all__ = ["SUITES", "PollerContract"]
