"""Captures are files of well-formed blocks, with packets that an analyser can follow."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hioload_ws.adapters import Client, Server
from hioload_ws.api import TcpAddress
from hioload_ws.fake.clock import DEFAULT_UNIX_NS
from hioload_ws.fake.network import SimNetwork
from hioload_ws.fake.pcapng import ACK, FIN, LINKTYPE_RAW, MAX_SEGMENT_BYTES, PSH, RST, SYN, PcapngCapture, checksum


def blocks_of(data: bytes) -> list[tuple[int, bytes]]:
    """Return type and body of each block; both lengths must agree, and nothing be left over."""
    found = []
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from("<II", data, position)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, position + length - 4)[0] == length
        found.append((kind, data[position + 8 : position + length - 4]))
        position += length
    assert position == len(data)
    return found


def packets_of(data: bytes) -> list[tuple[int, bytes]]:
    """Return time and IPv4 packet of each packet block."""
    found = []
    for kind, body in blocks_of(data)[2:]:
        interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
        assert (kind, interface, captured) == (6, 0, original)
        found.append((high << 32 | low, body[20 : 20 + captured]))
    return found


def talk(capture: PcapngCapture) -> None:
    """Let a real client and server exchange a message and close."""
    network = SimNetwork(capture=capture)
    server = Server("server", 9001, **network.host("server").seams)
    server.route("/")(lambda connection, message: connection.send(message))
    network.serve(server)
    client = Client("ws://server:9001/", **network.host("client").seams)
    client.on_open(lambda event: event.connection.send("hello"))
    client.on_message(lambda connection, message: connection.close())
    network.connect(client)
    network.run_until(lambda: client.ended)
    server.shutdown()
    network.run_for(1_000_000_000)


def test_the_section_and_its_interface_are_described_first() -> None:
    sink = io.BytesIO()
    PcapngCapture(sink)
    (section, section_body), (interface, interface_body) = blocks_of(sink.getvalue())
    assert (section, interface) == (0x0A0D0D0A, 1)
    assert struct.unpack("<IHHq", section_body) == (0x1A2B3C4D, 1, 0, -1)
    assert struct.unpack_from("<HHI", interface_body) == (LINKTYPE_RAW, 0, 0)
    assert interface_body[8:] == b"\x09\0\x01\0\x09\0\0\0" + bytes(4)


def test_a_conversation_can_be_followed() -> None:
    sink = io.BytesIO()
    capture = PcapngCapture(sink)
    talk(capture)
    packets = packets_of(sink.getvalue())
    assert len(packets) == capture.packet_count
    expected: dict[bytes, int] = {}
    kinds = []
    streams: dict[bytes, bytes] = {}
    for unix_ns, packet in packets:
        assert unix_ns >= DEFAULT_UNIX_NS
        assert packet[0] == 0x45 and checksum(packet[:20]) == b"\0\0"
        pseudo = packet[12:20] + struct.pack("!BBH", 0, 6, len(packet) - 20)
        assert checksum(pseudo + packet[20:]) == b"\0\0"
        direction = packet[12:24]
        number, flags = struct.unpack_from("!I", packet, 24)[0], packet[33]
        assert number == expected.get(direction, 0)
        expected[direction] = number + len(packet) - 40 + bool(flags & (SYN | FIN))
        streams[direction] = streams.get(direction, b"") + packet[40:]
        kinds.append(flags)
    assert kinds[:3] == [SYN, SYN | ACK, PSH | ACK]
    assert kinds.count(FIN | ACK) == 2
    assert [stream[:9] for stream in streams.values()] == [b"GET / HTT", b"HTTP/1.1 "]


def test_many_bytes_are_several_packets_and_a_reset_is_one() -> None:
    sink = io.BytesIO()
    capture = PcapngCapture(sink)
    one, other = TcpAddress("a", 1), TcpAddress("b", 2)
    capture.packet(5, one, other, "data", bytes(MAX_SEGMENT_BYTES + 1))
    capture.packet(6, other, one, "reset", b"")
    sizes = [len(packet) - 40 for _, packet in packets_of(sink.getvalue())]
    assert sizes == [MAX_SEGMENT_BYTES, 1, 0]
    assert packets_of(sink.getvalue())[-1][1][33] == RST | ACK


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_the_websocket(tmp_path: Path) -> None:  # pragma: no cover - where tshark is
    path = tmp_path / "capture.pcapng"
    with path.open("wb") as file:
        talk(PcapngCapture(file))
    command = ["tshark", "-r", str(path), "-d", "tcp.port==9001,http", "-Y", "websocket"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.split()
