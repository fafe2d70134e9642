"""Servers with several workers, for tests: turned by the test, or run as a program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.crew import Crew
from hioload_ws.api import Sample, WorkerLost

PATIENCE_S = 20.0


def make_app(kind: str, **settings: object) -> Server:
    """Return a server with two workers, whose answers say which one it was: its process and session store."""
    place = () if "unix" in settings else ("127.0.0.1", settings.pop("port", 0))
    settings = {"workers": 2, "worker_kind": kind, **settings}
    app = Server(*place, **settings)  # type: ignore[arg-type]  # settings of a test

    @app.on_message
    def answer(connection: Connection, message: Message) -> None:
        question = message.text
        if question == "who":
            connection.send(f"{os.getpid()} {id(next(iter(app.connections)))}")
        elif question == "die":
            os._exit(3)
        elif question == "limit":
            connection.send(str(app.config.max_connections))
        elif question == "all":
            app.broadcast("to all", among=None)
        elif question == "later":
            app.scheduler.schedule(0, lambda: connection.send("later"))
        elif question == "post":
            app.post(lambda: connection.send("posted"))
        elif question == "report":
            app.report(ZeroDivisionError(), answer)
        elif question == "shutdown":
            connection.send(str(app.shutdown()))

    return app


def value(samples: list[Sample], name: str, **labels: str) -> float:
    """Return the value of one sample, 0 where there is none yet."""
    return sum(sample.value for sample in samples if sample.name == name and dict(sample.labels) == labels)


class Turned:
    """A crew of processes whose supervisor is turned by the test, on the test's thread."""

    def __init__(self, app: Server) -> None:
        self.app = app
        self.lost: list[BaseException] = []
        app._on_error = lambda error, origin: self.lost.append(error)
        app.start()
        assert app._crew is not None
        self.crew: Crew = app._crew
        self.crew.supervisor.start()
        self.until(self.all_ready)

    def all_ready(self) -> bool:
        """Whether there are two workers that serve, and no others."""
        return [(state.ready, state.leaving) for state in self.app.workers] == [(True, False)] * 2

    def until(self, condition: Callable[[], object]) -> None:
        """Turn until it is so; workers tell their numbers once a second, so it never sleeps for ever."""
        while not condition():
            self.crew.reactor.run_once(None)

    def pids(self) -> set[int]:
        """Return the processes of the workers."""
        return {state.pid for state in self.app.workers}

    def ask(self, question: str, count: int = 1) -> set[str]:
        """Ask over ``count`` connections, one after the other."""
        found = set()
        for _ in range(count):
            with connect(self.app.url) as connection:
                connection.send(question)
                found.add(str(connection.receive(PATIENCE_S)))
        return found

    def lost_hows(self) -> list[object]:
        """Return how workers were lost."""
        assert all(isinstance(error, WorkerLost) for error in self.lost)
        return [error.context["how"] for error in self.lost if isinstance(error, WorkerLost)]


@contextmanager
def turned(**settings: object) -> Iterator[Turned]:
    """Serve with two processes for the length of the block."""
    made = Turned(make_app("process", **settings))
    try:
        yield made
    finally:
        made.crew.release()
        made.app.shutdown()
