"""TLS handshakes: what makes them fail, what they need to know, and the data around them."""

from __future__ import annotations

import select
import socket
import ssl

import pytest

from hioload_ws.api.errors import ConnectionLost, InvalidArgument
from hioload_ws.api.poller import READABLE, WRITABLE
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.tls import TlsListener, TlsTransport
from tests.transport.conftest import Bench, Link, client_context, raw_socket, server_context
from tests.transport.tls_links import VERSIONS, drive, tls_link


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


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_before_the_handshake_is_sent_after_it(bench: Bench, version: ssl.TLSVersion) -> None:
    link = tls_link(bench, server_context(version))
    link.client.shutdown()
    buffer = bytearray(9)
    answers = []
    for _ in range(10):
        link.client.flush()
        answers.append(link.server.recv_into(buffer))
        link.client.recv_into(buffer)
    assert answers[0] == WOULD_BLOCK
    assert answers[-1] == END_OF_STREAM


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
