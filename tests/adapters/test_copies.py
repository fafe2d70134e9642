"""How often the bytes of a payload are copied between kernel and kernel, path by path; the table is in README."""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hioload_ws.adapters
from hioload_ws import Connection, Message, Server
from hioload_ws.adapters.copies import _WATCHES, Copies, copies_per_byte, count_copies
from hioload_ws.api import BINARY
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol import PermessageDeflate
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.masks import unmask_clear
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.read_memory import ReadMemory
from hioload_ws.protocol.receiver import Receiver
from hioload_ws.protocol.sender import Sender
from tests.adapters.bench import Bench
from tests.adapters.live import CERTIFICATES, PATIENCE_S

README = Path(hioload_ws.adapters.__file__).parent / "README.md"
BEGIN, END = "<!-- copies: kept by tests/adapters/test_copies.py -->\n", "<!-- /copies -->"
KEY = b"\x37\xfa\x21\x3d"
FIN = 0x80
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"


def frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        header = bytes([first, 0x80 | length])
    elif length < 1 << 16:
        header = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        header = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return header + KEY + unmask_clear(payload, KEY)


def whole(payload: bytes, count: int = 1) -> bytes:
    return frame(FIN | BINARY, payload) * count


def in_fragments(payload: bytes) -> bytes:
    third = len(payload) // 3
    middle = frame(0, payload[third : 2 * third])
    return frame(BINARY, payload[:third]) + middle + frame(FIN, payload[2 * third :])


def compressed(payload: bytes) -> bytes:
    work = zlib.compressobj(0, zlib.DEFLATED, -15)  # stored blocks: as many bytes as before
    body = work.compress(payload) + work.flush(zlib.Z_SYNC_FLUSH)
    return frame(FIN | 0x40 | BINARY, body[:-4])


PATHS: dict[str, tuple[Callable[[bytes], bytes], int, int, dict[str, int]]] = {
    # What is sent, of how many bytes and how often; and the copies per byte, by step.
    "one short message, 100 B": (whole, 100, 1, {"cut out": 1, "unmasked": 1, "joined with its header": 1}),
    "16 short messages in a read": (
        lambda payload: whole(payload, 16),
        100,
        16,
        {"cut out": 1, "unmasked": 1, "split": 1, "joined with its header": 1, "joined": 1},
    ),
    "1 000 B": (whole, 1000, 1, {}),
    "16 KiB, whole in a read": (whole, 16384, 1, {}),
    "1 MiB": (whole, 1 << 20, 1, {}),
    "3 fragments of 4 KB": (in_fragments, 12_000, 1, {"stored": 1, "moved to a larger buffer": 1}),
    "8 KB with TLS": (
        whole,
        8000,
        1,
        {"taken over by TLS": 1, "decrypted": 1, "encrypted": 1, "taken from TLS": 1},
    ),
    "16 KiB compressed, one way": (compressed, 16384, 1, {"decoded": 1}),
    "broadcast of 1 000 B to two": (whole, 1000, 1, {"made bytes": 1, "joined with its header": 1}),
}


@contextmanager
def opened(path: str, app: Server) -> Iterator[list[socket.socket]]:
    """Serve, and yield connections of plain sockets: one, or for a broadcast two."""
    with app.background() as url:
        host, port = url.split("//")[1].split(":")
        peers: list[socket.socket] = []
        try:
            for _ in range(2 if "broadcast" in path else 1):
                peer = socket.create_connection((host, int(port)), PATIENCE_S)
                peers.append(peer)
                if "TLS" in path:
                    context = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
                    peers[-1] = peer = context.wrap_socket(peer, server_hostname="localhost")
                extra = DEFLATE if "compressed" in path else ""
                peer.sendall(
                    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                    + extra.encode()
                    + b"\r\n"
                )
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += peer.recv(1)
            yield peers
        finally:
            for peer in peers:
                peer.close()



