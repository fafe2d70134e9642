"""JSON in text messages: a peer sends ``{"add": [1, 2]}`` and gets ``{"sum": 3}``.

Run ``python examples/json_messages.py``, then ``hioload-ws connect ws://127.0.0.1:9001/`` and type the JSON. A text
message was checked to be UTF-8 before the handler is called; that it is JSON, and of the right shape, is for us to
check. A wrong question gets an answer that says so; a wrong kind of message ends the connection with 1003.
"""

from __future__ import annotations

import json

from hioload_ws import TEXT, Connection, Message, Server


def answer(text: str) -> dict[str, object]:
    """Return the answer to a question, right or wrong; never raises for what the text says."""
    try:
        question: object = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested so deeply that the parser gives up
        return {"error": "this is not JSON"}
    numbers = question.get("add") if isinstance(question, dict) else None
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        return {"error": 'ask {"add": [1, 2]}'}
    return {"sum": sum(numbers)}


def make_app(host: str = "127.0.0.1", port: int = 9001) -> Server:
    """Return the server, not started."""
    app = Server(host, port, max_message_bytes=65_536)  # what a peer may make us parse at once

    @app.on_message
    def reply(connection: Connection, message: Message) -> None:
        if message.kind != TEXT:
            connection.close(1003, "JSON in text messages, please")  # RFC 6455 §7.4.1: unacceptable data
            return
        connection.send(json.dumps(answer(message.text)))  # ``str`` goes as a text message

    return app


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    make_app().run()


if __name__ == "__main__":
    main()
