"""Check your own transport in ten lines.

Run it with ``python examples/check_transport.py``. The transport here wraps another one and receives through a buffer
of its own, as one does to decrypt or to count. It has a mistake that shows only when more has arrived than the caller
has room for. The contract finds it, and prints the requirement, what was done, and what came of it. The ten lines are
those of ``main``; the same contract can be had as tests (a subclass of ``TransportContract``) and on the command line
(``hioload-ws contract run transport module:make_pair``).
"""

from __future__ import annotations

from typing import cast

from hioload_ws.api import Transport
from hioload_ws.api.types import WritableMemory
from hioload_ws.contract import TransportContract, check
from hioload_ws.contract.text import story
from hioload_ws.transport import memory_pair

SCRATCH_BYTES = 4096


class Through:
    """Receives through a buffer of its own; does everything else as the transport it wraps."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._scratch = bytearray(SCRATCH_BYTES)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive into the scratch buffer, and copy."""
        target = memoryview(buffer)
        if target.readonly or not target:
            return self._inner.recv_into(buffer)  # which says what is wrong with it
        count = self._inner.recv_into(memoryview(self._scratch)[: self.room(len(target))])
        if count > 0:
            target[: min(count, len(target))] = self._scratch[: min(count, len(target))]
        return min(count, len(target))

    def room(self, asked_bytes: int) -> int:
        """Return how much to receive for a caller who has room for ``asked_bytes``."""
        return SCRATCH_BYTES  # and what is more than that is lost: here is the mistake


class Mended(Through):
    """The same without the mistake."""

    def room(self, asked_bytes: int) -> int:
        """No more than the caller has room for."""
        return min(asked_bytes, SCRATCH_BYTES)


def main() -> None:
    """Check both."""
    for kind in (Through, Mended):

        def make_pair(kind: type[Through] = kind) -> tuple[Transport, Transport]:
            near, far = memory_pair()
            return cast(Transport, kind(near)), cast(Transport, kind(far))

        report = check(TransportContract, make_pair)
        print(f"{kind.__name__}: {report.verdict}")
        for entry in report.failures[:1]:
            print(story(report, entry))


if __name__ == "__main__":
    main()
