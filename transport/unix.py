"""Unix sockets: streams between processes of one machine (unix(7)).

An address is a path, or on Linux an *abstract* name, written ``@name``: it lives in the kernel, has no file
and no permission bits, and is gone with its listener.

A path outlives its listener when that was killed, so a file may be in the way when a server starts. Whether
it is a leftover is not guessed but asked: connect to it. Refused means that nobody listens; only then, and
only if the file is a socket, and still the same file, it is removed. Anything else is somebody's and stays.
Between our question and the removal another server may start at the same path; whoever starts two servers at
one path at the same instant may see both succeed, and the later one has the path.

Permission bits are set between bind(2) and listen(2): until then nobody can connect, so there is no moment at
which the umask decides who may. On ``close`` the file is removed by the process that made it, if it is still
the file that was made: a successor's stays.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from typing import ClassVar, Final

from ..api.errors import AlreadyExists, InvalidArgument, NotSupported, ResourceExhausted
from ..api.registry import ListenOptions
from ..api.transport import Address, Features, Listener, Transport, UnixAddress
from .listener import StreamListener
from .provider import StreamProvider
from .stream import NamedTransport
from .system_errors import connect_error, listen_error

_LINUX: Final = sys.platform == "linux"
_MAX_PATH_BYTES: Final = 107 if _LINUX else 103
"""``sun_path`` without its NUL; an abstract name has its leading NUL in that place."""

_FileId = tuple[int, int]


class UnixTransport(NamedTransport):
    """A connection over a Unix socket."""

    __slots__ = ()

    FEATURES = Features("unix", zero_copy=True, batch=True, lock_free=True, descriptor=True)

    @staticmethod
    def address_of(name: object) -> UnixAddress:
        """Return the address for a path, or for an abstract name's bytes; ``""`` is unnamed or unknown."""
        if isinstance(name, bytes) and name:
            return UnixAddress("@" + os.fsdecode(name[1:]))
        return UnixAddress(name if isinstance(name, str) else "")


class UnixListener(StreamListener):
    """Listens at a path or an abstract name, and removes its file in the end."""

    __slots__ = ("_file_id", "_maker")

    def __init__(self, listening: socket.socket, address: UnixAddress, file_id: _FileId | None) -> None:
        """Take over ``listening``; ``file_id`` names the file to remove, ``None`` for an abstract name."""
        super().__init__(listening, address, _adopt)
        self._file_id = file_id
        self._maker = os.getpid()

    def close(self) -> None:
        """Stop listening and remove the file, if it is ours. Idempotent."""
        super().close()
        file_id, self._file_id = self._file_id, None
        # A forked worker closes its copy of the listener; the file goes with the process that made it.
        if file_id is not None and os.getpid() == self._maker:
            _unlink(str(self._address).removeprefix("unix:"), file_id)


class UnixProvider(StreamProvider):
    """Makes Unix listeners and connections; ``name`` is ``"unix"``."""

    __slots__ = ()

    FEATURES: ClassVar[Features] = UnixTransport.FEATURES

    def _try(self) -> None:
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close()

    def _listen(self, address: Address, options: ListenOptions) -> Listener:
        if not isinstance(address, UnixAddress):
            raise self._foreign(address)
        self._no_reuse_port(options)
        name = _name_of(address)
        try:
            if isinstance(name, str):
                _make_way(name, address)
            listening, file_id = _open_listener(name, options)
        except OSError as error:
            raise listen_error(error, address) from error
        return UnixListener(listening, address, file_id)

    def _connect(self, address: Address) -> Transport:
        if not isinstance(address, UnixAddress):
            raise self._foreign(address)
        name = _name_of(address)
        try:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            raise connect_error(error, address) from error
        try:
            stream.setblocking(False)
            stream.connect(name)
        except BlockingIOError as error:
            stream.close()
            # Unlike TCP, nothing is under way: the listener's queue is full (unix(7)).
            raise ResourceExhausted(
                f"too many connections wait at {address}", resource="backlog", errno=error.errno
            ) from error
        except OSError as error:
            stream.close()
            raise connect_error(error, address) from error
        return UnixTransport(stream, peer=address)


def _open_listener(name: str | bytes, options: ListenOptions) -> tuple[socket.socket, _FileId | None]:
    """Return a socket that listens at ``name``, and what tells its file from others, if it has one.

    Raises ``OSError``; nothing is left open, and no file of ours is left behind then.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    file_id: _FileId | None = None
    try:
        listening.setblocking(False)
        listening.bind(name)
        if isinstance(name, str):
            file_id = _file_id(name)
            os.chmod(name, options.unix_mode)
        listening.listen(options.backlog)
    except BaseException:
        listening.close()
        if isinstance(name, str) and file_id is not None:
            _unlink(name, file_id)
        raise
    return listening, file_id


def _adopt(stream: socket.SocketType, peer: object) -> UnixTransport:
    """Make a transport of an accepted connection."""
    return UnixTransport(stream, peer=UnixTransport.address_of(peer))


def _name_of(address: UnixAddress) -> str | bytes:
    """Return the path, or the bytes of an abstract name, as the socket module wants them.

    Raises ``InvalidArgument`` for what can't be a name and ``NotSupported`` for abstract names elsewhere.
    """
    path = address.path
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise InvalidArgument("the name of a Unix socket is too long", limit_bytes=_MAX_PATH_BYTES, path=path)
    if path in ("", "@") or "\0" in path:
        # "" and "@" would let the kernel choose a name, and a path ends at its first NUL, silently.
        raise InvalidArgument("a Unix address is a path or @name, without NUL", path=path)
    if not path.startswith("@"):
        return path
    if not _LINUX:
        raise NotSupported("abstract names exist on Linux only", path=path)
    return b"\0" + os.fsencode(path[1:])


def _file_id(path: str) -> _FileId:
    """Return what tells this file from every other one. Raises ``OSError`` when there is none."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _unlink(path: str, file_id: _FileId) -> None:
    """Remove the file if it is still the same."""
    try:
        if _file_id(path) == file_id:
            os.unlink(path)
    except OSError:
        pass  # gone already, or the directory is not ours any more: nothing that we could do


def _make_way(path: str, address: UnixAddress) -> None:
    """Remove a leftover socket at ``path``. Raises ``AlreadyExists`` for anything else that is there."""
    try:
        found = os.lstat(path)
    except OSError:
        return  # nothing there; or a directory on the way is missing, which bind will say
    if not stat.S_ISSOCK(found.st_mode):
        raise AlreadyExists(f"{address} is a file that is not a socket", address=str(address))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as question:
        question.setblocking(False)
        number = question.connect_ex(path)
    if number == errno.ECONNREFUSED:
        _unlink(path, (found.st_dev, found.st_ino))
    elif number != errno.ENOENT:  # EAGAIN, EACCES, EPROTOTYPE: alive, or not ours to judge
        raise AlreadyExists(f"something listens at {address} already", address=str(address), errno=number)


__all__ = ["UnixListener", "UnixProvider", "UnixTransport"]