def server(path: str) -> Server:
    extensions = [PermessageDeflate()] if "compressed" in path else []
    tls = (CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key") if "TLS" in path else None
    app = Server("127.0.0.1", 0, tls=tls, extensions=extensions)

    @app.on_message
    def answer(connection: Connection, message: Message) -> None:
        if "broadcast" in path:
            app.broadcast(message)
        elif "compressed" not in path:
            connection.send(message)
        elif len(message) > 1:
            connection.send(b"0123456789" * 10)  # a sign that it was received

    return app


def answer_bytes(path: str, size_bytes: int, count: int) -> int:
    """Return how many bytes come back to each peer."""
    if "compressed" in path:
        return 2  # a start; what a compressed answer costs is not looked at
    header_bytes = 2 if size_bytes < 126 else 4 if size_bytes < 1 << 16 else 10
    return (header_bytes + size_bytes) * count


def counted(path: str) -> Copies:
    """Return the books of one exchange."""
    make, size_bytes, count, _ = PATHS[path]
    wire = make(bytes(index * 7 % 251 for index in range(size_bytes)))
    with opened(path, server(path)) as peers:
        with count_copies() as copies:
            peers[0].sendall(wire)
            for peer in peers:
                left_bytes = answer_bytes(path, size_bytes, count)
                while left_bytes > 0:
                    piece = peer.recv(left_bytes)
                    assert piece
                    left_bytes -= len(piece)
        return copies


@pytest.mark.parametrize("path", PATHS)
def test_a_payload_is_copied_as_often_as_the_page_says(path: str) -> None:
    _, size_bytes, count, expected = PATHS[path]
    assert copies_per_byte(counted(path), size_bytes * count) == expected


def table() -> str:
    """Return the table as it has to stand on the page."""
    rows = []
    for path, (_, _, _, steps) in PATHS.items():
        said = ", ".join(steps) or "none: sent from where it was received"
        rows.append(f"| {path} | {sum(steps.values())} | {said} |\n")
    return "\n| An echo of | Copies | Steps |\n|---|--:|---|\n" + "".join(rows) + "\n"


def test_the_table_on_the_page_is_current() -> None:
    text = README.read_text("utf-8")
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == table()


def test_afterwards_nothing_is_replaced_any_more() -> None:
    before = [vars(owner)[name] for owner, name, _ in _WATCHES]
    with count_copies():
        assert all(vars(owner)[name] is not old for (owner, name, _), old in zip(_WATCHES, before, strict=True))
    assert [vars(owner)[name] for owner, name, _ in _WATCHES] == before


def test_steps_of_the_clear_road_are_noted() -> None:
    bench = Bench()
    connection, peer = bench.open()
    with count_copies() as copies:
        bench.handler = lambda connection, message: (connection.send("text"), connection.send(b"bytes"))
        peer.send(BINARY, b"x")
        bench.turn()
        connection.send(memoryview(b"borrowed"))
        bench.turn()
    sent_bytes = 2 + 4 + 2 + 5
    assert copies["joined"] == sent_bytes
    assert copies["made bytes"] == len("text") + len("borrowed")
    bench.close()


def test_every_step_is_noted_where_it_happens() -> None:
    with SlabBufferPool() as pool, count_copies() as copies:
        receiver = Receiver(True, Limits(), pool, ())
        mixed = whole(b"ab") + whole(b"cde")
        messages = receiver.receive(memoryview(bytearray(mixed)))
        assert len(messages) == 2
        plain = Receiver(False, Limits(), pool, ())
        assert plain.take_run(memoryview(bytearray(b"\x82\x01a" * 3)), 0, 9)
        assert plain.receive_one(ReadMemory(memoryview(bytearray(b"\x82\x04abcd----"))), 6)
        large = whole(b"x" * 3000)
        [lent] = receiver.receive(memoryview(bytearray(large)))
        assert isinstance(lent, WireMessage)
        lent.retain()
        lent.expire()
        lent.release()
        receiver.receive(memoryview(bytearray(frame(BINARY, b"y" * 1500) + frame(0, b"y" * 1500))))
        receiver.close()
        Sender(True, lambda: KEY, ()).encode_message(BINARY, b"12345")
    assert copies == {
        "cut out": 5 + 3 + 4,
        "unmasked": 5,
        "split": 3,
        "retained": 3000,
        "stored": 3000,
        "moved to a larger buffer": 1500,
        "masked": 5,
        "joined with its header": 5,
    }
