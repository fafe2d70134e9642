"""Exceptions without a caller: they reach the hook, or the log, and never vanish."""

from __future__ import annotations

import logging

import pytest

from hioload_ws.internal.faults import log_error, report


def test_the_hook_gets_the_exception_and_its_origin() -> None:
    seen: list[tuple[BaseException, object]] = []
    error = ValueError("x")
    report(lambda error, origin: seen.append((error, origin)), error, "origin")
    assert seen == [(error, "origin")]


def test_a_hook_that_raises_has_both_exceptions_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(error: BaseException, origin: object) -> None:
        raise RuntimeError("hook")

    with caplog.at_level(logging.ERROR, logger="hioload_ws.internal"):
        report(broken, ValueError("callback"), "origin")
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(error) for error in logged] == ["callback", "hook"]


def test_a_keyboard_interrupt_in_a_hook_passes_through() -> None:
    def interrupted(error: BaseException, origin: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(interrupted, ValueError(), "origin")


def test_without_a_hook_the_traceback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="hioload_ws.internal"):
        log_error(ValueError("why"), "origin")
    assert "'origin'" in caplog.text and "ValueError: why" in caplog.text
