"""The whole server, measured against its peers: scenarios, servers, load, runner and what is shown of it.

Linux only, for it reads what processes used from /proc. Nothing of the library imports this package.
"""

from __future__ import annotations

from .process import check_supported, cpu_ns, pss_bytes
from .scenario import SCENARIOS, Goal, Mode, Scenario, chosen
from .servers import KINDS, Kind, Running

__all__ = [
    "KINDS",
    "SCENARIOS",
    "Goal",
    "Kind",
    "Mode",
    "Running",
    "Scenario",
    "check_supported",
    "chosen",
    "cpu_ns",
    "pss_bytes",
]
