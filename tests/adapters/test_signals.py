"""Signals: what is called, from which thread, and what is put back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from hioload_ws.adapters.signals import signals_call

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[list[int]]:
    """Install handlers that take notes, so that no test can end the run; put back what was there."""
    notes: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        notes.append(number)

    before = [signal.signal(number, note) for number in NUMBERS]
    yield notes
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_calls_the_function_within_the_block_and_the_old_handler_after_it(
    number: signal.Signals, own_handlers: list[int]
) -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    calls: list[str] = []
    with signals_call(lambda: calls.append("called")) as possible:
        assert possible
        signal.raise_signal(number)
        assert calls == ["called"]
        assert own_handlers == []
    assert [signal.getsignal(each) for each in NUMBERS] == before
    signal.raise_signal(number)
    assert calls == ["called"]
    assert own_handlers == [number]


def test_a_second_interrupt_does_what_it_did_before_and_termination_stays_ours(own_handlers: list[int]) -> None:
    calls: list[str] = []
    with signals_call(lambda: calls.append("called")):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert len(calls) == 3
        signal.raise_signal(signal.SIGINT)
    assert len(calls) == 3
    assert own_handlers == [signal.SIGINT]


def test_the_old_handlers_come_back_when_the_block_raises() -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    with pytest.raises(RuntimeError), signals_call(lambda: None):
        raise RuntimeError
    assert [signal.getsignal(each) for each in NUMBERS] == before


def test_ignored_and_default_handlers_come_back_as_they_were() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with signals_call(lambda: None):
        assert callable(signal.getsignal(signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_python_does_not_know_becomes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda number: None)
        with signals_call(lambda: None):
            pass
    assert [signal.getsignal(each) for each in NUMBERS] == [signal.SIG_DFL] * 2


def test_on_another_thread_nothing_is_installed() -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    answers: list[object] = []

    def enter() -> None:
        with signals_call(lambda: None) as possible:
            answers.append(possible)
            answers.append([signal.getsignal(each) for each in NUMBERS] == before)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert answers == [False, True]


STUBBORN = """
import signal, threading
from hioload_ws import Server, connect

app = Server("127.0.0.1", 0)
app.on_message(lambda connection, message: None)
ended = threading.Event()

def be_stubborn():
    connection = connect(app.url)  # it is not turned from here on, so it never answers a close frame
    app.post(lambda: signal.raise_signal(signal.SIGINT))  # drain
    app.post(lambda: app.post(lambda: signal.raise_signal(signal.SIGINT)))  # and now do not wait
    ended.wait()
    connection.close()

app.start()
client = threading.Thread(target=be_stubborn)
client.start()
try:
    app.run()
except KeyboardInterrupt:
    print("interrupted with", app.connection_count, "left")
ended.set()
client.join()
"""


def test_a_second_interrupt_ends_a_server_that_waits_for_a_peer_that_does_not_go() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-c", STUBBORN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr, result.returncode) == ("interrupted with 0 left\n", "", 0)
