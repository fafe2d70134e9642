"""The contract of codecs, on every codec there is, real and played."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import pytest

from hioload_ws.api import BufferPool, Extension, Role
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.codec import CodecContract
from hioload_ws.fake import fake_codec
from hioload_ws.protocol import Limits, WebSocketCodec
from tests.kit.holding import hold


def real(
    role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
) -> WebSocketCodec:
    return WebSocketCodec(
        role,
        limits=Limits(max_message_bytes),
        pool=pool,
        mask_key=lambda: secrets.token_bytes(4),
        extensions=extensions,
    )


def fake(
    role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
) -> WebSocketCodec:
    return fake_codec(role, pool=pool, limits=Limits(max_message_bytes), extensions=extensions)


@pytest.mark.parametrize(("name", "make"), [("WebSocketCodec", real), ("fake_codec()", fake)])
def test_every_codec_of_ours_is_conformant(name: str, make: Factory) -> None:
    hold(CodecContract, make, name)
