"""The stream base where the behaviour suite can't reach: what systems answer only now and then."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.errors import ConnectionLost
from hioload_ws.api.poller import WRITABLE
from hioload_ws.api.transport import WOULD_BLOCK, MemoryAddress, SocketTransport, TcpAddress
from hioload_ws.transport import stream as stream_module
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.stream import StreamTransport
from hioload_ws.transport.tcp import TcpTransport
from tests.transport.conftest import Bench, wait_for, wait_readable

class ScriptedSocket(socket.socket):
    """A TCP socket that answers what the test says."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.pending_error = 0
        self.peer_error = 0
        self.io_error: OSError | None = None
        self.name_error: OSError | None = None
        self.shut = 0
        self.sent = bytearray()

    def getsockopt(self, *arguments: int) -> int:  # type: ignore[override]  # the one form that is used
        assert arguments == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.pending_error

    def getpeername(self) -> object:
        if self.peer_error:
            raise OSError(self.peer_error, os.strerror(self.peer_error))
        return ("192.0.2.1", 9)

    def getsockname(self) -> object:
        if self.name_error is not None:
            raise self.name_error
        return ("192.0.2.2", 8)

    def send(self, data: object, flags: int = 0) -> int:
        if self.io_error is not None:
            raise self.io_error
        self.sent += memoryview(data)  # type: ignore[arg-type]  # bytes-like, as everywhere here
        return memoryview(data).nbytes  # type: ignore[arg-type]

    def recv_into(self, buffer: object, *arguments: int) -> int:
        if self.io_error is not None:
            raise self.io_error
        return 1

    def shutdown(self, how: int) -> None:
        self.shut += 1


@pytest.fixture
def scripted() -> Iterator[ScriptedSocket]:
    made = ScriptedSocket()
    yield made
    made.close()


def connecting(scripted: ScriptedSocket) -> StreamTransport:
    scripted.peer_error = errno.ENOTCONN
    return TcpTransport(scripted, host="127.0.0.1", port=1, connecting=True)


def test_while_connecting_everything_waits_and_then_goes_out(scripted: ScriptedSocket) -> None:
    end = connecting(scripted)
    assert end.interest == WRITABLE
    assert end.send([b"early"]) == 5
    assert (end.flush(), end.recv_into(bytearray(5)), end.pending_bytes) == (5, WOULD_BLOCK, 5)
    end.shutdown()
    assert (scripted.shut, bytes(scripted.sent)) == (0, b"")
    scripted.peer_error = 0
    assert end.flush() == 0
    assert (scripted.shut > 0, bytes(scripted.sent), end.interest) == (True, b"early", 0)
    end.close()


def test_a_shutdown_with_nothing_pending_is_made_when_the_connection_is(scripted: ScriptedSocket) -> None:
    end = connecting(scripted)
    end.shutdown()
    assert scripted.shut == 0
    scripted.peer_error = 0
    assert end.recv_into(bytearray(1)) == 1
    assert (scripted.shut, end.interest) == (1, 0)
    end.close()


@pytest.mark.parametrize("call", ["send", "flush", "recv_into"])
@pytest.mark.parametrize("place", ["pending_error", "peer_error"])
def test_a_refused_connect_is_raised_by_the_first_call_that_moves_bytes(
    scripted: ScriptedSocket, call: str, place: str
) -> None:
    end = connecting(scripted)
    setattr(scripted, place, errno.EHOSTUNREACH)
    calls: dict[str, Callable[[], object]] = {
        "send": lambda: end.send([b"x"]),
        "flush": end.flush,
        "recv_into": lambda: end.recv_into(bytearray(1)),
    }
    for _ in range(2):
        with pytest.raises(ConnectionLost) as caught:
            calls[call]()
        assert caught.value.context == {"errno": errno.EHOSTUNREACH, "name": "EHOSTUNREACH"}
        assert isinstance(caught.value.__cause__, OSError)
    assert end.interest == 0
    end.close()


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.ENETDOWN, errno.ENOBUFS, errno.EPIPE])
def test_whatever_the_system_answers_is_a_loss(scripted: ScriptedSocket, number: int) -> None:
    end = TcpTransport(scripted, host="127.0.0.1", port=1)
    scripted.io_error = OSError(number, os.strerror(number))
    with pytest.raises(ConnectionLost) as caught:
        end.recv_into(bytearray(1))
    assert caught.value.context["errno"] == number
    end.close()


