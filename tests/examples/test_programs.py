"""The examples that are no servers: the clients, and the programs that end by themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from examples import client_blocking, client_callbacks, codec_alone, leases, tls_server, without_sockets
from hioload_ws import Server

NOBODY = "ws://127.0.0.1:1/"


@pytest.fixture
def echo_url() -> Iterator[str]:
    """Serve every path with its own messages."""
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: connection.send(message))
    with app.background() as url:
        yield url


def test_blocking_client_then_text_comes_back_as_text_and_bytes_as_bytes(
    echo_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["client_blocking.py", echo_url])
    assert client_blocking.main() == 0
    assert capsys.readouterr().out.splitlines() == [repr(each) for each in client_blocking.QUESTIONS]


def test_client_with_callbacks_then_it_prints_the_answers_and_closes(
    echo_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["client_callbacks.py", echo_url])
    assert client_callbacks.main() == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("connected to 127.0.0.1:")
    assert lines == ["< Hello!", "< Grüße", "< 你好", "closed: 1000 that was all"]


@pytest.mark.parametrize("main", [client_blocking.main, client_callbacks.main], ids=["blocking", "callbacks"])
def test_nobody_listens_then_one_line_says_so_and_the_exit_code_is_1(
    main: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", NOBODY])
    assert main() == 1
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["a"], 2), (["/nonexistent.pem", "/nonexistent.key"], 1)]
)
def test_tls_server_without_files_then_it_says_what_it_wants(
    words: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tls_server.py", *words])
    assert tls_server.main() == code
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("main", "lines"),
    [
        (
            codec_alone.main,
            [
                "asked for /chat, answered 101",
                "message: 'no sockets'",
                "close: 1000 'bye'",
                "client receives: False, server sends: False",
            ],
        ),
        (
            leases.main,
            [
                "asked for 5000 bytes, the slot holds 8192",
                "the origin is released, its slice still reads b'hello'",
                "still out: lease 1, 5000 bytes",
                "a mistake is answered: release() of a buffer without a count left",
                "acquired 1, in use 0",
            ],
        ),
        (
            without_sockets.main,
            [
                "    0.8 s  open",
                "    1.2 s  CAN YOU HEAR ME?",
                " 3601.6 s  closed: 1001 idle for too long",
            ],
        ),
    ],
    ids=["codec_alone", "leases", "without_sockets"],
)
def test_program_that_ends_by_itself_then_it_prints_what_it_shows(
    main: Callable[[], object], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    assert capsys.readouterr().out.splitlines() == lines
