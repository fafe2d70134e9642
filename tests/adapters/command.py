"""What the tests of the command line share: a command as a process, and its complaints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hioload_ws import Server
from hioload_ws.adapters.cli import main

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
