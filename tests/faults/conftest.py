"""Fixtures of the fault tests: a live echo server that has to survive whatever a test does to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.wire import LIMIT_S, Wire, WireServer
from tests.interop.echo_process import EchoProcess

InThread = Callable[[Callable[[], None]], threading.Thread]
Until = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def echo_process() -> Iterator[EchoProcess]:
    """Start one echo server for the module; its clean end, without a word on standard error, is asserted."""
    with EchoProcess() as server:
        yield server


@pytest.fixture
def server(echo_process: EchoProcess) -> Iterator[EchoProcess]:
    """Return the module's echo server; after each test it must still accept a new connection and echo."""
    yield echo_process
    assert echo_process.running
    with Wire.open(echo_process.port) as wire:
        assert wire.echoes()


@pytest.fixture
def wire(server: EchoProcess) -> Iterator[Wire]:
    """Return a raw connection to the echo server, its opening handshake done."""
    with Wire.open(server.port) as opened:
        yield opened


@pytest.fixture
def wire_server() -> Iterator[WireServer]:
    """Return a listening socket for our client to connect to."""
    server = WireServer()
    yield server
    server.close()


@pytest.fixture
def until() -> Until:
    """Return a function that waits until a condition holds, and fails after a time limit."""

    def wait(condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < limit, "the condition did not become true in time"
            time.sleep(0.002)

    return wait


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    """Return a function that runs another in a thread; what it raised is raised at the end of the test."""
    threads: list[threading.Thread] = []
    raised: list[BaseException] = []

    def start(function: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                function()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=guarded)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(LIMIT_S)
    assert not any(thread.is_alive() for thread in threads)
    if raised:
        raise raised[0]
