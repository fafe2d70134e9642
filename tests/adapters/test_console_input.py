"""The console and what it reads: files, pipes, pieces of lines, and an end at any moment."""

from __future__ import annotations

import io
import os
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest
from hioload_ws import Connection, Message, OpenEvent, Server
from hioload_ws.adapters import console
from hioload_ws.adapters.reconnect import Reconnect
from hioload_ws.api import ConnectionLost, HandshakeFailed, InvalidArgument, ProtocolViolation
from tests.adapters.bench import Bench
from tests.adapters.terminal import CERTIFICATES, PATIENCE_S, Terminal, wait_for_readers


def test_a_file_that_is_longer_than_the_network_takes_at_once_arrives_whole(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "MAX_LINES", 4)
    monkeypatch.setattr(console, "MAX_PENDING_BYTES", 10_000)
    line_bytes, line_count = 100_000, 200
    congested = threading.Event()
    pending_bytes: list[int] = []
    obey = console.obey

    def watch(connection: Connection, line: str, output: io.StringIO) -> int | None:
        code = obey(connection, line, output)
        pending_bytes.append(connection.pending_bytes)
        if pending_bytes[-1] > line_bytes + 10_000:
            congested.set()
        return code

    def type_all() -> None:
        terminal.type((b"x" * (line_bytes - 1) + b"\n") * line_count)
        terminal.end()

    monkeypatch.setattr(console, "obey", watch)
    received: list[int] = []
    app = Server("127.0.0.1", 0)

    @app.on_message
    def count(connection: Connection, message: Message) -> None:
        received.append(len(message))
        assert congested.wait(PATIENCE_S)  # nothing more is read until there is too much

    typist = threading.Thread(target=type_all)
    with app.background() as url:
        typist.start()
        assert console.run(url, wait_s=0, input_fd=terminal.input_fd, output=terminal.output) == 0
        typist.join()
    assert congested.is_set()
    assert received == [line_bytes - 1] * line_count
    assert max(pending_bytes) <= 10_000 + 5 * (line_bytes + 14)


