"""Simulated traffic as a capture file that Wireshark and tshark open.

The simulated network has no packets, only bytes that arrive; here they become the IPv4 and TCP packets that would
have carried them. Each host gets an address from 10.0.0.0/8 in order of appearance; sequence and acknowledgement
numbers count the bytes of each direction, so that an analyser follows the stream. Time is the virtual wall clock,
to the nanosecond.

The form is pcapng (draft-ietf-opsawg-pcapng): a section header, one interface of raw IP, and one enhanced packet
block per packet. Every block is

    | type (4) | total length (4) | body, padded to 4 bytes | total length again (4) |

in the byte order that the section header's magic number tells; ours is little-endian.

Nothing is opened here: whoever wants a file gives an object with ``write``.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

from ..api.transport import TcpAddress
from ..api.types import Nanoseconds

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
ENHANCED_PACKET: Final = 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
LINKTYPE_RAW: Final = 101
"""The packets begin with an IPv4 or IPv6 header."""
MAX_SEGMENT_BYTES: Final = 65_535 - 40
"""What fits into one IPv4 packet behind its 20 bytes and TCP's 20."""

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_OPTION_RESOLUTION: Final = struct.pack("<HHB3x", 9, 1, 9)  # if_tsresol: times count 10**-9 s
_OPTION_END: Final = struct.pack("<HH", 0, 0)
_FLAGS: Final = {"open": SYN | ACK, "data": PSH | ACK, "end": FIN | ACK, "reset": RST | ACK}
_TCP: Final = 6


class BinarySink(Protocol):
    """What a file opened for writing bytes can do."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""


class PcapngCapture:
    """Implements ``network.Capture``: writes blocks to a sink. Thread rules: one thread.

    ``sink`` is not closed here. What it raises passes through.
    """

    __slots__ = ("_addresses", "_next", "_sink", "packet_count")

    def __init__(self, sink: BinarySink) -> None:
        self._sink = sink
        self._addresses: dict[str, bytes] = {}
        # Per direction: the next sequence number.
        self._next: dict[tuple[TcpAddress, TcpAddress], int] = {}
        self.packet_count = 0
        """Packets written so far."""
        header = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)  # version 1.0, length of the section unknown
        self._block(SECTION_HEADER, header)
        interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0)  # no limit to the length of packets
        self._block(INTERFACE_DESCRIPTION, interface + _OPTION_RESOLUTION + _OPTION_END)

    def packet(self, unix_ns: Nanoseconds, source: TcpAddress, target: TcpAddress, what: str, data: bytes) -> None:
        """Write what arrived: ``what`` is open, data, end or reset."""
        flags = _FLAGS[what]
        if what == "open" and (target, source) not in self._next:
            flags = SYN
        for start in range(0, max(len(data), 1), MAX_SEGMENT_BYTES):
            piece = data[start : start + MAX_SEGMENT_BYTES]
            packet = self._ip(source, target, flags, piece)
            head = struct.pack("<IIIII", 0, unix_ns >> 32, unix_ns & 0xFFFFFFFF, len(packet), len(packet))
            self._block(ENHANCED_PACKET, head + packet)
            self.packet_count += 1

    def _ip(self, source: TcpAddress, target: TcpAddress, flags: int, data: bytes) -> bytes:
        """Return an IPv4 packet (RFC 791 §3.1) with a TCP segment."""
        near, far = self._address(source.host), self._address(target.host)
        segment = self._segment(source, target, flags, data)
        pseudo = near + far + struct.pack("!BBH", 0, _TCP, len(segment))  # RFC 9293 §3.1
        segment = segment[:16] + checksum(pseudo + segment) + segment[18:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, _TCP, 0) + near + far
        return header[:10] + checksum(header) + header[12:] + segment

    def _segment(self, source: TcpAddress, target: TcpAddress, flags: int, data: bytes) -> bytes:
        """Return a TCP segment (RFC 9293 §3.1) without its checksum, and count its bytes."""
        number = self._next.get((source, target), 0)
        # The beginning and the end of a stream take a number each (RFC 9293 §3.4).
        self._next[source, target] = (number + len(data) + bool(flags & (SYN | FIN))) % 2**32
        answered = self._next.get((target, source), 0) if flags & ACK else 0
        head = struct.pack("!HHIIBBHHH", source.port, target.port, number, answered, 5 << 4, flags, 65_535, 0, 0)
        return head + data

    def _address(self, host: str) -> bytes:
        """Return the IPv4 address that stands for a host."""
        found = self._addresses.get(host)
        if found is None:
            found = self._addresses[host] = (10 << 24 | len(self._addresses) + 1).to_bytes(4, "big")
        return found

    def _block(self, kind: int, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        length = struct.pack("<I", len(body) + 12)
        self._sink.write(struct.pack("<I", kind) + length + body + length)


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum of ``data`` (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


__all__ = ["LINKTYPE_RAW", "MAX_SEGMENT_BYTES", "BinarySink", "PcapngCapture", "checksum"]
