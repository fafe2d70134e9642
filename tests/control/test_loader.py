"""Files and variables: every error leads to the place where it has to be mended."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.control.config import MIB, ServerConfig
from hioload_ws.control.knobs import values_of
from hioload_ws.control.loader import find_line, from_environment, load_toml, parse_text
from hioload_ws.control.registry import ConfigControl


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hioload.toml"


GOOD = """
# a comment: port = 1
host = "0.0.0.0"
"port" = 8080
ping_interval_s = 5        # an integer is a fine number of seconds
idle_timeout_s = 1.5
subprotocols = [
    "chat",
    "chat.v2",
]
"""


def test_a_file_goes_over_the_defaults_or_over_a_base(file: Path) -> None:
    file.write_text(GOOD)
    values = {
        "host": "0.0.0.0",
        "port": 8080,
        "ping_interval_s": 5,
        "idle_timeout_s": 1.5,
        "subprotocols": ("chat", "chat.v2"),
    }
    assert load_toml(file) == ServerConfig.from_mapping(values)
    base = ServerConfig(port=1, backlog=7)
    assert load_toml(str(file), base) == ServerConfig.from_mapping(values, base=base)
    assert load_toml(file, base).backlog == 7


def test_a_file_that_is_read_again_changes_what_is_live_and_is_refused_for_the_rest(file: Path) -> None:
    control = ConfigControl(ServerConfig())
    file.write_text("ping_interval_s = 7.0\nport = 9001\n")
    control.set_config(**values_of(load_toml(file, control.config())))
    assert control.config() == ServerConfig(ping_interval_s=7.0)
    file.write_text("ping_interval_s = 8.0\nport = 80\n")
    with pytest.raises(InvalidArgument, match="port can't change while running"):
        control.set_config(**values_of(load_toml(file, control.config())))
    assert control.config().ping_interval_s == 7.0


def test_an_empty_file_changes_nothing(file: Path) -> None:
    file.write_text("")
    base = ServerConfig(port=1)
    assert load_toml(file, base) == base


def test_every_wrong_key_is_named_with_file_and_line(file: Path) -> None:
    file.write_text('host = "a"\n\nprot = 1\nspin_us = true\n[server]\nport = "x"\n')
    with pytest.raises(InvalidArgument) as caught:
        load_toml(file)
    findings = caught.value.message.split("; ")
    assert findings == [
        f"{file}:3: prot is not known",
        "did you mean 'port'?",
        f"{file}:4: spin_us must be int, not True of type bool",
        f"{file}:5: server is not known",
    ]
    assert caught.value.context == {"file": str(file), "fields": ("prot", "spin_us", "server")}


def test_a_key_written_with_escapes_is_named_without_line(file: Path) -> None:
    file.write_text('"po\\u0072t" = "x"\n')
    with pytest.raises(InvalidArgument) as caught:
        load_toml(file)
    assert caught.value.message == f"{file}: port must be int, not 'x' of type str"


def test_values_that_do_not_fit_together_are_named_with_their_lines(file: Path) -> None:
    file.write_text("port = 1\nlow_water_bytes = 20\nhigh_water_bytes = 10\n")
    with pytest.raises(InvalidArgument) as caught:
        load_toml(file)
    message = caught.value.message
    assert "low_water_bytes is 20, more than high_water_bytes, which is 10" in message
    assert message.endswith(f"see {file}:2: low_water_bytes, {file}:3: high_water_bytes")
    assert caught.value.context["file"] == str(file)


def test_a_value_that_does_not_fit_one_of_the_base_is_named_alone(file: Path) -> None:
    file.write_text(f"low_water_bytes = {2 * MIB}\n")
    with pytest.raises(InvalidArgument) as caught:
        load_toml(file, ServerConfig(backlog=5))
    assert caught.value.message.endswith(f"see {file}:1: low_water_bytes")


def test_broken_syntax_is_named_with_file_line_and_column(file: Path) -> None:
    for text, place in {
        "port = 1\nhost = [\n": "hioload.toml:2: host: .* at the end of the file",
        "port = 1\nhost = = 2\n": "hioload.toml:2: host: .* in column 8",
        "port = 1\n= 2\n": "hioload.toml:2: Invalid statement in column 1",
        "port = 1\nhost": "hioload.toml:2: .* at the end of the file",
    }.items():
        file.write_text(text)
        with pytest.raises(InvalidArgument, match=place) as caught:
            load_toml(file)
        assert caught.value.context["file"] == str(file)


def test_a_complaint_of_the_parser_without_a_place_is_passed_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Complaint(tomllib.TOMLDecodeError):
        def __init__(self) -> None:
            ValueError.__init__(self, "no")  # from Python 3.14 on the class itself wants a place

    def complain(text: str) -> object:
        raise Complaint

    file.write_text("port = 1\n")
    monkeypatch.setattr(tomllib, "loads", complain)
    with pytest.raises(InvalidArgument, match="hioload.toml: no"):
        load_toml(file)


def test_a_key_given_twice_is_refused(file: Path) -> None:
    file.write_text("port = 1\nport = 2\n")
    with pytest.raises(InvalidArgument, match="toml:2: port: "):
        load_toml(file)


def test_text_that_is_not_utf_8_is_refused_and_says_where(file: Path) -> None:
    file.write_bytes(b'host = "\xff"\n')
    with pytest.raises(InvalidArgument, match="not UTF-8 at byte 8"):
        load_toml(file)


def test_a_file_that_cannot_be_read_raises_what_the_system_says(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_toml(file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("port = 1", 1),
        ("\n\n  port=1", 3),
        ("'port' = 1", 1),
        ("port.a = 1", 1),
        ("[port]\na = 1", 1),
        ("[[port]]\na = 1", 1),
        ("# port = 1\nport = 1", 2),
        ("port_a = 1\nport = 1", 2),
        ('a = """\nport = 2\n"""\nport = 1', 4),
        ("a = [\n'port = 2',\n'''\nport = 3''']\nport = 1", 5),
        ("port = 1\n[a]\nport = 2", 1),
        ("a = 1", None),
        ('"po\\u0072t" = 1\n[a]\nport = 2', None),
        ('a = """\nport = 2\n"""', None),
    ],
)
def test_the_line_of_a_key_is_where_it_begins_and_not_where_something_looks_like_it(
    text: str, line: int | None
) -> None:
    assert find_line(text, "port") == line


def test_a_key_that_stands_in_a_table_before_is_not_confused_with_the_table_itself() -> None:
    assert find_line("[a.port]\nx = 1\n[port]\ny = 1", "port") == 3
    assert find_line("port.a = 1\nport.b = 2", "port") == 1


FILLERS = ["# port = 9", "", 'a{} = "port = 9"', "b{} = [\n'port = 8'\n]", 'c{} = """\nport = 7\n"""']


@given(st.lists(st.sampled_from(FILLERS), max_size=8), st.lists(st.sampled_from(FILLERS), max_size=3))
def test_the_line_is_found_whatever_stands_around_it(before: list[str], after: list[str]) -> None:
    head = "".join(each.format(number) + "\n" for number, each in enumerate(before))
    tail = "".join(each.format(100 + number) + "\n" for number, each in enumerate(after))
    assert find_line(f"{head}port = 1\n{tail}", "port") == head.count("\n") + 1


def test_variables_are_parsed_by_the_type_of_their_field() -> None:
    environ = {
        "HIOLOAD_PORT": "8080",
        "HIOLOAD_MAX_MESSAGE_BYTES": " 1_000_000 ",
        "HIOLOAD_PING_INTERVAL_S": "2.5",
        "HIOLOAD_CLOSE_TIMEOUT_S": "1e1",
        "HIOLOAD_HOST": "::1",
        "HIOLOAD_UNIX_PATH": "None",
        "HIOLOAD_POOL_LIMIT_BYTES": "1048576",
        "HIOLOAD_SUBPROTOCOLS": "",
        "HIOLOAD_ORIGINS": "https://a.example, null",
        "HIOLOAD_LEAKS": "simple",
        "PATH": "/bin",
    }
    base = ServerConfig(unix_path="/tmp/x", subprotocols=("a",), backlog=3)
    made = from_environment(environ, base)
    assert made == ServerConfig(
        port=8080,
        max_message_bytes=1_000_000,
        ping_interval_s=2.5,
        close_timeout_s=10.0,
        host="::1",
        pool_limit_bytes=1_048_576,
        origins=("https://a.example", "null"),
        leaks="simple",
        backlog=3,
    )


def test_without_variables_of_ours_nothing_changes() -> None:
    assert from_environment({"PATH": "/bin", "PORT": "5"}) == ServerConfig()


def test_everything_wrong_in_the_environment_is_named_by_variable() -> None:
    environ = {"HIOLOAD_PROT": "1", "HIOLOAD_PORT": "x", "HIOLOAD_BACKLOG": "0", "HIOLOAD_CONFIG": "a.toml"}
    with pytest.raises(InvalidArgument) as caught:
        from_environment(environ, also_known=("HIOLOAD_CONFIG",))
    assert caught.value.context["fields"] == ("HIOLOAD_PROT", "HIOLOAD_PORT", "HIOLOAD_BACKLOG")
    assert "HIOLOAD_PROT is not known; did you mean 'HIOLOAD_PORT'?" in caught.value.message
    assert "HIOLOAD_PORT must be int, not 'x' of type str" in caught.value.message


def test_variables_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="^environment: .*low_water_bytes is"):
        from_environment({"HIOLOAD_LOW_WATER_BYTES": "5", "HIOLOAD_HIGH_WATER_BYTES": "4"})


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "-5", -5),
        (int, "5.0", "5.0"),
        (int, "0x10", "0x10"),
        (int, "1__0", "1__0"),
        (int, "٣", "٣"),
        (int, "none", "none"),
        (float, ".5", 0.5),
        (float, "5.", 5.0),
        (float, "nan", "nan"),
        (float, "inf", "inf"),
        (str, " a ", " a "),
        (str, "none", "none"),
        (int | None, "7", 7),
        (int | None, "NONE", None),
        (str | None, "7", "7"),
        (tuple[str, ...], "a", ("a",)),
        (tuple[str, ...], "none", ("none",)),
        (tuple[str, ...] | None, "none", None),
        (tuple[str, ...] | None, " ", ()),
    ],
)
def test_text_stands_for_a_value_of_the_type_or_for_itself(hint: object, text: str, value: object) -> None:
    parsed = parse_text(hint, text)
    assert parsed == value and type(parsed) is type(value)


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_being_written_as_text(integer: int, number: float) -> None:
    assert parse_text(int, str(integer)) == integer
    assert parse_text(float, repr(number)) == number
