"""Sessions: one client's life, in as few bytes as it takes.

A server holds as many sessions as connections, nearly all of them idle, so an idle session is one small
object. What it may need later (a context, a list of functions to call at the end) is made at first use, the
list not before a second function: most sessions have one, their connection's. What all sessions of a shard have
in common (the lock, the maker of contexts, where errors go) they share through their *home*.

**The end.** A session ends once: whoever moves it to ``CLOSED`` under the lock takes the list of
done-callbacks with him and is the one that calls them, after the lock is free, so that a callback may use the
session, its store and anything else. In the same step the home forgets the session, so no store ever shows
one that has ended.

**The lock** is the home's and re-entrant: a signal handler that shuts a server down runs in the middle of
anything, also of a call that holds it. Reads of one attribute (``status``, ``done``) take no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from ..api.context import Context, ContextFactory
from ..api.session import Session, SessionStatus
from ..api.types import Nanoseconds, SessionId
from ..internal.faults import ErrorHook, log_error, report


_CONNECTING: Final = SessionStatus.CONNECTING
_CLOSED: Final = SessionStatus.CLOSED
_Function: TypeAlias = Callable[[Session], object]


class SessionHome:
    """What sessions share. This one keeps no table: it serves sessions that live outside a store."""

    __slots__ = ("contexts", "lock", "on_error")

    def __init__(self, contexts: ContextFactory, on_error: ErrorHook = log_error) -> None:
        """``contexts`` makes a session's context at first use; ``on_error`` gets what done-callbacks
        raise."""
        self.contexts = contexts
        self.lock = threading.RLock()
        self.on_error = on_error

    def ended(self, session: LiveSession) -> None:
        """Called once per session as it ends, with the lock held. Must not call out."""


class LiveSession:
    """One client's session; implements ``api.Session``, whose contract holds here. Any thread."""

    __slots__ = ("_context", "_functions", "_home", "_status", "deadline_ns", "id")

    def __init__(
        self, session_id: SessionId, home: SessionHome, deadline_ns: Nanoseconds | None = None
    ) -> None:
        """Begin in status ``CONNECTING``. ``deadline_ns`` is for the store, which cancels in time."""
        self.id = session_id
        self.deadline_ns = deadline_ns
        self._home = home
        self._status = _CONNECTING
        self._context: Context | None = None
        # None, the only function, or a list of several.
        self._functions: _Function | list[_Function] | None = None

    @property
    def context(self) -> Context:
        """The session's values, made at first use."""
        context = self._context
        if context is None:
            # Made outside the lock, because a factory is somebody else's code; the first to come is kept.
            made = self._home.contexts.create()
            with self._home.lock:
                if self._context is None:
                    self._context = made
                context = self._context
        return context

    @property
    def status(self) -> SessionStatus:
        """The session's status."""
        return self._status

    @property
    def done(self) -> bool:
        """Whether the session was cancelled or closed."""
        return self._status is _CLOSED

    def advance(self, status: SessionStatus) -> bool:
        """Move forward to ``status``; ``False`` when that is not ahead. ``CLOSED`` ends the session."""
        if status == _CLOSED:
            return self.cancel()
        with self._home.lock:
            if status <= self._status:
                return False
            self._status = status
            return True

    def cancel(self) -> bool:
        """End the session and call every done-callback; ``False`` when it had ended already."""
        with self._home.lock:
            if self._status is _CLOSED:
                return False
            self._status = _CLOSED
            functions, self._functions = self._functions, None
            self._home.ended(self)
        if functions is not None:
            self._call(functions if isinstance(functions, list) else (functions,))
        return True

    def on_done(self, function: _Function) -> None:
        """Call ``function(session)`` once when the session ends, or at once when it has."""
        with self._home.lock:
            if self._status is not _CLOSED:
                functions = self._functions
                if functions is None:
                    self._functions = function
                elif isinstance(functions, list):
                    functions.append(function)
                else:
                    self._functions = [functions, function]
                return
        self._call((function,))

    def _call(self, functions: Iterable[_Function]) -> None:
        """Call each function, whatever the others raise."""
        interrupt: BaseException | None = None
        for function in functions:
            try:
                function(self)
            except Exception as error:
                report(self._home.on_error, error, function)
            except BaseException as error:
                # KeyboardInterrupt, SystemExit: for the thread, but the other functions have only this
                # chance.
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def __repr__(self) -> str:
        # Not the whole id: who knows it may be taken for this client, and logs are read by many.
        return f"<{type(self).__name__} {self.id[:4]}…: {self._status.name}>"


__all__ = ["LiveSession", "SessionHome"]
