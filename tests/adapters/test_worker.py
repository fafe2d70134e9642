"""One worker: what a forked child does, played on a thread; and real ones behind the command line."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hioload_ws import Server, connect
from hioload_ws.adapters.crew import SharedListener
from hioload_ws.adapters.worker import ThreadWorker, be_worker
from hioload_ws.api import ConnectionLost, InvalidArgument, Poller, TransportClosed
from hioload_ws.internal.pollers import default_poller
from hioload_ws.internal.supervisor import Seat
from tests.adapters.command import PATIENCE_S, command, next_line
from tests.adapters.workers import make_app

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Supervising:
    """The supervisor's end of a pair, without a supervisor."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(PATIENCE_S)
        self.end = end

    def send(self, *message: object) -> None:
        data = pickle.dumps(message)
        self.end.sendall(struct.pack(">I", len(data)) + data)

    def receive(self) -> object:
        """Return the next message, ``None`` at the end."""
        head = self.end.recv(4, socket.MSG_WAITALL)
        return pickle.loads(self.end.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)) if head else None


@contextmanager
def child(**settings: object) -> Iterator[tuple[Server, Supervising, list[BaseException]]]:
    """Play the child of a fork on a thread of its own."""
    errors: list[BaseException] = []
    app = make_app("process", **settings)
    app._on_error = lambda error, origin: errors.append(error)
    app.start()
    crew = app._crew
    assert crew is not None
    near, far = socket.socketpair()
    listener = crew.listeners[0]
    for each in crew.listeners[1:]:
        each.close()
    thread = threading.Thread(target=be_worker, args=(crew, SharedListener(listener), None, far))
    thread.start()
    try:
        yield app, Supervising(near), errors
    finally:
        near.close()  # a child ends with its parent
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        listener.close()


@needs_fork
def test_a_child_says_that_it_serves_tells_its_numbers_and_ends_with_its_parent() -> None:
    with child() as (app, supervisor, errors):
        assert supervisor.receive() == ("ready", None)
        with connect(app.url) as connection:
            connection.send("who")
            assert connection.receive(PATIENCE_S)
        numbers = supervisor.receive()
        assert isinstance(numbers, tuple)
        assert numbers[0] == "numbers"
        assert "hioload_messages_received_total" in {family[0] for family in numbers[1]}
    assert errors == []


@needs_fork
def test_a_child_drains_when_it_is_told_and_its_last_words_are_its_numbers() -> None:
    with child() as (app, supervisor, _):
        assert supervisor.receive() == ("ready", None)
        with connect(app.url) as connection:
            supervisor.send("drain", 5_000_000_000)
            with pytest.raises(TransportClosed):
                connection.receive(PATIENCE_S)
            assert connection.close_code == 1001
        last: object = None
        while (message := supervisor.receive()) is not None:
            last = message
        assert isinstance(last, tuple)
        assert last[0] == "numbers"
        found = {family[0]: family[3] for family in last[1]}
        assert found["hioload_connections_closed_total"][0][2] == 1


@needs_fork
def test_a_child_reports_a_change_that_its_own_hooks_refuse() -> None:
    def refuse(old: object, new: object) -> None:
        raise InvalidArgument("not here")

    with child() as (app, supervisor, errors):
        assert supervisor.receive() == ("ready", None)
        supervisor.send("config", {"max_connections": 5})
        with connect(app.url) as connection:
            connection.send("limit")
            assert connection.receive(PATIENCE_S) == "5"
        app.control.on_reload(refuse)
        supervisor.send("config", {"max_connections": 6})
        with connect(app.url) as connection:
            connection.send("limit")
            assert connection.receive(PATIENCE_S) == "5"
    assert [str(error) for error in errors] == ["not here"]


@needs_fork
def test_whoever_was_let_in_before_a_child_drains_gets_an_answer() -> None:
    with child() as (app, supervisor, _):
        assert supervisor.receive() == ("ready", None)
        address = (app.address.host, app.address.port)  # type: ignore[union-attr]  # TCP
        with socket.create_connection(address, PATIENCE_S) as late, connect(app.url) as other:
            other.send("who")
            other.receive(PATIENCE_S)  # so both were accepted
            supervisor.send("drain", 5_000_000_000)
            with pytest.raises(TransportClosed):
                other.receive(PATIENCE_S)
            late.sendall(
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            answer = b""
            while b"\x88" not in answer:
                answer += late.recv(1000)
            assert answer.startswith(b"HTTP/1.1 101")
            assert b"\x03\xe9" in answer  # close code 1001


def test_a_thread_that_is_asked_to_end_before_it_serves_ends_all_the_same() -> None:
    was_asked = threading.Event()

    def make_poller() -> Poller:
        if threading.current_thread() is not threading.main_thread():
            assert was_asked.wait(PATIENCE_S)  # it is about to start
        return default_poller()

    app = make_app("thread", poller=make_poller)
    app.start()
    crew = app._crew
    assert crew is not None
    worker = ThreadWorker(crew, Seat(crew.supervisor, 0, 0), SharedListener(crew.listeners[0]), None, 1)
    worker.stop()
    was_asked.set()
    worker.reap()
    app.shutdown()


@needs_fork
def test_the_command_serves_with_workers_until_it_is_asked_to_end() -> None:
    with command("echo", "--port", "0", "--workers", "2") as process:
        url = next_line(process).removeprefix("listening on ")
        with connect(url) as connection:
            connection.send("hello")
            assert connection.receive(PATIENCE_S) == "hello"
            process.send_signal(signal.SIGUSR2)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(TransportClosed):
                connection.receive(PATIENCE_S)
            assert connection.close_code == 1001
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@needs_fork
def test_no_worker_outlives_its_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIOLOAD_WORKER_KIND", "process")
    with command("echo", "--port", "0", "--workers", "2") as process:
        url = next_line(process).removeprefix("listening on ")
        with connect(url) as connection:
            process.kill()
            with pytest.raises(TransportClosed):
                connection.receive(PATIENCE_S)
        while True:
            try:
                connect(url).close()
            except ConnectionLost:
                break  # refused: the last one that listened has gone


@needs_fork
def test_a_changed_file_reaches_the_workers_on_a_hangup_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("max_message_bytes = 100000\n")
    with command("echo", "--port", "0", "--workers", "2", "--config", str(file)) as process:
        url = next_line(process).removeprefix("listening on ")

        def longest_accepted() -> set[bool]:
            """Ask over many connections whether ten bytes are accepted."""
            answers = set()
            for _ in range(16):
                with connect(url) as connection:
                    connection.send(b"0123456789")
                    try:
                        answers.add(connection.receive(PATIENCE_S) == b"0123456789")
                    except TransportClosed:
                        answers.add(False)
            return answers

        assert longest_accepted() == {True}
        file.write_text("max_message_bytes = -1\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        while "max_message_bytes" not in process.stderr.readline():
            pass  # the lines of a traceback
        file.write_text("max_message_bytes = 5\n")
        process.send_signal(signal.SIGHUP)
        while longest_accepted() != {False}:
            pass  # until both have it
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
