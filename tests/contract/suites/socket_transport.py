"""The contract of ``SocketTransport``: a transport whose owner may move bytes past it, on the bare socket.

``make`` returns two connected ends that are real sockets; the near one is on trial. What ``Transport`` owes is in
``transport.py``; here is what the two ways owe one another.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from ...api.errors import ConnectionLost
from ...api.transport import END_OF_STREAM, WOULD_BLOCK, SocketTransport, Transport
from ..hostile import content
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

SOCKET = (
    must(
        "SOK-01",
        "The bare socket is a non-blocking stream, the same each time, and its descriptor is the handle.",
    ),
    must(
        "SOK-02",
        "What the socket and send are given arrives in the order in which they were given it.",
        "SOK-01",
    ),
    must(
        "SOK-03",
        "What the far end sent is read in order, by whichever of the socket and recv_into asks.",
        "SOK-01",
    ),
    must("SOK-04", "What the socket did not take is taken by send, and arrives behind what it took.", "SOK-02"),
    must("SOK-05", "An end of the stream that the socket has read, recv_into reads once more.", "SOK-03"),
    must("SOK-06", "lost answers ConnectionLost; from then on every call that moves bytes raises it.", "SOK-01"),
    must("SOK-07", "A lost transport has nothing pending, and can be closed.", "SOK-06"),
    must("SOK-08", "close closes the socket.", "SOK-01"),
)

NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)


class BareTransport(Transport, SocketTransport, Protocol):
    """A transport with the capability."""


class SocketTransportContract(Contract, name="socket-transport", requirements=SOCKET):
    """What every transport with a bare socket owes; override ``make``."""

    def make(self) -> tuple[BareTransport, Transport]:
        """Return two ends that are connected, or on their way to be; the first one is on trial."""
        raise NotImplementedError

    def wire(self, trial: Trial) -> Wire:
        """Return a fresh pair, connected."""
        trial.forget()
        near, far = trial.make(self.make)
        wire = Wire(trial, near, far)
        wire.connect()
        return wire

    @requirement("SOK-01")
    def sockets_are_the_transports(self, trial: Trial) -> None:
        wire = self.wire(trial)
        bare = wire.near.bare_socket
        trial.same(wire.near.bare_socket, bare, "bare_socket, asked again")
        found = (bare.type & socket.SOCK_STREAM, bare.getblocking(), bare.fileno())
        wanted = (socket.SOCK_STREAM, False, wire.near.handle)
        trial.equal(found, wanted, "stream, blocking, and descriptor of the socket")

    @requirement("SOK-02")
    def both_send_in_order(self, trial: Trial) -> None:
        wire = self.wire(trial)
        wanted = b""
        for number in range(40):
            data = content(trial.rng.choice((1, 100, 3000)), trial.rng)
            trial.did(f"{'socket.send' if number % 2 else 'send'}({len(data)} bytes)")
            if number % 2:
                wire.send_bare(data)
            else:
                trial.equal(wire.near.send([data]), 0, "what is pending")
            wanted += data
            if number % 10 == 9:
                trial.equal(wire.read_far(len(wanted)), wanted, "what arrived")
                wanted = b""

    @requirement("SOK-03")
    def both_read_in_order(self, trial: Trial) -> None:
        wire = self.wire(trial)
        sent, got = content(20_000, trial.rng), b""
        wire.far.send([sent])
        while len(got) < len(sent):
            wire.wait_readable(wire.near)
            buffer = bytearray(trial.rng.choice((1, 100, 3000)))
            if trial.rng.random() < 0.5:
                trial.did(f"socket.recv_into({len(buffer)} bytes)")
                count_bytes = wire.near.bare_socket.recv_into(buffer)
            else:
                trial.did(f"recv_into({len(buffer)} bytes)")
                count_bytes = wire.near.recv_into(buffer)
            trial.true(count_bytes > 0, "a socket that can be read has bytes", got=count_bytes)
            got += buffer[:count_bytes]
            trial.equal(got, sent[: len(got)], "what was read in all")

    @requirement("SOK-04")
    def the_rest_goes_to_send(self, trial: Trial) -> None:
        wire = self.wire(trial)
        data = content(8 * 1024 * 1024, trial.rng)
        trial.did("socket.send(8 MiB), as much as it takes")
        taken_bytes = 0
        try:
            while taken_bytes < len(data):
                taken_bytes += wire.near.bare_socket.send(memoryview(data)[taken_bytes:], NO_SIGNAL)
        except BlockingIOError:
            trial.did(f"it took {taken_bytes} bytes; send(the rest)")
        wire.near.send([memoryview(data)[taken_bytes:]])
        trial.equal(wire.read_far(len(data)), data, "what arrived")
        trial.equal(wire.near.pending_bytes, 0, "what is pending")

    @requirement("SOK-05")
    def ends_are_read_again(self, trial: Trial) -> None:
        wire = self.wire(trial)
        wire.far.send([b"last"])
        wire.far.shutdown()
        got = b""
        while True:
            wire.wait_readable(wire.near)
            piece = wire.near.bare_socket.recv(100)
            if not piece:
                break
            got += piece
        trial.equal(got, b"last", "what the socket read")
        trial.did("recv_into(), after the socket has read the end")
        for _ in range(3):
            trial.equal(wire.near.recv_into(bytearray(10)), END_OF_STREAM, "what recv_into answers")

    @requirement("SOK-06")
    def losses_are_told(self, trial: Trial) -> None:
        for number in (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT):
            wire = self.wire(trial)
            trial.did(f"lost({errno.errorcode[number]})")
            error = wire.near.lost(OSError(number, "from the bare socket"))
            trial.true(isinstance(error, ConnectionLost), "lost answers a ConnectionLost", got=error)
            calls: tuple[tuple[str, Callable[[], object]], ...] = (
                ("recv_into()", partial(wire.near.recv_into, bytearray(10))),
                ("send()", partial(wire.near.send, [b"x"])),
                ("flush()", wire.near.flush),
            )
            for name, call in calls * 2:
                trial.raises(ConnectionLost, f"{name} of a lost transport", call)

    @requirement("SOK-07")
    def lost_ones_let_go(self, trial: Trial) -> None:
        wire = self.wire(trial)
        trial.did("send(16 MiB), lost(a reset)")
        wire.near.send([bytes(16 * 1024 * 1024)])
        wire.near.lost(OSError(errno.ECONNRESET, "from the bare socket"))
        trial.equal((wire.near.pending_bytes, wire.near.interest), (0, 0), "what is pending, and the interest")
        wire.near.close()
        wire.near.close()

    @requirement("SOK-08")
    def close_closes_the_socket(self, trial: Trial) -> None:
        wire = self.wire(trial)
        bare = wire.near.bare_socket
        trial.did("close()")
        wire.near.close()
        trial.equal(bare.fileno(), -1, "the descriptor of the socket")


class Wire:
    """A connected pair at work. All waits are for descriptors, and bounded by the trial's patience."""

    def __init__(self, trial: Trial, near: BareTransport, far: Transport) -> None:
        self.trial = trial
        self.near = near
        self.far = far

    def connect(self) -> None:
        """Let both ends finish what they have begun."""
        for end in (self.near, self.far):
            while end.interest:
                select.select([], [end.handle], [], self.trial.patience_seconds)
                end.flush()
                self.trial.alive()

    def wait_readable(self, end: Transport) -> None:
        """Wait until something can be read."""
        if not select.select([end.handle], [], [], self.trial.patience_seconds)[0]:
            self.trial.fail("nothing arrives")
        self.trial.alive()

    def send_bare(self, data: bytes) -> None:
        """Give all of the data to the socket."""
        taken_bytes = self.near.bare_socket.send(data, NO_SIGNAL)
        self.trial.equal(taken_bytes, len(data), "the bytes that the idle socket took")

    def read_far(self, size_bytes: int) -> bytes:
        """Read so many bytes at the far end, and let the near one send meanwhile."""
        got = bytearray()
        buffer = bytearray(65536)
        end = time.monotonic() + 20 * self.trial.patience_seconds
        while len(got) < size_bytes and time.monotonic() < end:
            writable = [self.near.handle] if self.near.interest else []
            ready = select.select([self.far.handle], writable, [], self.trial.patience_seconds)
            if ready[1]:
                self.near.flush()
            count_bytes = self.far.recv_into(buffer)
            if count_bytes == WOULD_BLOCK and not ready[0] and not ready[1]:
                break
            got += buffer[: max(count_bytes, 0)]
            self.trial.alive()
        return bytes(got)


SUITES = (SocketTransportContract,)

__all__ = ["SUITES", "BareTransport", "SocketTransportContract", "Wire"]
