"""Application: what is attached before the start, and that it is called, on live sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from hioload_ws import CloseEvent, Connection, Message, OpenEvent, Server, connect
from hioload_ws.adapters.application import Application
from hioload_ws.api import AlreadyExists, Handler, HandshakeFailed, InvalidArgument, Request, Response

PATIENCE_S = 20.0


def echo(connection: Connection, message: Message, /) -> object:
    """Send a message back."""
    return connection.send(message)


def shouting(mark: str) -> Callable[[Handler], Handler]:
    """Return a middleware that announces each message before the handler answers."""

    def wrap(handler: Handler) -> Handler:
        def announce(connection: Connection, message: Message, /) -> object:
            connection.send(mark)
            return handler(connection, message)

        return announce

    return wrap


def exchange(url: str, count: int) -> list[str | bytes]:
    """Send one message and return ``count`` answers."""
    with connect(url) as connection:
        connection.send("hello")
        return [connection.receive(PATIENCE_S) for _ in range(count)]


def test_decorators_return_the_function_itself() -> None:
    app = Application()

    def opened(event: OpenEvent) -> None:
        raise NotImplementedError

    def closed(event: CloseEvent) -> None:
        raise NotImplementedError

    def asked(request: Request) -> Response | None:
        raise NotImplementedError

    assert app.route("/a")(echo) is echo
    assert app.group("/b").route("/c")(echo) is echo
    assert app.on_message(echo) is echo
    assert app.on_open(opened) is opened
    assert app.on_close(closed) is closed
    assert app.on_request(asked) is asked


def test_middleware_of_the_application_is_around_routes_groups_and_the_fallback() -> None:
    app = Server("127.0.0.1", 0, middleware=[shouting("app")])
    app.route("/route", middleware=[shouting("route")])(echo)
    app.group("/group", middleware=[shouting("group")]).route("/inner", middleware=[shouting("inner")])(echo)
    app.on_message(echo)
    with app.background() as url:
        assert exchange(url + "/route", 3) == ["app", "route", "hello"]
        assert exchange(url + "/group/inner", 4) == ["app", "group", "inner", "hello"]
        assert exchange(url + "/elsewhere", 2) == ["app", "hello"]


def test_parameters_reach_the_handler_decoded() -> None:
    app = Server("127.0.0.1", 0)

    @app.route("/rooms/:room/:seat")
    def talk(connection: Connection, message: Message) -> None:
        connection.send(f"{connection.params['room']} {connection.params['seat']} {connection.path}")

    with app.background() as url:
        answer = exchange(url + "/rooms/%C3%BC%2F/1?x=2", 1)
    assert answer == ["ü/ 1 /rooms/%C3%BC%2F/1"]


def test_a_path_that_nothing_fits_is_refused_with_404() -> None:
    app = Server("127.0.0.1", 0)
    app.route("/a")(echo)
    with app.background() as url:
        for path in ("/", "/b", "/a/", "/a/b", "/%ff"):
            with pytest.raises(HandshakeFailed) as caught:
                connect(url + path)
            assert caught.value.status == 404


def test_a_second_handler_for_the_same_paths_is_refused_and_the_first_one_stays() -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(echo)
    app.route("/:a")(echo)
    with pytest.raises(AlreadyExists):
        app.on_message(shouting("second")(echo))
    with pytest.raises(AlreadyExists):
        app.route("/:b")(shouting("second")(echo))
    with app.background() as url:
        assert exchange(url + "/a", 1) == exchange(url + "/a/b", 1) == ["hello"]


def test_a_malformed_pattern_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        Application().route("rooms")
    with pytest.raises(InvalidArgument):
        Application().group("rooms")


def test_the_first_request_hook_that_answers_ends_the_request() -> None:
    app = Server("127.0.0.1", 0)
    app.on_message(echo)
    seen: list[str] = []

    @app.on_request
    def look(request: Request) -> Response | None:
        seen.append(request.path)
        return None

    @app.on_request
    def guard(request: Request) -> Response | None:
        return Response(401, body=b"who are you?\n") if request.path == "/secret" else None

    @app.on_request
    def never_for_secrets(request: Request) -> Response | None:
        assert request.path != "/secret"
        return None

    with app.background() as url:
        assert exchange(url + "/open", 1) == ["hello"]
        with pytest.raises(HandshakeFailed) as caught:
            connect(url + "/secret")
        assert caught.value.status == 401
        host, port = url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as plain:
            plain.sendall(b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while piece := plain.recv(4096):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\nwho are you?\n")
    assert seen == ["/open", "/secret", "/secret"]


def test_open_and_close_hooks_hear_of_each_connection_whatever_one_of_them_raises() -> None:
    errors: list[str] = []

    def note(error: BaseException, origin: object) -> None:
        errors.append(f"{getattr(origin, '__name__', '?')}: {error}")

    app = Server("127.0.0.1", 0, on_error=note)
    app.on_message(echo)
    events: list[str] = []

    @app.on_open
    def opened(event: OpenEvent) -> None:
        events.append(f"opened {event.connection.path}")

    @app.on_close
    def broken(event: CloseEvent) -> None:
        raise RuntimeError("broken")

    @app.on_close
    def closed(event: CloseEvent) -> None:
        events.append(f"closed {event.connection.path} {event.code}")

    with app.background() as url:
        assert exchange(url + "/a", 1) == ["hello"]
        with connect(url + "/b") as connection:
            connection.close(3001)
    assert sorted(events) == ["closed /a 1000", "closed /b 3001", "opened /a", "opened /b"]
    assert errors == ["broken: broken"] * 2
