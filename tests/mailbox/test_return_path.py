"""The keyed address of each notice: whose mail came back, and that nobody else can have written it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.return_path import ReturnAddressError, ReturnKind, ReturnPath, TokenRefused

SECRET = "a secret of sufficient length"
PATH = ReturnPath(SECRET, "bounces@firm.example")
DELIVERY = UUID("6f6c1a52-7a37-4f6c-9a3b-0f7d3ad6a001")

pytestmark = pytest.mark.unit


@given(st.uuids(), st.sampled_from(list(ReturnKind)), st.booleans())
def test_an_address_names_its_delivery_whatever_the_case_of_its_letters(
    delivery: UUID, kind: ReturnKind, shouted: bool
) -> None:
    address = PATH.address(delivery, kind)
    found = PATH.read(address.upper() if shouted else address)
    assert found is not None
    assert (found.delivery_id, found.kind) == (delivery, kind)
    assert len(address.rpartition("@")[0]) <= 64


@pytest.mark.parametrize("kind", ReturnKind)
def test_a_token_with_any_one_other_letter_is_refused(kind: ReturnKind) -> None:
    local, _, domain = PATH.address(DELIVERY, kind).rpartition("@")
    for place in range(local.index("+") + 1, len(local)):
        for letter in "abcdefghijklmnopqrstuvwxyz234567018-_=.+":
            if letter != local[place]:
                with pytest.raises(TokenRefused):
                    PATH.read(f"{local[:place]}{letter}{local[place + 1 :]}@{domain}")


def test_whoever_may_answer_a_notice_cannot_report_it_undeliverable() -> None:
    answer = PATH.address(DELIVERY, ReturnKind.ANSWER)
    assert answer != PATH.address(DELIVERY, ReturnKind.BOUNCE)
    found = PATH.read(answer)
    assert found is not None
    assert found.kind is ReturnKind.ANSWER


def test_another_key_and_a_cut_token_are_refused() -> None:
    foreign = ReturnPath(SECRET[::-1], "bounces@firm.example").address(DELIVERY, ReturnKind.BOUNCE)
    ours = PATH.address(DELIVERY, ReturnKind.BOUNCE)
    for address in (foreign, ours.replace("@", "a@"), ours[:20] + "@firm.example", "bounces+@firm.example"):
        with pytest.raises(TokenRefused):
            PATH.read(address)


@pytest.mark.parametrize("address", ["bounces@firm.example", "recall@firm.example", "bounces+x@other.example", "", "@"])
def test_an_address_without_a_token_of_ours_says_nothing(address: str) -> None:
    assert PATH.read(address) is None


@pytest.mark.parametrize("address", ["bounces", "a b@firm.example", "@firm.example", "Bounces <bounces@firm.example>"])
def test_a_setting_that_is_no_plain_address_is_refused_by_its_name(address: str) -> None:
    with pytest.raises(ReturnAddressError, match="RECALL_BOUNCE_ADDRESS: expected an address"):
        ReturnPath(SECRET, address)


def test_a_name_too_long_for_a_token_is_refused_with_the_number() -> None:
    with pytest.raises(ReturnAddressError, match="at most 21 characters before the @"):
        ReturnPath(SECRET, "a-very-long-name-for-notices@firm.example")
