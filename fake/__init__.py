"""The room of fakes: interfaces that a test plays. See README.md."""

from .clock import DEFAULT_UNIX_NS, VirtualClock
from .poller import ScriptedPoller

__all__ = ["DEFAULT_UNIX_NS", "ScriptedPoller", "VirtualClock"]
