"""Tokens, comma lists and the grammar of Sec-WebSocket-Extensions."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument
from hioload_ws.protocol.tokens import (
    TOKEN_BYTES,
    ListedExtension,
    is_token,
    parse_extensions,
    render_extensions,
    split_list,
)

TOKEN_TEXT = TOKEN_BYTES.decode("ascii")
tokens = st.text(TOKEN_TEXT, min_size=1, max_size=8)
spaces = st.text(" \t", max_size=2)
parameters = st.lists(st.tuples(tokens, st.none() | tokens), max_size=3).map(tuple)
extensions = st.builds(ListedExtension, tokens, parameters)


def test_every_character_then_it_is_a_token_exactly_when_rfc_2616_says_so() -> None:
    separators = set('()<>@,;:\\"/[]?={} \t')
    for code in range(0x200):
        allowed = 0x20 < code < 0x7F and chr(code) not in separators
        assert is_token(chr(code)) == allowed == is_token(f"a{chr(code)}")
    assert not is_token("")
    assert not is_token("a\n")


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ((), []),
        (("",), []),
        ((" , ,\t,",), []),
        (("a",), ["a"]),
        (("a,b", "c"), ["a", "b", "c"]),
        ((" a\t, b c ,,d",), ["a", "b c", "d"]),
        (("a\x0b, \xa0b",), ["a\x0b", "\xa0b"]),
    ],
)
def test_comma_list_then_elements_come_out_stripped_and_never_empty(
    values: tuple[str, ...], elements: list[str]
) -> None:
    assert split_list(values) == elements


@pytest.mark.parametrize(
    ("values", "listed"),
    [
        ((), []),
        (("foo",), [("foo", ())]),
        # RFC 6455 §9.1: two fields are the same as one.
        (("foo", "bar; baz=2"), [("foo", ()), ("bar", (("baz", "2"),))]),
        (("foo, bar; baz=2",), [("foo", ()), ("bar", (("baz", "2"),))]),
        (
            ("mux; max-channels=4; flow-control,\tdeflate-stream",),
            [("mux", (("max-channels", "4"), ("flow-control", None))), ("deflate-stream", ())],
        ),
        ((',foo;a="10",,',), [("foo", (("a", "10"),))]),
        (('foo;a="1\\0"',), [("foo", (("a", "10"),))]),
        (("foo ;\ta = b ; c",), [("foo", (("a", "b"), ("c", None)))]),
        (("foo;a;a=1;a",), [("foo", (("a", None), ("a", "1"), ("a", None)))]),
    ],
)
def test_extension_list_then_names_and_parameters_come_out_in_order(
    values: tuple[str, ...], listed: list[tuple[str, tuple[tuple[str, str | None], ...]]]
) -> None:
    assert parse_extensions(values) == listed


@pytest.mark.parametrize(
    "value",
    [
        "",
        " , ",
        "foo bar",
        "foo;",
        "foo;;a",
        ";a",
        "=",
        "foo=1",
        "foo;a=",
        "foo;=1",
        "foo;a=b c",
        'foo;a=""',
        'foo;a="b',
        'foo;a="b c"',
        'foo;a="b,c"',
        'foo;a="\\"',
        'foo;a="\\,"',
        'foo;a="b"c',
        'foo;a=b"c"',
        '"foo"',
        "f\xf6o",
        "foo/1",
        "foo;a\x0b",
        "foo\x0b;a",
    ],
)
def test_extension_list_outside_the_grammar_then_the_handshake_fails(value: str) -> None:
    for values in ((value,), ("fine", value + ";")):
        with pytest.raises(HandshakeFailed) as caught:
            parse_extensions(values, status=499)
        assert caught.value.status == 499


@pytest.mark.parametrize(
    ("name", "listed_parameters"),
    [("", ()), ("a b", ()), ("a", (("", None),)), ("a", (("b", ""),)), ("a", (("b", "c\nd"),)), ("a;b", ())],
)
def test_rendering_what_is_no_token_then_invalid_argument(
    name: str, listed_parameters: tuple[tuple[str, str | None], ...]
) -> None:
    with pytest.raises(InvalidArgument):
        render_extensions([ListedExtension(name, listed_parameters)])


@given(st.lists(extensions, min_size=1, max_size=4))
def test_rendered_extensions_then_they_parse_back(listed: list[ListedExtension]) -> None:
    assert parse_extensions([render_extensions(listed)]) == listed


@given(st.lists(extensions, min_size=1, max_size=4), st.data())
def test_spaces_quotes_and_several_fields_then_nothing_changes(
    listed: list[ListedExtension], data: st.DataObject
) -> None:
    def space() -> str:
        return data.draw(spaces)

    def quote(value: str) -> str:
        if data.draw(st.booleans()):
            return value
        escapes = [data.draw(st.sampled_from(["", "\\"])) for _ in value]
        return '"' + "".join(map("".join, zip(escapes, value, strict=True))) + '"'

    values = [""]
    for name, listed_parameters in listed:
        text = space() + name
        for parameter, value in listed_parameters:
            text += f"{space()};{space()}{parameter}"
            text += "" if value is None else f"{space()}={space()}{quote(value)}"
        text += space()
        if data.draw(st.booleans()):
            values.append(text)
        else:
            values[-1] += "," + text
    assert parse_extensions(values) == listed


@given(st.lists(st.text('ab;=", \t\\\xff', max_size=12), max_size=3))
def test_any_text_then_it_parses_or_the_handshake_fails(values: list[str]) -> None:
    try:
        listed = parse_extensions(values)
    except HandshakeFailed as error:
        assert error.status == 400
    else:
        assert parse_extensions([render_extensions(listed)] if listed else []) == listed


@pytest.mark.parametrize(
    "unit", ["a" * 1000, ";a" * 500, ' ;a="\\a"', " " * 1000, 'x;a="' + "\\a" * 500, ";a =" + " " * 500]
)
def test_hostile_input_then_time_grows_with_its_length_only(unit: str) -> None:
    def seconds(count: int) -> float:
        value = "x" + unit * count + "("
        best = float("inf")
        for _ in range(5):
            start = time.thread_time()
            with pytest.raises(HandshakeFailed):
                parse_extensions([value])
            best = min(best, time.thread_time() - start)
        return best

    repeat = 4000 // len(unit) + 1
    # 16 times the length: linear takes 16 times as long, quadratic 256 times.
    assert seconds(16 * repeat) < 100 * max(seconds(repeat), 20e-6)
