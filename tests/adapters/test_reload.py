"""A server follows its file."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hioload_ws import Server, ServerConfig, connect
from hioload_ws.adapters.reload import ConfigFollower
from hioload_ws.adapters.signals import hangup_calls
from hioload_ws.api import HioloadError, InvalidArgument, InvalidState, TransportClosed
from hioload_ws.control.sources import read_config

PATIENCE_S = 20.0


class Followed:
    """A started server with a file, turned by the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: list[BaseException] = []
        self.app = Server("127.0.0.1", 0, max_header_count=50, on_error=lambda error, origin: self.errors.append(error))
        self.app.start()
        self.follower = ConfigFollower(self.app, self.read, ServerConfig())

    def read(self) -> ServerConfig:
        return read_config(str(self.path), {}).config


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    path = tmp_path / "server.toml"
    path.write_text("")
    followed = Followed(path)
    yield followed
    if not followed.app.shutdown():  # it was turned by this thread, which has to turn it to its end
        followed.app.turn(0)


def test_what_changed_in_the_file_is_put_in_force_and_the_rest_stays(followed: Followed) -> None:
    followed.path.write_text("max_message_bytes = 1000\n")
    assert followed.follower.reload()
    assert (followed.app.config.max_message_bytes, followed.app.config.max_header_count) == (1000, 50)
    followed.path.write_text("")
    assert followed.follower.reload()
    assert followed.app.config.max_message_bytes == ServerConfig().max_message_bytes
    assert followed.errors == []


@pytest.mark.parametrize("text", ["max_message_bytes = -1", "max_message_b", "max_mesage_bytes = 5", "\x00"])
def test_a_wrong_file_changes_nothing_and_is_reported_with_its_name(followed: Followed, text: str) -> None:
    before = followed.app.config
    followed.path.write_text(text)
    assert not followed.follower.reload()
    assert followed.app.config is before
    [error] = followed.errors
    assert isinstance(error, InvalidArgument)
    assert "server.toml" in str(error)


def test_what_can_not_change_live_is_refused_with_its_reason_and_all_else_with_it(followed: Followed) -> None:
    followed.path.write_text("backlog = 5\nmax_message_bytes = 1000\n")
    assert not followed.follower.reload()
    assert "bound once" in str(followed.errors[0])
    assert followed.app.config.max_message_bytes == ServerConfig().max_message_bytes
    followed.path.write_text("max_message_bytes = 1000\n")
    assert followed.follower.reload()


def test_a_change_of_the_file_is_noticed_by_itself(followed: Followed) -> None:
    handle = followed.follower.follow(str(followed.path), interval_ns=1_000_000)
    while followed.app.config.max_connections != 77:
        followed.path.write_text("max_connections = 77\n")
        followed.app.turn(5_000_000)
    calls = followed.app.control.stats()
    for _ in range(5):
        followed.app.turn(5_000_000)  # the file is looked at, and is as it was
    assert followed.app.control.stats() == calls
    assert handle.cancel()
    assert followed.errors == []


def test_asking_from_another_thread_is_obeyed_on_the_server_s(followed: Followed) -> None:
    followed.path.write_text("max_connections = 78\n")
    asker = threading.Thread(target=followed.follower.ask)
    asker.start()
    asker.join()
    followed.app.turn(0)
    assert followed.app.config.max_connections == 78


def test_a_thousand_edits_give_no_torn_snapshot_and_each_change_one_call(followed: Followed) -> None:
    dice = random.Random(3)
    seen: list[tuple[int, int]] = []
    followed.app.control.on_reload(lambda old, new: seen.append((new.max_connections, new.max_header_count)))
    torn: list[ServerConfig] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            config = followed.app.config
            if config.max_connections != 10_000 and config.max_connections != config.max_header_count * 2:
                torn.append(config)

    reader = threading.Thread(target=read)
    reader.start()
    expected: list[tuple[int, int]] = []
    for _ in range(1000):
        number = dice.randrange(8, 1000)
        text = f"max_connections = {2 * number}\nmax_header_count = {number}\n"
        kind = dice.randrange(3)
        if kind == 0:
            followed.path.write_text(text)
            last = expected[-1] if expected else None
            if last != (2 * number, number):
                expected.append((2 * number, number))
        elif kind == 1:
            followed.path.write_text(text[: dice.randrange(20, len(text) - 8)] + "?")
        else:
            followed.path.write_text(text + "max_connections = 0")
        assert followed.follower.reload() is (kind == 0)
    done.set()
    reader.join()
    assert seen == expected
    assert torn == []


def test_echo_reads_its_file_again_on_a_hang_up_signal(tmp_path: Path) -> None:
    path = tmp_path / "echo.toml"
    path.write_text("port = 0\n")
    command = [sys.executable, "-m", "hioload_ws", "echo", "--config", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with connect(url) as connection:
            connection.send("x" * 100)
            assert connection.receive(PATIENCE_S) == "x" * 100
        path.write_text("port = 0\nmax_message_bytes = 10\n")
        process.send_signal(signal.SIGHUP)
        code: int | None = None
        while code != 1009:
            with connect(url) as connection:
                connection.send("x" * 100)
                try:
                    connection.receive(PATIENCE_S)
                except TransportClosed:
                    code = connection.close_code
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_a_hang_up_signal_calls_and_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGHUP)
    calls: list[int] = []
    with hangup_calls(lambda: calls.append(1)) as possible:
        assert possible
        signal.raise_signal(signal.SIGHUP)
    assert calls == [1]
    assert signal.getsignal(signal.SIGHUP) is before


def test_without_the_signal_or_off_the_main_thread_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool] = []

    def try_it() -> None:
        with hangup_calls(lambda: None) as possible:
            answers.append(possible)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    monkeypatch.delattr(signal, "SIGHUP")
    try_it()
    assert answers == [False, False]


def test_before_the_start_there_is_no_scheduler() -> None:
    app = Server("127.0.0.1", 0)
    with pytest.raises(InvalidState):
        app.scheduler  # noqa: B018  # the access is what raises
    with pytest.raises(HioloadError):
        ConfigFollower(app, ServerConfig, ServerConfig()).follow("nowhere")