def test_an_error_without_a_number_is_a_loss_too(scripted: ScriptedSocket) -> None:
    end = TcpTransport(scripted, host="127.0.0.1", port=1)
    scripted.io_error = OSError("no number")
    with pytest.raises(ConnectionLost) as caught:
        end.send([b"x"])
    assert caught.value.context["errno"] == errno.EIO
    end.close()


def test_an_interrupted_call_is_like_one_that_would_block(scripted: ScriptedSocket) -> None:
    end = TcpTransport(scripted, host="127.0.0.1", port=1)
    scripted.io_error = InterruptedError(errno.EINTR, "interrupted")
    assert (end.recv_into(bytearray(1)), end.send([b"x"])) == (WOULD_BLOCK, 1)
    end.close()


def test_without_vectors_the_parts_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HAS_VECTORS", False)
    left, right = memory_pair()
    assert left.send([b"a" * 2000, b"b" * 2000]) == 2000
    assert left.flush() == 0
    buffer = bytearray(5000)
    assert right.recv_into(buffer) == 4000
    assert buffer[:4000] == b"a" * 2000 + b"b" * 2000
    left.close()
    right.close()


def test_a_name_that_the_system_forgot_is_unknown(scripted: ScriptedSocket) -> None:
    scripted.name_error = OSError(errno.EINVAL, "forgot")
    end = TcpTransport(scripted, host="127.0.0.1", port=1)
    assert end.local_address == TcpAddress("", 0)
    scripted.name_error = None
    end.close()
    assert end.local_address == TcpAddress("192.0.2.2", 8)


def test_a_kind_without_names_has_to_be_given_them() -> None:
    with pytest.raises(NotImplementedError):
        StreamTransport.address_of(("127.0.0.1", 1))
    with socket.socket() as stream, pytest.raises(NotImplementedError):
        str(StreamTransport(stream).peer_address)
    left, right = memory_pair()
    assert isinstance(left.local_address, MemoryAddress) and left.local_address == right.peer_address
    left.close()
    right.close()


def test_a_tcp_connect_that_nobody_answers_is_raised_when_it_is_known(bench: Bench) -> None:
    listener = bench.listen("tcp4")
    listener.close()
    with pytest.raises(ConnectionLost) as caught:
        client = bench.connect("tcp4", listener.address)
        wait_for([(client, client.interest)])
        client.recv_into(bytearray(1))
    assert caught.value.context["name"] == "ECONNREFUSED"


def test_the_first_bytes_can_be_queued_before_the_connection_is_made(bench: Bench) -> None:
    listener = bench.listen("tcp4")
    client = bench.connect("tcp4", listener.address)
    client.send([b"hello"])
    server = bench.accept(listener)
    client.flush()
    wait_readable(server)
    buffer = bytearray(9)
    assert server.recv_into(buffer) == 5


def test_the_socket_may_be_used_bare_and_what_it_raises_is_told(scripted: ScriptedSocket) -> None:
    end = TcpTransport(scripted, host="192.0.2.1", port=9)
    lent: SocketTransport = end
    assert lent.bare_socket is scripted
    assert lent.bare_socket.send(b"abc") == 3
    told = lent.lost(OSError(errno.ETIMEDOUT, "timed out"))
    assert told.context["name"] == "ETIMEDOUT"
    with pytest.raises(ConnectionLost) as caught:
        end.send([b"x"])
    assert caught.value.context["name"] == "ETIMEDOUT"
    end.close()
