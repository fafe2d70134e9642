"""Routing: which handler answers for which path.

A pattern is a path whose segments are words or parameters: ``/rooms/:room/log``. Words win over parameters,
from left to right, so ``/rooms/lobby`` is found before ``/rooms/:room`` whichever was added first. Segments
are compared after percent-decoding, one by one: an encoded slash (``%2F``) is data, never a separator. So the
words of a pattern are written as they read, not encoded. A path that is not UTF-8 after decoding matches
nothing, and so does one that does not begin with a slash.

Groups only lengthen prefixes and stack middleware; they leave no trace at run time. A handler is composed
with its middleware once, when it is added, so that a message pays for the functions it passes and nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from ..api.errors import AlreadyExists, InvalidArgument
from ..api.handler import AnyHandler, Handler, Middleware
from .coroutine_handlers import CoroutineHandler, adapt

H = TypeVar("H", bound=AnyHandler)

_NO_PARAMS: Mapping[str, str] = MappingProxyType({})
_Shape = tuple[str | None, ...]


def compose(handler: AnyHandler, middleware: Sequence[Middleware]) -> Handler:
    """Return the handler wrapped in the middleware; the first one listed is the outermost. Errors as ``adapt``.

    A coroutine handler is wrapped as well, and stays one: its connection has to know it, to start it."""
    inner = outer = adapt(handler)
    for wrap in reversed(middleware):
        outer = wrap(outer)
    if isinstance(inner, CoroutineHandler):
        inner.outer = outer
        return inner
    return outer


class _Route:
    """One pattern with its handler; ``shape`` has the words, and ``None`` where a parameter stands."""

    __slots__ = ("handler", "names", "shape")

    def __init__(self, pattern: str, handler: Handler) -> None:
        self.handler = handler
        segments = _pattern_segments(pattern)
        self.names = tuple(segment[1:] for segment in segments if segment.startswith(":"))
        self.shape: _Shape = tuple(None if segment.startswith(":") else segment for segment in segments)

    def match(self, segments: Sequence[str]) -> Mapping[str, str] | None:
        """Return the parameters, or ``None`` when a word differs. The lengths are equal."""
        values = []
        for wanted, segment in zip(self.shape, segments, strict=True):
            if wanted is None:
                values.append(segment)
            elif wanted != segment:
                return None
        return MappingProxyType(dict(zip(self.names, values, strict=True)))


def _pattern_segments(pattern: str) -> list[str]:
    """Split a pattern, or raise ``InvalidArgument`` saying what is wrong with it."""
    if not pattern.startswith("/"):
        raise InvalidArgument("a route's pattern starts with a slash", pattern=pattern)
    segments = pattern[1:].split("/")
    names = [segment[1:] for segment in segments if segment.startswith(":")]
    for name in names:
        if not name.isidentifier():
            raise InvalidArgument("a parameter is a colon and a Python name", pattern=pattern, parameter=name)
    if len(set(names)) != len(names):
        raise InvalidArgument("a parameter's name occurs twice", pattern=pattern)
    return segments


def _path_segments(path: str) -> list[str] | None:
    """Split and decode a request's path; ``None`` when it is no path, or not UTF-8."""
    if not path.startswith("/"):
        return None
    try:
        return [unquote_to_bytes(segment).decode() for segment in path[1:].split("/")]
    except UnicodeError:  # bytes that are no UTF-8, or in ``path`` itself a lone surrogate
        return None


class Router:
    """Patterns and their handlers. Thread rules: add from one thread; look up from any.

    Looking up a path without parameters is one dictionary access, without looking into the path where it is
    written as the pattern is; one with parameters compares the routes of
    the same number of segments.
    """

    __slots__ = ("_by_length", "_plain", "_static", "fallback")

    def __init__(self) -> None:
        # What ``_static`` has, by path: for patterns in which nothing can be meant by percent-encoding.
        self._plain: dict[str, Handler] = {}
        self._static: dict[tuple[str, ...], Handler] = {}
        self._by_length: dict[int, list[_Route]] = {}
        self.fallback: Handler | None = None
        """Answers for every path that no pattern fits."""

    def add(self, pattern: str, handler: Handler) -> None:
        """Let ``handler`` answer for ``pattern``.

        Raises ``InvalidArgument`` for a malformed pattern and ``AlreadyExists`` where another one matches
        exactly the same paths; nothing is added then.
        """
        route = _Route(pattern, handler)
        words = tuple(word for word in route.shape if word is not None)
        peers = self._by_length.get(len(route.shape), [])
        if words in self._static and not route.names or any(peer.shape == route.shape for peer in peers):
            raise AlreadyExists("another route matches the same paths", pattern=pattern)
        if not route.names:
            self._static[words] = handler
            if "%" not in pattern:
                self._plain[pattern] = handler
            return
        # Words first, from left to right. A new list: a look-up meanwhile sees the old or the new one.
        order = sorted([*peers, route], key=lambda each: [word is None for word in each.shape])
        self._by_length[len(route.shape)] = order

    def find(self, path: str) -> tuple[Handler, Mapping[str, str]] | None:
        """Return the handler for a request's path (percent-encoded, as it came) and its parameters, decoded;
        ``None`` when there is neither a route nor a fallback."""
        handler = self._plain.get(path)
        if handler is not None:
            return handler, _NO_PARAMS
        segments = _path_segments(path)
        if segments is not None:
            handler = self._static.get(tuple(segments))
            if handler is not None:
                return handler, _NO_PARAMS
            for route in self._by_length.get(len(segments), ()):
                params = route.match(segments)
                if params is not None:
                    return route.handler, params
        return None if self.fallback is None else (self.fallback, _NO_PARAMS)


class Group:
    """Routes that share a prefix and middleware. Thread rules: as ``Router.add``."""

    __slots__ = ("_middleware", "_prefix", "_router")

    def __init__(self, router: Router, prefix: str = "", middleware: Sequence[Middleware] = ()) -> None:
        """Add to ``router`` under ``prefix`` (``""``, or a pattern without a slash at its end)."""
        if prefix:
            _pattern_segments(prefix)
        if prefix.endswith("/"):  # else "/api/" and "/users" would make "/api//users"
            raise InvalidArgument("a group's prefix does not end with a slash", prefix=prefix)
        self._router = router
        self._prefix = prefix
        self._middleware = tuple(middleware)

    def route(self, pattern: str, *, middleware: Sequence[Middleware] = ()) -> Callable[[H], H]:
        """Return a decorator that lets a handler answer for ``pattern`` under the group's prefix.

        ``""`` is the prefix itself. Middleware of outer groups is outermost. Errors as ``Router.add``.
        """
        _check_joint(pattern)

        def add(handler: H) -> H:
            self._router.add(self._prefix + pattern, compose(handler, (*self._middleware, *middleware)))
            return handler

        return add

    def group(self, prefix: str, *, middleware: Sequence[Middleware] = ()) -> Group:
        """Return a group inside this one; ``InvalidArgument`` for a malformed prefix."""
        _check_joint(prefix)
        return Group(self._router, self._prefix + prefix, (*self._middleware, *middleware))


def _check_joint(pattern: str) -> None:
    """Refuse what would grow together with the prefix before it: "/api" and "users" as "/apiusers"."""
    if pattern and not pattern.startswith("/"):
        raise InvalidArgument("a route's pattern starts with a slash", pattern=pattern)


__all__ = ["Group", "Router", "compose"]
