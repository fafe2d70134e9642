"""A real proxy on loopback that lets CONNECT through, for tests that want sockets all the way.

It takes every name for this machine, passes bytes on until either side ends, and keeps what it was
asked. Everything it opened is closed when its ``with`` block is left.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

PATIENCE_S = 20.0


class ConnectProxy:
    """Takes any request for a tunnel, or only those that have ``credentials`` (407 for others)."""

    def __init__(self, credentials: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        """The heads of the requests, in the order they came."""
        self._credentials = credentials
        self._listener = socket.create_server(("127.0.0.1", 0))
        if tls is not None:
            self._listener = tls.wrap_socket(self._listener, server_side=True)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes who waits in it; close alone does not
            each.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except ssl.SSLError:
                continue  # a client that did not like our certificate
            except OSError:
                return
            self._open.append(near)
            self._start(self._serve, near)

    def _start(self, function: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]  # one of our methods
        self._threads.append(thread)
        thread.start()

    def _serve(self, near: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = near.recv(1)
            if not piece:
                return
            head += piece
        self.requests.append(head.decode("latin-1"))
        if self._credentials is not None and f"\r\nProxy-Authorization: {self._credentials}\r\n".encode() not in head:
            near.sendall(b"HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        try:
            far = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        except OSError:
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        self._open.append(far)
        near.sendall(b"HTTP/1.0 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
        self._start(self._pass_on, far, near)
        self._pass_on(near, far)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
