"""Console: an interactive client on live sockets, its input a pipe, its output a text that can be read."""

from __future__ import annotations

import io
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws import Client, Connection, Message, Server
from hioload_ws.adapters import console
from hioload_ws.api import ConnectionLost, HandshakeFailed, InvalidArgument, InvalidState, ProtocolViolation
from tests.adapters.bench import Bench

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
PATIENCE_S = 20.0


class Terminal:
    """A pipe to type into, and a place where everything that is shown ends up."""

    def __init__(self) -> None:
        self.input_fd, self._typing_fd = os.pipe()
        self._typing = True
        self.output = io.StringIO()

    def type(self, text: str | bytes) -> None:
        """Type; blocks while the pipe is full."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._typing_fd, data) :]

    def end(self) -> None:
        """The input ends."""
        if self._typing:
            self._typing = False
            os.close(self._typing_fd)

    @property
    def lines(self) -> list[str]:
        """What was shown."""
        return self.output.getvalue().splitlines()


def wait_for_readers() -> None:
    """Wait until no thread reads the input any more."""
    for thread in threading.enumerate():
        if thread.daemon:
            thread.join(PATIENCE_S)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal that is cleaned up, reading thread included."""
    terminal = Terminal()
    yield terminal
    terminal.end()
    wait_for_readers()
    os.close(terminal.input_fd)


@pytest.fixture
def app() -> Server:
    """Return an echo server that ends a conversation when it is told ``bye``, not started."""
    app = Server("127.0.0.1", 0, subprotocols=["chat"])

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)
        if bytes(message.data) == b"bye":
            connection.close(1000, "bye bye")

    return app


def test_lines_are_sent_and_answers_shown(app: Server, terminal: Terminal) -> None:
    terminal.type("hello\nGrüße, 你好\r\n\n//slash\nbye\n")
    with app.background() as url:
        assert console.run(url, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert terminal.lines == [
        f"connected to {url}", "< hello", "< Grüße, 你好", "< ", "< /slash", "< bye", "closed: 1000 bye bye"
    ]  # fmt: skip


def test_the_end_of_the_input_closes_politely(app: Server, terminal: Terminal) -> None:
    codes: list[int] = []
    received: list[str] = []
    app = Server("127.0.0.1", 0)
    app.on_close(lambda event: codes.append(event.code))
    app.on_message(lambda connection, message: received.append(message.text))
    terminal.type("first\nlast without an end")
    terminal.end()
    with app.background() as url:
        assert console.run(url, wait_s=0, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert received == ["first", "last without an end"]
    assert codes == [1000]
    assert terminal.lines[-1] == "closed: 1000"


def test_answers_after_the_end_of_the_input_are_waited_for(app: Server, terminal: Terminal) -> None:
    terminal.type("question\nbye")
    terminal.end()
    with app.background() as url:
        assert console.run(url, wait_s=3600, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert terminal.lines[1:] == ["< question", "< bye", "closed: 1000 bye bye"]


def test_an_input_that_can_not_be_read_is_at_its_end(app: Server, tmp_path: Path) -> None:
    output = io.StringIO()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with app.background() as url:
            assert console.run(url, wait_s=0, input_fd=folder, output=output) == 0
        wait_for_readers()
    finally:
        os.close(folder)
    assert output.getvalue().splitlines()[1:] == ["closed: 1000"]


def test_the_code_that_was_asked_for_is_a_clean_one_and_later_lines_are_not_sent(terminal: Terminal) -> None:
    received: list[str] = []
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: received.append(message.text))
    terminal.type("hello\n/close 3000 bye and thanks\nlate\n")
    with app.background() as url:
        assert console.run(url, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert received == ["hello"]
    assert terminal.lines[-1] == "closed: 3000 bye and thanks"


@pytest.mark.parametrize(("code", "result"), [(1000, 0), (1001, 0), (1008, 1), (1011, 1), (3000, 1), (4999, 1)])
def test_when_the_server_closes_first_its_code_decides(code: int, result: int, terminal: Terminal) -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: None)
    app.on_open(lambda event: event.connection.close(code, "go"))
    with app.background() as url:
        assert console.run(url, input_fd=terminal.input_fd, output=terminal.output) == result
    assert terminal.lines == [f"connected to {url}", f"closed: {code} go"]


def test_the_agreed_subprotocol_is_shown_and_headers_are_sent(app: Server, terminal: Terminal) -> None:
    seen: list[str | None] = []
    app.on_open(lambda event: seen.append(event.connection.request.header("X-Token")))
    terminal.end()
    with app.background() as url:
        console.run(
            url,
            headers=["X-Token:  a:b "],
            subprotocols=["other", "chat"],
            wait_s=0,
            input_fd=terminal.input_fd,
            output=terminal.output,
        )
    assert terminal.lines[0] == f"connected to {url}, subprotocol chat"
    assert seen == ["a:b"]


def test_binary_messages_are_shown_in_hexadecimal_and_long_ones_cut(terminal: Terminal) -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: None)

    @app.on_open
    def greet(event: object) -> None:
        for connection in app.connections:
            for payload in (b"", b"\x00\xff", bytes(range(64)), bytes(range(65))):
                connection.send(payload)
            connection.close()

    with app.background() as url:
        assert console.run(url, input_fd=terminal.input_fd, output=terminal.output) == 0
    shown = bytes(range(64)).hex(" ")
    assert terminal.lines[1:-1] == [
        "< [0 bytes]", "< [2 bytes] 00 ff", f"< [64 bytes] {shown}", f"< [65 bytes] {shown}…"
    ]  # fmt: skip


def test_a_server_can_not_command_the_terminal_or_forge_our_lines(terminal: Terminal) -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: None)

    @app.on_open
    def be_rude(event: object) -> None:
        for connection in app.connections:
            connection.send("\x1b[2J\r\x07\x7f\x9b\tü\nclosed: 1000")
            connection.close(1000, "\x1b]0;title\x07\nconnected")

    with app.background() as url:
        assert console.run(url, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert terminal.output.getvalue() == (
        f"connected to {url}\n"
        "< \\x1b[2J\\x0d\\x07\\x7f\\x9b\tü\n"
        "  closed: 1000\n"
        "closed: 1000 \\x1b]0;title\\x07\n"
        "  connected\n"
    )


@given(st.text())
def test_any_text_that_is_printable_stays_as_it_is_and_no_control_gets_through(text: str) -> None:
    shown = console.printable(text)
    assert (shown == text) == all(char == "\t" or not (char < " " or "\x7f" <= char < "\xa0") for char in text)
    assert not any(char < " " or "\x7f" <= char < "\xa0" for char in shown if char not in "\t\n")


def test_what_makes_no_sense_is_complained_about_and_the_conversation_goes_on(bench: Bench) -> None:
    connection, peer = bench.open()
    output = io.StringIO()
    for line in (
        "/nope", "/", "/pings", "/ping " + "x" * 126, "/close now", "/close ²²²²", "/close 99999", "/close 1005",
        "/close 1000 " + "r" * 124,
    ):  # fmt: skip
        before = output.tell()
        assert console.obey(connection, line, output) is None
        complaint = output.getvalue()[before:]
        assert complaint.startswith("! ")
        assert complaint.count("\n") == 1
    bench.turn()
    assert peer.events() == []
    assert console.obey(connection, "fine", output) is None
    bench.turn()
    assert peer.messages() == [b"fine"]
    assert "/ping" in output.getvalue().splitlines()[0]
    assert "/close" in output.getvalue().splitlines()[0]


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [("/close", 1000, ""), ("/close 3000", 3000, ""), ("/close 4999 good  night", 4999, "good  night")],
)
def test_close_takes_a_code_and_a_reason(bench: Bench, line: str, code: int, reason: str) -> None:
    connection, _ = bench.open()
    assert console.obey(connection, line, io.StringIO()) == code
    assert connection.close_reason == reason
    assert console.obey(connection, "/close 3001", io.StringIO()) is None  # it is closing already


