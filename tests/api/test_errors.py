"""The tree of errors: whose fault it was, what code it has, and that it survives a journey between processes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import errors
from hioload_ws.api.errors import ErrorCode, HandshakeFailed, HioloadError, ProtocolViolation

C = ErrorCode
BRANCHES = (errors.UsageError, errors.PeerError, errors.ResourceError, errors.InternalError)

TREE: dict[type[HioloadError], tuple[type[HioloadError], ErrorCode]] = {
    errors.InvalidArgument: (errors.UsageError, C.INVALID_ARGUMENT),
    errors.InvalidState: (errors.UsageError, C.INVALID_STATE),
    errors.Closed: (errors.UsageError, C.CLOSED),
    errors.TransportClosed: (errors.Closed, C.TRANSPORT_CLOSED),
    errors.PoolClosed: (errors.Closed, C.POOL_CLOSED),
    errors.DoubleRelease: (errors.LeaseError, C.DOUBLE_RELEASE),
    errors.UseAfterRelease: (errors.LeaseError, C.USE_AFTER_RELEASE),
    errors.ForeignRelease: (errors.LeaseError, C.FOREIGN_RELEASE),
    errors.WrongThread: (errors.UsageError, C.WRONG_THREAD),
    errors.NotSupported: (errors.UsageError, C.NOT_SUPPORTED),
    errors.AlreadyExists: (errors.UsageError, C.ALREADY_EXISTS),
    errors.NotFound: (errors.UsageError, C.NOT_FOUND),
    errors.Cancelled: (errors.UsageError, C.CANCELLED),
    errors.ProtocolViolation: (errors.PeerError, C.PROTOCOL_VIOLATION),
    errors.HandshakeFailed: (errors.PeerError, C.HANDSHAKE_FAILED),
    errors.ConnectionLost: (errors.PeerError, C.CONNECTION_LOST),
    errors.ProxyRefused: (errors.ConnectionLost, C.PROXY_REFUSED),
    errors.ResourceExhausted: (errors.ResourceError, C.RESOURCE_EXHAUSTED),
    errors.TimedOut: (errors.ResourceError, C.TIMEOUT),
    errors.WorkerLost: (errors.ResourceError, C.WORKER_LOST),
    errors.InternalError: (errors.HioloadError, C.INTERNAL),
}
BRANCHES_WITHOUT_CODE = {errors.UsageError, errors.PeerError, errors.ResourceError, errors.LeaseError}
ALL = sorted({*TREE, *BRANCHES_WITHOUT_CODE, HioloadError}, key=lambda kind: kind.__name__)


def same(first: HioloadError, second: HioloadError) -> bool:
    """Whether two errors say the same, in everything a program can ask them."""
    return (type(first), str(first), first.args, first.message, first.context, vars(first).keys()) == (
        type(second),
        str(second),
        second.args,
        second.message,
        second.context,
        vars(second).keys(),
    )


def test_the_tree_above_is_the_whole_tree() -> None:
    assert {kind.__name__ for kind in ALL} | {"ErrorCode"} == set(errors.__all__)


@pytest.mark.parametrize("kind", TREE)
def test_an_error_stands_in_its_branch_and_has_its_code(kind: type[HioloadError]) -> None:
    parent, code = TREE[kind]
    assert kind.__bases__[0] is parent
    assert kind.code is code and kind("x").code is code


@pytest.mark.parametrize("kind", TREE)
def test_an_error_has_exactly_one_culprit(kind: type[HioloadError]) -> None:
    assert sum(issubclass(kind, branch) for branch in BRANCHES) == 1


def test_no_code_is_used_twice_or_unused() -> None:
    codes = [code for _, code in TREE.values()]
    assert sorted(codes) == sorted(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_is_its_own_text(code: ErrorCode) -> None:
    assert f"{code}" == code.value == code.value.lower()
    assert " " not in code.value and "_" not in code.value


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.TimedOut, TimeoutError),
        (errors.InvalidArgument, ValueError),
        (errors.NotFound, LookupError),
    ],
)
def test_errors_that_python_has_a_word_for_are_caught_by_that_word_too(
    kind: type[HioloadError], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin, match="^late \\(limit=3\\)$"):
        raise kind("late", limit=3)


def test_a_message_without_context_is_the_whole_text() -> None:
    error = errors.InvalidState("not running")
    assert (str(error), error.message, error.args, dict(error.context)) == (
        "not running",
        "not running",
        ("not running",),
        {},
    )


def test_the_context_is_shown_and_can_not_be_changed() -> None:
    error = errors.ResourceExhausted("no memory left", limit_bytes=10, name="a")
    assert str(error) == "no memory left (limit_bytes=10, name='a')"
    assert dict(error.context) == {"limit_bytes": 10, "name": "a"}
    with pytest.raises(TypeError):
        error.context["limit_bytes"] = 11  # type: ignore[index]  # that it is refused is the test


@pytest.mark.parametrize(
    ("error", "close_code"),
    [(ProtocolViolation("bad"), 1002), (ProtocolViolation("bad", close_code=1007), 1007)],
)
def test_a_violation_says_what_to_close_with(error: ProtocolViolation, close_code: int) -> None:
    assert error.close_code == error.context["close_code"] == close_code
    assert str(error) == f"bad (close_code={close_code})"


@pytest.mark.parametrize(
    ("error", "status"), [(HandshakeFailed("no"), 0), (HandshakeFailed("no", status=403), 403)]
)
def test_a_failed_handshake_says_its_status(error: HandshakeFailed, status: int) -> None:
    assert error.status == error.context["status"] == status


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
WORDS = st.from_regex(r"[a-z]{1,5}", fullmatch=True).filter(lambda word: word not in ("message", "self"))


@given(st.sampled_from(ALL), st.text(), st.dictionaries(WORDS, JSON, max_size=3), st.integers(2, 5))
def test_an_error_comes_out_of_a_pickle_as_it_went_in(
    kind: type[HioloadError], message: str, context: dict[str, object], protocol: int
) -> None:
    error = kind(message, **context)
    assert same(error, pickle.loads(pickle.dumps(error, protocol)))


@pytest.mark.parametrize(
    "error",
    [
        ProtocolViolation("bad", close_code=1009, at=7),
        HandshakeFailed("no", status=4),
        errors.ProxyRefused("no", status=407),
    ],
)
def test_errors_with_data_of_their_own_keep_it_in_a_pickle(error: HioloadError) -> None:
    twin: HioloadError = pickle.loads(pickle.dumps(error))
    assert same(error, twin)
    assert vars(error).items() >= vars(twin).items()
