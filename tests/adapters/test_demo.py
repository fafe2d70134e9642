"""Demo: the page, the health check and the chat on one port, and the demo's visit to itself."""

from __future__ import annotations

import os
import signal
import socket
import threading
import webbrowser
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from hioload_ws import Server, connect
from hioload_ws.adapters import demo
from hioload_ws.adapters.blocking import BlockingConnection
from hioload_ws.api import AlreadyExists, HandshakeFailed
from hioload_ws.adapters.demo_page import PAGE

PATIENCE_S = 20.0


def get(url: str, path: str, method: str = "GET") -> tuple[int, str | None, bytes]:
    """Return status, type and body of an answer to plain HTTP."""
    http = HTTPConnection(url.removeprefix("ws://"), timeout=PATIENCE_S)
    try:
        http.request(method, path)
        response = http.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()
    finally:
        http.close()


def hear(connection: BlockingConnection, count: int) -> list[str | bytes]:
    """Return the next lines of the chat."""
    return [connection.receive(PATIENCE_S) for _ in range(count)]


def test_browsers_get_the_page() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url:
        assert get(url, "/") == (200, "text/html; charset=utf-8", PAGE.encode())
        assert get(url, "/?from=link")[2] == PAGE.encode()


def test_the_health_check_says_ok() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url:
        status, _, body = get(url, "/health")
    assert (status, body) == (200, b"ok\n")


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/favicon.ico"), ("GET", "/chat/x")])
def test_other_plain_requests_are_refused(method: str, path: str) -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url:
        assert 400 <= get(url, path, method)[0] < 500


def test_a_handshake_for_the_page_s_own_path_gets_no_page() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url:
        with pytest.raises(HandshakeFailed) as caught:
            connect(url + "/")
    assert caught.value.status == 404


def test_two_guests_hear_each_other_come_speak_and_leave() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url, connect(url + "/chat/ann") as ann:
        assert hear(ann, 1) == ["* ann is here"]
        with connect(url + "/chat/B%C3%B6b") as bob:
            assert hear(ann, 1) == ["* Böb is here"]
            assert hear(bob, 2) == ["* ann is here", "* Böb is here"]  # the first line is history
            bob.send("hello <b>ann</b>")
            ann.send("hello")
            assert set(hear(ann, 2)) == set(hear(bob, 2)) == {"Böb: hello <b>ann</b>", "ann: hello"}
        assert hear(ann, 1) == ["* Böb has left"]
        with connect(url + "/chat/cyd") as cyd:
            assert len(hear(cyd, 6)) == 6
            assert hear(ann, 1) == ["* cyd is here"]


def test_a_newcomer_sees_the_last_lines_only() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url, ExitStack() as stack:
        first = stack.enter_context(connect(url + "/chat/first"))
        for number in range(demo.KEPT_LINES + 10):
            first.send(str(number))
        hear(first, demo.KEPT_LINES + 11)
        second = stack.enter_context(connect(url + "/chat/second"))
        expected = [f"first: {number}" for number in range(10, demo.KEPT_LINES + 10)]
        assert hear(second, demo.KEPT_LINES + 1) == [*expected, "* second is here"]


def test_binary_messages_are_nothing_to_say() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url, connect(url + "/chat/a") as guest:
        guest.send(b"binary")
        guest.send("text")
        assert hear(guest, 2) == ["* a is here", "a: text"]


def test_a_long_name_is_shortened_and_a_long_line_ends_the_connection() -> None:
    with demo.chat_server("127.0.0.1", 0).background() as url, connect(f"{url}/chat/{'n' * 99}") as guest:
        assert hear(guest, 1) == [f"* {'n' * 30} is here"]
        guest.send("x" * 65_537)
        with pytest.raises(Exception, match="closed|broke"):
            guest.receive(PATIENCE_S)
        assert guest.close_code == 1009


def test_once_shows_the_lines_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run("127.0.0.1", 0, once=True) == 0
    out, err = capsys.readouterr()
    first, *rest = out.splitlines()
    assert first.startswith("listening on ws://127.0.0.1:")
    assert rest == ["  received: * demo is here", *(f"  received: demo: {line}" for line in demo.LINES)]
    assert err == ""


@pytest.mark.parametrize("browser", [False, True])
def test_without_once_it_invites_a_browser_and_serves_until_a_signal(
    browser: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []
    made: list[Server] = []
    chat_server = demo.chat_server

    def keep(host: str, port: int) -> Server:
        made.append(chat_server(host, port))
        made[0].on_close(lambda event: waiting.set())
        return made[0]

    def use() -> None:
        assert waiting.wait(PATIENCE_S)  # for the demo's own guest to leave
        with connect(made[0].url + "/chat/late") as late:
            assert late.receive(PATIENCE_S) == "* demo is here"
        os.kill(os.getpid(), signal.SIGTERM)

    waiting = threading.Event()
    monkeypatch.setattr(demo, "chat_server", keep)
    monkeypatch.setattr(webbrowser, "open", pages.append)
    visitor = threading.Thread(target=use)
    visitor.start()
    assert demo.run("127.0.0.1", 0, browser=browser) == 0
    visitor.join()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("open http://127.0.0.1:")
    page = last.split()[1]
    assert pages == ([page] if browser else [])


@pytest.mark.parametrize(("once", "code"), [(True, 1), (False, 0)])
def test_a_visit_that_fails_is_one_line_and_with_once_an_exit_code(
    once: bool, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_server(host: str, port: int) -> Server:
        app = Server(host, port)
        app.on_message(lambda connection, message: app.shutdown())
        return app

    monkeypatch.setattr(demo, "chat_server", broken_server)
    assert demo.run("127.0.0.1", 0, once=once) == code
    err = capsys.readouterr().err
    assert err.startswith("hioload-ws: the demo's own visit ended early: ")
    assert err.count("\n") == 1


def test_what_others_said_can_not_command_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_server = demo.chat_server

    def rude_server(host: str, port: int) -> Server:
        app = chat_server(host, port)
        app.on_open(lambda event: event.connection.send("\x1b[2J"))
        return app

    monkeypatch.setattr(demo, "chat_server", rude_server)
    assert demo.run("127.0.0.1", 0, once=True) == 0
    out = capsys.readouterr().out
    assert "\\x1b[2J" in out
    assert "\x1b" not in out


def test_a_port_that_is_taken_is_an_error_before_anything_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AlreadyExists):
            demo.run("127.0.0.1", taken.getsockname()[1])
    assert capsys.readouterr().out == ""
