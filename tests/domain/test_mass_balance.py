"""The arithmetic of the mass balance: terms always add up, a negative is always told, limits are exact."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.mass_balance import (
    CAME_BACK,
    MARKET_TERMS,
    OWN_TERMS,
    Basis,
    LotBalance,
    SignedShare,
    Terms,
    beyond,
    is_covered,
    plain,
    share,
    total,
)

pytestmark = pytest.mark.unit
UNITS = st.decimals(min_value=0, max_value=10**12, places=6)
NAMES = [each.name for each in fields(Terms)]
ANY_TERMS = st.fixed_dictionaries(dict.fromkeys(NAMES, UNITS)).map(lambda values: Terms(**values))


@given(ANY_TERMS)
def test_both_identities_add_up_whatever_the_terms_are(terms: Terms) -> None:
    assert terms.distributed == sum(getattr(terms, name) for name in MARKET_TERMS) + terms.unaccounted
    back = sum(getattr(terms, name) for name in CAME_BACK)
    ours = sum(getattr(terms, name) for name in OWN_TERMS)
    assert terms.residual is not None
    assert terms.produced == terms.distributed - back + ours + terms.residual


@given(ANY_TERMS)
def test_a_negative_rest_is_always_told_as_a_contradiction(terms: Terms) -> None:
    assert terms.residual is not None
    told = " ".join(terms.contradictions())
    assert ("than distributed" in told) is (terms.unaccounted < 0)
    assert ("than produced" in told) is (terms.residual < 0)
    assert terms.is_beyond(Decimal(100)) is bool(terms.contradictions())


@given(st.sampled_from(NAMES), st.integers(1, 9))
def test_a_negative_term_is_a_contradiction_by_name(name: str, units: int) -> None:
    assert f"{name.replace('_', ' ')} is -{units}" in Terms(**{name: Decimal(-units)}).contradictions()


@given(st.lists(ANY_TERMS, max_size=5))
def test_totals_are_sums_and_keep_the_identities(lots: list[Terms]) -> None:
    summed = total(lots)
    assert summed.unaccounted == sum(lot.unaccounted for lot in lots)
    assert summed.residual == sum(lot.residual or 0 for lot in lots)


def test_one_lot_of_unknown_quantity_makes_the_total_unknown() -> None:
    assert total([Terms(produced=Decimal(5)), Terms()]).produced is None
    assert Terms().residual is None
    assert Terms().residual_share is None


@pytest.mark.parametrize(
    ("unaccounted", "percent", "beyond_it"),
    [("2", "2", False), ("2.000001", "2", True), ("0", "0", False), ("0.000001", "0", True)],
)
def test_the_policys_share_is_compared_exactly(unaccounted: str, percent: str, beyond_it: bool) -> None:
    terms = Terms(produced=Decimal(100), distributed=Decimal(100), used=100 - Decimal(unaccounted))
    assert terms.is_beyond(Decimal(percent)) is beyond_it


def test_what_is_missing_on_our_side_counts_as_much() -> None:
    terms = Terms(produced=Decimal(100), own_stock=Decimal(90))
    assert (terms.residual, terms.unaccounted) == (Decimal(10), Decimal(0))
    assert terms.is_beyond(Decimal(9))
    assert not terms.is_beyond(Decimal(10))


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [("1", "3", "33.3333"), ("0", "0", "0"), ("5", "0", "100"), ("-5", "0", "-100")]
)
def test_shares_are_shown_to_four_places(part: str, whole: str, percent: str) -> None:
    assert share(Decimal(part), Decimal(whole)) == Decimal(percent)


def missing(units: str, residual: str | None = "0") -> Terms:
    lost = Decimal(units)
    made = None if residual is None else 100 - lost + lost + Decimal(residual)
    return Terms(produced=made, distributed=Decimal(100), used=100 - lost)


@pytest.mark.parametrize(
    ("now", "signed", "covered"),
    [
        (missing("5"), None, False),
        (missing("5"), SignedShare(Decimal(5), Decimal(0)), True),
        (missing("4"), SignedShare(Decimal(5), Decimal(0)), True),
        (missing("6"), SignedShare(Decimal(5), Decimal(0)), False),
        (missing("-1"), SignedShare(Decimal(5), Decimal(0)), False),
        (missing("-1"), SignedShare(Decimal(-2), Decimal(0)), True),
        (missing("-3"), SignedShare(Decimal(-2), Decimal(0)), False),
        (missing("5", "1"), SignedShare(Decimal(5), Decimal(0)), False),
        (missing("5", "1"), SignedShare(Decimal(5), None), False),
        (missing("5", None), SignedShare(Decimal(5), None), True),
    ],
)
def test_a_signature_covers_what_has_not_grown_since(now: Terms, signed: SignedShare | None, covered: bool) -> None:
    assert is_covered(now, signed) is covered


def test_only_lots_beyond_the_share_and_not_covered_need_a_signature() -> None:
    lots = [
        LotBalance(lot_id=n, number="L", product_code="P", site_code=None, unit="u", basis=Basis.MADE, terms=terms)
        for n, terms in enumerate([missing("1"), missing("5"), missing("6"), missing("-1")])
    ]
    signed = {1: SignedShare(Decimal(5), Decimal(0))}
    assert [lot.lot_id for lot in beyond(lots, Decimal(2), signed)] == [2, 3]


def test_quantities_are_written_without_trailing_zeros() -> None:
    assert [plain(Decimal(text)) for text in ("10.000000", "0.500000", "100", "-3.0")] == ["10", "0.5", "100", "-3"]
