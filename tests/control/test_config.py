"""The server's configuration: defaults are right, wrong fields are all named, and the manual is complete."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.control.config import KIB, MIB, ServerConfig
from hioload_ws.pool.tracking import LeakLevel

DEFAULT = ServerConfig()
KNOBS = {row.name: row for row in ServerConfig.describe()}


def test_the_defaults_are_as_documented() -> None:
    assert (DEFAULT.host, DEFAULT.port, DEFAULT.unix_path, DEFAULT.backlog) == ("127.0.0.1", 9001, None, 1024)
    assert (DEFAULT.read_buffer_bytes, DEFAULT.max_message_bytes) == (128 * KIB, 32 * MIB)
    assert (DEFAULT.low_water_bytes, DEFAULT.high_water_bytes, DEFAULT.send_limit_bytes) == (
        256 * KIB,
        MIB,
        64 * MIB,
    )
    assert (DEFAULT.ping_interval_s, DEFAULT.idle_timeout_s, DEFAULT.shutdown_timeout_s) == (20.0, 0.0, 30.0)
    assert (DEFAULT.subprotocols, DEFAULT.origins, DEFAULT.leaks) == ((), None, "disabled")


def test_it_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULT.port = 1  # type: ignore[misc]  # that is the point
    assert not hasattr(DEFAULT, "__dict__")


def test_every_field_has_a_row_with_help_and_every_number_has_a_range() -> None:
    assert list(KNOBS) == [each.name for each in fields(ServerConfig)]
    for row in KNOBS.values():
        assert row.help.endswith(".") and row.default == getattr(DEFAULT, row.name)
        assert row.live is (row.reason == "")
        if "int" in row.kind or "float" in row.kind:
            assert row.low is not None and (row.unit or row.name in ("port", "node", "cpu")), "a number without a unit"
        assert not row.name.endswith("_bytes") or row.unit == "bytes"
        assert not row.name.endswith("_s") or row.unit == "s"


def test_what_is_built_at_the_start_is_fixed_and_what_is_asked_for_later_is_live() -> None:
    assert {name for name, row in KNOBS.items() if not row.live} == {
        "host",
        "port",
        "unix_path",
        "backlog",
        "read_buffer_bytes",
        "pool_limit_bytes",
        "reactor_budget",
        "inbox_capacity",
        "spin_us",
        "leaks",
        "mask_accelerator",
        "node",
        "huge_pages",
        "executor_capacity",
        "workers",
        "worker_kind",
        "worker_pinning",
    }


def test_the_leak_levels_are_those_of_the_pool() -> None:
    assert KNOBS["leaks"].choices == tuple(LeakLevel)


NUMBERS = sorted(name for name, row in KNOBS.items() if row.low is not None)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_outside_its_range_is_refused_by_name(name: str) -> None:
    row = KNOBS[name]
    wrong = [] if row.low is None else [row.low - 1]
    wrong += [] if row.high is None else [row.high + 1]
    for value in wrong:
        number = int(value) if "int" in row.kind else value
        with pytest.raises(InvalidArgument) as caught:
            ServerConfig.from_mapping({name: number})
        assert caught.value.context["fields"] == (name,)


@pytest.mark.parametrize("name", sorted(KNOBS))
@pytest.mark.parametrize("value", [True, b"1", {"a": 1}, math.nan, math.inf, "\0"])
def test_a_value_of_a_wrong_type_or_no_value_at_all_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ServerConfig.from_mapping({name: value})
    assert caught.value.context["fields"] == (name,)


@pytest.mark.parametrize(
    ("lesser", "low", "greater", "high"),
    [
        ("low_water_bytes", 11, "high_water_bytes", 10),
        ("high_water_bytes", 2 * MIB, "send_limit_bytes", MIB + 1),
        ("max_frame_bytes", 11, "max_message_bytes", 10),
        ("read_buffer_bytes", 128 * KIB, "pool_limit_bytes", 64 * KIB),
    ],
)
def test_a_pair_that_does_not_fit_together_is_refused_with_both_names(
    lesser: str, low: int, greater: str, high: int
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ServerConfig.from_mapping({lesser: low, greater: high})
    message = caught.value.message
    assert f"{lesser} is {low}, more than {greater}, which is {high}" in message
    fields_named = caught.value.context["fields"]
    assert isinstance(fields_named, tuple) and {lesser, greater} <= set(fields_named)


def test_two_pairs_that_do_not_fit_are_both_named() -> None:
    with pytest.raises(InvalidArgument) as caught:
        ServerConfig(low_water_bytes=3, high_water_bytes=2, send_limit_bytes=1)
    assert caught.value.context["fields"] == ("low_water_bytes", "high_water_bytes", "send_limit_bytes")


@pytest.mark.parametrize(
    "origin", ["https://example.com", "http://localhost:8080", "null", "app://a", "http://[::1]:80"]
)
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    assert ServerConfig(origins=(origin,)).origins == (origin,)


@pytest.mark.parametrize(
    "origin", ["https://example.com/", "example.com", "*", "", "https://a b", "https://a\n"]
)
def test_what_no_browser_ever_sends_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(InvalidArgument):
        ServerConfig(origins=(origin,))


@pytest.mark.parametrize("names", [("a", "a"), ("a b",), ("",), ("a,b",), ("é",)])
def test_subprotocols_are_different_tokens(names: tuple[str, ...]) -> None:
    assert ServerConfig(subprotocols=("chat.v2", "chat")).subprotocols == ("chat.v2", "chat")
    with pytest.raises(InvalidArgument):
        ServerConfig(subprotocols=names)


def test_a_mapping_goes_over_a_base_and_lists_are_tuples() -> None:
    base = ServerConfig(port=1, spin_us=5)
    made = ServerConfig.from_mapping({"port": 2, "subprotocols": ["a", "b"], "ping_interval_s": 3}, base=base)
    assert made == replace(base, port=2, subprotocols=("a", "b"), ping_interval_s=3)


def test_everything_wrong_with_a_mapping_is_in_one_error_with_its_source() -> None:
    with pytest.raises(InvalidArgument) as caught:
        ServerConfig.from_mapping({"prot": 1, "port": "80", "spin_us": -1, "max_fragments": True}, "here")
    assert caught.value.context["fields"] == ("prot", "port", "spin_us", "max_fragments")
    message = caught.value.message
    assert message.startswith("here: prot is not known; did you mean 'port'?; port must be int, not '80'")
    with pytest.raises(InvalidArgument, match="^here: .*low_water_bytes is"):
        ServerConfig.from_mapping({"low_water_bytes": 2 * MIB}, "here")


VALUES = st.one_of(
    st.integers(-10, 10**11), st.floats(), st.booleans(), st.none(), st.text(max_size=5), st.lists(st.text())
)


@given(st.dictionaries(st.sampled_from([*KNOBS, "unknown"]), VALUES, max_size=4))
def test_whatever_is_given_the_result_is_right_or_an_error_that_names_something(
    mapping: dict[str, object],
) -> None:
    try:
        made = ServerConfig.from_mapping(mapping)
    except InvalidArgument as error:
        assert error.context["fields"]
    else:
        for name, value in mapping.items():
            assert getattr(made, name) == (tuple(value) if isinstance(value, list) else value)
        assert ServerConfig.from_mapping({name: getattr(made, name) for name in KNOBS}) == made
