"""Provider: what all kinds of stream transport share in making listeners and connections.

A kind says how to listen and how to connect in the clear; TLS is a layer over any of them, so it is added
here, once. The TLS module is imported when somebody asks for it: there are builds of Python without it, and
importing it costs time and memory that those who don't want it should not spend.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import ClassVar

from ..api.errors import InvalidArgument, NotSupported
from ..api.registry import Availability, ConnectOptions, ListenOptions
from ..api.transport import Address, Features, Listener, TcpAddress, Transport


class StreamProvider:
    """Implements ``api.registry.TransportProvider`` but for the three methods that a kind adds.

    Stateless unless a kind says otherwise. Thread rules: any thread.
    """

    __slots__ = ()

    FEATURES: ClassVar[Features]

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.FEATURES.name

    def availability(self) -> Availability:
        """Say whether this machine can do it, by opening what it takes and closing it again."""
        try:
            self._try()
        except (OSError, AttributeError) as error:  # AttributeError: the socket module has no such family
            return Availability(False, f"{self.name} sockets can't be opened here: {error}")
        return Availability(True)

    def features(self) -> Features:
        """Return what its transports can do here; ``tls`` when the options may ask for it."""
        return replace(self.FEATURES, tls=importlib.util.find_spec("_ssl") is not None)

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        """Listen at an address, over TLS if ``options`` say so; see ``TransportProvider.listen``."""
        if options.backlog < 1:
            raise InvalidArgument("backlog is 1 or more", backlog=options.backlog)
        if options.tls is None:
            return self._listen(address, options)
        from .tls import TlsListener, check_context

        check_context(options.tls, server_side=True)
        return TlsListener(self._listen(address, options), options.tls)

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        """Start to connect, over TLS if ``options`` say so; see ``TransportProvider.connect``."""
        if options.tls is None:
            return self._connect(address)
        from .tls import TlsTransport, check_context

        check_context(options.tls, server_side=False)
        server_name = options.server_name
        if server_name is None and isinstance(address, TcpAddress):
            server_name = address.host
        stream = self._connect(address)
        try:
            return TlsTransport(stream, options.tls, server_side=False, server_name=server_name)
        except BaseException:
            stream.close()
            raise

    def _try(self) -> None:
        """Open what a transport of this kind takes and close it again. Raises ``OSError`` when it can't."""
        raise NotImplementedError

    def _listen(self, address: Address, options: ListenOptions) -> Listener:
        """Listen in the clear."""
        raise NotImplementedError

    def _connect(self, address: Address) -> Transport:
        """Connect in the clear."""
        raise NotImplementedError

    def _foreign(self, address: Address) -> NotSupported:
        """Return the error for a kind of address that this provider can't serve."""
        return NotSupported(
            f"{self.name} has no addresses of kind {type(address).__name__}", address=str(address)
        )

    def _no_reuse_port(self, options: ListenOptions) -> None:
        """Raise ``NotSupported`` if the options ask to share an address that can't be shared."""
        if options.reuse_port:
            raise NotSupported(f"{self.name} listeners can't share an address", option="reuse_port")


__all__ = ["StreamProvider"]
