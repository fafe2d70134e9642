"""TLS: handshakes that fail, ends that lie, data in awkward places, TLS over TLS, and a foreign peer."""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess

import pytest

from hioload_ws.api.errors import ConnectionLost, InvalidArgument
from hioload_ws.api.poller import READABLE, WRITABLE
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.tls import TlsListener, TlsTransport
from tests.transport.conftest import (
    CERTS,
    Bench,
    Link,
    client_context,
    raw_socket,
    server_context,
    wait_readable,
)

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def tls_link(
    bench: Bench,
    server: ssl.SSLContext | None = None,
    client: ssl.SSLContext | None = None,
    name: str = "localhost",
) -> Link:
    left, right = memory_pair()
    near = TlsTransport(left, client or client_context(), server_side=False, server_name=name)
    far = TlsTransport(right, server or server_context(), server_side=True)
    bench.keep(near)
    bench.keep(far)
    return Link("tls-memory", bench.listen("memory"), near, far)


@pytest.fixture
def link(bench: Bench) -> Link:
    made = tls_link(bench)
    made.establish()
    return made


def drive(*ends: Transport) -> list[ConnectionLost]:
    """Turn both ends until one or both are lost; return what they raised."""
    lost: list[ConnectionLost] = []
    left = list(ends)
    for _ in range(50):
        for end in tuple(left):
            try:
                end.flush()
                end.recv_into(bytearray(1))
            except ConnectionLost as error:
                lost.append(error)
                left.remove(end)
    return lost


@pytest.mark.parametrize("version", VERSIONS)
def test_an_authority_that_is_not_trusted_is_a_loss_on_both_ends(
    bench: Bench, version: ssl.TLSVersion
) -> None:
    link = tls_link(bench, server_context(version), ssl.create_default_context())
    lost = drive(link.client, link.server)
    assert len(lost) == 2
    assert "certificate was refused" in lost[0].message
    assert lost[0].context["reason"] == "CERTIFICATE_VERIFY_FAILED"
    assert isinstance(lost[0].__cause__, ssl.SSLCertVerificationError)
    assert "ALERT" in str(lost[1].context["reason"])


def test_a_certificate_for_another_name_is_a_loss(bench: Bench) -> None:
    link = tls_link(bench, name="other.invalid")
    assert "other.invalid" in drive(link.client, link.server)[0].message


def test_the_host_of_the_address_is_the_name_by_default(bench: Bench) -> None:
    listener = bench.listen("tls-tcp")
    client = bench.provider("tcp").connect(listener.address, ConnectOptions(tls=client_context()))
    bench.keep(client)
    server = bench.accept(listener)
    Link("tls-tcp", listener, client, server).establish()
    assert isinstance(client, TlsTransport) and client.ssl_object.server_hostname == "127.0.0.1"


def test_where_the_address_has_no_host_a_name_is_needed(bench: Bench) -> None:
    listener = bench.listen("tls-memory")
    with pytest.raises(InvalidArgument):
        bench.memory.connect(listener.address, ConnectOptions(tls=client_context()))


def test_a_context_of_the_other_side_is_refused_before_anything_is_opened(bench: Bench) -> None:
    with pytest.raises(InvalidArgument):
        bench.memory.listen(bench.address("memory"), ListenOptions(tls=client_context()))
    listener = bench.listen("tls-memory")
    with pytest.raises(InvalidArgument):
        bench.memory.connect(listener.address, ConnectOptions(tls=server_context()))
    with pytest.raises(InvalidArgument):
        TlsListener(listener, client_context())
    assert not listener.accept_batch(1)


def test_bytes_that_are_not_tls_are_a_loss_at_once(bench: Bench) -> None:
    link = tls_link(bench)
    raw_socket(link.client).send(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionLost) as caught:
        link.server.recv_into(bytearray(1))
    assert caught.value.context["reason"] == "HTTP_REQUEST"
    with pytest.raises(ConnectionLost):
        link.server.flush()
    assert link.server.interest & READABLE == 0 and not link.server.buffered


def test_an_end_in_the_handshake_is_a_loss(bench: Bench) -> None:
    link = tls_link(bench)
    link.client.flush()
    link.client.close()
    with pytest.raises(ConnectionLost):
        link.server.recv_into(bytearray(1))
        link.server.recv_into(bytearray(1))


