"""TLS once it is established: ends that lie, data in awkward places, TLS over TLS, a foreign peer."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess

import pytest

from hioload_ws.api.errors import ConnectionLost
from hioload_ws.api.poller import READABLE, WRITABLE
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from hioload_ws.transport.tls import TlsTransport
from tests.transport.conftest import (
    CERTS,
    Bench,
    Link,
    client_context,
    raw_socket,
    server_context,
    wait_readable,
)
from tests.transport.tls_links import drive, tls_link


@pytest.fixture
def link(bench: Bench) -> Link:
    made = tls_link(bench)
    made.establish()
    return made


def test_an_end_without_close_notify_is_a_loss_after_the_data(link: Link) -> None:
    link.client.send([b"abc"])
    raw_socket(link.client).shutdown(socket.SHUT_WR)
    buffer = bytearray(10)
    assert link.server.recv_into(buffer) == 3
    with pytest.raises(ConnectionLost, match="truncated"):
        while True:
            link.server.recv_into(buffer)


def test_garbage_behind_good_data_is_raised_after_the_data(link: Link) -> None:
    link.client.send([b"abc"])
    raw_socket(link.client).send(b"\x17\x03\x03\x00\x14" + bytes(20))
    wait_readable(link.server)
    assert link.server.recv_into(bytearray(100)) == 3
    assert link.server.buffered
    with pytest.raises(ConnectionLost) as caught:
        link.server.recv_into(bytearray(100))
    assert caught.value.context["reason"]
    lost = drive(link.client)  # it was told, by an alert
    assert "ALERT" in str(lost[0].context["reason"])


def test_an_alert_that_can_not_be_sent_does_not_hide_the_reason(link: Link) -> None:
    raw_socket(link.client).send(b"\x17\x03\x03\x00\x14" + bytes(20))
    raw_socket(link.server).shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost, match="TLS failed"):
        link.server.recv_into(bytearray(100))


def test_our_shutdown_keeps_what_arrived_and_the_error_behind_it(link: Link) -> None:
    link.client.send([b"abcdef"])
    raw_socket(link.client).send(b"\x17\x03\x03\x00\x14" + bytes(20))
    buffer = bytearray(2)
    assert link.server.recv_into(buffer) == 2
    link.server.shutdown()
    assert link.receive(link.server, link.client, 4) == b"cdef"
    with pytest.raises(ConnectionLost):
        link.server.recv_into(buffer)


def test_our_shutdown_keeps_an_error_that_waits_alone(link: Link) -> None:
    link.client.send([b"ab"])
    raw_socket(link.client).send(b"\x17\x03\x03\x00\x14" + bytes(20))
    assert link.server.recv_into(bytearray(2)) == 2
    link.server.shutdown()
    with pytest.raises(ConnectionLost):
        link.server.recv_into(bytearray(2))


def test_data_before_a_reset_is_received_before_the_reset(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.client.send([b"abc"])
    feed = TlsTransport._feed
    answers = [None, ConnectionLost("reset"), ConnectionLost("reset")]

    def scripted(self: TlsTransport, limit_bytes: int) -> int:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        feed(self, limit_bytes)
        return limit_bytes  # as if it were full, so that the same call comes back for more

    monkeypatch.setattr(TlsTransport, "_feed", scripted)
    assert link.server.recv_into(bytearray(100)) == 3
    with pytest.raises(ConnectionLost, match="reset"):
        link.server.recv_into(bytearray(100))


def test_our_shutdown_keeps_what_arrived_and_the_end_behind_it(link: Link) -> None:
    link.client.send([b"abcdef", bytes(30_000)])
    link.client.shutdown()
    assert link.server.recv_into(bytearray(2)) == 2
    link.server.shutdown()
    assert link.receive(link.server, link.client, 30_004) == b"cdef" + bytes(30_000)
    assert link.server.buffered
    link.receive_end(link.server)
    assert not link.server.buffered
    link.receive_end(link.client)


def test_a_shutdown_that_the_system_refuses_is_told_by_the_next_call(link: Link) -> None:
    raw_socket(link.client).shutdown(socket.SHUT_WR)
    link.client.shutdown()
    link.client.shutdown()
    with pytest.raises(ConnectionLost):
        link.client.flush()


def test_a_loss_below_is_a_loss_with_the_same_context(link: Link) -> None:
    link.server.close()
    with pytest.raises(ConnectionLost) as caught:
        while True:
            link.client.send([bytes(1000)])
    assert caught.value.context["name"] == "EPIPE"


class Renegotiating:
    """Stands before an ``SSLObject``, and answers a write with "first I have to hear from the peer"."""

    def __init__(self, inner: ssl.SSLObject) -> None:
        self.inner = inner
        self.waits = True

    def write(self, data: memoryview) -> int:
        if self.waits:
            raise ssl.SSLWantReadError
        return self.inner.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def test_writing_that_waits_for_the_peer_asks_for_reading_and_goes_on_after_it(link: Link) -> None:
    assert isinstance(link.client, TlsTransport)
    waiting = Renegotiating(link.client.ssl_object)
    link.client._engine.ssl_object = waiting  # type: ignore[assignment]  # a stand-in
    assert link.client.send([b"wait", b"ed"]) == 6
    assert link.client.interest == READABLE
    assert link.client.flush() == 6
    waiting.waits = False
    link.server.send([b"go on"])
    assert link.receive(link.client, link.server, 5) == b"go on"
    assert link.client.interest == WRITABLE
    assert link.client.flush() == 0
    assert link.receive(link.server, link.client, 6) == b"waited"


def test_a_mark_that_was_crossed_in_receiving_is_reported_by_flush(link: Link) -> None:
    seen: list[bool] = []
    link.client.set_water_marks(0, 0, seen.append)
    assert isinstance(link.client, TlsTransport)
    link.fill()
    inner = link.client._inner
    while link.client.pending_bytes:  # as if receiving had sent a message of TLS, and all before it
        inner.flush()
        link.client._outgoing.flush(link.client._write)
        link.server.recv_into(bytearray(100_000))
    assert (seen, link.client.interest) == ([True], WRITABLE)
    link.client.flush()
    assert (seen, link.client.interest) == ([True, False], 0)


def test_tls_over_tls_moves_every_byte(bench: Bench) -> None:
    outer = tls_link(bench)
    near = TlsTransport(outer.client, client_context(), server_side=False, server_name="localhost")
    far = TlsTransport(outer.server, server_context(), server_side=True)
    bench.keep(near)
    bench.keep(far)
    data = bytes(range(256)) * 4000
    near.send([data])
    near.shutdown()
    got, buffer = bytearray(), bytearray(5000)
    while (count := far.recv_into(buffer)) != END_OF_STREAM:
        got += buffer[: max(count, 0)]
        near.flush()
        near.recv_into(bytearray(1))
        far.flush()
    assert got == data
    assert far.features().name == "tls+tls+memory"


def test_a_foreign_peer_may_update_its_keys(bench: Bench) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl command is not installed")
    listener = bench.listen("tls-tcp")
    port = str(listener.address).rpartition(":")[2]
    command = [program, "s_client", "-tls1_3", "-connect", f"127.0.0.1:{port}"]
    command += ["-CAfile", str(CERTS / "authority.pem")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as peer:
        assert peer.stdin is not None
        server = bench.accept(listener)
        peer.stdin.write(b"before\n")
        peer.stdin.flush()
        assert read_line(server) == b"before\n"
        peer.stdin.write(b"K\n")  # update the keys, and ask us to update ours
        peer.stdin.flush()
        wait_readable(server)
        assert server.recv_into(bytearray(10)) == WOULD_BLOCK
        peer.stdin.write(b"after\n")
        peer.stdin.flush()
        assert read_line(server) == b"after\n"
        server.send([b"heard both\n"])
        server.shutdown()
        output, _ = peer.communicate(timeout=20)
        assert b"heard both" in output


def read_line(server: Transport) -> bytes:
    got, buffer = b"", bytearray(100)
    while not got.endswith(b"\n"):
        wait_readable(server)
        count = server.recv_into(buffer)
        got += bytes(buffer[: max(count, 0)])
    return got
