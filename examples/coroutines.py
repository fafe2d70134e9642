"""Handlers that wait: a quiz with time limits, a countdown, and a function that blocks.

Run ``python examples/coroutines.py``, then ``hioload-ws connect ws://127.0.0.1:9001/quiz``. A coroutine function of a
connection keeps what it knows about it in local variables. There is no event loop to start: the server runs it.
"""

from __future__ import annotations

import hashlib

from hioload_ws import Connection, Message, Server, TimedOut, blocking, in_worker, sleep

QUESTIONS = {"2 + 3": "5", "3 * 4": "12", "9 - 2": "7"}


def make_app(host: str = "127.0.0.1", port: int = 9001, *, seconds: float = 10.0) -> Server:
    """Return the server, not started; ``seconds`` are for an answer, and between two numbers of the countdown."""
    app = Server(host, port)

    @app.route("/quiz")
    async def quiz(connection: Connection) -> None:
        right_count = 0
        for question, answer in QUESTIONS.items():
            connection.send(f"{question}?")
            try:
                message = await connection.receive(timeout_s=seconds)
            except TimedOut:
                connection.send("too late")
            else:
                right_count += message.text.strip() == answer
        connection.send(f"{right_count} of {len(QUESTIONS)}")  # returning closes the connection

    @app.route("/countdown")
    async def countdown(connection: Connection, message: Message) -> None:
        for number in range(int(message.text), 0, -1):  # what is no number closes the connection with 1011
            connection.send(str(number))
            await connection.drain()
            await sleep(seconds)
        connection.send("go")

    @app.route("/passwords")
    async def password(connection: Connection) -> None:
        async for message in connection:
            digest = await in_worker(hashlib.pbkdf2_hmac, "sha256", message.data, b"salt", 1000)
            connection.send(digest.hex())

    @app.route("/slow")
    @blocking
    def slow(connection: Connection, message: Message) -> None:
        connection.send(hashlib.pbkdf2_hmac("sha256", message.data, b"salt", 1000).hex())

    return app


if __name__ == "__main__":
    make_app().run()
