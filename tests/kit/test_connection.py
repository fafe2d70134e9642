"""The contract of connections, on a server's, a client's, and the one that is played."""

from __future__ import annotations

import pytest

from hioload_ws.contract.engine import Factory
from hioload_ws.contract.mutants.connection import PlayedPeer
from hioload_ws.contract.suites.connection import ConnectionContract
from tests.kit.holding import hold
from tests.kit.peers import client_peer, server_peer, unix_client_peer, unix_server_peer


@pytest.mark.parametrize("make", [server_peer, client_peer, unix_server_peer, unix_client_peer, PlayedPeer])
def test_every_connection_of_ours_is_conformant(make: Factory) -> None:
    hold(ConnectionContract, make)
