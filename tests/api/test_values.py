"""Value types: addresses that print as people write them, header look-ups, results, events."""

from __future__ import annotations

import dataclasses
import pickle
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws import api
from hioload_ws.api import Failure, MemoryAddress, Request, Response, Success, TcpAddress, UnixAddress


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (TcpAddress("127.0.0.1", 80), "127.0.0.1:80"),
        (TcpAddress("example.org", 0), "example.org:0"),
        (TcpAddress("::1", 9001), "[::1]:9001"),
        (TcpAddress("fe80::1%eth0", 65535), "[fe80::1%eth0]:65535"),
        (UnixAddress("/run/app.sock"), "unix:/run/app.sock"),
        (UnixAddress("@abstract"), "unix:@abstract"),
        (UnixAddress(""), "unix:"),
        (MemoryAddress("a"), "memory:a"),
    ],
)
def test_an_address_prints_as_people_write_it(address: api.Address, text: str) -> None:
    assert str(address) == text


def test_an_address_is_a_value() -> None:
    assert TcpAddress("a", 1) == TcpAddress("a", 1) != TcpAddress("a", 2)
    assert len({TcpAddress("a", 1), TcpAddress("a", 1), MemoryAddress("a"), UnixAddress("a")}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        TcpAddress("a", 1).port = 2  # type: ignore[misc]  # that it is refused is the test


HEADERS = (("Host", "a"), ("Upgrade", "websocket"), ("host", "b"), ("X", ""))
REQUEST = Request("GET", "/x?y", HEADERS, "/x", "y")
RESPONSE = Response(101, "Switching Protocols", HEADERS)


@pytest.mark.parametrize("head", [REQUEST, RESPONSE], ids=["request", "response"])
def test_a_header_is_found_without_case_and_the_first_one_counts(head: Request | Response) -> None:
    assert head.header("HOST") == head.header("host") == "a"
    assert head.values("hOsT") == ("a", "b")


@pytest.mark.parametrize("head", [REQUEST, RESPONSE, Response(204)], ids=["request", "response", "bare"])
def test_an_absent_header_is_none_and_an_empty_one_is_not(head: Request | Response) -> None:
    assert head.header("Cookie") is None
    assert head.values("Cookie") == ()
    assert head.header("x") == ("" if head.headers else None)


NAMES = st.sampled_from(["Host", "HOST", "host", "X-A", "x-a", "Y"])


@given(st.lists(st.tuples(NAMES, st.text(max_size=3)), max_size=8), NAMES)
def test_values_keep_order_and_repetition(fields: list[tuple[str, str]], name: str) -> None:
    request = Request("GET", "/", tuple(fields))
    expected = [value for field, value in fields if field.casefold() == name.casefold()]
    assert list(request.values(name)) == expected
    assert request.header(name) == (expected[0] if expected else None)


def test_a_request_without_parts_and_a_response_without_body_have_empty_ones() -> None:
    request, response = Request("GET", "/", ()), Response(404)
    assert (request.path, request.query) == ("", "")
    assert (response.reason, response.headers, response.body) == ("", (), b"")


def test_the_body_of_a_response_is_not_printed() -> None:
    assert "secret" not in repr(Response(200, body=b"secret"))
    assert Response(200, body=b"a") != Response(200, body=b"b")


@pytest.mark.parametrize("value", [REQUEST, RESPONSE, TcpAddress("::1", 1), Success(3), api.Features("tcp")])
def test_a_value_survives_a_pickle(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_success_unwraps_to_its_value() -> None:
    assert Success(3).unwrap() == 3


def test_a_failure_unwraps_by_raising_the_very_error() -> None:
    error = api.Cancelled("gone")
    with pytest.raises(api.Cancelled) as caught:
        Failure(error).unwrap()
    assert caught.value is error


def test_features_promise_nothing_but_half_close_by_default() -> None:
    values = dataclasses.asdict(api.Features("x"))
    assert {name for name, value in values.items() if value is True} == {"half_close"}
    assert values.pop("name") == "x" and all(isinstance(value, bool) for value in values.values())


def test_events_of_the_codec_hold_what_they_were_given() -> None:
    violation = api.ProtocolViolation("bad", close_code=1007)
    assert api.PingReceived(b"a").payload == b"a"
    assert api.PongReceived(b"b").payload == b"b"
    closed = api.CloseReceived(1005, "")
    assert (closed.code, closed.reason) == (1005, "")
    assert api.ViolationDetected(violation).error is violation


def test_events_of_a_connection_hold_what_they_were_given() -> None:
    connection = cast(api.Connection, object())
    assert api.OpenEvent(connection).connection is connection
    event = api.CloseEvent(connection, 1006, "lost")
    assert (event.connection, event.code, event.reason, event.error) == (connection, 1006, "lost", None)
    error = api.ConnectionLost("reset")
    assert api.CloseEvent(connection, 1006, "", error).error is error


@pytest.mark.parametrize(
    "event", [api.StreamEnded(), api.PingReceived(b""), api.CloseReceived(1000, "")], ids=["end", "ping", "close"]
)
def test_an_event_of_the_hot_path_has_slots_only(event: object) -> None:
    assert not hasattr(event, "__dict__")


def test_empty_is_one_value_that_is_no_item() -> None:
    assert list(api.Empty) == [api.EMPTY]
    assert pickle.loads(pickle.dumps(api.EMPTY)) is api.EMPTY


def test_session_status_moves_in_one_direction() -> None:
    names = [status.name for status in sorted(api.SessionStatus)]
    assert names == ["UNKNOWN", "CONNECTING", "ACTIVE", "CLOSING", "CLOSED"]
