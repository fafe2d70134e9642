"""Routing: which handler answers; against an oracle that looks at every pattern, for any patterns and paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.adapters.routing import Group, Router, compose
from hioload_ws.api import AlreadyExists, Connection, Handler, InvalidArgument, Message

# Few words, so that patterns and paths meet; with what encoding changes, and what could be taken for syntax.
WORDS = st.sampled_from(["", "a", "b", "a/b", "ü", "%41", " ", ".", "..", "*"])
NAMES = st.sampled_from([":x", ":y", ":z"])


class Named:
    """A handler that can be told from others."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, connection: Connection, message: Message, /) -> object:
        raise AssertionError("routing does not call handlers")

    def __repr__(self) -> str:
        return self.name


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Return a correct pattern whose words contain no slash."""
    words = WORDS.filter(lambda word: "/" not in word)
    segments = draw(st.lists(words | NAMES, min_size=1, max_size=4))
    seen: set[str] = set()
    for index, segment in enumerate(segments):
        if segment in seen:
            segments[index] = f":n{index}"
        elif segment.startswith(":"):
            seen.add(segment)
    return "/" + "/".join(segments)


paths = st.lists(WORDS, min_size=1, max_size=4).map(
    lambda words: "/" + "/".join(quote(word, safe="") for word in words)
)


def oracle(added: list[str], path: str) -> tuple[str, dict[str, str]] | None:
    """Return pattern and parameters by trying every pattern on a path that ``quote`` made."""
    segments = [unquote(segment) for segment in path[1:].split("/")]
    fitting: list[tuple[list[bool], str, dict[str, str]]] = []
    for pattern in added:
        wanted = pattern[1:].split("/")
        if len(wanted) != len(segments):
            continue
        pairs = list(zip(wanted, segments, strict=True))
        if all(word.startswith(":") or word == segment for word, segment in pairs):
            params = {word[1:]: segment for word, segment in pairs if word.startswith(":")}
            fitting.append(([word.startswith(":") for word in wanted], pattern, params))
    if not fitting:
        return None
    _, pattern, params = min(fitting)
    return pattern, params


@given(st.lists(patterns(), max_size=8), st.lists(paths, min_size=1, max_size=8))
@example(["/%41", "/a", "/:x"], ["/%41", "/A", "/%2541", "/a", "/b"])
@example(["/a/:x", "/:x/b", "/a/b"], ["/a/b", "/a/a", "/b/b", "/b/a", "/a"])
def test_any_patterns_and_paths_agree_with_trying_them_all(wanted: list[str], asked: list[str]) -> None:
    router = Router()
    added: list[str] = []
    shapes: set[tuple[str, ...]] = set()
    for pattern in wanted:
        shape = tuple(":" if word.startswith(":") else word for word in pattern[1:].split("/"))
        if shape in shapes:
            with pytest.raises(AlreadyExists):
                router.add(pattern, Named("refused"))
        else:
            router.add(pattern, Named(pattern))
            shapes.add(shape)
            added.append(pattern)
    # Paths of our own, and for each pattern one that it fits unless a word wins.
    for path in [*asked, *(quote(pattern.replace(":", "")) for pattern in added)]:
        found, expected = router.find(path), oracle(added, path)
        if expected is None:
            assert found is None
        else:
            assert found is not None
            assert (repr(found[0]), dict(found[1])) == expected


@given(st.text())
def test_any_text_as_a_path_finds_a_handler_or_nothing_and_never_raises(text: str) -> None:
    router = Router()
    router.add("/", Named("root"))
    router.add("/:x", Named("one"))
    found = router.find(text)
    assert (found is not None) <= text.startswith("/")


@pytest.mark.parametrize("path", ["/%ff", "/\ud800", "/a%c3"])
def test_a_path_that_is_not_utf8_matches_no_pattern_but_reaches_the_fallback(path: str) -> None:
    router = Router()
    router.add("/:x", Named("one"))
    assert router.find(path) is None
    router.fallback = Named("fallback")
    found = router.find(path)
    assert found is not None
    assert repr(found[0]) == "fallback"
    assert not found[1]


@pytest.mark.parametrize("path", ["", "*", "a", "xa"])
def test_a_path_without_its_slash_matches_no_pattern(path: str) -> None:
    router = Router()
    router.add("/", Named("root"))
    router.add("/a", Named("a"))
    router.add("/:x", Named("one"))
    assert router.find(path) is None


def test_an_encoded_slash_is_data() -> None:
    router = Router()
    router.add("/files/:name", Named("file"))
    found = router.find("/files/a%2Fb")
    assert found is not None
    assert found[1] == {"name": "a/b"}
    assert router.find("/files/a/b") is None


def test_words_win_over_parameters_whichever_was_added_first() -> None:
    for order in (["/:a/:b", "/x/:b", "/:a/y", "/x/y"], ["/x/y", "/:a/y", "/x/:b", "/:a/:b"]):
        router = Router()
        for pattern in order:
            router.add(pattern, Named(pattern))
        answers = [router.find(path) for path in ("/x/y", "/x/z", "/z/y", "/z/z")]
        assert [repr(found[0]) for found in answers if found] == ["/x/y", "/x/:b", "/:a/y", "/:a/:b"]


def test_parameters_can_not_be_changed() -> None:
    router = Router()
    router.add("/:x", Named("one"))
    found = router.find("/1")
    assert found is not None
    with pytest.raises(TypeError):
        found[1]["x"] = "2"  # type: ignore[index]  # that it is refused is the point


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "starts with a slash"),
        ("a", "starts with a slash"),
        ("/:", "Python name"),
        ("/:1", "Python name"),
        ("/:a-b", "Python name"),
        ("/:a/b/:a", "occurs twice"),
    ],
)
def test_a_malformed_pattern_is_refused_and_named(pattern: str, complaint: str) -> None:
    router = Router()
    with pytest.raises(InvalidArgument, match=complaint) as caught:
        router.add(pattern, Named("never"))
    assert caught.value.context["pattern"] == pattern
    assert router.find("/1") is None


def marking(mark: str, marks: list[str]) -> Handler:
    """Return a handler that leaves a mark."""

    def leave_mark(connection: Connection, message: Message, /) -> object:
        marks.append(mark)
        return None

    return leave_mark


def wrapping(mark: str, marks: list[str]) -> Callable[[Handler], Handler]:
    """Return a middleware that leaves a mark before the handler."""

    def wrap(handler: Handler) -> Handler:
        def call(connection: Connection, message: Message, /) -> object:
            marks.append(mark)
            return handler(connection, message)

        return call

    return wrap


def call(handler: Handler) -> None:
    """Call a handler that looks at neither argument."""
    handler(cast(Connection, None), cast(Message, None))


def test_the_first_middleware_is_the_outermost() -> None:
    marks: list[str] = []
    call(compose(marking("handler", marks), [wrapping("first", marks), wrapping("second", marks)]))
    assert marks == ["first", "second", "handler"]


def test_groups_lengthen_prefixes_and_stack_middleware_from_the_outside() -> None:
    marks: list[str] = []
    router = Router()
    inner = Group(router, "/api", [wrapping("api", marks)]).group("/:version", middleware=[wrapping("v", marks)])
    handler = marking("users", marks)
    assert inner.route("/users", middleware=[wrapping("route", marks)])(handler) is handler
    found = router.find("/api/2/users")
    assert found is not None
    assert found[1] == {"version": "2"}
    call(found[0])
    assert marks == ["api", "v", "route", "users"]


def test_an_empty_pattern_in_a_group_is_the_prefix_itself() -> None:
    router = Router()
    Group(router, "/api").route("")(Named("api"))
    assert router.find("/api") is not None
    assert router.find("/api/") is None


def test_a_pattern_does_not_grow_together_with_its_group_s_prefix() -> None:
    group = Group(Router(), "/api")
    with pytest.raises(InvalidArgument, match="starts with a slash"):
        group.route("users")
    with pytest.raises(InvalidArgument, match="starts with a slash"):
        group.group("v1")
    with pytest.raises(InvalidArgument, match="starts with a slash"):
        Group(Router()).route("")(Named("never"))


@pytest.mark.parametrize("prefix", ["/api/", "/", "api", "/:1"])
def test_a_malformed_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidArgument):
        Group(Router(), prefix)