class HeldClient:
    """As much of ``Reconnect`` and of its client as a talk needs; what is posted waits until a test runs it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.client = self
        self.posted: queue.Queue[Callable[[], object]] = queue.Queue()

    def stop(self) -> None:
        self.connection.close()

    def post(self, function: Callable[[], object]) -> bool:
        self.posted.put(function)
        return True

    def run_next(self) -> None:
        """Run the next function that is posted."""
        self.posted.get(timeout=PATIENCE_S)()


def test_lines_keep_their_room_as_long_as_the_connection_has_much_to_send(
    make_bench: Callable[..., Bench], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "MAX_LINES", 2)
    monkeypatch.setattr(console, "MAX_PENDING_BYTES", 10)
    bench = make_bench()
    connection, peer = bench.open()
    client = HeldClient(connection)
    talk = console._Talk("ws://nowhere/", Mock(), 0, terminal.input_fd, terminal.output)
    talk._comeback = cast(Reconnect, client)
    terminal.type("first line\nsecond line\nthird line\n")
    terminal.end()
    reader = talk._reader
    reader.start()
    client.run_next()
    client.run_next()
    talk._give_back()  # 25 bytes wait to be sent
    assert not talk._room.acquire(blocking=False)
    assert client.posted.empty()
    bench.turn()
    talk._give_back()  # now none
    client.run_next()
    assert client.posted.empty()  # the end of the input waits for the third line to leave
    bench.turn()
    talk._give_back()
    client.run_next()
    reader.join(PATIENCE_S)
    talk._give_back()
    assert not talk._room.acquire(blocking=False)  # whoever ended the input keeps all of it
    bench.turn()
    *lines, _ = peer.events()
    texts = [bytes(line.data) for line in lines]  # type: ignore[union-attr]  # they are messages
    assert texts == [b"first line", b"second line", b"third line"]


def test_a_line_without_a_connection_is_held_and_sent_first_on_the_next_one(
    make_bench: Callable[..., Bench], terminal: Terminal
) -> None:
    bench = make_bench()
    connection, peer = bench.open()
    other, other_peer = bench.open()
    client = HeldClient(connection)
    talk = console._Talk("ws://nowhere/", Mock(), 0, terminal.input_fd, terminal.output)
    talk._comeback = cast(Reconnect, client)
    connection.close()
    talk._obey("closing")
    client.client = None  # type: ignore[assignment]  # between two attempts
    talk._obey("between")
    talk._give_back()
    client.client = Mock(connection=other)
    terminal.end()
    talk._begin(OpenEvent(other))
    talk._obey("later")
    bench.turn()
    texts = [bytes(line.data) for line in other_peer.events()]  # type: ignore[union-attr]  # they are messages
    assert texts == [b"closing", b"between", b"later"]
    talk._over.set()
    talk._room.release(console.MAX_LINES)


def test_a_conversation_that_ends_frees_the_thread_that_waits_for_room(
    app: Server, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "MAX_LINES", 1)
    terminal.type("bye\n" + "more\n" * 1000)
    with app.background() as url:
        console.run(url, input_fd=terminal.input_fd, output=terminal.output)
    wait_for_readers()
    assert not [thread for thread in threading.enumerate() if thread.daemon]


def test_an_output_that_nobody_reads_ends_the_conversation(app: Server, terminal: Terminal) -> None:
    reading_fd, writing_fd = os.pipe()
    os.close(reading_fd)
    with app.background() as url, pytest.raises(BrokenPipeError):
        output = os.fdopen(writing_fd, "w")
        try:
            console.run(url, input_fd=terminal.input_fd, output=output)
        finally:
            with pytest.raises(BrokenPipeError):
                output.close()


def test_standard_output_is_the_default(
    app: Server, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.end()
    with app.background() as url:
        console.run(url, wait_s=0, input_fd=terminal.input_fd)
    assert capsys.readouterr().out == f"connected to {url}\nclosed: 1000\n"


def test_nobody_there_is_connection_lost(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionLost):
        console.run(f"ws://127.0.0.1:{port}/", input_fd=terminal.input_fd, output=terminal.output)
    assert terminal.lines == []


def test_a_server_that_refuses_is_handshake_failed(terminal: Terminal) -> None:
    with Server("127.0.0.1", 0).background() as url, pytest.raises(HandshakeFailed) as caught:
        console.run(url, input_fd=terminal.input_fd, output=terminal.output)
    assert caught.value.status == 404


def test_a_server_that_breaks_the_protocol_is_named_after_the_close(terminal: Terminal) -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: None)

    @app.on_open
    def break_it(event: object) -> None:
        for connection in app.connections:
            connection.queue_head(b"\xff\xff")  # type: ignore[attr-defined]  # reserved bits and opcode

    with app.background() as url, pytest.raises(ProtocolViolation):
        console.run(url, input_fd=terminal.input_fd, output=terminal.output)
    assert terminal.lines[-1].startswith("closed: 1002")


def test_a_malformed_header_is_refused_before_anything_is_opened(terminal: Terminal) -> None:
    with pytest.raises(InvalidArgument, match="NAME:VALUE"):
        console.run("ws://127.0.0.1:1/", headers=["no colon"], input_fd=terminal.input_fd)


def test_tls_with_an_authority_of_one_s_own(terminal: Terminal) -> None:
    app = Server("localhost", 0, tls=(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key"))
    app.on_message(lambda connection, message: None)
    terminal.end()
    with app.background() as url:
        url = f"wss://localhost:{url.rpartition(':')[2]}/"
        authority = str(CERTIFICATES / "authority.pem")
        assert console.run(
            url, ca_file=authority, wait_s=0, input_fd=terminal.input_fd, output=terminal.output
        ) == 0  # fmt: skip


def test_a_unix_socket(tmp_path: Path, terminal: Terminal) -> None:
    path = str(tmp_path / "socket")
    app = Server(unix=path)
    app.on_message(lambda connection, message: connection.send(connection.path))
    terminal.type("where?\n")

    def end_after_the_answer() -> None:
        wait_until(lambda: "< /x" in terminal.lines)
        terminal.end()

    with app.background():
        watcher = threading.Thread(target=end_after_the_answer)
        watcher.start()
        assert console.run(
            "ws://host/x", unix=path, wait_s=0, input_fd=terminal.input_fd, output=terminal.output
        ) == 0  # fmt: skip
        watcher.join()
    assert terminal.lines == ["connected to ws://host/x", "< /x", "closed: 1000"]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does, with a time limit."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([], []),
        ([b"a"], ["a"]),
        ([b"a\n"], ["a"]),
        ([b"a\r\nb\r", b"\nc"], ["a", "b", "c"]),
        ([b"\n\n"], ["", ""]),
        (["ü".encode()[:1], "ü".encode()[1:] + b"\n"], ["ü"]),
        ([b"a\xffb\n\xc3"], ["a\ufffdb", "\ufffd"]),
    ],
)
def test_lines_come_whole_however_they_are_cut(
    pieces: list[bytes], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [*pieces, b""]
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", lambda fd, size: waiting.pop(0))
        assert list(console._lines(0)) == lines
