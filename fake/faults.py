"""Fault scripts: what goes wrong, at which call, and in which order.

    with Faults() as faults:
        faults.on("send", nth=3).partial(7).then.reset()
        ...

reads: the third ``send`` takes only 7 bytes, and the one after it meets a reset. A script is a list of *steps*,
one per call from the ``nth`` on; actions without ``then`` between them belong to the same step. ``forever``
repeats the last step.

A fake asks ``take("send")`` at each call and obeys what it gets; it decides what an action means for it, since
"delay" is a late packet to a network and a slow disk to a pool. What means the same everywhere (raise, step the
clock, run out) is done by ``apply``.

A fault that never fired is the quiet way in which such tests rot: the code has changed, the third send does not
exist any more, and the test passes because nothing happened. So ``close``, or leaving the ``with`` block, raises
``InvalidState`` and names each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, ResourceExhausted
from ..api.types import Nanoseconds, NodeId
from .clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Partial:
    """Only the first ``count_bytes`` of this call get through; the rest has to be offered again."""

    count_bytes: int


@dataclass(frozen=True, slots=True)
class Delay:
    """This call takes effect ``duration_ns`` later."""

    duration_ns: Nanoseconds


@dataclass(frozen=True, slots=True)
class Duplicate:
    """This call takes effect twice: on a byte stream, what a broken middlebox does."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset."""


