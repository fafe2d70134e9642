"""TCP: the transport of the open network (RFC 9293; tcp(7), ip(7), ipv6(7)).

*Delays.* Nagle's algorithm holds small segments back until the last one is acknowledged. We send whole
batches and know when they end, so it could only add latency: TCP_NODELAY on every connection. On Linux an
accepted socket has it from its listener, which saves a system call per connection; elsewhere each is told.

*Listening.* A listener listens at exactly one address: the first that the name resolves to and that can be
bound. ``::`` means IPv6 only, whatever the machine's default is; who wants both families listens twice.
SO_REUSEADDR lets a restarted server have its port back while old connections linger in TIME_WAIT; on Windows
the same option would let a stranger take the port over, so there it stays off.

*Connecting.* Addresses of a name are tried in the order of the resolver (RFC 6724) until one does not fail
immediately. A failure that comes later is met by the first call that moves bytes.

*Names.* Nearly nobody asks an accepted connection who its peer is, so it keeps what accept(2) said in the
smallest form, a host that is shared with other connections of that host and a port, and makes an address when
asked. Its own end has the listener's address, unless the listener takes connections for any address.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
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
# tcp(7) does not say so; the kernel copies the listener's options (inet_csk_clone_lock), and a test watches.
_NO_DELAY_IS_INHERITED: Final = sys.platform == "linux"
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
_MAX_HOSTS: Final = 1024
_SocketName: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"
_Endpoint: TypeAlias = tuple[socket.AddressFamily, _SocketName]


class TcpTransport(StreamTransport):
    """A TCP connection."""

    __slots__ = ("_host", "_port")

    FEATURES = Features("tcp", zero_copy=True, batch=True, lock_free=True, descriptor=True)

    def __init__(
        self,
        stream: socket.SocketType,
        *,
        host: str,
        port: int,
        local: Address | None = None,
        connecting: bool = False,
    ) -> None:
        """Take over ``stream``, whose peer is ``port`` of ``host``; the rest as ``StreamTransport``."""
        super().__init__(stream, local=local, connecting=connecting)
        self._host = host
        self._port = port

    @property
    def peer_address(self) -> TcpAddress:
        """Address of the other end; also after ``close``."""
        return TcpAddress(self._host, self._port)

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
                address = TcpTransport.address_of(listening.getsockname())
                return StreamListener(listening, address, _Adoption(address))
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
        if _NO_DELAY_IS_INHERITED:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        return TcpTransport(stream, host=name[0], port=name[1], connecting=number != 0)
    except BaseException:
        stream.close()
        raise


class _Adoption:
    """Makes transports of the connections that one listener accepts; see ``listener.Adopt``."""

    __slots__ = ("_hosts", "_local")

    def __init__(self, address: TcpAddress) -> None:
        """``address``: where the listener listens."""
        self._local = None if address.host in _ANY_ADDRESS else address
        # One string per host, not per connection. Bounded, because strangers choose what is in it.
        self._hosts: dict[str, str] = {}

    def __call__(self, stream: socket.SocketType, peer: object) -> TcpTransport:
        host, port = peer[:2] if isinstance(peer, tuple) else ("", 0)
        if not _NO_DELAY_IS_INHERITED:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        shared = self._hosts.get(host)
        if shared is None:
            if len(self._hosts) >= _MAX_HOSTS:
                self._hosts.clear()
            shared = self._hosts[host] = host
        return TcpTransport(stream, host=shared, port=port, local=self._local)


__all__ = ["TcpProvider", "TcpTransport"]
