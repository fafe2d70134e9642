"""Where memory comes from: acquire, slice, release, and what a mistake is answered with.

Run it with ``python examples/leases.py``. It needs no network. It shows the ownership rules that every
buffer in the library obeys: ``acquire`` gives one count, a slice shares the memory and adds a count of its
own, and at zero the memory goes back to the pool. Breaking a rule raises an error that says what happened;
it never corrupts anybody else's bytes.
"""

from __future__ import annotations

from hioload_ws.api.errors import DoubleRelease
from hioload_ws.pool import SlabBufferPool


def main() -> None:
    """Walk through the life of one buffer and print what happens."""
    with SlabBufferPool(leaks="advanced") as pool:
        buffer = pool.acquire(5000)
        print(f"asked for {len(buffer)} bytes, the slot holds {buffer.capacity}")

        buffer.data()[:5] = b"hello"
        part = buffer.slice(0, 5)
        buffer.release()
        print(f"the origin is released, its slice still reads {part.copy()!r}")

        for leak in pool.leaks():
            print(f"still out: lease {leak.lease_id}, {leak.size_bytes} bytes")
        part.release()

        try:
            part.release()
        except DoubleRelease as error:
            print(f"a mistake is answered: {error.message}")
        books = pool.stats()
        print(f"acquired {books.acquired_count}, in use {books.in_use_count}")


if __name__ == "__main__":
    main()
