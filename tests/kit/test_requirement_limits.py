"""Limits that the kit sets itself: few capabilities per interface, and requirements that are sentences."""

from __future__ import annotations

from typing import Final

from hioload_ws.contract import catalogue

MAX_CAPABILITIES: Final = 6


def test_no_suite_has_more_capabilities_than_one_can_keep_in_mind() -> None:
    for suite in catalogue.suites().values():
        assert len(suite().capabilities()) <= MAX_CAPABILITIES, suite.name


def test_requirements_are_sentences() -> None:
    for suite in catalogue.suites().values():
        for each in suite.requirements:
            assert each.sentence.endswith(".") and len(each.sentence) > 10, each.id
