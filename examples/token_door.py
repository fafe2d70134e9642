"""A token that is asked for at the door: who has none is answered with 401 and never gets a connection.

Run ``python examples/token_door.py``; a client has to send the header ``Authorization: Bearer open-sesame``. The hook
sees each request before its handshake is checked. It asks on every path: ``request.path`` is percent-encoded as it
came, so comparing its beginning with a prefix would be a door that ``/%61pi`` walks around.
"""

from __future__ import annotations

import hmac

from hioload_ws import Connection, Message, Request, Response, Server

USERS = {b"Bearer open-sesame": "ada"}
REFUSAL = Response(401, headers=(("WWW-Authenticate", "Bearer"),), body=b"a token, please\n")


def user_of(request: Request) -> str | None:
    """Return who sends the token of a request; comparing takes as long for a wrong one as for a right one."""
    sent = (request.header("Authorization") or "").encode()
    return next((user for token, user in USERS.items() if hmac.compare_digest(token, sent)), None)


def make_app(host: str = "127.0.0.1", port: int = 9001) -> Server:
    """Return the server, not started."""
    app = Server(host, port)

    @app.on_request
    def authenticate(request: Request) -> Response | None:
        return REFUSAL if user_of(request) is None else None

    @app.on_message
    def greet(connection: Connection, message: Message) -> None:
        connection.send(f"{user_of(connection.request)}: {message.text}")

    return app


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    make_app().run()


if __name__ == "__main__":
    main()
