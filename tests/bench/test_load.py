"""A load finds what is wrong: each server here breaks one thing, and is told apart from one that breaks nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hioload_ws.adapters import Server
from hioload_ws.api import Connection, Message
from hioload_ws.bench.load import (
    Listener,
    Task,
    WrongReply,
    answer_pings,
    broadcast,
    connect,
    echo,
    handshakes,
)
from hioload_ws.bench.traffic import frame


def task(port: int, **changes: object) -> Task:
    values: dict[str, object] = {
        "port": port, "mode": "echo", "connections": 2, "in_flight": 2, "size_bytes": 200, "path": "/",
        "raw": False, "seed": 1, "cpus": (),
    }  # fmt: skip
    return Task(**{**values, **changes})  # type: ignore[arg-type]  # checked by the dataclass's users


def turns(count: int) -> Callable[[], bool]:
    """Return an ``until`` that is true from the call ``count`` on."""
    left = iter(range(count))
    return lambda: next(left, None) is None


@contextmanager
def serving(
    handler: Callable[[Connection, Message], object], ping_interval_s: float = 0
) -> Iterator[tuple[Server, int]]:
    app = Server("127.0.0.1", 0, ping_interval_s=ping_interval_s)
    app.route("/")(handler)
    app.route("/all")(lambda connection, message: app.broadcast(message))
    with app.background() as url:
        yield app, int(url.rpartition(":")[2])


@contextmanager
def connected(each: Task) -> Iterator[list[socket.socket]]:
    socks = [connect(each, number) for number in range(each.connections)]
    try:
        yield socks
    finally:
        for sock in socks:
            sock.close()


def test_an_echo_is_counted() -> None:
    with serving(lambda connection, message: connection.send(message)) as (_, port):
        with connected(task(port)) as socks:
            count = echo(task(port), socks, turns(5))
    assert count >= 4 and count % 2 == 0


def test_a_ping_before_a_reply_is_answered_and_not_compared() -> None:
    def ping_and_echo(connection: Connection, message: Message) -> None:
        connection.ping(b"are you there")
        connection.send(message)

    with serving(ping_and_echo) as (_, port):
        one = task(port, in_flight=1)
        with connected(one) as socks:
            assert echo(one, socks, turns(5)) >= 4


def test_a_burst_larger_than_the_sockets_buffers_is_sent_in_parts() -> None:
    large = task(0, connections=1, in_flight=1, size_bytes=8 << 20)
    with serving(lambda connection, message: connection.send(message)) as (_, port):
        with connected(task(port, connections=1)) as socks:
            assert echo(large, socks, turns(2)) >= 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda message: bytes(message.data[:-1]) + b"!",
        lambda message: bytes(message.data) + b"!",
        lambda message: str(len(message.data)),
    ],
)
def test_a_reply_that_differs_is_found(answer: Callable[[Message], bytes | str]) -> None:
    with serving(lambda connection, message: connection.send(answer(message))) as (_, port):
        with connected(task(port)) as socks, pytest.raises(WrongReply, match="differs"):
            echo(task(port), socks, turns(1000))


def test_a_server_that_hangs_up_is_found() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(1)

    thread = threading.Thread(target=hang_up)
    thread.start()
    raw = task(listener.getsockname()[1], connections=1, raw=True, size_bytes=1, in_flight=1)
    with connected(raw) as socks, pytest.raises((WrongReply, ConnectionResetError)):
        echo(raw, socks, turns(10))
    thread.join()
    listener.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 101 x\r\n\r\n"])
def test_a_refused_handshake_is_found(answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            peer.recv(1)  # until the other end has gone

    thread = threading.Thread(target=refuse)
    thread.start()
    with pytest.raises(WrongReply):
        connect(task(listener.getsockname()[1]), 0)
    thread.join()
    listener.close()


def test_a_broadcast_counts_deliveries() -> None:
    with serving(lambda connection, message: None) as (_, port):
        all_of_them = task(port, connections=3, path="/all", size_bytes=32)
        with connected(all_of_them) as socks:
            assert broadcast(all_of_them, socks, turns(4)) == 24


def test_pings_between_broadcasts_are_answered_wherever_the_stream_is_cut() -> None:
    ours, theirs = socket.socketpair()
    one = frame(b"hello", None)
    wanted, room = one + one, bytearray(100)
    listener = Listener(ours, len(one))
    for piece, come in (
        (b"\x89", False), (b"\x02ab" + wanted[:3], False), (wanted[3:], True),
        (b"\x89\x00" + wanted, True), (one + b"\x89\x00" + one[:1], False), (one[1:], True), (wanted, True),
        (one, False), (one, True), (b"\x89\x00" + one, False), (one, True),
    ):  # fmt: skip
        theirs.send(piece)
        assert listener.hear(wanted, room) is come
    assert theirs.recv(100) == b"\x8a\x82\0\0\0\0ab" + b"\x8a\x80\0\0\0\0" * 3
    theirs.send(wanted + b"?")
    with pytest.raises(WrongReply, match="differs"):
        listener.hear(wanted, room)
    theirs.close()
    with pytest.raises(WrongReply, match="hung up"):
        listener.hear(wanted, room)
    ours.close()


def test_a_wrong_broadcast_is_found() -> None:
    with serving(lambda connection, message: connection.send(b"something else")) as (_, port):
        with connected(task(port)) as socks, pytest.raises(WrongReply, match="broadcast"):
            broadcast(task(port), socks, turns(4))


def test_handshakes_are_counted_with_their_closing() -> None:
    with serving(lambda connection, message: None) as (app, port):
        count = handshakes(task(port, connections=2), turns(20))
        assert count >= 2
        opened = app.metrics.counter("hioload_connections_opened_total", "Opening handshakes done.")
        assert opened.value == count


def test_idle_connections_answer_pings() -> None:
    with serving(lambda connection, message: None, ping_interval_s=0.05) as (app, port):
        with connected(task(port)) as socks:
            assert answer_pings(socks, turns(10)) >= 2
            assert app.connection_count == 2
