"""TCP: the transport of the open network (RFC 9293; tcp(7), ip(7), ipv6(7)).

*Delays.* Nagle's algorithm holds small segments back until the last one is acknowledged. We send whole
batches and know when they end, so it could only add latency: TCP_NODELAY on every connection.

*Listening.* A listener listens at exactly one address: the first that the name resolves to and that can be
bound. ``::`` means IPv6 only, whatever the machine's default is; who wants both families listens twice.
SO_REUSEADDR lets a restarted server have its port back while old connections linger in TIME_WAIT; on Windows
the same option would let a stranger take the port over, so there it stays off.

*Connecting.* Addresses of a name are tried in the order of the resolver (RFC 6724) until one does not fail
immediately. A failure that comes later is met by the first call that moves bytes.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import ClassVar, Final, TypeAlias, cast

from ..api.errors import ConnectionLost, InvalidArgument, NotSupported
from ..api.registry import ListenOptions
from ..api.transport import Address, Features, Listener, TcpAddress, Transport
from .listener import StreamListener
from .provider import StreamProvider
from .stream import StreamTransport
from .system_errors import connect_error, listen_error

_REUSE_ADDRESS: Final = os.name == "posix"
# Not EAGAIN: on Linux that means "no local port is left", and nothing is under way (connect(2)).
_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", 0)})
_SocketName: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"
_Endpoint: TypeAlias = tuple[socket.AddressFamily, _SocketName]


class TcpTransport(StreamTransport):
    """A TCP connection."""

    __slots__ = ()

    FEATURES = Features("tcp", zero_copy=True, batch=True, lock_free=True, descriptor=True)

    @staticmethod
    def address_of(name: object) -> TcpAddress:
        """Return the address for ``(host, port)`` or ``(host, port, flow, scope)``; unknown is ``:0``."""
        return TcpAddress(name[0], name[1]) if isinstance(name, tuple) else TcpAddress("", 0)


class TcpProvider(StreamProvider):
    """Makes TCP listeners and connections; ``name`` is ``"tcp"``."""

    __slots__ = ()

    FEATURES: ClassVar[Features] = TcpTransport.FEATURES

    def _try(self) -> None:
        with socket.create_server(("127.0.0.1", 0)):
            pass

    def _listen(self, address: Address, options: ListenOptions) -> Listener:
        if not isinstance(address, TcpAddress):
            raise self._foreign(address)
        if options.reuse_port and not hasattr(socket, "SO_REUSEPORT"):
            raise NotSupported("this system has no SO_REUSEPORT", option="reuse_port")
        try:
            endpoints = _resolve(address, socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise InvalidArgument(f"{address.host} has no address", host=address.host) from error
        failure = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        for family, name in endpoints:
            try:
                listening = _open_listener(family, name, options)
            except OSError as error:
                failure = error
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    break  # taken, not permitted, out of descriptors: another family would hide that
            else:
                return StreamListener(listening, TcpTransport.address_of(listening.getsockname()), _adopt)
        raise listen_error(failure, address) from failure

    def _connect(self, address: Address) -> Transport:
        if not isinstance(address, TcpAddress):
            raise self._foreign(address)
        if not address.port:
            raise InvalidArgument("a port to connect to is 1 to 65535", port=address.port)
        try:
            endpoints = _resolve(address, 0)
        except socket.gaierror as error:
            raise ConnectionLost(f"{address.host} has no address", host=address.host) from error
        failure = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        for family, name in endpoints:
            try:
                return _open_connection(family, name)
            except OSError as error:
                failure = error
        raise connect_error(failure, address) from failure


def _resolve(address: TcpAddress, flags: int) -> list[_Endpoint]:
    """Return the families and names for an address, in the resolver's order. May block.

    Raises ``InvalidArgument`` for a malformed address and ``socket.gaierror`` for an unknown name.
    """
    if not address.host:
        raise InvalidArgument("a host is a name or an address; 0.0.0.0 and :: mean every one of this machine")
    if "\0" in address.host:  # the resolver would look only at what stands before it
        raise InvalidArgument("a host contains no NUL", host=address.host)
    if not 0 <= address.port <= 65535:
        raise InvalidArgument("a port is 0 to 65535", port=address.port)
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:  # a label that no name can have
        raise InvalidArgument("the host is malformed", host=address.host) from error
    return [(family, cast(_SocketName, name)) for family, _, _, _, name in found]


def _open_listener(family: int, name: _SocketName, options: ListenOptions) -> socket.socket:
    """Return a socket that listens at ``name``. Raises ``OSError``; nothing is left open then."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        if _REUSE_ADDRESS:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(name)
        listening.listen(options.backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def _open_connection(family: int, name: _SocketName) -> TcpTransport:
    """Return a transport whose connection is made or under way. Raises ``OSError`` when it failed."""
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = stream.connect_ex(name)
        if number not in _UNDER_WAY:
            raise OSError(number, os.strerror(number))
        return TcpTransport(stream, peer=TcpTransport.address_of(name), connecting=number != 0)
    except BaseException:
        stream.close()
        raise


def _adopt(stream: socket.socket, peer: object) -> TcpTransport:
    """Make a transport of an accepted connection."""
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TcpTransport(stream, peer=TcpTransport.address_of(peer))


__all__ = ["TcpProvider", "TcpTransport"]
