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

from hioload_ws.internal.bulk_xor import BulkXor, Xor, XorStart, find_bulk_xor, load_bulk_xor, passes_self_test


def clear_xor(view: memoryview, key: bytes, phase: int) -> None:
    """Do it byte by byte."""
    for index in range(len(view)):
        view[index] ^= key[(phase + index) & 3]


def standing_with(xor: Xor) -> Callable[[memoryview], XorStart]:
    """Make the one for standing memory of the other."""
    return lambda view: lambda length, key: xor(view[:length], key, 0)


CLEAR = BulkXor(clear_xor, standing_with(clear_xor))


def test_right_functions_pass_and_are_found() -> None:
    assert passes_self_test(CLEAR)
    assert find_bulk_xor(lambda: CLEAR) is CLEAR


def no_phase(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, 0)


def one_too_many(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, phase)
    if len(view) == 64:
        view[63] ^= 1


def nothing(view: memoryview, key: bytes, phase: int) -> None:
    """Leave it as it is."""


@pytest.mark.parametrize(
    "broken",
    [
        BulkXor(no_phase, CLEAR.standing),
        BulkXor(one_too_many, CLEAR.standing),
        BulkXor(nothing, CLEAR.standing),
        BulkXor(clear_xor, standing_with(one_too_many)),
        BulkXor(clear_xor, standing_with(nothing)),
    ],
)
def test_a_wrong_function_is_not_used(broken: BulkXor) -> None:
    assert not passes_self_test(broken)
    assert find_bulk_xor(lambda: broken) is None


def test_where_there_is_none_there_is_none() -> None:
    assert find_bulk_xor(lambda: None) is None


def test_other_systems_and_interpreters_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert load_bulk_xor() is None


def test_a_library_without_the_symbol_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: types.SimpleNamespace())
    assert load_bulk_xor() is None


def test_a_module_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_hashlib", None)
    assert load_bulk_xor() is None


def address(pointer: object) -> int:
    """Return the address that an argument is: a number, or the pointer that ``byref`` makes."""
    if isinstance(pointer, int):
        return pointer
    value = ctypes.cast(cast(Any, pointer), ctypes.c_void_p).value
    assert value is not None
    return value


class FakeLibrary:
    """A libcrypto that does what ours is used for, so that the call is tested where there is none."""

    def __init__(self) -> None:
        self.abs = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs)
        self.CRYPTO_ofb128_encrypt = Transform()


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


def test_the_call_says_the_right_thing_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeLibrary())
    monkeypatch.setattr(ctypes, "PyDLL", lambda name: FakeLibrary())
    assert find_bulk_xor() is not None


@given(data=st.binary(min_size=1, max_size=3000), key=st.binary(min_size=4, max_size=4), phase=st.integers(0, 9))
def test_this_machine_s_accelerator_agrees_with_the_clear_form(data: bytes, key: bytes, phase: int) -> None:
    bulk_xor = load_bulk_xor() or CLEAR
    fast, clear = bytearray(data), bytearray(data)
    bulk_xor.anywhere(memoryview(fast), key, phase)
    clear_xor(memoryview(clear), key, phase)
    assert fast == clear
    xor_start = bulk_xor.standing(memoryview(fast))
    for length in (len(data), len(data) // 2 + 1, len(data)):
        xor_start(length, key)
        clear_xor(memoryview(clear)[:length], key, 0)
        assert fast == clear


def test_memory_that_a_function_stands_for_stays_as_long_as_the_function() -> None:
    bulk_xor = load_bulk_xor()
    if bulk_xor is None:
        pytest.skip("no accelerator here")
    memory = bytearray(16)
    xor_start = bulk_xor.standing(memoryview(memory))
    with pytest.raises(BufferError):
        memory.clear()
    del xor_start
    memory.clear()
