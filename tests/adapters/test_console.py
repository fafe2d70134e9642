"""Console: an interactive client on live sockets, its input a pipe, its output a text that can be read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hioload_ws import Connection, HandshakeFailed, Message, OpenEvent, Request, Response, Server
from hioload_ws.adapters import backoff, console
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.bench import Bench
from tests.adapters.terminal import Terminal, wait_for_readers


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


def test_lines_that_come_while_there_is_no_connection_wait_for_the_next_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff.Backoff, "delay_s", lambda self, failure_count, draw: 0.0)
    app = Server("127.0.0.1", 0)
    received: list[str] = []
    asked: list[int] = []

    @app.on_request
    def refuse(request: Request) -> Response | None:
        asked.append(1)
        if len(asked) == 2:
            terminal.type("first\nlast\n")
            return Response(503)
        return None

    @app.on_open
    def greet(event: OpenEvent) -> None:
        if len(asked) == 1:
            event.connection.close(1012, "back soon\x07")  # a word that a terminal must not obey

    @app.on_message
    def note(connection: Connection, message: Message) -> None:
        received.append(message.text)
        if message.text == "last":
            connection.close(1000)

    with app.background() as url:
        assert console.run(url, reconnect=True, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert received == ["first", "last"]
    assert terminal.lines == [
        f"connected to {url}",
        "! closed: 1012 back soon\\x07; again in 0.0 s",
        "! the server did not switch protocols (status=503); again in 0.0 s",
        f"connected to {url}",
        "closed: 1000",
    ]


def test_a_close_that_was_typed_is_the_end_whatever_its_code_is(app: Server, terminal: Terminal) -> None:
    terminal.type("/close 1001\n")
    with app.background() as url:
        assert console.run(url, reconnect=True, input_fd=terminal.input_fd, output=terminal.output) == 0
    assert terminal.lines[-1] == "closed: 1001"


def test_coming_back_ends_at_a_refusal_that_time_can_not_mend(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff.Backoff, "delay_s", lambda self, failure_count, draw: 0.0)
    answers = [Response(503), Response(401)]
    app = Server("127.0.0.1", 0)
    app.on_request(lambda request: answers.pop(0))
    with app.background() as url, pytest.raises(HandshakeFailed) as caught:
        console.run(url, reconnect=True, input_fd=terminal.input_fd, output=terminal.output)
    assert caught.value.status == 401
    assert terminal.lines == ["! the server did not switch protocols (status=503); again in 0.0 s"]