def test_a_ping_is_sent(bench: Bench) -> None:
    connection, peer = bench.open()
    for line in ("/ping", "/ping one two"):
        console.obey(connection, line, io.StringIO())
    bench.turn()
    assert [bytes(event.payload) for event in peer.events()] == [b"", b"one two"]  # type: ignore[union-attr]  # pings


def test_a_full_send_limit_is_a_complaint(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(send_limit_bytes=10, high_water_bytes=10, low_water_bytes=0)
    connection, _ = bench.open()
    output = io.StringIO()
    console.obey(connection, "x" * 11, output)
    assert output.getvalue().startswith("! the peer does not read fast enough")


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
    """As much of a client as a talk needs; what is posted waits until a test runs it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.posted: queue.Queue[Callable[[], object]] = queue.Queue()

    def on_open(self, handler: object) -> None:
        """The test plays the opening."""

    def on_message(self, handler: object) -> None:
        """There are none."""

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
    talk = console._Talk(cast(Client, client), 0, terminal.input_fd, terminal.output)
    terminal.type("first line\nsecond line\nthird line\n")
    terminal.end()
    reader = threading.Thread(target=talk._read, args=(connection,))
    reader.start()
    client.run_next()
    client.run_next()
    talk._give_back()  # 25 bytes wait to be sent
    assert not talk._room.acquire(blocking=False)
    assert client.posted.empty()
    bench.turn()
    talk._give_back()  # now none
    client.run_next()
    client.run_next()  # the end of the input
    reader.join(PATIENCE_S)
    talk._give_back()  # the third line waits, and keeps one of two places
    assert [talk._room.acquire(blocking=False) for _ in range(2)] == [True, False]
    bench.turn()
    talk._give_back()
    talk._give_back()
    assert [talk._room.acquire(blocking=False) for _ in range(2)] == [True, False]
    *lines, _ = peer.events()
    assert [bytes(line.data) for line in lines] == [b"first line", b"second line", b"third line"]  # type: ignore[union-attr]  # messages


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


def test_a_client_that_is_closed_before_it_connected_says_so(
    app: Server, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "ended", True)
    with app.background() as url, pytest.raises((InvalidState, ConnectionLost)):
        console.run(url, input_fd=terminal.input_fd, output=terminal.output)


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
