"""A client with callbacks: it sends a few lines, shows what comes back, and closes.

Run ``hioload-ws echo``, then ``python examples/client_callbacks.py [URL]``. ``run`` connects, serves and returns
how the connection closed; callbacks are called on the thread that is in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hioload_ws import Client, CloseEvent, Connection, HioloadError, Message, OpenEvent


def converse(url: str, lines: Sequence[str]) -> CloseEvent:
    """Send every line, print as many answers, and return how the connection closed."""
    client = Client(url, max_message_bytes=65_536)
    waiting = len(lines)

    @client.on_open
    def begin(event: OpenEvent) -> None:
        print(f"connected to {event.connection.peer_address}")
        for line in lines:
            event.connection.send(line)  # queued; all of them leave in one call

    @client.on_message
    def show(connection: Connection, message: Message) -> None:
        nonlocal waiting
        print(f"< {message.text}")
        waiting -= 1
        if waiting == 0:
            connection.close(1000, "that was all")

    return client.run()


def main() -> int:
    """Return 0 when the conversation ended well, 1 when it could not be had or broke."""
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:9001/"
    try:
        event = converse(url, ["Hello!", "Grüße", "你好"])
    except HioloadError as error:
        print(f"no connection: {error}", file=sys.stderr)
        return 1
    print(f"closed: {event.code} {event.reason}")
    return 0 if event.error is None else 1


if __name__ == "__main__":
    sys.exit(main())
