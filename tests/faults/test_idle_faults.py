"""What the Go original cost when nothing happened, and how it ended: a core for idling, memory per
connection, and a shutdown that always waited its full time and fell over when asked twice."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from hioload_ws import Server
from tests.faults.conftest import InThread
from tests.faults.wire import Wire, close_frame
from tests.interop.echo_process import EchoProcess

AT_ONCE_S = 3.0
"""Far below the 30 s that a shutdown may take, far above what a busy machine needs."""


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
def app() -> Server:
    server = Server("127.0.0.1", 0)
    server.on_message(lambda connection, message: connection.send(message))
    return server


def test_an_idle_server_with_100_connections_uses_less_than_5_percent_of_a_core(server: EchoProcess) -> None:
    wires = [Wire.open(server.port) for _ in range(100)]
    try:
        assert all(wire.echoes() for wire in wires)
        # The one wait for time itself: idleness has no event to wait for.
        before, began = server.cpu_s(), time.monotonic()
        threading.Event().wait(1.0)
        used, passed = server.cpu_s() - before, time.monotonic() - began
        assert used / passed < 0.05
    finally:
        for wire in wires:
            wire.close()


def test_an_idle_connection_takes_less_than_8_kib(server: EchoProcess) -> None:
    wires = [Wire.open(server.port) for _ in range(10)]
    try:
        assert all(wire.echoes() for wire in wires)
        before = server.pss_bytes()
        more = [Wire.open(server.port) for _ in range(500)]
        wires += more
        assert all(wire.echoes() for wire in more)
        assert (server.pss_bytes() - before) / len(more) < 8 * 1024
    finally:
        for wire in wires:
            wire.close()


def test_shutdown_of_an_idle_server_returns_at_once_and_a_second_call_is_harmless(app: Server) -> None:
    with app.background() as url:
        with Wire.open(port_of(url)) as wire:
            assert wire.echoes()
        began = time.monotonic()
        assert app.shutdown() is True
        assert app.shutdown() is True
        assert time.monotonic() - began < AT_ONCE_S
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port_of(url)), 5).close()
    assert app.shutdown() is True


def test_shutdown_tells_open_connections_1001_and_returns_when_they_have_answered(
    app: Server, in_thread: InThread
) -> None:
    with app.background() as url:
        wires = [Wire.open(port_of(url)) for _ in range(20)]

        def answer() -> None:
            for wire in wires:
                with wire:
                    assert wire.read_to_close().close_code == 1001
                    wire.send(close_frame(1001))
                    assert wire.read_to_end() == b""

        in_thread(answer)
        began = time.monotonic()
        assert app.shutdown() is True
        assert time.monotonic() - began < AT_ONCE_S
    assert app.connection_count == 0


def test_shutdown_does_not_wait_for_a_peer_that_never_answers_beyond_its_limit(app: Server) -> None:
    with app.background() as url, Wire.open(port_of(url)) as wire:
        assert wire.echoes()
        began = time.monotonic()
        assert app.shutdown(timeout_ns=200_000_000) is False
        assert time.monotonic() - began < AT_ONCE_S


def test_shutdown_from_many_threads_gives_one_answer(app: Server, in_thread: InThread) -> None:
    answers: list[bool] = []
    with app.background():
        threads = [in_thread(lambda: answers.append(app.shutdown())) for _ in range(8)]
        for thread in threads:
            thread.join(10)
    assert answers == [True] * 8


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_process_at_once_with_exit_code_0(number: int) -> None:
    process = EchoProcess()
    with Wire.open(process.port) as wire:
        assert wire.echoes()
    began = time.monotonic()
    assert process.stop(number) == (0, "")
    assert time.monotonic() - began < AT_ONCE_S
