"""The accelerator is used when it may be, and both forms give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.accelerate import bulk_xor, use_accelerators
from hioload_ws.protocol import masks

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Leave the process as it was."""
    yield
    masks.use_bulk_xor(None)


@pytest.mark.parametrize("choice", ["auto", "off"])
def test_messages_are_the_same_with_and_without(choice: str) -> None:
    app = Server("127.0.0.1", 0, mask_accelerator=choice)

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    data = bytes(range(256)) * 4000
    with app.background() as url, connect(url, mask_accelerator=choice) as connection:
        for size_bytes in (126, 599, 600, 601, 20_001, 70_001, len(data)):
            connection.send(data[:size_bytes])
            assert connection.receive(PATIENCE_S) == data[:size_bytes]


def test_what_is_found_is_what_is_used_and_off_is_off() -> None:
    use_accelerators("auto")
    found = bulk_xor()
    assert (masks._bulk_xor, masks._standing_xor) == ((None, None) if found is None else found[1:])
    use_accelerators("off")
    assert (masks._bulk_xor, masks._standing_xor) == (None, None)


def test_a_hook_does_the_long_payloads_only() -> None:
    lengths: list[int] = []

    def note(view: memoryview, key: bytes, phase: int) -> None:
        lengths.append(len(view))
        view[:] = masks.unmask_clear(view, key, phase)

    masks.use_bulk_xor(note)
    for length in (0, 599, 600, 1000, 100_000):
        data = bytes(index % 251 for index in range(length))
        for phase in (0, 3):
            view = memoryview(bytearray(data))
            masks.unmask_in_place(view, b"abcd", phase)
            assert view == masks.unmask_clear(data, b"abcd", phase)
        assert masks.masked(data, b"abcd") == masks.unmask_clear(data, b"abcd")
    assert lengths == [600] * 3 + [1000] * 3 + [100_000] * 3
