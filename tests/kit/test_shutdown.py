"""The contract of graceful shutdown on a server, whose work is its connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from hioload_ws import Server, connect
from hioload_ws.api.errors import HioloadError
from hioload_ws.contract import GracefulShutdownContract
from tests.kit.holding import hold


class Serving:
    """A server that runs on a thread of its own."""

    def __init__(self) -> None:
        self.subject = Server("127.0.0.1", 0)
        self.subject.route("/")(lambda connection, message: connection.send(message))
        self.subject.start()
        self._url = f"{self.subject.url}/"
        self._thread = threading.Thread(target=self.subject.run, kwargs={"handle_signals": False})
        self._thread.start()
        serving = threading.Event()
        assert self.subject.post(serving.set)
        assert serving.wait(5)  # who is shut down before it runs has nothing to run any more

    def begin(self) -> Callable[[], object]:
        connection = connect(self._url, timeout_s=5)

        def finish() -> None:
            with suppress(HioloadError):
                connection.receive(timeout_s=5)  # sees the server's close frame, and answers it
            connection.close()

        return finish

    def on_its_thread(self, function: Callable[[], object]) -> None:
        assert self.subject.post(function)

    def close(self) -> None:
        self.subject.shutdown(0)
        self._thread.join()


def test_a_server_shuts_down_as_the_contract_says() -> None:
    hold(GracefulShutdownContract, Serving, "Server")
