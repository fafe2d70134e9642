"""As many processes as there are CPUs, on one port, and a way to see which one answers.

Run ``python examples/workers.py``, then ``hioload-ws connect ws://127.0.0.1:9001/`` a few times. End one of the
processes with ``kill -9``: another takes its place. ``kill -USR2`` of the first one renews them all, and nobody is
refused.
"""

from __future__ import annotations

import os

from hioload_ws import Connection, Message, Server


def make_app(host: str = "127.0.0.1", port: int = 9001, *, workers: int | None = None) -> Server:
    """Return the server, not started; ``workers``: by default one per CPU."""
    app = Server(host, port, workers=workers or os.cpu_count() or 1, worker_kind="process")

    @app.on_message
    def answer(connection: Connection, message: Message) -> None:
        connection.send(f"process {os.getpid()}: {message.text}")

    return app


def main() -> None:
    """Serve until Ctrl-C, and print then how many messages each worker had."""
    app = make_app()
    app.run()
    for sample in app.metrics.collect():
        if sample.name == "hioload_messages_received_total":
            print(sample.labels.get("worker", "all"), int(sample.value))


if __name__ == "__main__":
    main()
