"""The command line: exit codes, one-line errors, and processes that signals end."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
from pathlib import Path

import hioload_ws
import pytest
from hioload_ws import connect
from hioload_ws.adapters.blocking import BlockingConnection
from hioload_ws.adapters.cli import main
from hioload_ws.api import ConnectionLost
from tests.adapters.command import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    PATIENCE_S,
    command,
    complaint,
    next_line,
    refused,
)

# --- echo, as a process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_echo_is_ready_when_it_says_so_and_a_signal_ends_it(number: signal.Signals) -> None:
    with command("echo", "--port", "0") as process:
        ready = next_line(process)
        scheme, _, port = ready.rpartition(":")
        assert scheme == "listening on ws://127.0.0.1"
        with connect(f"ws://127.0.0.1:{port}/any/path") as connection:
            for data in ("text", b"binary", "x" * 100_000):
                connection.send(data)
                assert connection.receive(PATIENCE_S) == data
            process.send_signal(number)
            with pytest.raises(Exception, match="closed"):
                connection.receive(PATIENCE_S)
            assert connection.close_code == 1001
        assert process.communicate(timeout=PATIENCE_S) == ("", "")
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_right_after_the_ready_line_ends_echo_in_an_orderly_way(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    with command("echo", "--unix", str(path)) as process:
        assert next_line(process) == f"listening on ws+unix:{path}"
        assert path.is_socket()
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE_S) == ("", "")
        assert process.returncode == 0
    assert not path.exists()


def test_a_second_ctrl_c_does_not_wait_for_a_peer_that_does_not_go() -> None:
    with command("echo", "--port", "0") as process:
        port = next_line(process).rpartition(":")[2]
        with socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S) as peer:
            peer.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(4096)
            process.send_signal(signal.SIGINT)
            assert peer.recv(2) == b"\x88\x16"  # the close frame: the first signal has arrived
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
            assert process.communicate() == ("", "")


def test_echo_speaks_tls() -> None:
    with command("echo", "--host", "localhost", "--port", "0", "--tls", CERTIFICATE, KEY) as process:
        ready = next_line(process)
        assert ready.startswith("listening on wss://")
        trusting = ssl.create_default_context(cafile=AUTHORITY)
        with connect(f"wss://localhost:{ready.rpartition(':')[2]}/", tls=trusting) as connection:
            connection.send("secret")
            assert connection.receive(PATIENCE_S) == "secret"
        process.terminate()
        assert process.communicate(timeout=PATIENCE_S) == ("", "")
        assert process.returncode == 0


def test_a_port_that_is_taken_is_one_line_and_exit_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with command("echo", "--port", address.rpartition(":")[2]) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
    assert (out, process.returncode) == ("", 1)
    assert err.startswith(f"hioload-ws: something listens at {address} already")
    assert err.count("\n") == 1


# --- echo, in this process


def until_there(url: str, path: str) -> BlockingConnection:
    """Connect to a Unix socket as soon as somebody listens there."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        try:
            return connect(url, unix=path)
        except ConnectionLost:
            pause.wait(0.001)
    raise AssertionError("nobody listens")


def ended_by_a_visitor(path: str, *arguments: str) -> list[str | bytes]:
    """Run echo on this thread while another visits and ends it by a signal; return what the visitor heard."""
    heard: list[str | bytes] = []

    def visit() -> None:
        with until_there("ws://x/", path) as connection:
            connection.send("hello")
            heard.append(connection.receive(PATIENCE_S))
            # It has answered, so it runs, and the signal is its.
            os.kill(os.getpid(), signal.SIGTERM)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        assert main(["echo", *arguments]) == 0
    finally:
        visitor.join()
    return heard


def test_echo_runs_in_process_and_leaves_signals_as_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    path = str(tmp_path / "socket")
    assert ended_by_a_visitor(path, "--unix", path) == ["hello"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capsys.readouterr() == (f"listening on ws+unix:{path}\n", "")


def test_echo_takes_settings_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "socket")
    file = tmp_path / "server.toml"
    file.write_text(f"unix_path = {path!r}\nmax_connections = 1\n")
    assert ended_by_a_visitor(path, "--config", str(file)) == ["hello"]
    assert capsys.readouterr().out == f"listening on ws+unix:{path}\n"


