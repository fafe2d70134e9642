"""The accelerator for masks: byte-exact, or not there."""

from __future__ import annotations

import ctypes
import sys
import types
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.internal.bulk_xor import (
    BulkXor,
    Xor,
    XorStart,
    find_bulk_xor,
    load_libcrypto,
    load_nettle,
    passes_self_test,
)

LOADERS = (load_nettle, load_libcrypto)
PATTERN_BYTES = 64 * 1024


def clear_xor(view: memoryview, key: bytes, phase: int) -> None:
    """Do it byte by byte."""
    for index in range(len(view)):
        view[index] ^= key[(phase + index) & 3]


def standing_with(xor: Xor) -> Callable[[memoryview], XorStart]:
    """Make the one for standing memory of the other."""
    return lambda view: lambda length, key: xor(view[:length], key, 0)


CLEAR = BulkXor("clear", clear_xor, standing_with(clear_xor))


def test_right_functions_pass_and_are_found() -> None:
    assert passes_self_test(CLEAR)
    assert find_bulk_xor([lambda: CLEAR]) is CLEAR


def test_the_first_that_is_there_and_right_is_found() -> None:
    other = CLEAR._replace(library="other")
    wrong = CLEAR._replace(anywhere=nothing)
    assert find_bulk_xor([lambda: None, lambda: wrong, lambda: CLEAR, lambda: other]) is CLEAR


def no_phase(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, 0)


def one_too_many(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, phase)
    if len(view) == 64:
        view[63] ^= 1


def short_only(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view[:PATTERN_BYTES], key, phase)


def nothing(view: memoryview, key: bytes, phase: int) -> None:
    """Leave it as it is."""


def right_once(view: memoryview) -> XorStart:
    """Make a function that goes on with the key where the call before has left it."""
    done = [0]

    def xor_start(length: int, key: bytes) -> None:
        clear_xor(view[:length], key, done[0])
        done[0] += length

    return xor_start


@pytest.mark.parametrize(
    "broken",
    [
        BulkXor("", no_phase, CLEAR.standing),
        BulkXor("", one_too_many, CLEAR.standing),
        BulkXor("", short_only, CLEAR.standing),
        BulkXor("", nothing, CLEAR.standing),
        BulkXor("", clear_xor, standing_with(one_too_many)),
        BulkXor("", clear_xor, standing_with(short_only)),
        BulkXor("", clear_xor, standing_with(nothing)),
        BulkXor("", clear_xor, right_once),
    ],
)
def test_a_wrong_function_is_not_used(broken: BulkXor) -> None:
    assert not passes_self_test(broken)
    assert find_bulk_xor([lambda: broken]) is None


def test_where_there_is_none_there_is_none() -> None:
    assert find_bulk_xor([lambda: None]) is None


@pytest.mark.parametrize("load", LOADERS)
def test_other_systems_and_interpreters_are_left_alone(
    load: Callable[[], BulkXor | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert load() is None


@pytest.mark.parametrize("load", LOADERS)
def test_a_library_without_the_symbol_is_left_alone(
    load: Callable[[], BulkXor | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: types.SimpleNamespace())
    assert load() is None


def test_what_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_nettle("libnettle.so.there-is-no-such-version") is None
    monkeypatch.setitem(sys.modules, "_hashlib", None)
    assert load_libcrypto() is None


def address(pointer: object) -> int:
    """Return the address that an argument is: a number, or the pointer that ``byref`` makes."""
    if isinstance(pointer, int):
        return pointer
    value = ctypes.cast(cast(Any, pointer), ctypes.c_void_p).value
    assert value is not None
    return value


class FakeLibrary:
    """Both libraries, doing what ours are used for, so that the calls are tested where there is none."""

    def __init__(self) -> None:
        self.abs = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs)
        self.CRYPTO_ofb128_encrypt = Transform()
        self.nettle_memxor = Memxor()


class Memxor:
    """``nettle_memxor``, on real memory."""

    restype: object = None
    argtypes: object = None

    def __call__(self, target: object, source: bytes, length: object) -> None:
        size_bytes = length.value if isinstance(length, ctypes.c_size_t) else length
        assert isinstance(size_bytes, int)
        assert size_bytes <= len(source) <= PATTERN_BYTES
        where = address(target)
        data = ctypes.string_at(where, size_bytes)
        result = bytes(byte ^ other for byte, other in zip(data, source, strict=False))
        ctypes.memmove(where, result, size_bytes)


class Transform:
    """``CRYPTO_ofb128_encrypt`` with a cipher that does nothing, on real memory."""

    restype: object = None
    argtypes: object = None

    def __call__(
        self, source: object, target: object, length: object, key: object, ivec: bytes, number: object, block: object
    ) -> None:
        size_bytes = length.value if isinstance(length, ctypes.c_size_t) else length
        assert isinstance(size_bytes, int)
        position = ctypes.c_int.from_address(address(number))
        data = (ctypes.c_ubyte * size_bytes).from_address(address(target))
        for index in range(size_bytes):
            data[index] ^= ivec[position.value]
            position.value = (position.value + 1) % 16


@pytest.mark.parametrize("load", LOADERS)
def test_the_call_says_the_right_thing_to_the_library(
    load: Callable[[], BulkXor | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeLibrary())
    monkeypatch.setattr(ctypes, "PyDLL", lambda name: FakeLibrary())
    assert find_bulk_xor([load]) is not None


@pytest.mark.parametrize("load", LOADERS)
@given(data=st.binary(min_size=1, max_size=3000), key=st.binary(min_size=4, max_size=4), phase=st.integers(0, 9))
def test_this_machine_s_accelerators_agree_with_the_clear_form(
    load: Callable[[], BulkXor | None], data: bytes, key: bytes, phase: int
) -> None:
    bulk_xor = load() or CLEAR
    fast, clear = bytearray(data), bytearray(data)
    bulk_xor.anywhere(memoryview(fast), key, phase)
    clear_xor(memoryview(clear), key, phase)
    assert fast == clear
    xor_start = bulk_xor.standing(memoryview(fast))
    for length in (len(data), len(data) // 2 + 1, len(data)):
        xor_start(length, key)
        clear_xor(memoryview(clear)[:length], key, 0)
        assert fast == clear


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("more_bytes", [-1, 0, 1, PATTERN_BYTES, 2 * PATTERN_BYTES + 3])
def test_what_takes_more_than_one_call_is_right_to_the_last_byte_and_no_further(
    load: Callable[[], BulkXor | None], more_bytes: int
) -> None:
    bulk_xor = load() or CLEAR
    length = PATTERN_BYTES + more_bytes
    data, key = bytes(length + 2), b"abcd"
    for phase in range(4):
        fast = bytearray(data)
        bulk_xor.anywhere(memoryview(fast)[1:-1], key, phase)
        assert fast == b"\0" + (key * (length // 4 + 2))[phase : phase + length] + b"\0"
    fast = bytearray(data)
    bulk_xor.standing(memoryview(fast)[1:])(length, key)
    assert fast == b"\0" + (key * (length // 4 + 2))[:length] + b"\0"


@pytest.mark.parametrize("load", LOADERS)
def test_memory_that_a_function_stands_for_stays_as_long_as_the_function(load: Callable[[], BulkXor | None]) -> None:
    bulk_xor = load()
    if bulk_xor is None:
        pytest.skip("the library is not here")
    memory = bytearray(16)
    xor_start = bulk_xor.standing(memoryview(memory))
    with pytest.raises(BufferError):
        memory.clear()
    del xor_start
    memory.clear()
