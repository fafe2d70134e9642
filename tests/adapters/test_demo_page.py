"""The demo's page: what may not be in it, and that it fits the server it is served by."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from hioload_ws.adapters.demo_page import PAGE


class Collector(HTMLParser):
    """Collects elements with their attributes, and the text of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag = self.elements[-1][0] if self.elements else ""
        self.texts[tag] = self.texts.get(tag, "") + data


@pytest.fixture
def page() -> Collector:
    """Return the page, parsed."""
    collector = Collector()
    collector.feed(PAGE)
    collector.close()
    return collector


@pytest.mark.parametrize(
    "word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "srcdoc"]
)
def test_nothing_in_it_makes_html_of_text(word: str) -> None:
    assert word not in PAGE


def test_nothing_is_fetched_from_elsewhere(page: Collector) -> None:
    assert "//" not in re.sub(r"wss?://", "", PAGE)
    assert [name for _, attrs in page.elements for name in attrs if name in ("src", "href", "action")] == []


def test_the_script_refers_to_elements_that_exist(page: Collector) -> None:
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    assert set(re.findall(r'getElementById\("([^"]+)"\)', page.texts["script"])) == ids
    assert {"form", "input", "button"} <= {tag for tag, _ in page.elements}


def test_the_script_connects_to_the_chat_s_path_on_its_own_host(page: Collector) -> None:
    assert "new WebSocket(scheme + location.host + \"/chat/\" + name)" in page.texts["script"]
    assert page.texts["script"].count("textContent = text") == 1


def test_it_says_its_charset_and_language(page: Collector) -> None:
    assert ("meta", {"charset": "utf-8"}) in page.elements
    assert ("html", {"lang": "en"}) in page.elements
    PAGE.encode("ascii")
