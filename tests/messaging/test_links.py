"""Links and callback addresses: what we made comes back, everything else is refused by name."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.links import (
    CallbackRefused,
    LinkBadSignature,
    LinkError,
    LinkExpired,
    LinkMalformed,
    make_link_token,
    read_link_token,
    read_status_callback,
    recipient_url,
    status_callback_url,
)

pytestmark = pytest.mark.unit
SECRET = "a secret of this installation"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=90)
DELIVERY = UUID("01890000-0000-7000-8000-00000000002a")


def token(**changes: object) -> str:
    values: dict[str, object] = {
        "recall_no": "RC-2026-000012",
        "consignee_id": 53,
        "delivery_id": DELIVERY,
        "expires_at": LATER,
    }
    return make_link_token(SECRET, **{**values, **changes})  # type: ignore[arg-type]


@given(
    year=st.integers(2000, 9999),
    sequence=st.integers(1, 999_999),
    drill=st.booleans(),
    consignee=st.integers(1, 2**63 - 1),
    delivery=st.none() | st.uuids(),
    every=st.booleans(),
    seconds=st.integers(1, 10**11),
)
def test_every_link_comes_back_as_it_was_made(
    *, year: int, sequence: int, drill: bool, consignee: int, delivery: UUID | None, every: bool, seconds: int
) -> None:
    expires = NOW + timedelta(seconds=seconds, microseconds=7)
    number = f"{'RD' if drill else 'RC'}-{year}-{sequence:06d}"
    made = make_link_token(
        SECRET,
        recall_no=number,
        consignee_id=consignee,
        delivery_id=delivery,
        expires_at=expires,
        all_sites=every and delivery is not None,
    )
    claims = read_link_token(SECRET, made, NOW)
    assert claims.all_sites == (every and delivery is not None)
    assert (claims.recall_no, claims.consignee_id, claims.delivery_id) == (number, consignee, delivery)
    assert claims.expires_at == expires.replace(microsecond=0)


def test_a_link_fits_into_a_text_message() -> None:
    assert len(token(consignee_id=2**31, recall_no="RC-2026-999999")) <= 66
    assert len(token()) <= 62
    assert len(recipient_url("https://recall.example/", token())) <= 90


def test_every_flipped_character_is_refused() -> None:
    good = token()
    for index, character in enumerate(good):
        for other in ("A", "b", "-", "é", "="):
            if other != character:
                with pytest.raises(LinkError):
                    read_link_token(SECRET, good[:index] + other + good[index + 1 :], NOW)


@pytest.mark.parametrize("bad", ["", "x", "A" * 40, "../../etc", "%00", "A" * 5000, token() + "A", token()[:-1], "é"])
def test_what_is_no_token_is_malformed_or_unsigned(bad: str) -> None:
    with pytest.raises((LinkMalformed, LinkBadSignature)):
        read_link_token(SECRET, bad, NOW)


def test_another_installations_link_is_refused() -> None:
    with pytest.raises(LinkBadSignature):
        read_link_token("the secret of someone else", token(), NOW)


def test_a_link_ends_at_its_instant_and_still_says_whose_it_was() -> None:
    assert read_link_token(SECRET, token(), LATER - timedelta(seconds=1)).consignee_id == 53
    with pytest.raises(LinkExpired) as caught:
        read_link_token(SECRET, token(), LATER)
    assert caught.value.claims.recall_no == "RC-2026-000012"
    assert caught.value.kind == "link_expired"


def test_a_callback_signature_is_no_link_and_fits_one_delivery_only() -> None:
    url = status_callback_url(SECRET, "https://recall.example", DELIVERY)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert read_status_callback(SECRET, query["n"], query["s"]) == DELIVERY
    other = UUID(int=DELIVERY.int + 1).hex
    for n, s in [(other, query["s"]), (query["n"], query["s"][:-1] + "_"), (query["n"], ""), ("x", query["s"])]:
        with pytest.raises(CallbackRefused):
            read_status_callback(SECRET, n, s)
    with pytest.raises(CallbackRefused):
        read_status_callback(SECRET, query["n"].upper(), query["s"])
    with pytest.raises(LinkError):
        read_link_token(SECRET, query["s"], NOW)


def test_careless_input_is_refused_when_the_link_is_made() -> None:
    with pytest.raises(ValueError, match="RECALL_LINK_SECRET"):
        make_link_token("short", recall_no="RC-2026-000012", consignee_id=1, delivery_id=None, expires_at=LATER)
    with pytest.raises(ValueError, match="aware"):
        token(expires_at=LATER.replace(tzinfo=None))
    with pytest.raises(ValueError, match="recall number"):
        token(recall_no="12")
    with pytest.raises(ValueError, match="consignee_id"):
        token(consignee_id=0)
    with pytest.raises(ValueError, match="all_sites"):
        token(delivery_id=None, all_sites=True)
