"""Transport registry: which ways to move bytes exist here, and why the others do not.

A provider answers for one kind of transport. Registering one is always possible; whether it is *available*
on this machine is a question with a reason in its answer, so that a refusal can say what to install or
which kernel is missing. Swapping a provider while a server runs concerns new connections; those that exist
keep the transport they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .transport import Address, Features, Listener, Transport

if TYPE_CHECKING:
    import ssl  # only a name in annotations here: builds of Python without ssl can still import this room


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a transport works on this machine; ``reason`` says what is missing (or ``""``)."""

    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How to listen. ``backlog`` is how many connections may wait to be accepted, 1 or more (listen(2))."""

    backlog: int = 1024
    reuse_port: bool = False
    """Let several processes share the port (SO_REUSEPORT, socket(7))."""
    tls: ssl.SSLContext | None = None
    """Server-side context; the listener then accepts TLS transports."""
    unix_mode: int = 0o600
    """Permission bits of a Unix socket's file."""


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How to connect."""

    tls: ssl.SSLContext | None = None
    """Client-side context; the transport then speaks TLS."""
    server_name: str | None = None
    """Name for SNI and host check; by default the host of the address."""


class TransportProvider(Protocol):
    """One kind of transport: makes its listeners and its outgoing connections."""

    @property
    def name(self) -> str:
        """Short, unique, lower case: ``"tcp"``, ``"unix"``, ``"memory"``."""

    def availability(self) -> Availability:
        """Say whether this machine can do it, by trying, not by guessing. Never raises."""

    def features(self) -> Features:
        """Return what its transports can do here."""

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        """Listen at an address. Raises ``AlreadyExists`` when it is taken, ``NotSupported`` for a kind of
        address or an option it can't serve, ``InvalidArgument`` for a malformed one, ``ResourceExhausted``
        without descriptors."""

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        """Start to connect and return at once; the handle becomes writable when the outcome is known, and a
        failure is raised by the first call that moves bytes. Name resolution may block. Raises
        ``ConnectionLost`` when it fails immediately, else as ``listen``."""


class TransportRegistry(Protocol):
    """The providers of a process, by name. Thread rules: any thread; readers never wait."""

    def register(self, provider: TransportProvider) -> None:
        """Add a provider. Raises ``AlreadyExists`` when the name is taken."""

    def replace(self, provider: TransportProvider) -> TransportProvider | None:
        """Put a provider in place of the one with its name and return that one.

        Existing connections are not touched.
        """

    def names(self) -> Sequence[str]:
        """Return all registered names, in order of registration, available or not."""

    def availability(self, name: str) -> Availability:
        """Return whether the named transport works here.

        Raises ``NotFound`` for an unknown name, listing the known ones.
        """

    def get(self, name: str) -> TransportProvider:
        """Return an available provider.

        Raises ``NotFound`` for an unknown name and ``NotSupported``, with the reason, for one that can't
        work here.
        """

    def select(self, **required: bool) -> TransportProvider:
        """Return the first available provider whose features have all the required flags
        (``select(zero_copy=True)``).

        Raises ``InvalidArgument`` for a flag that does not exist and ``NotSupported``, naming each
        candidate's shortcoming, when none fits.
        """


__all__ = [
    "Availability",
    "ConnectOptions",
    "ListenOptions",
    "TransportProvider",
    "TransportRegistry",
]
