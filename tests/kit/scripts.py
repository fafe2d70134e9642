"""Scripts of operations, played on the real thing and on its fake: what the differential tests are made of.

A script is a list of operations that is made before anything runs, so that both sides get the same one. A player
turns it into a *trace*: what each operation answered, an exception by its type. What depends on time or on the
machine (how many bytes the system takes at once, when a peer's bytes come) stays out of the trace: a player waits
until what must come has come.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from hypothesis import strategies as st

from hioload_ws.api.errors import ConnectionLost, HioloadError
from hioload_ws.api.poller import READABLE, WRITABLE, Interest
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from tests.kit.pairs import LIMIT_MS, MakePair

Operation: TypeAlias = "tuple[str, int, int]"
"""A name and two numbers, whose meaning is the player's."""
Trace: TypeAlias = "list[object]"

MOST_UNREAD_BYTES: Final = 30_000
"""What every system takes of a stream that nobody reads."""


def scripts(names: Sequence[str], first: int, second: int, most: int = 25) -> st.SearchStrategy[list[Operation]]:
    """Return scripts of these operations with numbers up to ``first`` and ``second``."""
    one = st.tuples(st.sampled_from(names), st.integers(0, first), st.integers(0, second))
    return st.lists(one, max_size=most)


def attempt(function: Callable[[], object]) -> object:
    """Return what the function returns, or the name of the library's error that it raises."""
    try:
        return function()
    except HioloadError as error:
        return type(error).__name__


class Stream:
    """Plays operations on both ends of a stream; the first number is an end.

    Who has finished sending, and then closes with bytes unread, resets a stream that has ended already: TCP shows
    the end only, a Unix socket the reset. With ``vague_reset`` the trace has either as the same.
    """

    def __init__(self, make: MakePair, *, vague_reset: bool) -> None:
        self._vague_reset = vague_reset
        near, far, *rest = make()
        self._ends: tuple[Transport, Transport] = (near, far)
        self._settle: Callable[[], object] | None = rest[0] if rest else None
        self._unread = [0, 0]  # on their way to, or waiting at, each end
        self._shut = [False, False]
        self._closed = [False, False]
        self._reset = [False, False]
        self._count = 0
        while near.interest:  # it is connected, and has not been told
            self._wait(0, WRITABLE)
            near.flush()

    def play(self, script: Sequence[Operation]) -> Trace:
        """Return the trace; both ends are closed then."""
        try:
            return [getattr(self, name)(end, number) for name, end, number in script] + [
                self.drain(end, 0) for end in (0, 1)
            ]
        finally:
            for each in self._ends:
                each.close()

    def send(self, end: int, size_bytes: int) -> object:
        """Send some bytes, in two pieces, where they fit and somebody is there."""
        other = 1 - end
        if self._closed[other] and not self._closed[end] or self._unread[other] + size_bytes > MOST_UNREAD_BYTES:
            return "left out"
        self._count += 1
        data = bytes([self._count % 256]) * size_bytes
        outcome = attempt(lambda: self._ends[end].send([data[:7], memoryview(data)[7:]]))
        if isinstance(outcome, int):
            self._unread[other] += size_bytes
        return outcome

    def recv(self, end: int, size_bytes: int) -> object:
        """Read until so many bytes have come, or all that were sent, or what ends the stream."""
        got = bytearray()
        while True:
            buffer = bytearray(max(size_bytes - len(got), 1))
            outcome = attempt(lambda: self._ends[end].recv_into(buffer))
            if outcome == WOULD_BLOCK and (self._unread[end] or self._will_end(end)):
                self._wait(end)
                continue
            if not isinstance(outcome, int) or outcome in (WOULD_BLOCK, END_OF_STREAM):
                vague = self._vague_reset and self._reset[end] and self._shut[1 - end]
                return bytes(got), "over" if vague and not self._closed[end] else outcome
            got += buffer[:outcome]
            self._unread[end] -= outcome
            if len(got) >= size_bytes or not self._unread[end]:
                return bytes(got), "more"

    def shutdown(self, end: int, number: int) -> object:
        self._shut[end] = True
        return attempt(self._ends[end].shutdown)

    def close(self, end: int, number: int) -> object:
        self._reset[1 - end] |= bool(self._unread[end]) and not self._closed[end]
        if self._unread[end] and not self._closed[end]:
            self._wait(end)  # what was sent has to be there: else the system would meet it after the close
        self._closed[end] = True
        return attempt(self._ends[end].close)

    def flush(self, end: int, number: int) -> object:
        if self._closed[1 - end] and not self._closed[end]:
            return "left out"
        return attempt(self._ends[end].flush)

    def refuse(self, end: int, number: int) -> object:
        """Do what is never allowed."""
        if self._closed[1 - end]:
            return "left out"
        return attempt(lambda: self._ends[end].recv_into(bytearray()))

    def drain(self, end: int, number: int) -> object:
        """Read all there is to read."""
        return self.recv(end, self._unread[end] + 1)

    def _will_end(self, end: int) -> bool:
        return self._closed[1 - end] or self._shut[1 - end]

    def _wait(self, end: int, interest: Interest = READABLE) -> None:
        """Wait until the end is ready for it."""
        if self._settle is not None:
            self._settle()
            return
        poller = select.poll()
        poller.register(self._ends[end].handle, interest)
        assert poller.poll(LIMIT_MS), "nothing came"


def pour(make: MakePair, size_bytes: int, read_bytes: int) -> tuple[bytes, str]:
    """Send more than a system takes at once, read in pieces, then reset; return what came and how it ended."""
    near, far, *rest = make()
    data = b"".join(number.to_bytes(4, "big") for number in range(size_bytes // 4))
    got, buffer = bytearray(), bytearray(read_bytes)
    pending_bytes = near.send([data])
    near.shutdown()
    try:
        while True:
            count_bytes = far.recv_into(buffer)
            if count_bytes > 0:
                got += buffer[:count_bytes]
            elif count_bytes == END_OF_STREAM:
                return bytes(got), "end"
            elif rest:
                rest[0]()
            if pending_bytes:
                pending_bytes = near.flush()
    except ConnectionLost:
        return bytes(got), "lost"
    finally:
        near.close()
        far.close()
