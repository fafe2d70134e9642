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

from hioload_ws import Connection, Message, Server, ServerConfig, connect
from hioload_ws.adapters.reload import ConfigFollower
from hioload_ws.adapters.signals import hangup_calls
from hioload_ws.api import HioloadError, InvalidArgument, InvalidState, TransportClosed
from hioload_ws.control.sources import SourcedConfig, read_config
from tests.adapters.live import run_on

PATIENCE_S = 20.0


class Followed:
    """A started server with a file, turned by the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: list[BaseException] = []
        self.app = Server("127.0.0.1", 0, max_header_count=50, on_error=lambda error, origin: self.errors.append(error))
        self.app.start()
        self.follower = ConfigFollower(self.app, self.read, ServerConfig())

    def read(self) -> SourcedConfig:
        return read_config(str(self.path), {})


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
    followed.path.write_text("max_message_bytes = 1000\nbacklog = 5\n")
    assert not followed.follower.reload()
    [error] = followed.errors
    assert isinstance(error, InvalidArgument)
    assert error.message.startswith(f"{followed.path}:2: configuration: backlog can't change while running: ")
    assert "bound once" in error.message and error.context["fields"] == ("backlog",)
    assert followed.app.config.max_message_bytes == ServerConfig().max_message_bytes
    followed.path.write_text("max_message_bytes = 1000\n")
    assert followed.follower.reload()


def test_what_a_hook_refuses_names_each_place_that_the_change_comes_from(followed: Followed) -> None:
    def refuse(old: ServerConfig, new: ServerConfig) -> None:
        raise InvalidArgument("not today", day="today")

    remove = followed.app.control.on_reload(refuse)
    followed.path.write_text("max_connections = 5\n\nmax_message_bytes = 1000\n")
    assert not followed.follower.reload()
    [error] = followed.errors
    assert isinstance(error, InvalidArgument)
    path = followed.path
    assert error.message == f"{path}:1, {path}:3: not today"
    assert error.context["day"] == "today"
    assert set(error.context["fields"]) == {"max_connections", "max_message_bytes"}  # type: ignore[call-overload]
    remove()
    assert followed.follower.reload()


def test_a_hook_that_fails_in_another_way_is_reported_as_it_is(followed: Followed) -> None:
    failure = InvalidState("not in this state", state="other")

    def fail(old: ServerConfig, new: ServerConfig) -> None:
        raise failure

    followed.app.control.on_reload(fail)
    followed.path.write_text("max_connections = 5\n")
    assert not followed.follower.reload()
    assert followed.errors == [failure]


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


class Edits:
    """A file that is edited at random; in each right edit one setting is twice the other."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.dice = random.Random(seed)
        self.expected: list[int] = []

    def edit(self) -> bool:
        """Write the file anew; whether it is right."""
        number, kind = self.dice.randrange(8, 1000), self.dice.randrange(3)
        first, second = f"max_connections = {2 * number}\n", f"max_header_count = {number}\n"
        if kind == 0:
            self.path.write_text(first + second)
            if self.expected[-1:] != [number]:
                self.expected.append(number)
        elif kind == 1:  # half-written: cut within the key of the first line, or of the second
            whole = self.dice.choice(("", first))
            self.path.write_text(whole + (second if whole else first)[: self.dice.randrange(1, 17)])
        else:
            wrong = ("max_connections = 0\n", "backlog = 5\n", "host = 'elsewhere'\n", "max_conections = 5\n", "\0")
            self.path.write_text(second + self.dice.choice(wrong))
        return kind == 0


def is_torn(config: ServerConfig) -> bool:
    return config != ServerConfig(port=0) and config.max_connections != 2 * config.max_header_count


def test_a_thousand_edits_under_load_give_no_torn_snapshot_and_each_hook_one_call(tmp_path: Path) -> None:
    edits = Edits(tmp_path / "server.toml", 3)
    errors: list[BaseException] = []
    torn: list[ServerConfig] = []
    app = Server("127.0.0.1", 0, on_error=lambda error, origin: errors.append(error))
    done = threading.Event()
    echoes = [0, 0]

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        torn.extend(config for config in [app.config] if is_torn(config))
        connection.send(message)

    def load(place: int) -> None:
        with connect(url) as connection:
            while not done.is_set():
                connection.send(b"x" * 100)
                connection.receive(PATIENCE_S)
                echoes[place] += 1
                torn.extend(config for config in [app.config] if is_torn(config))

    calls: list[list[tuple[ServerConfig, ServerConfig]]] = [[], []]
    app.control.on_reload(lambda old, new: calls[0].append((old, new)))
    app.control.on_reload(lambda old, new: calls[1].append((old, new)))
    with app.background() as url:
        follower = ConfigFollower(app, lambda: read_config(str(edits.path), {}), ServerConfig())
        clients = [threading.Thread(target=load, args=(place,)) for place in range(2)]
        for client in clients:
            client.start()
        answers: list[bool] = []
        expected = []
        for _ in range(1000):
            expected.append(edits.edit())
            run_on(app, lambda: answers.append(follower.reload()))
        done.set()
        for client in clients:
            client.join()
    assert answers == expected and min(echoes) > 0
    assert torn == []
    assert [new.max_header_count for _, new in calls[0]] == edits.expected
    assert calls[0] == calls[1]
    assert [old for old, _ in calls[0][1:]] == [new for _, new in calls[0][:-1]], "each from where the last one led"
    assert len(errors) == expected.count(False)


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
        ConfigFollower(app, lambda: read_config(None, {}), ServerConfig()).follow("nowhere")
