"""Faults of callbacks: where an exception goes that has no caller to go to.

A timer, a readiness callback or a finished task runs because the machine said so, not because somebody
called it. What such a function raises must not stop the loop that ran it, and must not vanish either. So it
goes to an *error hook*, a function that the owner chose; without one it is logged with its traceback.
``KeyboardInterrupt`` and ``SystemExit`` are addressed to the thread, not to us, and are never caught here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

ErrorHook: TypeAlias = Callable[[BaseException, object], object]
"""Called with the exception and the function that raised it, on the thread where that happened. What a hook
itself raises is logged."""

_logger = logging.getLogger("hioload_ws.internal")


def log_error(error: BaseException, origin: object) -> None:
    """Log an exception with its traceback: the hook of those who chose none. Any thread."""
    _logger.error("callback %r raised", origin, exc_info=error)


def report(hook: ErrorHook, error: BaseException, origin: object) -> None:
    """Give an exception to a hook; when the hook raises an ``Exception``, log both. Any thread."""
    try:
        hook(error, origin)
    except Exception as hook_error:
        log_error(error, origin)
        log_error(hook_error, hook)


__all__ = ["ErrorHook", "log_error", "report"]
