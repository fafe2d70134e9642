"""The four parameters: their spelling, every answer to every offer, and every answer a client may get."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from hioload_ws.api.errors import HandshakeFailed
from hioload_ws.api.extension import ExtensionParameters
from hioload_ws.protocol.deflate_parameters import (
    UNLIMITED,
    DeflateParameters,
    answer_offer,
    check_answer,
    offers_for,
    parse_parameters,
)

BOTH = (False, True)
WINDOWS = (None, 8, 9, 12, 15)
OWN_WINDOWS = (None, 8, 9, 12)


def every(client_windows: tuple[int | None, ...], server_windows: tuple[int | None, ...] = WINDOWS) -> list[
    DeflateParameters
]:
    """Return all combinations of parameters with these windows."""
    return [DeflateParameters(*each) for each in product(BOTH, BOTH, server_windows, client_windows)]


OFFERS = every((*WINDOWS, UNLIMITED))
ANSWERS = every(WINDOWS)
WISHES = every(OWN_WINDOWS, OWN_WINDOWS)


@pytest.mark.parametrize("offer", BOTH)
def test_what_is_rendered_parses_back(offer: bool) -> None:
    for parameters in OFFERS if offer else ANSWERS:
        assert parse_parameters(parameters.render(), offer=offer) == parameters


def test_the_header_has_the_words_of_the_rfc() -> None:
    assert DeflateParameters(True, True, 10, 12).render() == (
        ("server_no_context_takeover", None),
        ("client_no_context_takeover", None),
        ("server_max_window_bits", "10"),
        ("client_max_window_bits", "12"),
    )
    assert DeflateParameters(client_max_window_bits=UNLIMITED).render() == (("client_max_window_bits", None),)


@pytest.mark.parametrize("offer", BOTH)
@pytest.mark.parametrize(
    "listed",
    [
        [("server_no_context_takeover", "")],
        [("client_no_context_takeover", "true")],
        [("server_max_window_bits", None)],
        *([(f"{side}_max_window_bits", value)] for side in ("server", "client") for value in (
            "", "7", "16", "08", "010", "0", "-9", "+9", "9.0", "1e1", " 9", "9 ", "x", "٩", "99999999999")),
        [("Server_no_context_takeover", None)],
        [("max_window_bits", "15")],
        [("", None)],
        [("server_no_context_takeover", None), ("server_no_context_takeover", None)],
        [("client_max_window_bits", "9"), ("client_max_window_bits", "9")],
        [("client_max_window_bits", "9"), ("server_max_window_bits", "9"), ("client_max_window_bits", "10")],
    ],
)
def test_a_malformed_list_fails_in_an_offer_and_in_an_answer(listed: ExtensionParameters, offer: bool) -> None:
    with pytest.raises(HandshakeFailed) as caught:
        parse_parameters(listed, offer=offer)
    assert caught.value.status == 101


def test_window_bits_without_a_value_are_for_the_client_and_for_offers_only() -> None:
    listed = [("client_max_window_bits", None)]
    assert parse_parameters(listed, offer=True).client_max_window_bits == UNLIMITED
    with pytest.raises(HandshakeFailed):
        parse_parameters(listed, offer=False)


def fits(offer: DeflateParameters, answer: DeflateParameters) -> bool:
    """Say whether RFC 7692 §7.1 allows this answer to this offer, clause by clause."""
    if offer.server_no_context_takeover and not answer.server_no_context_takeover:  # §7.1.1.1
        return False
    if offer.server_max_window_bits is not None and (  # §7.1.2.1: the same or a smaller value
        answer.server_max_window_bits is None or answer.server_max_window_bits > offer.server_max_window_bits
    ):
        return False
    if answer.client_max_window_bits is None:
        return True
    if offer.client_max_window_bits is None:  # §7.1.2.2: must not include it
        return False
    return answer.client_max_window_bits <= (offer.client_max_window_bits or 15)


def test_every_offer_gets_an_answer_that_fits_and_keeps_the_servers_wishes() -> None:
    for offer, wishes in product(OFFERS, WISHES):
        answer = answer_offer(offer, wishes)
        assert fits(offer, answer)
        assert answer.server_no_context_takeover >= wishes.server_no_context_takeover
        assert answer.client_no_context_takeover >= wishes.client_no_context_takeover
        assert (answer.server_max_window_bits or 15) <= (wishes.server_max_window_bits or 15)
        if offer.client_max_window_bits is not None:
            assert (answer.client_max_window_bits or 15) <= (wishes.client_max_window_bits or 15)


def test_an_answer_asks_for_no_more_than_either_end_wants() -> None:
    for offer in OFFERS:
        answer = answer_offer(offer, DeflateParameters())
        assert answer.server_no_context_takeover == offer.server_no_context_takeover
        assert answer.client_no_context_takeover == offer.client_no_context_takeover
        assert answer.server_max_window_bits == offer.server_max_window_bits
        assert answer.client_max_window_bits == (offer.client_max_window_bits or None)


def accepted(answer: DeflateParameters, wishes: DeflateParameters, fallback: bool) -> bool:
    try:
        check_answer(answer, wishes, fallback)
    except HandshakeFailed as error:
        assert error.status == 101
        return False
    return True


def client_cases() -> Iterator[tuple[DeflateParameters, DeflateParameters, bool]]:
    yield from product(ANSWERS, WISHES, BOTH)


def test_a_client_takes_exactly_the_answers_that_fit_one_of_its_offers() -> None:
    taken = [0, 0]
    for answer, wishes, fallback in client_cases():
        expected = any(fits(offer, answer) for offer in offers_for(wishes, fallback))
        assert accepted(answer, wishes, fallback) == expected
        taken[expected] += 1
    assert min(taken) > 100


def test_offers_begin_with_all_wishes_and_the_fallback_only_drops_demands() -> None:
    for wishes, fallback in product(WISHES, BOTH):
        first, *others = offers_for(wishes, fallback)
        assert first.server_no_context_takeover == wishes.server_no_context_takeover
        assert first.client_no_context_takeover == wishes.client_no_context_takeover
        assert first.server_max_window_bits == wishes.server_max_window_bits
        assert first.client_max_window_bits == (wishes.client_max_window_bits or UNLIMITED)
        demands = wishes.server_no_context_takeover or wishes.server_max_window_bits is not None
        assert len(others) == (fallback and demands)
        for other in others:
            hints = first.client_no_context_takeover, first.client_max_window_bits
            assert other == DeflateParameters(False, hints[0], None, hints[1])
