"""`hioload-ws echo` as a process of its own: started, watched through /proc, and ended by a signal.

Suites that speak to a live server use this one class, so that every one of them also proves how the program
begins (one line on standard output once it listens) and how it ends (SIGTERM drains, exit code 0, nothing on
standard error). Set `ECHO_COMMAND` to run the same suites against another echo server: what fails there as
well is the test's fault and not the server's.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

START_LIMIT_S: Final = 20.0
STOP_LIMIT_S: Final = 20.0
CERTIFICATES: Final = Path(__file__).with_name("certs")


def echo_command() -> list[str]:
    """Return the command that runs the echo server, without its options."""
    return shlex.split(os.environ.get("ECHO_COMMAND", f"{shlex.quote(sys.executable)} -m hioload_ws echo"))


def client_tls() -> ssl.SSLContext:
    """Return a client context that trusts the tests' own authority and nobody else."""
    return ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")


class EchoProcess:
    """A running echo server. Leaving the `with` block ends it and asserts a clean end.

    `arguments` are options of the command (`--port 0` is added unless `--unix` is among them).
    """

    def __init__(self, *arguments: str) -> None:
        extra = () if "--unix" in arguments else ("--port", "0")
        self._errors = tempfile.TemporaryFile()
        # -X dev would change timings; the warnings alone are what a clean standard error has to be free of.
        environment = os.environ | {"PYTHONWARNINGS": "always"}
        self._process = subprocess.Popen(
            [*echo_command(), *arguments, *extra],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        self.ready_line = self._read_ready_line()

    @classmethod
    def with_tls(cls) -> EchoProcess:
        """Start one that speaks TLS with the tests' own certificate (for localhost and 127.0.0.1)."""
        return cls("--tls", str(CERTIFICATES / "server.pem"), str(CERTIFICATES / "server.key"))

    def _read_ready_line(self) -> str:
        assert self._process.stdout is not None
        descriptor, line, limit = self._process.stdout.fileno(), b"", time.monotonic() + START_LIMIT_S
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], max(limit - time.monotonic(), 0))
            piece = os.read(descriptor, 4096) if readable else b""
            if not piece:
                self._process.kill()
                self._process.wait()
                self._process.stdout.close()
                raise AssertionError(
                    f"the server did not say that it listens: {line!r}; {self._close_errors()}"
                )
            line += piece
        return line.decode().strip()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port the server chose."""
        found = re.search(r":(\d+)/?$", self.ready_line)
        assert found is not None, self.ready_line
        return int(found[1])

    @property
    def url(self) -> str:
        """`ws://127.0.0.1:PORT`, or `wss://` with TLS."""
        found = re.search(r"wss?://\S+", self.ready_line)
        assert found is not None, self.ready_line
        return found[0].rstrip("/")

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def descriptor_count(self) -> int:
        """Return how many file descriptors the server has open (proc(5), /proc/PID/fd)."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_s(self) -> float:
        """Return the CPU time the server has used so far, user and system (proc(5), /proc/PID/stat)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pss_bytes(self) -> int:
        """Return the server's proportional set size (proc(5), /proc/PID/smaps_rollup)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert found is not None, rollup
        return int(found[1]) * 1024

    def stop(self, signal_number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal, wait for the end, and return exit code and standard error. Once only."""
        if self.running:
            self._process.send_signal(signal_number)
        try:
            self._process.communicate(timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        return self._process.returncode, self._close_errors()

    def _close_errors(self) -> str:
        with self._errors:
            self._errors.seek(0)
            return self._errors.read().decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        code, errors = self.stop()
        # A failed block has its own story to tell; the server's comes as a note to it.
        if error is not None:
            error.add_note(f"the echo server ended with exit code {code} and wrote: {errors or 'nothing'}")
        else:
            assert (code, errors) == (0, ""), f"exit code {code}, standard error: {errors}"


__all__ = ["CERTIFICATES", "EchoProcess", "client_tls", "echo_command"]
