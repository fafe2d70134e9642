"""Load: one process that plays clients, from plain sockets and one epoll.

It speaks to the runner in lines of JSON: reads its task from standard input, says ``ready`` when all connections are
up, begins when told ``go``, and says how much was done. It ends when its input ends, so it can't outlive the runner.
Every byte that comes back is compared; the first difference ends the run.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..api.errors import InternalError, TimedOut
from .scenario import Mode
from .traffic import CLOSE_FRAME, bursts, upgrade

_LOOK_S: Final = 0.05
_PING: Final = 0x89
_PONG: Final = 0x8A
_ROOM: Final = 256 * 1024
_STALL_S: Final = 60.0
_seeds: Final = itertools.count()


class WrongReply(InternalError):
    """A server sent back something other than what it was sent."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a load process shall do; for how long, it is told each time."""

    port: int
    mode: str
    connections: int
    in_flight: int
    size_bytes: int
    path: str
    raw: bool
    seed: int
    cpus: Sequence[int]


class Talker:
    """A connection that sends bursts and compares what comes back."""

    __slots__ = ("_pairs", "_position", "_sent", "_turn", "bursts_done", "sock", "waiting")

    def __init__(self, sock: socket.socket, pairs: Sequence[tuple[bytes, bytes]], turn: int) -> None:
        self.sock = sock
        self._pairs = pairs
        self._turn = turn % len(pairs)
        self._position = 0
        self._sent = 0
        self.waiting = False
        self.bursts_done = 0

    def start(self) -> bool:
        """Send the next burst; whether all of it has left."""
        self._turn = (self._turn + 1) % len(self._pairs)
        self._position = self._sent = 0
        self.waiting = True
        return self.send()

    def send(self) -> bool:
        """Send what the system takes of the burst; whether that was all."""
        request = self._pairs[self._turn][0]
        try:
            while self._sent < len(request):
                self._sent += self.sock.send(memoryview(request)[self._sent :])
        except BlockingIOError:
            return False
        return True

    def receive(self, room: bytearray) -> bool:
        """Take what has arrived; whether the burst is answered. Raises ``WrongReply``."""
        reply = self._pairs[self._turn][1]
        count = self.sock.recv_into(room)
        position = self._position
        if not position and count and room[0] == _PING != reply[0]:
            # It came while we had nothing to say for long, and is not counted as anything.
            count = pong(self.sock, room, count)
            if not count:
                return False
        if not count or not reply.startswith(room[:count], position):
            raise WrongReply(
                "the server hung up" if not count else "a reply differs from what was sent",
                position_bytes=position,
            )
        self._position = position + count
        if self._position < len(reply):
            return False
        self.waiting = False
        self.bursts_done += 1
        return True


def connect(task: Task, number: int) -> socket.socket:
    """Return a connection that did the opening handshake (none for ``raw``), non-blocking."""
    sock = socket.create_connection(("127.0.0.1", task.port), timeout=_STALL_S)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not task.raw:
            _shake_hands(sock, task, number)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _shake_hands(sock: socket.socket, task: Task, number: int) -> None:
    request, accept = upgrade(f"127.0.0.1:{task.port}", task.path, task.seed + number)
    sock.sendall(request)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(4096)
        if not data:
            raise WrongReply("the server hung up during the opening handshake")
        head += data
    if not head.startswith(b"HTTP/1.1 101") or accept not in head:
        raise WrongReply("the server refused the opening handshake", head=head[:200])


