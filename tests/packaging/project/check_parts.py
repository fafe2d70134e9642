"""Holds the parts of this project to their contracts."""

from __future__ import annotations

import sys

from hioload_ws.contract import MpmcRingContract, TransportContract, check
from parts.ring import make_ring
from parts.transport import make_pair

reports = {"ring": check(MpmcRingContract, make_ring), "transport": check(TransportContract, make_pair)}
for name, report in reports.items():
    print(f"{name}: {report.verdict}")
    for entry in report.failures:
        print(entry.requirement.id, entry.finding)
sys.exit(0 if all(report.conformant for report in reports.values()) else 1)