def test_options_win_over_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "socket")
    file = tmp_path / "server.toml"
    file.write_text(f"unix_path = {str(tmp_path / 'other')!r}\n")
    assert ended_by_a_visitor(path, "--config", str(file), "--unix", path) == ["hello"]


def test_a_wrong_file_names_file_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.toml"
    file.write_text('# comment\nport = "high"\n\nmax_conections = 3\n')
    line = complaint(capsys, 2, "echo", "--config", str(file))
    assert f"{file}:2: port" in line
    assert f"{file}:4: max_conections" in line
    assert "max_connections" in line


def test_a_file_that_is_no_toml_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "server.toml"
    file.write_text("port = 1\nport port\n")
    line = complaint(capsys, 2, "echo", "--config", str(file))
    assert str(file) in line
    assert ":2: " in line


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_can_not_be_read_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / name)
    line = complaint(capsys, 2, "echo", "--config", file)
    assert "can't be read" in line
    assert file in line


@pytest.mark.parametrize("other", [["--port", "0"], ["--host", "localhost"]])
def test_a_unix_socket_and_a_port_exclude_each_other(
    other: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "socket"
    assert "--unix" in complaint(capsys, 2, "echo", "--unix", str(path), *other)
    assert not path.exists()


def test_files_for_tls_that_do_not_fit_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, 2, "echo", "--port", "0", "--tls", "absent.pem", "absent.key")
    assert "absent.pem" in line
    assert "absent.key" in line


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "absent" / "socket")
    assert path in complaint(capsys, 2, "echo", "--unix", path)


# --- the parser


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "COMMAND"),
        (["eco"], "invalid choice: 'eco'"),
        (["echo", "--prot", "1"], "--prot"),
        (["echo", "--port", "65536"], "a number from 0 to 65535"),
        (["echo", "--port", "-1"], "a number from 0 to 65535"),
        (["echo", "--port", "80a"], "'80a' is not a port"),
        (["echo", "--port", "²"], "is not a port"),
        (["echo", "--port", "9" * 5000], "is not a port"),
        (["echo", "--tls", "cert.pem"], "expected 2 arguments"),
        (["demo", "--port", "http"], "'http' is not a port"),
        (["connect"], "URL"),
        (["connect", "ws://x", "--max-redirects", "many"], "'many' is not a number of redirects"),
        (["connect", "ws://x", "--max-redirects", "999"], "'999' is not a number of redirects"),
        (["connect", "ws://x", "--wait", "long"], "'long' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "-1"], "'-1' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "nan"], "'nan' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "inf"], "'inf' is not a number of seconds"),
        (["connect", "ws://x", "--max-redirects", "-1"], "'-1' is not a number of redirects"),
        (["connect", "ws://x", "--max-redirects", "101"], "'101' is not a number of redirects"),
        (["connect", "ws://x", "--max-redirects", "1e1"], "'1e1' is not a number of redirects"),
        (["probe", "--yaml"], "--yaml"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_exit_code_2_and_a_hint(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hint in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["echo", "demo", "connect", "probe", "--version", "COMMAND --help"]),
        (["echo", "--help"], ["--host", "--port", "--unix", "--tls", "--config", "127.0.0.1", "9001", "Ctrl-C"]),
        (["demo", "--help"], ["--host", "--port", "--browser", "--once", "127.0.0.1", "9001"]),
        (["connect", "--help"], ["ws://", "--header", "--ca", "--unix", "--wait", "/ping", "/close", "exit code"]),
        (["connect", "--help"], ["--proxy", "--max-redirects", "--reconnect"]),
        (["probe", "--help"], ["--json", "NUMA"]),
    ],
)
def test_help_names_what_there_is_and_fits_a_terminal(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert [word for word in words if word not in text] == []
    assert max(map(len, text.splitlines())) <= 110


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"hioload-ws {hioload_ws.__version__}\n"


# --- connect
