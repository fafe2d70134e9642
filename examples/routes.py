"""Routes with parameters, and a group whose handlers share middleware: a number per message, and a rate limit.

Run ``python examples/routes.py``, then ``hioload-ws connect ws://127.0.0.1:9001/users/ada/notes/7``. A middleware
takes a handler and returns one; it is put around each handler once, when the route is added.
"""

from __future__ import annotations

from itertools import count

from hioload_ws import Connection, Message, Server
from hioload_ws.api import Handler

MOST_PER_SECOND, SECOND_NS = 5, 1_000_000_000


def numbered(handler: Handler) -> Handler:
    """Middleware: give every message a number."""
    numbers = count(1)

    def call(connection: Connection, message: Message) -> None:
        connection.session.context.set("request_id", next(numbers))
        handler(connection, message)

    return call


def limited(handler: Handler) -> Handler:
    """Middleware: who sends more than five messages within a second is closed with 1008."""

    def call(connection: Connection, message: Message) -> None:
        context = connection.session.context
        seen = context.get("seen")
        if not isinstance(seen, count):  # the first message, or the second is over and the value has expired
            seen = count(1)
            context.set("seen", seen, ttl_ns=SECOND_NS)
        if next(seen) > MOST_PER_SECOND:
            connection.close(1008, "too many messages")  # further messages of this peer are discarded
        else:
            handler(connection, message)

    return call


def make_app(host: str = "127.0.0.1", port: int = 9001) -> Server:
    """Return the server, not started."""
    app = Server(host, port, middleware=[numbered])
    users = app.group("/users/:user", middleware=[limited])

    @users.route("/notes/:note")
    def note(connection: Connection, message: Message) -> None:
        number, params = connection.session.context.get("request_id"), connection.params
        connection.send(f"{number}: {params['user']}, note {params['note']}: {message.text}")

    return app


if __name__ == "__main__":
    make_app().run()
