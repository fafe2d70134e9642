"""Chat rooms: what one says, everybody else in the same room hears.

Run ``python examples/chat.py``, then ``hioload-ws connect ws://127.0.0.1:9001/rooms/blue`` in two terminals. The
set of each room's connections is a plain dictionary: handlers and hooks run on one thread, so there is no lock.
"""

from __future__ import annotations

from collections import defaultdict

from hioload_ws import CloseEvent, Connection, Message, OpenEvent, Server


def make_app(host: str = "127.0.0.1", port: int = 9001) -> Server:
    """Return the chat server, not started."""
    app = Server(host, port, max_message_bytes=65_536)
    rooms: defaultdict[str, set[Connection]] = defaultdict(set)

    @app.on_open
    def enter(event: OpenEvent) -> None:
        rooms[event.connection.params["room"]].add(event.connection)

    @app.on_close
    def leave(event: CloseEvent) -> None:
        room = event.connection.params["room"]
        rooms[room].discard(event.connection)
        if not rooms[room]:
            del rooms[room]  # peers choose the names: what they name must not stay for ever

    @app.route("/rooms/:room")
    def talk(connection: Connection, message: Message) -> None:
        # Built once, sent to many. Who is closing, or reads so slowly that its send limit is reached, misses it.
        app.broadcast(message, among=rooms[connection.params["room"]], exclude=[connection])

    return app


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    make_app().run()


if __name__ == "__main__":
    main()
