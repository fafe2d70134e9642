"""Links of TLS over memory, as the tests of TLS need them."""

from __future__ import annotations

import ssl

from hioload_ws.api.errors import ConnectionLost
from hioload_ws.api.transport import Transport
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.tls import TlsTransport
from tests.transport.conftest import Bench, Link, client_context, server_context

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