@dataclass(frozen=True, slots=True)
class Exhaust:
    """A resource has run out: this call is refused."""


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """From this call on ``node`` has no memory left; other nodes have."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class ClockStep:
    """Somebody sets the wall clock, forward or back."""

    duration_ns: Nanoseconds


@dataclass(frozen=True, slots=True)
class Raise:
    """This call raises ``error``."""

    error: BaseException


Fault: TypeAlias = "Partial | Delay | Duplicate | Reset | Exhaust | OutOfMemory | ClockStep | Raise"
"""What can be scripted."""


class Script:
    """The steps for one kind of call; made by ``Faults.on``. Every method returns the script."""

    __slots__ = ("_call", "_details", "_endless", "_fired_count", "_first", "_seen_count", "_steps")

    def __init__(self, call: str, first: int, details: Mapping[str, object]) -> None:
        self._call = call
        self._first = first
        self._details = details
        self._steps: list[list[Fault]] = [[]]
        self._endless = False
        self._seen_count = self._fired_count = 0

    @property
    def then(self) -> Self:
        """Begin the next step: what follows concerns the call after. ``InvalidState`` behind an empty step."""
        if not self._steps[-1]:
            raise InvalidState("a step without an action: use skip()", call=self._call)
        self._steps.append([])
        return self

    def partial(self, count_bytes: int) -> Self:
        """Let ``count_bytes`` (0 or more, else ``InvalidArgument``) through."""
        if count_bytes < 0:
            raise InvalidArgument("a part is 0 bytes or more", count_bytes=count_bytes)
        return self._add(Partial(count_bytes))

    def delay(self, duration_ns: Nanoseconds) -> Self:
        """Let the call take effect ``duration_ns`` (0 or more, else ``InvalidArgument``) later."""
        if duration_ns < 0:
            raise InvalidArgument("nothing happens before its cause", duration_ns=duration_ns)
        return self._add(Delay(duration_ns))

    def skip(self, count: int = 1) -> Self:
        """Let ``count`` (1 or more, else ``InvalidArgument``) calls pass before what follows."""
        if count < 1:
            raise InvalidArgument("at least one call is skipped", count=count)
        # A delay by nothing changes nothing, and is an action like the others to all who count.
        for _ in range(count - 1):
            self._add(Delay(0)).then
        return self._add(Delay(0))

    def duplicate(self) -> Self:
        """Let the call take effect twice."""
        return self._add(Duplicate())

    def reset(self) -> Self:
        """Reset the connection."""
        return self._add(Reset())

    def exhaust(self) -> Self:
        """Refuse the call for want of a resource."""
        return self._add(Exhaust())

    def out_of_memory(self, node: int) -> Self:
        """Let a node run out of memory, from this call on."""
        return self._add(OutOfMemory(NodeId(node)))

    def step_clock(self, duration_ns: Nanoseconds) -> Self:
        """Set the wall clock forward, or back when negative."""
        return self._add(ClockStep(duration_ns))

    def fail(self, error: BaseException) -> Self:
        """Raise ``error``."""
        return self._add(Raise(error))

    def forever(self) -> Self:
        """Repeat the last step at every further call."""
        self._endless = True
        return self

    def _add(self, fault: Fault) -> Self:
        self._steps[-1].append(fault)
        return self

    def _take(self, call: str, details: Mapping[str, object]) -> Sequence[Fault]:
        """Count the call if it is one of ours, and return the faults that are due."""
        if call != self._call or any(details.get(key) != value for key, value in self._details.items()):
            return ()
        self._seen_count += 1
        index = self._seen_count - self._first
        if index < 0 or (index >= len(self._steps) and not self._endless):
            return ()
        self._fired_count = max(self._fired_count, min(index + 1, len(self._steps)))
        return self._steps[min(index, len(self._steps) - 1)]

    def _unfired(self) -> list[str]:
        """Return a line for each step that did not come to pass."""
        where = "".join(f", {key}={value!r}" for key, value in self._details.items())
        return [
            f"{self._call} number {self._first + index}{where}: {step}"
            for index, step in enumerate(self._steps)
            if index >= self._fired_count and step
        ]


class Faults:
    """A set of fault scripts that fakes consult. Thread rules: one thread.

    ``clock`` is what ``step_clock`` and ``apply``'s delays move; without one those raise ``InvalidState``.
    """

    __slots__ = ("_clock", "_scripts", "fired")

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock = clock
        self._scripts: list[Script] = []
        self.fired: list[tuple[str, Fault]] = []
        """What has happened so far: call and fault, in order."""

    def on(self, call: str, nth: int = 1, **details: object) -> Script:
        """Begin a script for the ``nth`` (1 or more, else ``InvalidArgument``) ``call`` counted from now.

        With ``details`` only calls that have them count: ``on("acquire", node=1)``, ``on("send", host="a")``.
        """
        if nth < 1:
            raise InvalidArgument("calls are counted from 1", nth=nth)
        script = Script(call, nth, details)
        self._scripts.append(script)
        return script

    def take(self, call: str, **details: object) -> Sequence[Fault]:
        """For fakes: count a call, and return the faults to obey; nearly always none."""
        due: list[Fault] = []
        for script in self._scripts:
            due += script._take(call, details)
        if due:
            self.fired += [(call, fault) for fault in due]
        return due

    def apply(self, call: str, **details: object) -> Sequence[Fault]:
        """For fakes: as ``take``, but do what means the same everywhere, and return the others.

        Steps the clock and lets delays pass; then raises what is scripted, ``ConnectionLost`` for a reset and
        ``ResourceExhausted`` for an exhausted resource.
        """
        left: list[Fault] = []
        for fault in self.take(call, **details):
            if isinstance(fault, ClockStep):
                self._time().step_unix(fault.duration_ns)
            elif isinstance(fault, Delay):
                if fault.duration_ns:
                    self._time().advance(fault.duration_ns)
            elif isinstance(fault, Raise):
                raise fault.error
            elif isinstance(fault, Reset):
                raise ConnectionLost("a scripted reset", call=call)
            elif isinstance(fault, Exhaust):
                raise ResourceExhausted("a scripted shortage", call=call, resource=call)
            else:
                left.append(fault)
        return left

    def unfired(self) -> Sequence[str]:
        """Return a line for each fault that did not come to pass yet."""
        return [line for script in self._scripts for line in script._unfired()]

    def close(self) -> None:
        """Raise ``InvalidState`` naming the faults that never fired; the scripts are forgotten. Idempotent."""
        unfired = self.unfired()
        self._scripts.clear()
        if unfired:
            raise InvalidState(f"faults that never fired: {'; '.join(unfired)}", count=len(unfired))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        # A test that fails already has a better reason than a fault it did not come to.
        if kind is None:
            self.close()

    def _time(self) -> VirtualClock:
        if self._clock is None:
            raise InvalidState("this fault moves a clock: make Faults(clock)")
        return self._clock


__all__ = [
    "ClockStep",
    "Delay",
    "Duplicate",
    "Exhaust",
    "Fault",
    "Faults",
    "OutOfMemory",
    "Partial",
    "Raise",
    "Reset",
    "Script",
]