def echo(task: Task, socks: Sequence[socket.socket], until: Callable[[], bool]) -> int:
    """Exchange bursts on all connections until it is time, and all answers are in; return the messages."""
    pairs = bursts(task.size_bytes, task.in_flight, task.seed, task.raw)
    talkers = {sock.fileno(): Talker(sock, pairs, number) for number, sock in enumerate(socks)}
    with select.epoll() as poller:
        for handle, talker in talkers.items():
            poller.register(handle, select.EPOLLIN if talker.start() else select.EPOLLIN | select.EPOLLOUT)
        open_count = len(talkers)
        room = bytearray(_ROOM)
        while open_count:
            events = poller.poll(_STALL_S)
            if not events:
                raise TimedOut("no reply for a long time", seconds=_STALL_S)
            over = until()
            for handle, event in events:
                talker = talkers[handle]
                if event & select.EPOLLOUT and talker.send():
                    poller.modify(handle, select.EPOLLIN)
                if event & select.EPOLLIN and talker.receive(room):
                    if over:
                        open_count -= 1
                    elif not talker.start():
                        poller.modify(handle, select.EPOLLIN | select.EPOLLOUT)
    return sum(talker.bursts_done for talker in talkers.values()) * task.in_flight


class Listener:
    """A connection that is sent messages of one size, and pings between them because it never says anything."""

    __slots__ = ("_frame_bytes", "_got_bytes", "_rest", "_sock")

    def __init__(self, sock: socket.socket, frame_bytes: int) -> None:
        self._sock = sock
        self._frame_bytes = frame_bytes
        self._got_bytes = 0
        self._rest = bytearray()

    def hear(self, wanted: bytes, room: bytearray) -> bool:
        """Take what has arrived; whether all of ``wanted`` has come by now. Raises ``WrongReply``."""
        count = self._sock.recv_into(room)
        if not count:
            raise WrongReply("the server hung up")
        if count == len(wanted) and not self._got_bytes and not self._rest and room.startswith(wanted):
            return True
        rest = self._rest
        rest += room[:count]
        while rest:
            in_frame = self._got_bytes % self._frame_bytes
            if not in_frame and rest[0] == _PING:
                if len(rest) < 2 or len(rest) < 2 + rest[1]:
                    break
                del rest[pong(self._sock, rest, len(rest)) :]
                continue
            piece = rest[: self._frame_bytes - in_frame]
            if not wanted.startswith(piece, self._got_bytes):
                raise WrongReply("a broadcast differs from what was sent", got=bytes(rest[:100]))
            self._got_bytes += len(piece)
            del rest[: len(piece)]
        if self._got_bytes < len(wanted):
            return False
        self._got_bytes = 0
        return True


