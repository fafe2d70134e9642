"""The contracts of extensions and their factories, on permessage-deflate as it may be agreed on, and the fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from hioload_ws.api import Extension, ExtensionFactory
from hioload_ws.contract.suites.extension import ExtensionContract, ExtensionFactoryContract
from hioload_ws.fake import FakeExtensionFactory, IdentityExtension, ReversingExtension
from hioload_ws.protocol import PermessageDeflate
from tests.kit.holding import hold

FACTORIES: Mapping[str, Callable[[], ExtensionFactory]] = {
    "PermessageDeflate": PermessageDeflate,
    "PermessageDeflate, all messages": partial(PermessageDeflate, min_bytes=0),
    "PermessageDeflate, no context": partial(
        PermessageDeflate, server_no_context_takeover=True, client_no_context_takeover=True, min_bytes=0
    ),
    "PermessageDeflate, small windows": partial(
        PermessageDeflate, server_max_window_bits=8, client_max_window_bits=9, min_bytes=0, level=1
    ),
    "PermessageDeflate, without fallback": partial(PermessageDeflate, client_no_context_takeover=True, fallback=False),
    "FakeExtensionFactory": FakeExtensionFactory,
    "FakeExtensionFactory of ReversingExtension": partial(FakeExtensionFactory, ReversingExtension),
}


def agreed(make: Callable[[], ExtensionFactory]) -> tuple[Extension, Extension]:
    """Return both ends, the client's first."""
    client, server = make(), make()
    answer = server.accept_offer(client.offers()[0])
    assert answer is not None
    return client.accept_answer(answer.parameters), answer.extension


@pytest.mark.parametrize("kind", FACTORIES)
def test_every_factory_of_ours_is_conformant(kind: str) -> None:
    hold(ExtensionFactoryContract, FACTORIES[kind], kind)


@pytest.mark.parametrize("kind", FACTORIES)
def test_every_extension_of_ours_is_conformant(kind: str) -> None:
    hold(ExtensionContract, partial(agreed, FACTORIES[kind]), kind)


@pytest.mark.parametrize("kind", [IdentityExtension, ReversingExtension])
def test_the_extensions_of_the_fakes_are_conformant_without_a_handshake(kind: type[Extension]) -> None:
    hold(ExtensionContract, lambda: (kind(), kind()), kind.__name__)
