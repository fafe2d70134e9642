"""Broken and unusual implementations, one module per interface, each with a ``GALLERY``."""

from __future__ import annotations

__all__: list[str] = []
