"""Bulk XOR: a repeating four-byte key over much memory at the speed of memory, by a library that is there anyway.

Two libraries have what RFC 6455 §5.3 asks for, in place, many times faster than anything Python can say. Neither is
needed; they are looked for in this order, and the first that gives the right bytes is used.

*Nettle*, which comes with GnuTLS, XORs one area onto another, at every length and alignment (nettle/memxor.h)::

    void *memxor(void *dst, const void *src, size_t n);        exported as nettle_memxor

*libcrypto*, which CPython's ``_hashlib`` is linked against, exports its output-feedback mode as a function that takes
the block cipher as a parameter (``CRYPTO_ofb128_encrypt``, openssl/modes.h)::

    for each 16 bytes:  block(ivec, ivec, key);  out = in XOR ivec

Given a "cipher" that leaves ``ivec`` alone, and the key four times as ``ivec``, that *is* the repeating XOR. The
cipher that does nothing is libc's ``abs``: it takes what it gets in registers, touches no memory, and its result is
ignored. It takes 4.8 us for 16 KiB where Nettle takes 1.9.

These are raw pointer calls into libraries that may be absent (static builds, other systems), so this is an option with
a name and not a necessity: ``find_bulk_xor`` returns one only where it is found *and* gives the right bytes at every
length and phase of a self-test; everybody else keeps the form in plain Python.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

Xor: TypeAlias = Callable[[memoryview, bytes, int], None]
"""Called with a writable view of one or more bytes, a key of four bytes, and how many bytes of the same stream
came before. Works in place; any thread."""

XorStart: TypeAlias = Callable[[int, bytes], None]
"""Called with a length, 1 or more, and a key of four bytes. Works in place on the start of memory that it holds; one
thread."""


class BulkXor(NamedTuple):
    """The same thing for two kinds of memory."""

    library: str
    """Whose it is, as ``hioload-ws probe`` shows it."""
    anywhere: Xor
    standing: Callable[[memoryview], XorStart]
    """Makes a function for the start of one writable view, which the function keeps from being unmapped. With its
    arguments made ready, a call costs half of what it costs ``anywhere``, beside its work."""


NETTLE: Final = "libnettle.so.8"
"""The name that stands for one binary interface: Nettle 3.6 to 3.10."""

_PATTERN_BYTES: Final = 64 * 1024
"""Longest area that is XORed at once. Whole keys; a longer pattern leaves the cache before it is used."""
_SELF_TEST_BYTES: Final = 100
_SELF_TEST_LONG_BYTES: Final = _PATTERN_BYTES + 7


def _is_tried_here() -> bool:
    # Elsewhere neither the symbols nor the calling convention were tried.
    return sys.platform != "win32" and sys.implementation.name == "cpython"


def load_nettle(name: str = NETTLE) -> BulkXor | None:
    """Return Nettle's function, untested; ``None`` where there is none. Never raises."""
    if not _is_tried_here():
        return None
    try:
        memxor = ctypes.CDLL(name).nettle_memxor
        # Another object for the same function: without ``argtypes``, and with the GIL, which is worth a call less.
        quick_memxor = ctypes.PyDLL(name).nettle_memxor
    except (AttributeError, OSError):
        return None
    memxor.restype = quick_memxor.restype = None
    memxor.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    address_of, first_byte = ctypes.addressof, ctypes.c_char.from_buffer

    def anywhere(view: memoryview, key: bytes, phase: int) -> None:
        # ``first`` holds an export of the memory, so that it can't be unmapped during the call.
        first, length = first_byte(view), view.nbytes
        turn = phase & 3
        pattern = (key[turn:] + key[:turn]) * ((min(length, _PATTERN_BYTES) + 3) >> 2)
        start = address_of(first)
        for done in range(0, length, _PATTERN_BYTES):
            memxor(start + done, pattern, min(length - done, _PATTERN_BYTES))

    def standing(view: memoryview) -> XorStart:
        start = ctypes.byref(first_byte(view))  # it holds the byte, and that an export of the memory
        size_bytes = ctypes.c_size_t()

        def xor_start(length: int, key: bytes) -> None:
            if length > _PATTERN_BYTES:
                anywhere(view[:length], key, 0)
                return
            size_bytes.value = length
            quick_memxor(start, key * ((length + 3) >> 2), size_bytes)

        return xor_start

    return BulkXor("nettle", anywhere, standing)


def load_libcrypto() -> BulkXor | None:
    """Return the function of libcrypto, untested; ``None`` where there is none. Never raises."""
    if not _is_tried_here():
        return None
    try:
        import _hashlib

        transform = ctypes.CDLL(_hashlib.__file__).CRYPTO_ofb128_encrypt
        quick_transform = ctypes.PyDLL(_hashlib.__file__).CRYPTO_ofb128_encrypt  # as above
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
        first = first_byte(view)  # as above
        start = address_of(first)
        position = number(phase & 3)
        transform(start, start, view.nbytes, None, key * 4, address_of(position), idle_cipher)

    def standing(view: memoryview) -> XorStart:
        start = ctypes.byref(first_byte(view))
        position, size_bytes = number(), ctypes.c_size_t()
        where = ctypes.byref(position)

        def xor_start(length: int, key: bytes) -> None:
            position.value = 0
            size_bytes.value = length
            quick_transform(start, start, size_bytes, None, key * 4, where, idle_cipher)

        return xor_start

    return BulkXor("libcrypto", anywhere, standing)


def passes_self_test(bulk_xor: BulkXor) -> bool:
    """Whether both functions give the right bytes at every length up to 99, every phase, and odd addresses; and at a
    length that takes more than one call."""
    short = bytes(range(256))[: _SELF_TEST_BYTES + 1]
    long = bytes(range(256)) * (_SELF_TEST_LONG_BYTES // 256 + 2)
    return _agrees(bulk_xor, short, range(1, _SELF_TEST_BYTES)) and _agrees(bulk_xor, long, [_SELF_TEST_LONG_BYTES])


def _agrees(bulk_xor: BulkXor, memory: bytes, lengths: Iterable[int]) -> bool:
    key = b"\x00\x5a\xff\x81"
    standing = bytearray(memory)
    xor_start = bulk_xor.standing(memoryview(standing)[1:])  # one for all: no call may depend on the one before
    for length in lengths:
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
    keys = (key * (length // 4 + 2))[phase : phase + length]
    body = int.from_bytes(memory[1 : 1 + length], "little") ^ int.from_bytes(keys, "little")
    return memory[:1] + body.to_bytes(length, "little") + memory[1 + length :]


def find_bulk_xor(loaders: Iterable[Callable[[], BulkXor | None]] = (load_nettle, load_libcrypto)) -> BulkXor | None:
    """Return the first accelerator that is found and passes its self-test, or ``None``. Never raises."""
    for load in loaders:
        bulk_xor = load()
        if bulk_xor is not None and passes_self_test(bulk_xor):
            return bulk_xor
    return None


__all__ = [
    "NETTLE",
    "BulkXor",
    "Xor",
    "XorStart",
    "find_bulk_xor",
    "load_libcrypto",
    "load_nettle",
    "passes_self_test",
]
