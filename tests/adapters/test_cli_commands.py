"""The command line: connect, demo, probe, and what the system or the user may do to any of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hioload_ws import Connection, Message, Response, Server
from hioload_ws.adapters import probe
from hioload_ws.adapters.cli import main
from tests.adapters.command import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    PATIENCE_S,
    command,
    complaint,
    echo_server,
    next_line,
    type_into,
)
from tests.adapters.proxies import ConnectProxy


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
        arguments = ["--unix", path, "--ca", AUTHORITY, "--header", "X-Token: 1", "--wait", "0", "--max-redirects", "2"]
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


def test_connect_goes_through_a_proxy_and_follows_redirects_when_told_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = echo_server()
    app.on_request(
        lambda request: Response(307, headers=(("Location", "/there"),)) if request.path == "/here" else None
    )
    with app.background() as url, ConnectProxy() as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with command("connect", f"{url}/here", "--proxy", "env", "--max-redirects", "1", "--wait", "0") as process:
            out, err = process.communicate("hello\n", timeout=PATIENCE_S)
        assert (out.splitlines()[0], err, process.returncode) == (f"connected to {url}/there", "", 0)
        assert len(proxy.requests) == 2
        assert "(status=307)" in complaint(capsys, 1, "connect", f"{url}/here")
        assert "SOCKS" in complaint(capsys, 1, "connect", url, "--proxy", "socks5://x")
        assert "a proxy is http://" in complaint(capsys, 2, "connect", url, "--proxy", "ftp://x")
    closed = proxy.port
    assert "by way of the proxy" in complaint(capsys, 1, "connect", url, "--proxy", f"127.0.0.1:{closed}")
