"""Dial: a client's way to a transport, given a URI: directly, to a Unix socket, or through a proxy.

The layers are put together from the bottom: the transport that the registry makes, over it the tunnel where there is
a proxy, over that TLS where the URI says ``wss``. What comes back is one ``Transport``, and nobody above has to know
how many it is made of.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

from ..api.errors import InvalidArgument
from ..api.registry import ConnectOptions, TransportRegistry
from ..api.transport import TcpAddress, Transport, UnixAddress
from ..control.config import ServerConfig
from ..protocol.uri import WebSocketUri
from ..transport.tunnel import TunnelTransport
from .proxy import ENVIRONMENT, ConnectExchange, Proxy, ProxyChoice, choose_proxy
from .tls import client_context


class Dialer:
    """Makes transports for URIs, all in one way. Thread rules: one thread."""

    __slots__ = ("_config", "_environ", "_proxy", "_registry", "_tls", "unix")

    unix: str | None
    """The Unix socket that stands in for every host; ``None`` for none."""

    def __init__(
        self,
        registry: TransportRegistry,
        config: ServerConfig,
        *,
        unix: str | None,
        tls: ssl.SSLContext | None,
        proxy: ProxyChoice,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Prepare; nothing is opened. ``tls``: context for ``wss``, by default one that checks certificate and
        host name, made when it is needed. Raises ``InvalidArgument`` for a proxy in front of a Unix socket, and
        what ``Proxy`` raises for a URL of one."""
        if proxy is not None and unix is not None:
            raise InvalidArgument("a Unix socket is reached directly: give a proxy or a socket")
        self._registry = registry
        self._config = config
        self._tls = tls
        # What the environment says depends on the URI, and may change: it is asked each time.
        self._proxy = Proxy(proxy) if isinstance(proxy, str) and proxy != ENVIRONMENT else proxy
        self._environ = environ
        self.unix = unix

    def connect(self, uri: WebSocketUri) -> Transport:
        """Start to connect and return at once; as ``TransportProvider.connect``, and what ``Proxy`` raises for
        what the environment says."""
        tls = (self._tls or client_context()) if uri.secure else None
        proxy = choose_proxy(self._proxy, uri, self._environ)
        if proxy is not None:
            return self._through(proxy, uri, tls)
        options = ConnectOptions(tls=tls, server_name=uri.host)
        if self.unix is not None:
            return self._registry.get("unix").connect(UnixAddress(self.unix), options)
        return self._registry.get("tcp").connect(TcpAddress(uri.host, uri.port), options)

    def _through(self, proxy: Proxy, uri: WebSocketUri, tls: ssl.SSLContext | None) -> Transport:
        exchange = ConnectExchange(
            proxy,
            uri,
            max_head_bytes=self._config.max_head_bytes,
            max_header_count=self._config.max_header_count,
        )
        options = ConnectOptions(tls=proxy.tls, server_name=proxy.address.host)
        transport = self._registry.get("tcp").connect(proxy.address, options)
        try:
            transport = TunnelTransport(transport, exchange)
            if tls is not None:
                from ..transport.tls import TlsTransport  # as the providers do: only who wants TLS pays for it

                # The name is the far end's: whoever answers there has to prove that it is not the proxy.
                transport = TlsTransport(transport, tls, server_side=False, server_name=uri.host)
        except BaseException:
            transport.close()
            raise
        return transport


__all__ = ["Dialer"]
