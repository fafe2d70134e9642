"""hioload-ws: a WebSocket and network-server library whose every part can be read, replaced and checked."""

__version__ = "0.1.0"

__all__ = ["__version__"]
