"""The room of moving bytes: tcp, Unix sockets, in-process pairs, TLS, and their registry. See README.md.

``transport.tls`` is not re-exported: importing it imports ``ssl``, which not every build of Python has.
"""

from .absent import AbsentProvider, absent_providers
from .listener import StreamListener
from .memory import MemoryListener, MemoryProvider, MemoryTransport, memory_pair
from .outgoing import OutgoingQueue, WaterMarks
from .provider import StreamProvider
from .registry import Registry, default_registry
from .stream import StreamTransport
from .tcp import TcpProvider, TcpTransport
from .unix import UnixListener, UnixProvider, UnixTransport

__all__ = [
    "AbsentProvider",
    "MemoryListener",
    "MemoryProvider",
    "MemoryTransport",
    "OutgoingQueue",
    "Registry",
    "StreamListener",
    "StreamProvider",
    "StreamTransport",
    "TcpProvider",
    "TcpTransport",
    "UnixListener",
    "UnixProvider",
    "UnixTransport",
    "WaterMarks",
    "absent_providers",
    "default_registry",
    "memory_pair",
]
