"""Holds the parts of this project to their contracts."""

from __future__ import annotations

import sys

from hioload_ws.contract import MpmcRingContract, check
from parts.ring import make_ring

report = check(MpmcRingContract, make_ring)
print(f"ring: {report.verdict}")
for entry in report.failures:
    print(entry.requirement.id, entry.finding)
sys.exit(0 if report.conformant else 1)
