"""Which pollers this machine has, and which one to take.

The order is one of cost per poll: epoll and kqueue depend on what is ready, poll(2) and select(2) on all
that is watched. select(2) comes last also because it can't watch descriptors of 1024 and above.
"""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable

from ..api.poller import Poller
from .epoll_poller import EpollPoller
from .portable_pollers import PollPoller, SelectorPoller


def available_pollers() -> dict[str, Callable[[], Poller]]:
    """Return name to factory of every poller this system has, the best one first; never empty.

    Names: ``epoll``, ``kqueue``, ``poll``, ``select``. A factory raises ``OSError`` when descriptors have run
    out. Any thread.
    """
    found: dict[str, Callable[[], Poller]] = {}
    if hasattr(select, "epoll"):
        found["epoll"] = EpollPoller
    if hasattr(select, "kqueue"):
        # On such a system the default selector of the ``selectors`` module is the one over kqueue(2).
        found["kqueue"] = SelectorPoller
    if hasattr(select, "poll"):
        found["poll"] = PollPoller
    found["select"] = lambda: SelectorPoller(selectors.SelectSelector())
    return found


def default_poller() -> Poller:
    """Open the best poller this system has. Raises ``OSError`` when descriptors have run out."""
    return next(iter(available_pollers().values()))()


__all__ = ["available_pollers", "default_poller"]
