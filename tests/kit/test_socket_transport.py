"""The contract of transports with a bare socket, on those that have one."""

from __future__ import annotations

import pytest

from hioload_ws.contract.suites.socket_transport import SocketTransportContract
from tests.kit.holding import hold
from tests.kit.pairs import PAIRS

BARE = ("tcp4", "tcp6", "unix-path", "unix-abstract", "memory", "memory-pair")


@pytest.mark.parametrize("kind", BARE)
def test_every_transport_with_a_bare_socket_is_conformant(kind: str) -> None:
    hold(SocketTransportContract, PAIRS[kind], kind)


@pytest.mark.parametrize("kind", PAIRS)
def test_no_other_transport_says_that_it_has_one(kind: str) -> None:
    near, far, *_ = PAIRS[kind]()
    assert hasattr(near, "bare_socket") is (kind in BARE)
    near.close()
    far.close()
