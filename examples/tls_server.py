"""TLS: the same server behind a certificate, and a client that checks it.

Run ``python examples/tls_server.py CERTIFICATE KEY`` with two PEM files, then connect to
``wss://localhost:9001/``. Two paths are enough; who wants to decide about versions, ciphers or client certificates
passes an ``ssl.SSLContext`` instead.
"""

from __future__ import annotations

import ssl
import sys

from hioload_ws import Connection, HioloadError, Message, Server, connect


def make_app(certificate: str, key: str, host: str = "localhost", port: int = 9001) -> Server:
    """Return an echo server with TLS, not started. ``InvalidArgument`` for files that make no TLS."""
    app = Server(host, port, tls=(certificate, key))

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def greet(url: str, authority: str | None = None) -> str | bytes:
    """Say hello to ``url``, trusting the authorities of one PEM file, or (``None``) those of the system."""
    with connect(url, tls=ssl.create_default_context(cafile=authority), timeout_s=5) as connection:
        connection.send("hello")
        return connection.receive(timeout_s=5)


def main() -> int:
    """Serve until SIGINT or SIGTERM; 2 for a wrong call, 1 when it could not be served."""
    if len(sys.argv) != 3:
        print("usage: tls_server.py CERTIFICATE KEY", file=sys.stderr)
        return 2
    try:
        make_app(sys.argv[1], sys.argv[2]).run()
    except HioloadError as error:
        print(f"tls_server.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
