"""The contract of connections, on a server's, a client's, and the one that is played."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hioload_ws.contract.engine import Factory
from hioload_ws.contract.mutants.connection import PlayedPeer
from hioload_ws.contract.suites.connection import ConnectionContract
from tests.kit.holding import hold
from tests.kit.peers import client_peer, server_peer, unix_client_peer, unix_server_peer


CONNECTIONS: Mapping[str, Factory] = {
    "of a server": server_peer,
    "of a client": client_peer,
    "of a server, unix": unix_server_peer,
    "of a client, unix": unix_client_peer,
    "FakeConnection": PlayedPeer,
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_every_connection_of_ours_is_conformant(name: str) -> None:
    hold(ConnectionContract, CONNECTIONS[name], name)
