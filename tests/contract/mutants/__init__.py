"""Broken and unusual implementations, one module per interface, each with a ``GALLERY``."""
