"""The contracts of handlers and middleware, on an echo and on what the examples show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from examples import json_messages, routes
from hioload_ws.adapters.routing import compose
from hioload_ws.api import Handler, Middleware
from hioload_ws.contract.suites.handler import HandlerContract, MiddlewareContract
from tests.kit.holding import hold


def echo() -> Handler:
    return lambda connection, message: connection.send(message)


def layered() -> Handler:
    return compose(echo(), [routes.numbered, routes.limited])


def json_handler() -> Handler:
    handler = json_messages.make_app(port=0)._router.fallback
    assert handler is not None
    return handler


@pytest.mark.parametrize("make", [echo, layered, json_handler])
def test_every_handler_of_ours_is_conformant(make: Callable[[], Handler]) -> None:
    hold(HandlerContract, make, f"the handler {make.__name__}")


@pytest.mark.parametrize(("name", "middleware"), [("numbered", routes.numbered), ("limited", routes.limited)])
def test_every_middleware_of_ours_is_conformant(name: str, middleware: Middleware) -> None:
    hold(MiddlewareContract, lambda: middleware, f"routes.{name}")
