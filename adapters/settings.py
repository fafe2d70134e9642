"""Settings: what a server's configuration means to the parts that obey it.

A configuration is a flat table of numbers and names that people write; the hub, the door and the handshake each
want their own corner of it as one immutable value. The translation is here, in one place, because it happens
twice: when the server starts and whenever the configuration is changed. What is not in the table (a program's
own extensions) is passed along, so that a change leaves it as it was.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..api.clock import Clock
from ..api.errors import NotSupported
from ..api.extension import ExtensionFactory
from ..api.poller import Poller
from ..api.registry import ListenOptions, TransportRegistry
from ..api.transport import Address, Listener, TcpAddress, UnixAddress
from ..control.config import ServerConfig
from ..internal.faults import ErrorHook
from ..internal.inbox import Inbox
from ..internal.reactor import PollReactor
from ..protocol.handshake_config import HandshakeConfig
from .door import Door
from .hub import ConnectionSettings, Hub


def handshake_config(config: ServerConfig, extensions: Sequence[ExtensionFactory]) -> HandshakeConfig:
    """Return what opening handshakes are judged by. Raises ``InvalidArgument`` where ``HandshakeConfig`` does:
    names that are no tokens, or appear twice."""
    allowed = config.origins
    return HandshakeConfig(
        subprotocols=config.subprotocols,
        extensions=tuple(extensions),
        # Programs that are no browsers send no Origin; the check protects browsers' users (RFC 6455 §10.2).
        check_origin=None if allowed is None else lambda origin, _: origin is None or origin in allowed,
        max_head_bytes=config.max_head_bytes,
        max_header_count=config.max_header_count,
    )


def make_reactor(
    config: ServerConfig, make_poller: Callable[[], Poller] | None, clock: Clock, on_error: ErrorHook
) -> PollReactor:
    """Return a reactor as configured; ``make_poller`` of ``None`` is the system's best. Errors as ``PollReactor``,
    and what ``make_poller`` raises."""
    return PollReactor(
        None if make_poller is None else make_poller(),
        clock,
        Inbox(config.inbox_capacity),
        budget=config.reactor_budget,
        spin_ns=config.spin_us * 1000,
        on_error=on_error,
    )


def listen(
    registry: TransportRegistry, config: ServerConfig, tls: ssl.SSLContext | None, *, reuse_port: bool = False
) -> Listener:
    """Return a listener where the configuration says; errors as ``TransportProvider.listen``."""
    address: Address
    if config.unix_path is not None:
        provider, address = "unix", UnixAddress(config.unix_path)
    else:
        provider, address = "tcp", TcpAddress(config.host, config.port)
    options = ListenOptions(backlog=config.backlog, reuse_port=reuse_port, tls=tls)
    return registry.get(provider).listen(address, options)


def listen_all(
    registry: TransportRegistry, config: ServerConfig, tls: ssl.SSLContext | None
) -> Sequence[Listener]:
    """Return a listener for each worker, all at one address; one for all of them where they can't share it.

    Errors as ``TransportProvider.listen``; nothing is left open then.
    """
    try:
        listeners = [listen(registry, config, tls, reuse_port=True)]
    except NotSupported:
        return [listen(registry, config, tls)]
    address = listeners[0].address
    assert isinstance(address, TcpAddress)  # Unix sockets can't share an address
    same = replace(config, port=address.port)
    try:
        while len(listeners) < config.workers:
            listeners.append(listen(registry, same, tls, reuse_port=True))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def apply_settings(hub: Hub, door: Door, config: ServerConfig) -> None:
    """Put a changed configuration to work, for connections that are accepted from now on; the extensions stay
    those the door has. Errors as ``handshake_config``, before anything is changed."""
    handshakes = handshake_config(config, door.handshake_config.extensions)
    hub.settings = ConnectionSettings.from_config(config)
    door.handshake_config = handshakes
    door.max_connections = config.max_connections


__all__ = ["apply_settings", "handshake_config", "listen", "make_reactor"]
