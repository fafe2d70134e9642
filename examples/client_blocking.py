"""A script that asks and waits: the client whose calls block, with a time limit on each.

Run ``hioload-ws echo``, then ``python examples/client_blocking.py [URL]``. There is no thread behind it: pings of
the server are answered while a call waits, and not in between.
"""

from __future__ import annotations

import sys

from hioload_ws import HioloadError, connect

QUESTIONS: tuple[str | bytes, ...] = ("text goes as a text message", b"\x00bytes go as a binary one\xff")


def ask(url: str) -> list[str | bytes]:
    """Send each question and return the answers. Errors as ``connect``, ``send`` and ``receive``."""
    answers: list[str | bytes] = []
    with connect(url, timeout_s=5) as connection:  # leaving the block closes with code 1000
        for question in QUESTIONS:
            connection.send(question)
            answers.append(connection.receive(timeout_s=5))
    return answers


def main() -> int:
    """Print the answers; return 1 where there were none."""
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:9001/"
    try:
        for answer in ask(url):
            print(repr(answer))
    except HioloadError as error:  # nobody there, refused, too slow, broken: each has a class below this one
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
