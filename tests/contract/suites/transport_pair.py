"""A connected pair of transports on trial, and what the checks do with it all the time.

The pair is driven as a reactor would drive it, and no better: after "would block" a handle is not touched
before the poller reports it, and ``flush`` is called when a transport asks for ``WRITABLE``. So an
implementation that only works when it is asked again and again does not get through.

Transports without a descriptor are driven by the third element of what ``make`` returned, a function that lets
their world go on; without one, a little time passes.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ...api.errors import ConnectionLost
from ...api.poller import READABLE, WRITABLE
from ...api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from ..hostile import Canaries, content
from ..trial import Trial

Ends: TypeAlias = "tuple[Transport, Transport] | tuple[Transport, Transport, Callable[[], object]]"

TICK_SECONDS: Final = 0.02
LEAST_SECONDS: Final = 0.0005
"""What a wait that ended at once is counted as, so that a handle that is always ready can't keep us for ever."""

ROOM_BYTES: Final = 65536
FILL_BYTES: Final = 8 * 1024 * 1024
"""What is offered to a system that takes everything, before that is believed."""

SLOW_BYTES: Final = 16
"""A pair that moves no more than this at a time is slow: it gets less to move, so that its checks end."""

SLOW_MOST_BYTES: Final = 5_000


ANSWERS: Final = {WOULD_BLOCK: "WOULD_BLOCK", END_OF_STREAM: "END_OF_STREAM"}


class _Answer(int):
    """An answer of ``recv_into`` that says what it means."""

    def __repr__(self) -> str:
        return ANSWERS[self]


def told(answer: object) -> object:
    """Return what ``recv_into`` answered, so that it is shown by its name where it has one."""
    return _Answer(answer) if type(answer) is int and answer in ANSWERS else answer


def expect_let_go(trial: Trial, memory: bytearray, when: str) -> None:
    """Expect that nobody holds a view of memory that was lent: it can grow."""
    try:
        memory.append(0)
    except BufferError:
        trial.fail(f"{when} it still holds a view of the caller's memory", got="a view", wanted="none")


