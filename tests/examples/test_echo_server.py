"""The program of the front page: the same text in both places, and it works as it stands there."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from hioload_ws import Server, TimedOut, connect
from hioload_ws.api import InvalidState

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0


def program() -> str:
    """Return the text between the marks."""
    found = re.search(
        r"^# \[README\]\n(.*)^# \[/README\]$",
        (REPOSITORY / "examples" / "echo_server.py").read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert found is not None
    return found[1]


def test_the_front_page_shows_this_very_program() -> None:
    assert f"```python\n{program()}```\n" in (REPOSITORY / "README.md").read_text("utf-8")


def url_of(names: dict[str, object]) -> tuple[Server, str]:
    """Return the program's server and its URL, once it listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        app = names.get("app")
        if isinstance(app, Server):
            try:
                return app, app.url
            except InvalidState:
                pass
        time.sleep(0.001)
    raise AssertionError("the program does not listen")


def test_the_program_echoes_and_tells_the_others() -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    code = compile(program().replace("9001", "0"), "examples/echo_server.py", "exec")
    thread = threading.Thread(target=exec, args=(code, names))
    thread.start()
    app, url = url_of(names)
    try:
        with (
            connect(f"{url}/echo") as echo,
            connect(f"{url}/rooms/blue") as room,
            connect(f"{url}/rooms/blue") as friend,
        ):
            echo.send(b"bytes")
            assert echo.receive(PATIENCE_S) == b"bytes"
            room.send("news")
            assert friend.receive(PATIENCE_S) == "news"
            with pytest.raises(TimedOut):
                echo.receive(0)
    finally:
        app.shutdown()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
