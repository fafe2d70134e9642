"""A connected pair of transports on trial, and what the checks do with it all the time.

The pair is driven as a reactor would drive it, and no better: after "would block" the handles are waited for,
``flush`` is called when a transport asks for ``WRITABLE``, and a short count without ``buffered`` means that
there is nothing until the poller says so. So an implementation that only works when it is asked again and again
does not get through.

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


class Pair:
    """Two connected ends, at rest: handshakes are over."""

    def __init__(self, trial: Trial, ends: Ends) -> None:
        self.trial = trial
        self.near: Transport = ends[0]
        self.far: Transport = ends[1]
        self._step = ends[2] if len(ends) == 3 else None
        self._open: list[Transport] = [self.near, self.far]
        self._quiet_seconds = 0.0
        self._descriptors = all(end.features().descriptor for end in (self.near, self.far))
        self._establish()

    def _establish(self) -> None:
        """Drive both ends until neither wants anything."""
        scratch = bytearray(1)
        while wanting := [end for end in (self.near, self.far) if end.interest]:
            self.wait("the pair never came to rest (an end still has an interest)")
            for end in wanting:
                end.flush()
                if end.interest & READABLE:
                    self.trial.equal(end.recv_into(scratch), WOULD_BLOCK, "bytes from a peer that sent none")
        self.moved()

    def moved(self) -> None:
        """Something has happened: patience begins anew."""
        self._quiet_seconds = 0.0
        self.trial.alive()

    def wait(self, complaint: str, *readers: Transport) -> None:
        """Wait for what the ends have an interest in, and for data at ``readers``; fail with the complaint when
        nothing has moved for too long."""
        self.trial.alive()
        if self._quiet_seconds >= self.trial.patience_seconds:
            self.trial.fail(complaint, got=f"nothing for {self._quiet_seconds:.2f} s", wanted="progress")
        begin = time.monotonic()
        if self._step is not None:
            self._step()
        elif self._descriptors:
            self._select(readers)
        else:
            time.sleep(LEAST_SECONDS)
        spent_seconds = min(time.monotonic() - begin, TICK_SECONDS)
        self._quiet_seconds += max(spent_seconds, LEAST_SECONDS)

    def _select(self, readers: Sequence[Transport]) -> None:
        with selectors.DefaultSelector() as selector:
            for end in self._open:
                interest = end.interest | (READABLE if end in readers else 0)
                events = (selectors.EVENT_READ if interest & READABLE else 0) | (
                    selectors.EVENT_WRITE if interest & WRITABLE else 0
                )
                if events:
                    selector.register(end.handle, events)
            selector.select(TICK_SECONDS)

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
                trial.fail(f"{what} after {position} of {len(wanted)} bytes", got=count, wanted=f"1..{room}")
            self.moved()
            piece = wanted[position : position + count]
            if canaries.window[:count] != piece:
                got = bytes(canaries.window[:count])
                trial.equal(got, piece, f"the bytes from number {position} on, of {len(wanted)}")
            if watch:
                where = canaries.touched_beyond(count)
                trial.true(where is None, f"only the {count} bytes received are written", got=f"written: {where}")
                canaries = Canaries(room_bytes)
            position += count

    def nothing_more(self, receiver: Transport) -> None:
        """Expect that nothing waits."""
        self.trial.equal(receiver.recv_into(bytearray(16)), WOULD_BLOCK, "what recv_into answers when all is read")

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
            self.trial.equal(count, WOULD_BLOCK, "what recv_into answers before the end")
            self.flush(self.other(receiver))
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
            if count == WOULD_BLOCK:
                self.wait("the end of a closed transport never arrived", receiver)
            else:
                self.moved()
                got += buffer[:count]

    def fill(self, sender: Transport, *, most_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Send until something stays pending, while nobody reads; return what was sent, ``b""`` where the
        system takes everything."""
        self.trial.did("send 64 KiB again and again, until something is pending")
        sent = bytearray()
        while not sender.pending_bytes and len(sent) < most_bytes:
            piece = content(65536, self.trial.rng)
            sent += piece
            sender.send([piece])
            self.moved()
        if not sender.pending_bytes:
            self.trial.note(f"{most_bytes} bytes were taken at once: nothing was ever pending")
        return bytes(sent)


__all__ = ["Ends", "Pair"]
