"""The accelerator for masks: byte-exact, or not there."""

from __future__ import annotations

import ctypes
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.internal.bulk_xor import BulkXor, find_bulk_xor, load_bulk_xor, passes_self_test


def clear_xor(view: memoryview, key: bytes, phase: int) -> None:
    """Do it byte by byte."""
    for index in range(len(view)):
        view[index] ^= key[(phase + index) & 3]


def test_a_right_function_passes_and_is_found() -> None:
    assert passes_self_test(clear_xor)
    assert find_bulk_xor(lambda: clear_xor) is clear_xor


def no_phase(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, 0)


def one_too_many(view: memoryview, key: bytes, phase: int) -> None:
    clear_xor(view, key, phase)
    if len(view) == 64:
        view[63] ^= 1


@pytest.mark.parametrize("broken", [no_phase, one_too_many, lambda view, key, phase: None])
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
        self, source: int, target: int, length: int, key: object, ivec: bytes, number: int, block: object
    ) -> None:
        position = ctypes.c_int.from_address(number)
        data = (ctypes.c_ubyte * length).from_address(target)
        for index in range(length):
            data[index] ^= ivec[position.value]
            position.value = (position.value + 1) % 16


def test_the_call_says_the_right_thing_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeLibrary())
    monkeypatch.setattr(ctypes, "cast", lambda function, kind: None)
    assert find_bulk_xor() is not None


@given(data=st.binary(min_size=1, max_size=3000), key=st.binary(min_size=4, max_size=4), phase=st.integers(0, 9))
def test_this_machine_s_accelerator_agrees_with_the_clear_form(data: bytes, key: bytes, phase: int) -> None:
    bulk_xor = load_bulk_xor() or clear_xor
    fast, clear = bytearray(data), bytearray(data)
    bulk_xor(memoryview(fast), key, phase)
    clear_xor(memoryview(clear), key, phase)
    assert fast == clear
