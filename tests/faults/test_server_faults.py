"""What the Go original's server promised and did not do: echo, routes, metrics, whole sends, no copies."""

from __future__ import annotations

import mmap
import random
import tracemalloc

import pytest

from hioload_ws import Server
from hioload_ws.api.connection import Connection
from hioload_ws.api.message import Message
from tests.faults.conftest import InThread, Until
from tests.faults.wire import BINARY, PING, TEXT, Wire, close_frame, frame, header, request
from tests.interop.echo_process import EchoProcess

MIB = 1024 * 1024


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def echo_server() -> Server:
    """Return a server in this process that echoes on every path."""
    app = Server("127.0.0.1", 0)

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def test_the_stock_echo_server_echoes(server: EchoProcess) -> None:
    with Wire.open(server.port, "/any/path?with=query") as wire:
        assert wire.echoes(b"text") and wire.echoes(b"binary", BINARY) and wire.echoes(b"")


def test_a_route_with_parameters_matches_and_tells_them() -> None:
    app = Server("127.0.0.1", 0)

    @app.route("/rooms/:room/users/:user")
    def tell(connection: Connection, message: Message) -> None:
        connection.send(f"{connection.params['room']} {connection.params['user']} {message.text}")

    with app.background() as url:
        with Wire.open(port_of(url), "/rooms/blue%20one/users/42") as wire:
            wire.send(frame(TEXT, b"hello"))
            assert wire.read_frame().payload == b"blue one 42 hello"
        for path in ("/rooms/blue/users", "/rooms", "/rooms/blue/users/42/more", "/"):
            with Wire.to(port_of(url)) as wire:
                wire.send(request(path=path))
                assert wire.read_head().startswith(b"HTTP/1.1 404 ")


def test_metrics_count_what_happened(until: Until) -> None:
    app = echo_server()
    with app.background() as url:
        with Wire.open(port_of(url)) as wire:
            assert wire.echoes(b"12345") and wire.echoes(b"123", BINARY)
            wire.send(close_frame(1000))
            wire.read_to_close()
        until(lambda: app.connection_count == 0)
        values = {sample.name: sample.value for sample in app.metrics.collect()}
    assert values["hioload_connections_opened_total"] == values["hioload_connections_closed_total"] == 1
    assert values["hioload_messages_received_total"] == values["hioload_messages_sent_total"] == 2
    assert values["hioload_received_bytes_total"] == values["hioload_sent_bytes_total"] == 8


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_16_mib_to_a_slow_reader_arrive_whole(server: EchoProcess, in_thread: InThread, opcode: int) -> None:
    payload = (random.Random(16).randbytes(MIB).hex().encode() * 8)[: 16 * MIB]
    with Wire.open(server.port) as wire:
        sending = in_thread(lambda: wire.send(frame(opcode, payload)))
        sending.join(60)
        # Nothing was read so far: what the kernel did not take waits in the server. Then small sips.
        start = wire.read_exactly(10)
        assert start == header(opcode, len(payload), mask=None)
        received = bytearray()
        while len(received) < 2 * MIB:
            received += wire.socket.recv(4_096)
        received += wire.read_exactly(len(payload) - len(received))
        assert bytes(received) == payload
        assert wire.echoes()


def test_many_large_messages_in_the_queue_are_not_spoilt(server: EchoProcess, in_thread: InThread) -> None:
    dice = random.Random(7)
    # Different contents of alike sizes: a buffer that is reused while it is still queued shows at once.
    bodies = [dice.randbytes(200_000 + number) for number in range(64)]
    with Wire.open(server.port) as wire:
        sending = in_thread(lambda: wire.send(b"".join(frame(BINARY, body) for body in bodies)))
        sending.join(1)  # gives the queue time to fill; whether it is all sent by then does not matter
        for number, body in enumerate(bodies):
            got = wire.read_frame()
            assert got.payload == body, f"message {number} came back changed"


def test_a_message_sent_many_times_and_released_is_not_spoilt_by_the_next_one(in_thread: InThread) -> None:
    app = Server("127.0.0.1", 0, leaks="simple")

    @app.on_message
    def send_four_times(connection: Connection, message: Message) -> None:
        for _ in range(4):
            connection.send(message)

    bodies = [bytes([number]) * 150_000 for number in range(30)]
    with app.background() as url, Wire.open(port_of(url)) as wire:
        sending = in_thread(lambda: wire.send(b"".join(frame(BINARY, body) for body in bodies)))
        for number, body in enumerate(bodies):
            for _ in range(4):
                assert wire.read_frame().payload == body, f"message {number} came back changed"
        sending.join(20)
    assert app.pool.stats().in_use_count == 0


def test_a_buffer_changed_after_the_handler_returned_does_not_change_what_was_sent() -> None:
    app = Server("127.0.0.1", 0)
    scratch = bytearray(4 * MIB)

    @app.on_message
    def send_scratch(connection: Connection, message: Message) -> None:
        scratch[:] = message.data[:1].tobytes() * len(scratch)
        connection.send(scratch)

    with app.background() as url, Wire.open(port_of(url)) as wire:
        # In one segment, so that all three are handled in one turn of the server.
        wire.send(b"".join(frame(TEXT, bytes([letter])) for letter in b"abc"))
        for letter in b"abc":
            got = wire.read_frame().payload
            assert (len(got), set(got)) == (len(scratch), {letter})


def test_a_message_beyond_the_short_form_is_a_view_of_pooled_memory_and_no_copy() -> None:
    app = Server("127.0.0.1", 0)
    origins: list[object] = []
    writable: list[bool] = []

    @app.on_message
    def look(connection: Connection, message: Message) -> None:
        origins.append(type(message.data.obj))
        writable.append(not message.data.readonly)
        connection.send(message)

    with app.background() as url, Wire.open(port_of(url)) as wire:
        # Up to 125 bytes, where a copy is cheaper than a lease, the library may choose otherwise.
        for length in (126, 5_000, MIB):
            assert wire.echoes(bytes(length), BINARY)
    assert origins == [mmap.mmap] * 3 and writable == [False] * 3


def test_the_echo_of_a_large_message_makes_no_copy_of_it_on_the_heap() -> None:
    app = echo_server()
    payload = bytes(range(256)) * (8 * MIB // 256)
    outgoing, incoming = frame(BINARY, payload), bytearray(len(payload) + 10)
    with app.background() as url, Wire.open(port_of(url)) as wire, memoryview(incoming) as view:
        # The first round fills the pool; the second one is watched. Pooled memory is mapped and not on the
        # heap, so what is traced is copies.
        for watched in (False, True):
            if watched:
                tracemalloc.start()
            try:
                wire.send(outgoing)
                filled = 0
                while filled < len(incoming):
                    filled += wire.socket.recv_into(view[filled:])
                peak_bytes = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert incoming[10:] == payload
    assert peak_bytes < len(payload) // 2, f"{peak_bytes} bytes on the heap for a message of {len(payload)}"


def test_a_ping_is_answered_while_a_large_message_is_on_its_way_out(
    server: EchoProcess, in_thread: InThread
) -> None:
    with Wire.open(server.port) as wire:
        in_thread(lambda: wire.send(frame(BINARY, bytes(8 * MIB)) + frame(PING, b"and you?")))
        assert len(wire.read_frame().payload) == 8 * MIB
        assert wire.read_frame().payload == b"and you?"