class Pair:
    """Two connected ends; ``come_to_rest`` ends their handshakes."""

    def __init__(self, trial: Trial, ends: Ends) -> None:
        self.trial = trial
        self.near: Transport = ends[0]
        self.far: Transport = ends[1]
        self._step = ends[2] if len(ends) == 3 else None
        self._open: list[Transport] = [self.near, self.far]
        self._quiet_seconds = 0.0
        self._descriptors = all(end.features().descriptor for end in (self.near, self.far))
        self._slow: bool | None = None

    def come_to_rest(self) -> None:
        """Drive both ends until neither wants anything."""
        scratch = bytearray(1)
        while wanting := [end for end in (self.near, self.far) if end.interest]:
            self.wait("the pair never came to rest (an end still has an interest of its own)")
            for end in wanting:
                end.flush()
                if end.interest & READABLE:
                    answer = told(end.recv_into(scratch))
                    self.trial.equal(answer, told(WOULD_BLOCK), "bytes from a peer that sent none")
        self.moved()

    def moved(self) -> None:
        """Something has happened: patience begins anew."""
        self._quiet_seconds = 0.0
        self.trial.alive()

    def wait(self, complaint: str, *readers: Transport) -> None:
        """Wait for what the ends have an interest in, and for data at ``readers``; fail with the complaint when
        nothing has happened for too long."""
        while True:
            self.trial.alive()
            if self._quiet_seconds >= self.trial.patience_seconds:
                self.trial.fail(complaint, got=f"nothing for {self._quiet_seconds:.2f} s", wanted="progress")
            begin = time.monotonic()
            ready = self._pass_time(readers)
            spent_seconds = min(time.monotonic() - begin, TICK_SECONDS)  # a busy machine uses up no patience
            self._quiet_seconds += max(spent_seconds, LEAST_SECONDS)
            if ready:
                return

    def _pass_time(self, readers: Sequence[Transport]) -> bool:
        """Let a tick pass at most; return whether it is worth to look."""
        if self._step is not None:
            self._step()
        elif self._descriptors:
            return self._select(readers)
        else:
            time.sleep(LEAST_SECONDS)
        return True

    def _select(self, readers: Sequence[Transport]) -> bool:
        with selectors.DefaultSelector() as selector:
            for end in self._open:
                interest = end.interest | (READABLE if end in readers else 0)
                events = (selectors.EVENT_READ if interest & READABLE else 0) | (
                    selectors.EVENT_WRITE if interest & WRITABLE else 0
                )
                if events:
                    selector.register(end.handle, events)
            if not selector.get_map():
                time.sleep(LEAST_SECONDS)  # nobody waits for anything
                return True
            return bool(selector.select(TICK_SECONDS))

    def close(self, end: Transport) -> None:
        """Close one end; only the other is waited for from now on."""
        self.trial.did("close() of one end")
        self._open.remove(end)
        end.close()

    def other(self, end: Transport) -> Transport:
        """Return the other end."""
        return self.far if end is self.near else self.near

    def flush(self, end: Transport) -> None:
        """Send more, if the end has asked for it."""
        if end in self._open and end.interest & WRITABLE:
            before = end.pending_bytes
            if end.flush() < before:
                self.moved()

    def flush_all(self, sender: Transport) -> None:
        """Flush until nothing is pending; for little, which the system takes though nobody reads."""
        while sender.pending_bytes:
            self.wait("a few bytes stay pending")
            self.flush(sender)

    def receive(
        self,
        receiver: Transport,
        wanted: bytes,
        *,
        room_bytes: int = ROOM_BYTES,
        watch: bool = False,
        partial: bool = False,
    ) -> None:
        """Receive ``wanted``, looking at each piece as it comes; ``watch``: at what lies around and behind it,
        too. ``partial``: more may be on its way and is left there. The other end is flushed meanwhile."""
        trial = self.trial
        canaries = Canaries(room_bytes)
        position = 0
        trial.did(f"receive {len(wanted)} bytes, up to {room_bytes} at a time")
        while position < len(wanted):
            self.flush(self.other(receiver))
            room = min(room_bytes, len(wanted) - position) if partial else room_bytes
            count = receiver.recv_into(canaries.window[:room])
            if count == WOULD_BLOCK:
                if not receiver.buffered:
                    self.wait(f"no more than {position} of {len(wanted)} bytes arrived", receiver)
                continue
            if not 1 <= count <= room:
                what = "the end of the stream" if count == END_OF_STREAM else "a count beyond the buffer"
                trial.fail(f"{what} after {position} of {len(wanted)} bytes", got=told(count), wanted=f"1..{room}")
            self.moved()
            piece = wanted[position : position + count]
            got = bytes(canaries.window[:count])
            if got != piece:
                trial.equal(got, piece, f"the bytes from number {position} on, of {len(wanted)}")
            if watch:
                where = canaries.touched_beyond(count)
                trial.true(where is None, f"only the {count} bytes received are written", got=f"written: {where}")
                canaries = Canaries(room_bytes)
            position += count

    def nothing_more(self, receiver: Transport) -> None:
        """Expect that nothing waits."""
        answer = told(receiver.recv_into(bytearray(16)))
        self.trial.equal(answer, told(WOULD_BLOCK), "what recv_into answers when all is read")

    def transfer(self, sender: Transport, *items: bytes | bytearray | memoryview) -> None:
        """Send a batch, and a few bytes behind it; receive all of it."""
        wanted = b"".join(bytes(each) for each in items)
        mark = content(32, self.trial.rng)
        self.trial.did(f"send([{', '.join(f'{memoryview(each).nbytes} bytes' for each in items)}])")
        sender.send(items)
        sender.send([mark])
        self.receive(self.other(sender), wanted + mark)

    def until_end(self, receiver: Transport) -> None:
        """Read until the end of the stream; expect no bytes before it."""
        self.trial.did("read until the end of the stream")
        while (count := receiver.recv_into(bytearray(16))) != END_OF_STREAM:
            self.trial.equal(told(count), told(WOULD_BLOCK), "what recv_into answers before the end")
            self.flush(self.other(receiver))
            if not receiver.buffered:
                self.wait("the end of the stream never arrived", receiver)

    def rest(self, receiver: Transport) -> bytes:
        """Return what is received until the end of the stream or the loss of the connection."""
        got = bytearray()
        buffer = bytearray(4096)
        while True:
            try:
                count = receiver.recv_into(buffer)
            except ConnectionLost:
                return bytes(got)
            if count == END_OF_STREAM:
                return bytes(got)
            if count != WOULD_BLOCK:
                self.moved()
                got += buffer[:count]
            elif not receiver.buffered:
                self.wait("the end of a closed transport never arrived", receiver)

    def is_slow(self) -> bool:
        """Return whether a few bytes at a time is all that this pair moves; tried once, with 256 bytes."""
        if self._slow is None:
            self.near.send([bytes(256)])
            read_count = got_bytes = 0
            buffer = bytearray(256)
            while got_bytes < 256:
                self.flush(self.near)
                count = self.far.recv_into(buffer)
                if count == END_OF_STREAM:
                    self.trial.fail("the end of the stream before 256 bytes arrived", got=got_bytes, wanted=256)
                if count > 0:
                    self.moved()
                    got_bytes += count
                    read_count += 1
                elif not self.far.buffered:
                    self.wait(f"no more than {got_bytes} of 256 bytes arrived", self.far)
            self._slow = got_bytes <= read_count * SLOW_BYTES
            if self._slow:
                self.trial.note(f"a slow pair: {got_bytes // read_count} bytes at a time; less was moved than usual")
        return self._slow

    def affordable(self, size_bytes: int) -> int:
        """Return the size, or less for a slow pair."""
        return min(size_bytes, SLOW_MOST_BYTES) if self.is_slow() else size_bytes

    def fill(self, sender: Transport) -> bytes:
        """Send until something stays pending, while nobody reads; return what was sent. Where the system takes
        everything, the report notes it."""
        most_bytes = self.affordable(FILL_BYTES)
        step_bytes = min(65536, most_bytes // 4)
        base = content(step_bytes - 8, self.trial.rng)
        sent = bytearray()

        def send() -> None:
            while not sender.pending_bytes and len(sent) < most_bytes:
                piece = len(sent).to_bytes(8, "big") + base  # each is unlike all others, and cheap
                sent.extend(piece)
                sender.send([piece])
                self.moved()

        self.trial.returns(f"send([{step_bytes} bytes]) again and again, until something is pending", send)
        if not sender.pending_bytes:
            self.trial.note(f"{most_bytes} bytes were taken at once: nothing was ever pending")
        return bytes(sent)


__all__ = ["Ends", "Pair", "expect_let_go", "told"]
