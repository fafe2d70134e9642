"""Application: what a user attaches to a server before it starts.

Routes with their handlers, middleware around them, and hooks for the moments that are no messages: a request
before the handshake, a connection that opened, one that has gone. All of it is plain functions; a decorator
stores the function and returns it unchanged, so that it can be tested and used without the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..api.errors import AlreadyExists
from ..api.handler import AnyHandler, CloseEvent, CloseHandler, Middleware, OpenEvent, OpenHandler
from .door import RequestHook
from .routing import Group, Router, compose

_Handler = TypeVar("_Handler", bound=AnyHandler)
_OpenHandler = TypeVar("_OpenHandler", bound=OpenHandler)
_CloseHandler = TypeVar("_CloseHandler", bound=CloseHandler)
_RequestHook = TypeVar("_RequestHook", bound=RequestHook)


class Application:
    """Routes, middleware and hooks. Thread rules: one thread, before the server starts."""

    __slots__ = ("_close_handlers", "_group", "_middleware", "_open_handlers", "_request_hooks", "_router")

    def __init__(self, middleware: Sequence[Middleware] = ()) -> None:
        """Put ``middleware`` around every handler, the first one outermost."""
        self._router = Router()
        self._middleware = tuple(middleware)
        self._group = Group(self._router, middleware=self._middleware)
        self._request_hooks: list[RequestHook] = []
        self._open_handlers: list[OpenHandler] = []
        self._close_handlers: list[CloseHandler] = []

    def route(
        self, pattern: str, *, middleware: Sequence[Middleware] = ()
    ) -> Callable[[_Handler], _Handler]:
        """Return a decorator: the function handles the messages of connections to ``pattern``.

        ``pattern`` is a path whose segments are words or ``:name`` parameters (``connection.params``). A path
        that nothing fits is refused with 404. A coroutine function of a connection is called once for each, when
        it has opened (``api.handler.ConnectionCoroutine``). Raises ``InvalidArgument`` for a malformed pattern and
        ``AlreadyExists`` for one that matches the same paths as another.
        """
        return self._group.route(pattern, middleware=middleware)

    def group(self, prefix: str, *, middleware: Sequence[Middleware] = ()) -> Group:
        """Return a group of routes under ``prefix`` whose handlers share middleware. Groups nest."""
        return self._group.group(prefix, middleware=middleware)

    def on_message(self, handler: _Handler) -> _Handler:
        """Decorator: the function handles the messages of every connection that no route fits.

        Raises ``AlreadyExists`` when there is one.
        """
        if self._router.fallback is not None:
            raise AlreadyExists("there is a handler for all other paths already")
        self._router.fallback = compose(handler, self._middleware)
        return handler

    def on_open(self, handler: _OpenHandler) -> _OpenHandler:
        """Decorator: the function is called with an ``OpenEvent`` for each connection, before its first
        message. Raising closes the connection with code 1011."""
        self._open_handlers.append(handler)
        return handler

    def on_close(self, handler: _CloseHandler) -> _CloseHandler:
        """Decorator: the function is called with a ``CloseEvent`` once for each connection that opened."""
        self._close_handlers.append(handler)
        return handler

    def on_request(self, hook: _RequestHook) -> _RequestHook:
        """Decorator: the function sees each request before the handshake is checked.

        A ``Response`` it returns is sent and ends the connection: a page, a health check, a 401. ``None``
        lets the request go on. Raising answers with 500.
        """
        self._request_hooks.append(hook)
        return hook

    def _tell_opened(self, event: OpenEvent) -> None:
        for handler in self._open_handlers:
            handler(event)

    def _tell_closed(self, event: CloseEvent, report: Callable[[BaseException, object], None]) -> None:
        """Every handler hears of it, whatever the others raise."""
        for handler in self._close_handlers:
            try:
                handler(event)
            except Exception as error:
                report(error, handler)


__all__ = ["Application"]
