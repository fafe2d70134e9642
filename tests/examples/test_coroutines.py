"""The example of handlers that wait."""

from __future__ import annotations

import hashlib

import pytest

from examples import coroutines
from hioload_ws import TransportClosed, connect

PATIENCE_S = 20.0


@pytest.mark.parametrize(
    ("answers", "result"),
    [(["5", "12", "7"], "3 of 3"), (["5", " 13", "8"], "1 of 3")],
)
def test_the_quiz_counts_right_answers_and_closes(answers: list[str], result: str) -> None:
    with coroutines.make_app(port=0, seconds=PATIENCE_S).background() as url, connect(f"{url}/quiz") as connection:
        for answer in answers:
            assert str(connection.receive(PATIENCE_S)).endswith("?")
            connection.send(answer)
        assert connection.receive(PATIENCE_S) == result
        with pytest.raises(TransportClosed):
            connection.receive(PATIENCE_S)
        assert connection.close_code == 1000


def test_the_quiz_does_not_wait_for_ever() -> None:
    with coroutines.make_app(port=0, seconds=0.001).background() as url, connect(f"{url}/quiz") as connection:
        received = [connection.receive(PATIENCE_S) for _ in range(7)]
        assert received == ["2 + 3?", "too late", "3 * 4?", "too late", "9 - 2?", "too late", "0 of 3"]


def test_the_countdown_counts_and_then_answers_the_next_message() -> None:
    with coroutines.make_app(port=0, seconds=0.001).background() as url, connect(f"{url}/countdown") as connection:
        connection.send("3")
        connection.send("1")
        assert [connection.receive(PATIENCE_S) for _ in range(6)] == ["3", "2", "1", "go", "1", "go"]


@pytest.mark.parametrize("path", ["/passwords", "/slow"])
def test_what_blocks_is_done_by_workers(path: str) -> None:
    with coroutines.make_app(port=0).background() as url, connect(url + path) as connection:
        for secret in ("one", "two" * 100):
            connection.send(secret)
            expected = hashlib.pbkdf2_hmac("sha256", secret.encode(), b"salt", 1000).hex()
            assert connection.receive(PATIENCE_S) == expected
