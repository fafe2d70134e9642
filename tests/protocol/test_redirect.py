"""Redirects: where they lead, and where nobody is led."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed
from hioload_ws.api.http import Response
from hioload_ws.protocol.redirect import STATUSES, redirect_target, same_origin
from hioload_ws.protocol.uri import parse_uri

HERE = parse_uri("ws://here:81/a/b?q")


def answer(*locations: str, status: int = 302) -> Response:
    return Response(status, headers=tuple(("Location", location) for location in locations))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("ws://there/x", "ws://there/x"),
        ("wss://there/x?y", "wss://there/x?y"),
        ("http://there/", "ws://there/"),
        ("HTTPS://There:8443/z", "wss://There:8443/z"),
        ("/c", "ws://here:81/c"),
        ("c", "ws://here:81/a/c"),
        ("../c", "ws://here:81/c"),
        ("?r", "ws://here:81/a/b?r"),
        ("//there/c", "ws://there/c"),
        ("/c#fragment", "ws://here:81/c"),
        ("ws://[::1]:5/", "ws://[::1]:5/"),
    ],
)
def test_a_location_is_resolved_against_where_we_asked(location: str, target: str) -> None:
    assert redirect_target(HERE, answer(location)) == parse_uri(target)


@pytest.mark.parametrize(
    "location",
    ["ftp://there/", "javascript:alert(1)", "file:///etc/passwd", "ws://user:pw@there/", "ws://there:0/",
     "http://[::1", "/sp ace", " /c", "/c ", "/ta\tb", "/\u20ac", "/%zz", "ws://there:99999/"],
)  # fmt: skip
def test_a_location_that_is_no_websocket_uri_leads_nowhere(location: str) -> None:
    with pytest.raises(HandshakeFailed, match="the redirect leads nowhere") as caught:
        redirect_target(HERE, answer(location, status=307))
    assert caught.value.status == 307
    assert location not in str(caught.value)


@pytest.mark.parametrize("locations", [(), ("/a", "/a"), ("/a", "/b")])
def test_none_or_several_locations_lead_nowhere(locations: tuple[str, ...]) -> None:
    with pytest.raises(HandshakeFailed, match="one Location") as caught:
        redirect_target(HERE, answer(*locations))
    assert (caught.value.status, caught.value.context["count"]) == (302, len(locations))


@pytest.mark.parametrize("location", ["ws://here/", "http://here/", "ws://there/"])
def test_what_was_encrypted_stays_so(location: str) -> None:
    with pytest.raises(HandshakeFailed, match="leaves wss for ws"):
        redirect_target(parse_uri("wss://here/"), answer(location))


@pytest.mark.parametrize("location", ["wss://there/", "https://there/", "/x"])
def test_from_wss_to_wss_is_a_way(location: str) -> None:
    assert redirect_target(parse_uri("wss://here/"), answer(location)).secure


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_location_is_a_target_or_a_failed_handshake(location: str) -> None:
    try:
        target = redirect_target(HERE, answer(location))
    except HandshakeFailed:
        return
    assert parse_uri(target.text) == target


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("ws://here:81/elsewhere", True),
        ("WS://HERE:81/", True),
        ("ws://here/", False),
        ("wss://here:81/", False),
        ("ws://there:81/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(other: str, same: bool) -> None:
    assert same_origin(HERE, parse_uri(other)) is same


def test_the_statuses_are_those_that_name_one_other_place() -> None:
    assert STATUSES == {301, 302, 303, 307, 308}
