"""A transport of this project's own: counts the bytes that pass through another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hioload_ws.api import Address, Features, Interest, Sendable, Transport
from hioload_ws.api.types import Handle, WritableMemory
from hioload_ws.transport import memory_pair


class CountingTransport:
    """Implements ``hioload_ws.api.Transport`` by another one."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.received_bytes = 0

    @property
    def handle(self) -> Handle:
        return self._inner.handle

    @property
    def interest(self) -> Interest:
        return self._inner.interest

    @property
    def local_address(self) -> Address:
        return self._inner.local_address

    @property
    def peer_address(self) -> Address:
        return self._inner.peer_address

    @property
    def buffered(self) -> bool:
        return self._inner.buffered

    @property
    def pending_bytes(self) -> int:
        return self._inner.pending_bytes

    def features(self) -> Features:
        return self._inner.features()

    def recv_into(self, buffer: WritableMemory, /) -> int:
        count = self._inner.recv_into(buffer)
        self.received_bytes += max(count, 0)
        return count

    def send(self, batch: Sequence[Sendable], /) -> int:
        return self._inner.send(batch)

    def flush(self) -> int:
        return self._inner.flush()

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        self._inner.set_water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def close(self) -> None:
        self._inner.close()


def make_pair() -> tuple[Transport, Transport]:
    """Return two connected ends for the contract."""
    near, far = memory_pair()
    return CountingTransport(near), CountingTransport(far)
