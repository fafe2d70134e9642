"""The suites, one module per interface, each with a tuple ``SUITES``."""

from __future__ import annotations

__all__: list[str] = []
