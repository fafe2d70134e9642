"""The command line: exit codes, one-line errors, and processes that signals end."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hioload_ws
from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters import probe
from hioload_ws.adapters.blocking import BlockingConnection
from hioload_ws.adapters.cli import main
from hioload_ws.api import ConnectionLost

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
AUTHORITY = str(CERTIFICATES / "authority.pem")
CERTIFICATE = str(CERTIFICATES / "localhost.pem")
KEY = str(CERTIFICATES / "localhost.key")
PATIENCE_S = 20.0


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command as a process of its own; it is killed if a test leaves it behind."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "hioload_ws", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    """Return the next line a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def type_into(process: subprocess.Popen[str], text: str) -> None:
    """Type into a process that does not wait for the end of its input."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that argparse refuses; return its last line."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: hioload-ws")
    return str(err.splitlines()[-1])


def complaint(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run a command that fails; return its one line of complaint."""
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hioload-ws: ")
    assert err.count("\n") == 1
    return str(err)


def echo_server() -> Server:
    """Return an echo server on a free port, not started."""
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: connection.send(message))
    return app


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
    assert "line 2" in line


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_can_not_be_read_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / name)
    line = complaint(capsys, 2, "echo", "--config", file)
    assert "can't read the configuration" in line
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
        (["connect", "ws://x", "--wait", "long"], "'long' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "-1"], "'-1' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "nan"], "'nan' is not a number of seconds"),
        (["connect", "ws://x", "--wait", "inf"], "'inf' is not a number of seconds"),
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


def test_connect_talks_while_its_input_is_open_and_closes_at_its_end() -> None:
    app = echo_server()
    codes: list[int] = []
    app.on_close(lambda event: codes.append(event.code))
    with app.background() as url, command("connect", url, "--wait", "0") as process:
        assert next_line(process) == f"connected to {url}"
        type_into(process, "hello\n")
        assert next_line(process) == "< hello"
        type_into(process, "/ping\n/nope\n//slash\n")
        assert next_line(process).startswith("! no command /nope")
        assert next_line(process) == "< /slash"
        assert process.communicate(timeout=PATIENCE_S) == ("closed: 1000\n", "")
        assert process.returncode == 0
    assert codes == [1000]


def test_connect_closes_with_the_code_it_is_told() -> None:
    app = echo_server()
    ends: list[tuple[int, str]] = []
    app.on_close(lambda event: ends.append((event.code, event.reason)))
    with app.background() as url, command("connect", url) as process:
        type_into(process, "/close 3000 bye\n")
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (out.splitlines()[-1], err, process.returncode) == ("closed: 3000 bye", "", 0)
    assert ends == [(3000, "bye")]


@pytest.mark.parametrize(("code", "result"), [(1001, 0), (4001, 1)])
def test_connect_ends_when_the_server_does_though_its_input_is_open(code: int, result: int) -> None:
    app = Server("127.0.0.1", 0)

    @app.on_message
    def end(connection: Connection, message: Message) -> None:
        connection.send(b"\x01\x02")
        connection.close(code, "enough")

    with app.background() as url, command("connect", url) as process:
        type_into(process, "x\n")
        assert [next_line(process) for _ in range(3)] == [
            f"connected to {url}", "< [2 bytes] 01 02", f"closed: {code} enough"
        ]  # fmt: skip
        assert process.wait(PATIENCE_S) == result
        assert process.communicate() == ("", "")


def test_ctrl_c_ends_connect_with_130_and_without_a_traceback() -> None:
    with echo_server().background() as url, command("connect", url) as process:
        assert next_line(process) == f"connected to {url}"
        type_into(process, "x\n")
        assert next_line(process) == "< x"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.communicate() == ("", "")


def test_connect_in_process_passes_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "socket")
    app = Server(unix=path, subprotocols=["b"], tls=(CERTIFICATE, KEY))
    tokens: list[str | None] = []
    app.on_message(lambda connection, message: None)

    @app.on_open
    def look(event: object) -> None:
        for connection in app.connections:
            tokens.append(connection.request.header("X-Token"))
            connection.close(1000, "seen")

    with app.background():
        arguments = ["--unix", path, "--ca", AUTHORITY, "--header", "X-Token: 1", "--wait", "0"]
        arguments += ["--subprotocol", "a", "--subprotocol", "b"]
        assert main(["connect", "wss://localhost/", *arguments]) == 0
    assert tokens == ["1"]
    assert capsys.readouterr() == ("connected to wss://localhost/, subprotocol b\nclosed: 1000 seen\n", "")


def test_nobody_at_the_other_end_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert address in complaint(capsys, 1, "connect", f"ws://{address}/")


def test_a_server_that_refuses_is_one_line_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with Server("127.0.0.1", 0).background() as url:
        assert "404" in complaint(capsys, 1, "connect", url)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["http://x/"], "ws://"),
        (["ws://x/#fragment"], "fragment"),
        (["ws://x/", "--header", "no-colon"], "NAME:VALUE"),
        (["ws://x/", "--header", "a b: c"], "a b"),
        (["ws://x/", "--subprotocol", "a b"], "a b"),
        (["ws://x/", "--ca", AUTHORITY], "wss"),
        (["wss://x/", "--ca", "absent.pem"], "absent.pem"),
    ],
)
def test_arguments_that_make_no_sense_are_exit_code_2(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hint in complaint(capsys, 2, "connect", *arguments)


# --- demo and probe


def test_demo_once_shows_its_lines_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--port", "0", "--once"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("listening on ws://127.0.0.1:")
    assert "received: demo: Hello!" in out
    assert err == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_demo_works_on_a_terminal_that_does_not_know_every_character(encoding: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "hioload_ws", "demo", "--port", "0", "--once"],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert "demo: Grüße, 你好, 👋".encode(encoding, "backslashreplace") in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_at_any_time(number: signal.Signals) -> None:
    with command("demo", "--port", "0") as process:
        assert next_line(process).startswith("listening on ws://127.0.0.1:")
        process.send_signal(number)  # while it talks to itself
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "Traceback" not in out + err


def test_demo_on_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in complaint(capsys, 1, "demo", "--port", port)


def test_probe_prints_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe"]) == 0
    assert capsys.readouterr().out.startswith("platform\n  python ")
    assert main(["probe", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"platform", "cpus", "nodes", "transports"}


# --- what goes wrong at the outside


def test_output_that_nobody_reads_is_exit_code_1_and_no_complaint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading_fd, writing_fd = os.pipe()
    os.close(reading_fd)
    with os.fdopen(writing_fd, "w") as nobody:  # closing it flushes again, as Python does at exit
        monkeypatch.setattr(sys, "stdout", nobody)
        assert main(["probe"]) == 1
    assert capsys.readouterr().err == ""


def test_the_same_as_a_process() -> None:
    with command("connect", "--help") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(PATIENCE_S)
    with command("probe") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OSError(24, "Too many open files"), 1, "hioload-ws: [Errno 24] Too many open files\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_the_system_or_the_user_says_is_no_traceback(
    error: BaseException,
    code: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*, as_json: bool) -> int:
        raise error

    monkeypatch.setattr(probe, "run", fail)
    assert main(["probe"]) == code
    assert capsys.readouterr().err == text


def test_streams_that_are_no_files_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Notes:
        """The least that ``print`` needs."""

        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            """Nothing is held back."""

    notes = Notes()
    monkeypatch.setattr(sys, "stdout", notes)
    assert main(["probe"]) == 0
    assert notes.text.startswith("platform\n")
