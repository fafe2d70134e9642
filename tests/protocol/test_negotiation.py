"""What both ends agree on: the proof, subprotocols, extensions, and who may set which header."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument
from hioload_ws.api.extension import RSV1, RSV2, Extension, ExtensionAnswer, ExtensionParameters
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.negotiation import (
    accept_answers,
    accept_key,
    accept_offers,
    check_extra_headers,
    check_factories,
    check_subprotocols,
    choose_subprotocol,
    is_handshake_key,
    lists_token,
    make_offers,
    parse_subprotocols,
)
from hioload_ws.protocol.tokens import ListedExtension
from tests.protocol.toys import InertExtension


class ToyFactory:
    """Accepts an offer with parameters, raises for ``raise``, declines without. Remembers what it made."""

    def __init__(self, name: str, rsv_bits: int = 0, offers: Sequence[ExtensionParameters] = ((),)) -> None:
        self.name = name
        self.rsv_bits = rsv_bits
        self.listed = offers
        self.made: list[InertExtension] = []
        self.asked: list[ExtensionParameters] = []

    def offers(self) -> Sequence[ExtensionParameters]:
        return self.listed

    def make(self, parameters: ExtensionParameters) -> InertExtension:
        self.asked.append(parameters)
        if ("raise", None) in parameters:
            raise HandshakeFailed("asked for it", status=499)
        self.made.append(InertExtension(self.name, self.rsv_bits))
        return self.made[-1]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        if not parameters:
            self.asked.append(parameters)
            return None
        return ExtensionAnswer((("agreed", None),), self.make(parameters))

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        return self.make(parameters)


def listed(name: str, *parameters: str) -> ListedExtension:
    return ListedExtension(name, tuple((parameter, None) for parameter in parameters))


# ------------------------------------------------------------------------------------- the proof


def test_example_of_the_rfc_then_its_accept_key() -> None:
    # RFC 6455 §4.2.2 item 5.4 and §1.3.
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_key_beyond_ascii_then_invalid_argument() -> None:
    with pytest.raises(InvalidArgument):
        accept_key("\xe9")


@given(st.binary(min_size=16, max_size=16))
def test_any_nonce_then_its_base64_is_a_key_and_accepted_as_the_rfc_says(nonce: bytes) -> None:
    key = base64.b64encode(nonce)
    assert is_handshake_key(key.decode())
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    assert base64.b64decode(accept_key(key.decode())) == digest


@pytest.mark.parametrize(
    "key",
    [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",  # padding missing
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZR==",  # bits beyond the 16 bytes are set
        "AQIDBAUGBwgJCgsMDQ4PEC==",  # so they are in RFC 6455 §4.1 item 7, which erratum 3150 corrects
        "dGhlIHNhbXBsZSBub25jZQ==\n",
        " dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j\nZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ_==",  # the URL alphabet
        "dGhlIHNhbXBsZSBub25jZQ-=",
        "dGhlIHNhbXBsZSBub25j",  # 15 bytes
        "dGhlIHNhbXBsZSBub25jZUE=",  # 17 bytes
        "====",
        "\u0661" * 21 + "Q==",
    ],
)
def test_text_that_is_no_canonical_base64_of_16_bytes_then_it_is_no_key(key: str) -> None:
    assert not is_handshake_key(key)


def test_list_with_a_token_in_any_case_then_it_is_found_and_parts_of_words_are_not() -> None:
    assert lists_token(["keep-alive, UPGRADE"], "upgrade")
    assert lists_token(["a", "b ,\tUpgrade ,"], "upgrade")
    assert not lists_token(["upgrades, up grade", "upgrade/1"], "upgrade")
    assert not lists_token([], "upgrade")


# ------------------------------------------------------------------------------------ the caller's


@pytest.mark.parametrize(
    "name",
    ["Upgrade", "CONNECTION", "content-length", "Transfer-Encoding", "Sec-WebSocket-Key", "sec-websocket-x"],
)
def test_header_of_the_handshake_then_the_caller_may_not_set_it(name: str) -> None:
    with pytest.raises(InvalidArgument):
        check_extra_headers([("A", "b"), (name, "x")])


def test_other_header_then_the_caller_may_set_it_unless_reserved_too() -> None:
    check_extra_headers([("Host", "a"), ("Sec-WebSocketX", "a"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
    with pytest.raises(InvalidArgument):
        check_extra_headers([("HOST", "a")], frozenset({"host"}))
    with pytest.raises(InvalidArgument):
        check_extra_headers([("A", "b\r\nc")])


@pytest.mark.parametrize("names", ["chat", ("a", ""), ("a b",), ("a,b",), ("a", "b", "a"), ("\xe9",)])
def test_wrong_list_of_subprotocols_then_invalid_argument(names: Sequence[str]) -> None:
    with pytest.raises(InvalidArgument):
        check_subprotocols(names)
    with pytest.raises(InvalidArgument):
        HandshakeConfig(subprotocols=names)  # type: ignore[arg-type]  # a plain str is the mistake to catch


def test_wrong_list_of_extensions_then_invalid_argument() -> None:
    for factories in ((ToyFactory("a b"),), (ToyFactory(""),), (ToyFactory("a"), ToyFactory("a"))):
        with pytest.raises(InvalidArgument):
            check_factories(factories)
        with pytest.raises(InvalidArgument):
            HandshakeConfig(extensions=factories)


def test_configuration_then_limits_are_checked_and_good_values_kept() -> None:
    with pytest.raises(InvalidArgument):
        HandshakeConfig(max_head_bytes=0)
    with pytest.raises(InvalidArgument):
        HandshakeConfig(max_header_count=-1)
    factories = (ToyFactory("a"), ToyFactory("A"))
    config = HandshakeConfig(("x", "X"), factories, max_head_bytes=1, max_header_count=0)
    assert (config.subprotocols, config.extensions) == (("x", "X"), factories)
    assert config.check_origin is None is config.select_subprotocol


# ------------------------------------------------------------------------------------ subprotocols


@pytest.mark.parametrize(
    ("values", "offered"),
    [((), ()), (("a",), ("a",)), (("b, a", "c,,"), ("b", "a", "c")), (("a, A",), ("a", "A"))],
)
def test_subprotocols_of_a_request_then_they_come_in_the_order_of_the_client(
    values: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    assert parse_subprotocols(values) == offered


@pytest.mark.parametrize(
    "values", [("",), (" , ",), ("a b",), ("a/b",), ('"a"',), ("\xe9",), ("a,a",), ("a", "a")]
)
def test_subprotocols_against_the_grammar_then_400(values: tuple[str, ...]) -> None:
    with pytest.raises(HandshakeFailed) as caught:
        parse_subprotocols(values)
    assert caught.value.status == 400


def test_several_common_subprotocols_then_the_client_prefers() -> None:
    assert choose_subprotocol(("c", "b", "a"), ("a", "b")) == "b"
    assert choose_subprotocol(("B",), ("b",)) is None
    assert choose_subprotocol((), ("b",)) is None


# -------------------------------------------------------------------------------------- extensions


def test_offers_then_the_order_of_the_client_decides_and_unknown_ones_are_skipped() -> None:
    first, second = ToyFactory("first", RSV1), ToyFactory("second", RSV2)
    answers, extensions = accept_offers(
        [listed("second", "yes"), listed("other", "yes"), listed("first", "yes")], (first, second)
    )
    assert answers == [listed("second", "agreed"), listed("first", "agreed")]
    assert extensions == (second.made[0], first.made[0])


def test_declined_offer_then_a_fallback_of_the_same_name_is_asked_and_none_after_a_yes() -> None:
    factory = ToyFactory("toy")
    answers, extensions = accept_offers(
        [listed("toy"), listed("toy", "a"), listed("toy", "b"), listed("TOY", "c")], (factory,)
    )
    assert factory.asked == [(), (("a", None),)]
    assert answers == [listed("toy", "agreed")]
    assert extensions == (factory.made[0],)


def test_taken_reserved_bit_then_the_later_extension_is_closed_and_out_of_the_race() -> None:
    first, clash = ToyFactory("first", RSV1), ToyFactory("clash", RSV1 | RSV2)
    third = ToyFactory("third", RSV2)
    offers = [listed("first", "a"), *[listed("clash", "a")] * 100, listed("third", "a")]
    answers, extensions = accept_offers(offers, (first, clash, third))
    assert [name for name, _ in answers] == ["first", "third"]
    assert [extension.name for extension in extensions] == ["first", "third"]
    assert [toy.closed for toy in clash.made] == [True]
    assert not first.made[0].closed and not third.made[0].closed


def test_nothing_offered_or_nothing_supported_then_nothing_is_agreed() -> None:
    assert accept_offers([], (ToyFactory("a"),)) == ([], ())
    assert accept_offers([listed("a", "yes")], ()) == ([], ())


def test_factory_that_raises_then_earlier_extensions_are_closed() -> None:
    for negotiate in (accept_offers, accept_answers):
        first, second = ToyFactory("first", RSV1), ToyFactory("second", RSV2)
        run: Callable[..., object] = negotiate
        with pytest.raises(HandshakeFailed) as caught:
            run([listed("first", "yes"), listed("second", "raise")], (first, second))
        assert caught.value.status == 499
        assert first.made[0].closed


def test_fallbacks_of_the_client_then_they_follow_their_first_choice() -> None:
    factories = [ToyFactory("a", offers=[(("x", "1"),), ()]), ToyFactory("b"), ToyFactory("c", offers=())]
    assert make_offers(factories) == [ListedExtension("a", (("x", "1"),)), listed("a"), listed("b")]


def test_answers_then_the_order_of_the_server_is_the_order_of_the_chain() -> None:
    first, second = ToyFactory("first", RSV1), ToyFactory("second", RSV2)
    extensions = accept_answers([listed("second", "p"), listed("first")], (first, second))
    assert extensions == (second.made[0], first.made[0])
    assert second.asked == [(("p", None),)]


@pytest.mark.parametrize(
    "answers",
    [
        [listed("first"), listed("unknown")],
        [listed("first"), listed("FIRST")],
        [listed("first"), listed("first")],
        [listed("first"), listed("bitless"), listed("bitless")],
        [listed("first"), listed("silent")],
        [listed("first"), listed("clash")],
    ],
    ids=["not offered", "another case", "twice", "twice, no bit", "configured, not offered", "same bit"],
)
def test_answer_that_fits_no_offer_then_the_handshake_fails_and_nothing_stays_open(
    answers: list[ListedExtension],
) -> None:
    factories = [ToyFactory("first", RSV1), ToyFactory("clash", RSV1), ToyFactory("silent", offers=())]
    factories.append(ToyFactory("bitless"))
    with pytest.raises(HandshakeFailed) as caught:
        accept_answers(answers, factories)
    assert caught.value.status == 101
    assert factories[0].made
    assert all(toy.closed for factory in factories for toy in factory.made)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["yes", ""])), max_size=12), st.data())
def test_any_offers_then_names_and_bits_are_unique_and_every_loser_is_closed(
    offers: list[tuple[str, str]], data: st.DataObject
) -> None:
    factories = [ToyFactory(name, data.draw(st.integers(0, 7)) << 4) for name in "abc"]
    wanted = [listed(name, *filter(None, [parameter])) for name, parameter in offers]
    answers, extensions = accept_offers(wanted, factories)
    names = [name for name, _ in answers]
    assert names == [extension.name for extension in extensions]
    assert len(set(names)) == len(names)
    claimed_bits = 0
    for extension in extensions:
        assert not extension.rsv_bits & claimed_bits
        claimed_bits |= extension.rsv_bits
    for factory in factories:
        assert len(factory.made) <= 1
        assert all(toy.closed != (toy in extensions) for toy in factory.made)
        assert bool(factory.made) == ((factory.name, "yes") in offers)
