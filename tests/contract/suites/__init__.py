"""The suites, one module per interface, each with a tuple ``SUITES``."""
