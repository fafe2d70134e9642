"""Bulk XOR: a repeating four-byte key over much memory at the speed of memory, with the standard library alone.

CPython's ``_hashlib`` is linked against libcrypto, and libcrypto exports its output-feedback mode as a function
that takes the block cipher as a parameter (``CRYPTO_ofb128_encrypt``, openssl/modes.h)::

    for each 16 bytes:  block(ivec, ivec, key);  out = in XOR ivec

Given a "cipher" that leaves ``ivec`` alone, and the key four times as ``ivec``, that *is* the repeating XOR of
RFC 6455 §5.3, in place, many times faster than anything Python can say. The cipher that does nothing is libc's
``abs``: it takes what it gets in registers, touches no memory, and its result is ignored.

This is a raw pointer call into a library whose symbol may be absent (static builds, other libraries), so it is an
option with a name and not a necessity: ``find_bulk_xor`` returns it only where it is found *and* gives the right
bytes at every length and phase of a self-test; everybody else keeps the form in plain Python.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Xor: TypeAlias = Callable[[memoryview, bytes, int], None]
"""Called with a writable view of one or more bytes, a key of four bytes, and how many bytes of the same stream
came before. Works in place; any thread."""

XorStart: TypeAlias = Callable[[int, bytes], None]
"""Called with a length, 1 or more, and a key of four bytes. Works in place on the start of memory that it holds; one
thread."""


class BulkXor(NamedTuple):
    """The same thing for two kinds of memory."""

    anywhere: Xor
    standing: Callable[[memoryview], XorStart]
    """Makes a function for the start of one writable view, which the function keeps from being unmapped. With its
    arguments made ready, a call costs 0.45 us beside its work, in place of 0.9."""


_SELF_TEST_BYTES = 100


def load_bulk_xor() -> BulkXor | None:
    """Return the function of libcrypto, untested; ``None`` where there is none. Never raises."""
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        return None  # Neither the symbol nor the calling convention was tried there.
    try:
        import _hashlib

        transform = ctypes.CDLL(_hashlib.__file__).CRYPTO_ofb128_encrypt
        # Another object for the same function: without ``argtypes``, and with the GIL, which is worth a call less.
        quick_transform = ctypes.PyDLL(_hashlib.__file__).CRYPTO_ofb128_encrypt
        idle_cipher = ctypes.cast(ctypes.CDLL(None).abs, ctypes.c_void_p)
    except (ImportError, AttributeError, OSError):
        return None
    transform.restype = quick_transform.restype = None
    transform.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    address_of, first_byte, number = ctypes.addressof, ctypes.c_char.from_buffer, ctypes.c_int

    def anywhere(view: memoryview, key: bytes, phase: int) -> None:
        # ``first`` holds an export of the memory, so that it can't be unmapped during the call.
        first = first_byte(view)
        start = address_of(first)
        position = number(phase & 3)
        transform(start, start, view.nbytes, None, key * 4, address_of(position), idle_cipher)

    def standing(view: memoryview) -> XorStart:
        start = ctypes.byref(first_byte(view))  # it holds the byte, and that an export of the memory
        position, size_bytes = number(), ctypes.c_size_t()
        where = ctypes.byref(position)

        def xor_start(length: int, key: bytes) -> None:
            position.value = 0
            size_bytes.value = length
            quick_transform(start, start, size_bytes, None, key * 4, where, idle_cipher)

        return xor_start

    return BulkXor(anywhere, standing)


def passes_self_test(bulk_xor: BulkXor) -> bool:
    """Whether both functions give the right bytes at every length up to 99, every phase, and odd addresses."""
    key = b"\x00\x5a\xff\x81"
    memory = bytes(range(256))[: _SELF_TEST_BYTES + 1]
    standing = bytearray(memory)
    xor_start = bulk_xor.standing(memoryview(standing)[1:])
    for length in range(1, _SELF_TEST_BYTES):
        for phase in range(4):
            scratch = bytearray(memory)
            bulk_xor.anywhere(memoryview(scratch)[1 : 1 + length], key, phase)
            if scratch != _expected(memory, length, key, phase):
                return False
        standing[:] = memory
        xor_start(length, key)
        if standing != _expected(memory, length, key, 0):
            return False
    return True


def _expected(memory: bytes, length: int, key: bytes, phase: int) -> bytes:
    body = bytes(byte ^ key[(phase + index) & 3] for index, byte in enumerate(memory[1 : 1 + length]))
    return memory[:1] + body + memory[1 + length :]


def find_bulk_xor(load: Callable[[], BulkXor | None] = load_bulk_xor) -> BulkXor | None:
    """Return an accelerator that was found and passed its self-test, or ``None``."""
    bulk_xor = load()
    return bulk_xor if bulk_xor is not None and passes_self_test(bulk_xor) else None


__all__ = ["BulkXor", "Xor", "XorStart", "find_bulk_xor", "load_bulk_xor", "passes_self_test"]