def test_an_end_in_the_middle_of_the_first_message_is_a_loss(bench: Bench) -> None:
    link = tls_link(bench)
    raw_socket(link.client).send(b"\x16\x03\x01")
    raw_socket(link.client).shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost, match="truncated"):
        link.server.recv_into(bytearray(1))


def test_a_handshake_that_comes_byte_by_byte_succeeds(bench: Bench) -> None:
    link = tls_link(bench)
    middle, end = memory_pair()
    bench.keep(middle)
    bench.keep(end)
    slow = TlsTransport(end, server_context(), server_side=True)
    bench.keep(slow)
    link.client.flush()
    hello = raw_socket(link.server).recv(5000)
    for number in range(len(hello)):
        middle.send([hello[number : number + 1]])
        assert slow.recv_into(bytearray(1)) == WOULD_BLOCK
    buffer = bytearray(1)
    assert middle.recv_into(buffer) == 1 and buffer == b"\x16"  # the server's answer begins


@pytest.mark.parametrize("name", [".leading.dot", None, ""])
def test_a_name_that_can_not_be_checked_is_refused(name: str | None) -> None:
    left, right = memory_pair()
    with pytest.raises(InvalidArgument):
        TlsTransport(left, client_context(), server_side=False, server_name=name)
    left.close()
    right.close()


def test_a_context_that_checks_no_name_needs_none(bench: Bench) -> None:
    context = client_context()
    context.check_hostname = False
    listener = bench.listen("tls-memory")
    client = bench.memory.connect(listener.address, ConnectOptions(tls=context))
    bench.keep(client)
    Link("tls-memory", listener, client, bench.accept(listener)).establish()


def test_an_end_without_close_notify_is_a_loss_after_the_data(link: Link) -> None:
    link.client.send([b"abc"])
    raw_socket(link.client).shutdown(socket.SHUT_WR)
    buffer = bytearray(10)
    assert link.server.recv_into(buffer) == 3
    with pytest.raises(ConnectionLost, match="truncated"):
        while True:
            link.server.recv_into(buffer)


@pytest.mark.parametrize("version", VERSIONS)
def test_data_sent_before_the_handshake_is_kept_and_arrives_with_its_end(
    bench: Bench, version: ssl.TLSVersion
) -> None:
    link = tls_link(bench, server_context(version))
    assert link.client.send([b"early ", bytearray(b"bird")]) == 10
    link.client.shutdown()
    assert link.server.send([b"answer"]) == 6
    assert link.client.interest == READABLE | WRITABLE
    assert link.server.interest == READABLE
    got: dict[Transport, bytes] = {link.client: b"", link.server: b""}
    buffer = bytearray(100)
    ended = False
    while not (ended and got[link.client]):
        for end in (link.client, link.server):
            if end.interest & WRITABLE:
                end.flush()
            count = end.recv_into(buffer)
            got[end] += bytes(buffer[: max(count, 0)])
            ended = ended or (end is link.server and count == END_OF_STREAM)
    assert got == {link.client: b"answer", link.server: b"early bird"}
    assert link.client.pending_bytes == 0


def test_data_that_the_handshake_left_over_is_offered_to_flush(bench: Bench) -> None:
    link = tls_link(bench, server_context(VERSIONS[0]))
    link.server.send([b"waits"])
    while not link.server.interest & WRITABLE:
        link.client.flush()
        assert link.server.recv_into(bytearray(1)) == WOULD_BLOCK
    assert link.server.pending_bytes == 5
    assert link.server.flush() == 0
    assert link.receive(link.client, link.server, 5) == b"waits"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_handshake_driven_by_flush_leaves_all_data_where_a_poller_sees_it(
    bench: Bench, version: ssl.TLSVersion
) -> None:
    link = tls_link(bench, server_context(version))
    link.server.send([b"first data"])
    for _ in range(10):
        link.client.flush()
        link.server.flush()
    assert not link.client.buffered
    poller = select.poll()
    poller.register(link.client.handle, READABLE)
    assert poller.poll(0)
    assert link.receive(link.client, link.server, 10) == b"first data"


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
