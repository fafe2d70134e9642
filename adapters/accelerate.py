"""Accelerators: what may replace a part in plain Python where this machine has something faster.

There is one, for masking (``internal/bulk_xor.py``). It is looked for and tested once per process, and put in
place when a server or client starts whose configuration says ``mask_accelerator = "auto"``. The choice holds for
the whole process, since both forms give the same bytes and nobody can tell but by the clock; who wants to compare
says ``"off"``.
"""

from __future__ import annotations

from functools import cache

from ..internal.bulk_xor import BulkXor, find_bulk_xor
from ..protocol.masks import use_bulk_xor


@cache
def bulk_xor() -> BulkXor | None:
    """Return this machine's accelerator for masks, or ``None``; found and tested at the first call."""
    return find_bulk_xor()


def use_accelerators(choice: str) -> None:
    """Use what there is (``"auto"``), or plain Python (``"off"``)."""
    found = bulk_xor() if choice == "auto" else None
    if found is None:
        use_bulk_xor(None)
    else:
        use_bulk_xor(found.anywhere, found.standing)


__all__ = ["bulk_xor", "use_accelerators"]
