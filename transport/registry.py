"""Registry: the providers of a process, by name; see ``api.registry``.

Readers never wait: they look at a dictionary that is never changed. A writer makes a new one under a lock and
puts it in place with one assignment, which every reader sees either before or after, never in between.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import fields

from ..api.errors import AlreadyExists, InvalidArgument, NotFound, NotSupported
from ..api.registry import Availability, TransportProvider
from ..api.transport import Features
from .absent import absent_providers
from .memory import MemoryProvider
from .tcp import TcpProvider
from .unix import UnixProvider

_FLAGS = frozenset(field.name for field in fields(Features)) - {"name"}


class Registry:
    """Implements ``api.registry.TransportRegistry``. Thread rules: any thread."""

    __slots__ = ("_lock", "_providers")

    def __init__(self) -> None:
        """Make an empty registry."""
        self._lock = threading.Lock()
        # Invariant: never changed in place.
        self._providers: Mapping[str, TransportProvider] = {}

    def register(self, provider: TransportProvider) -> None:
        """Add a provider. Raises ``AlreadyExists`` when the name is taken."""
        with self._lock:
            if provider.name in self._providers:
                raise AlreadyExists(f"there is a transport {provider.name} already", transport=provider.name)
            self._providers = {**self._providers, provider.name: provider}

    def replace(self, provider: TransportProvider) -> TransportProvider | None:
        """Put a provider in place of the one with its name (which keeps its rank) and return that one."""
        with self._lock:
            previous = self._providers.get(provider.name)
            self._providers = {**self._providers, provider.name: provider}
        return previous

    def names(self) -> Sequence[str]:
        """Return all registered names, in order of registration, available or not."""
        return tuple(self._providers)

    def availability(self, name: str) -> Availability:
        """Return whether the named transport works here. Raises ``NotFound`` for an unknown name."""
        return self._find(name).availability()

    def get(self, name: str) -> TransportProvider:
        """Return an available provider. Raises ``NotFound``, or ``NotSupported`` with the reason."""
        provider = self._find(name)
        answer = provider.availability()
        if not answer.available:
            raise NotSupported(f"transport {name} does not work here: {answer.reason}", transport=name)
        return provider

    def select(self, **required: bool) -> TransportProvider:
        """Return the first available provider whose flags are as required; see the interface."""
        unknown = required.keys() - _FLAGS
        if unknown:
            raise InvalidArgument("no such flag of Features", unknown=sorted(unknown), known=sorted(_FLAGS))
        shortcomings = []
        for name, provider in self._providers.items():
            answer = provider.availability()
            if not answer.available:
                shortcomings.append(f"{name}: {answer.reason}")
                continue
            features = provider.features()
            missing = [
                f"{flag}={wanted}" for flag, wanted in required.items() if getattr(features, flag) != wanted
            ]
            if not missing:
                return provider
            shortcomings.append(f"{name}: not {', '.join(missing)}")
        raise NotSupported("no transport fits: " + ("; ".join(shortcomings) or "none is registered"))

    def _find(self, name: str) -> TransportProvider:
        providers = self._providers
        try:
            return providers[name]
        except KeyError:
            raise NotFound(f"there is no transport {name}", transport=name, known=list(providers)) from None


def default_registry() -> Registry:
    """Return a new registry with ``tcp``, ``unix``, ``memory``, and those that are planned and say so."""
    registry = Registry()
    present: tuple[TransportProvider, ...] = (TcpProvider(), UnixProvider(), MemoryProvider())
    for provider in (*present, *absent_providers()):
        registry.register(provider)
    return registry


__all__ = ["Registry", "default_registry"]