def broadcast(task: Task, socks: Sequence[socket.socket], until: Callable[[], bool]) -> int:
    """Have ``in_flight`` messages sent to all connections, and the next ones when all have come; return the
    deliveries."""
    pairs = bursts(task.size_bytes, task.in_flight, task.seed, False)
    listeners = {sock.fileno(): Listener(sock, len(pairs[0][1]) // task.in_flight) for sock in socks}
    turn = 0
    room = bytearray(_ROOM)
    with select.epoll() as poller:
        for handle in listeners:
            poller.register(handle, select.EPOLLIN)
        while not until():
            request, wanted = pairs[turn % len(pairs)]
            turn += 1
            socks[0].send(request)
            missing = len(socks)
            while missing:
                events = poller.poll(_STALL_S)
                if not events:
                    raise TimedOut("a broadcast did not come", seconds=_STALL_S, missing=missing)
                missing -= sum(listeners[handle].hear(wanted, room) for handle, _ in events)
    return turn * task.in_flight * len(socks)


def answer_pings(socks: Sequence[socket.socket], until: Callable[[], bool]) -> int:
    """Be idle but alive: answer pings (RFC 6455 §5.5.3) until it is time; return how many came."""
    by_handle = {sock.fileno(): sock for sock in socks}
    room = bytearray(_ROOM)
    pings = 0
    with select.epoll() as poller:
        for handle in by_handle:
            poller.register(handle, select.EPOLLIN)
        while not until():
            for handle, _ in poller.poll(_LOOK_S):
                sock = by_handle[handle]
                count = sock.recv_into(room)
                if not count or room[0] != _PING or pong(sock, room, count):
                    raise WrongReply("an idle connection got something other than a ping", data=bytes(room[:count]))
                pings += 1
    return pings


def pong(sock: socket.socket, room: bytearray, count: int) -> int:
    """Answer the ping that ``room[:count]`` begins with, put what follows in its place, and return how much that
    is."""
    size = 2 + room[1]
    sock.send(bytes((_PONG, 0x80 | room[1], 0, 0, 0, 0)) + room[2:size])
    room[: count - size] = room[size:count]
    return count - size


def handshakes(task: Task, until: Callable[[], bool]) -> int:
    """Open and close connections, ``task.connections`` at a time; return how many were done."""
    done = 0
    slots: dict[int, tuple[socket.socket, bytes, bytearray]] = {}
    with select.epoll() as poller:
        while True:
            while len(slots) < task.connections and not until():
                sock = socket.create_connection(("127.0.0.1", task.port), timeout=_STALL_S)
                # A key of its own each time: nothing that remembers keys is to look quick.
                request, accept = upgrade(f"127.0.0.1:{task.port}", task.path, next(_seeds))
                sock.sendall(request)
                sock.setblocking(False)
                slots[sock.fileno()] = sock, accept, bytearray()
                poller.register(sock.fileno(), select.EPOLLIN)
            if not slots:
                return done
            events = poller.poll(_STALL_S)
            if not events:
                raise TimedOut("a handshake was not answered", seconds=_STALL_S)
            for handle, _ in events:
                sock, accept, head = slots[handle]
                data = sock.recv(4096)
                if data and not head.endswith(b"\r\n\r\n"):
                    head += data
                    if head.endswith(b"\r\n\r\n"):
                        if not head.startswith(b"HTTP/1.1 101") or accept not in head:
                            raise WrongReply("the server refused the opening handshake", head=bytes(head[:200]))
                        sock.send(CLOSE_FRAME)
                    continue
                if data:
                    if data[0] != 0x88:
                        raise WrongReply("the close frame was answered by something else", data=data)
                    continue
                del slots[handle]
                sock.close()
                done += 1


def main() -> int:
    """Run one task; see the module's docstring for what is read and written."""
    task = Task(**json.loads(sys.stdin.readline()))
    os.sched_setaffinity(0, task.cpus)
    _raise_file_limit(task.connections)
    try:
        mode = Mode(task.mode)
        socks = [] if mode is Mode.HANDSHAKE else [connect(task, each) for each in range(task.connections)]
        _say("ready")
        for line in _orders([] if task.raw else socks):
            _say("done", count=_work(task, mode, socks, _after(json.loads(line))))
    except (WrongReply, TimedOut, OSError) as error:
        _say("failed", error=str(error))
        return 1
    return 0


def _orders(socks: Sequence[socket.socket]) -> Iterator[str]:
    """Yield the lines of standard input, and answer pings while there is none."""
    while True:
        if socks:
            answer_pings(socks, lambda: bool(select.select([sys.stdin], [], [], 0)[0]))
        line = sys.stdin.readline()  # the runner writes one and waits, so no second one lies in a buffer
        if not line:
            return
        yield line


def _after(seconds: float) -> Callable[[], bool]:
    """Return a function that says whether so much time has gone by."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline


def _work(task: Task, mode: Mode, socks: Sequence[socket.socket], until: Callable[[], bool]) -> int:
    if mode is Mode.ECHO:
        return echo(task, socks, until)
    if mode is Mode.BROADCAST:
        return broadcast(task, socks, until)
    if mode is Mode.HANDSHAKE:
        return handshakes(task, until)
    return answer_pings(socks, until)


def _say(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def _raise_file_limit(connections: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 64
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


__all__ = ["Listener", "Talker", "Task", "WrongReply", "broadcast", "connect", "echo", "handshakes", "main"]

if __name__ == "__main__":
    sys.exit(main())
