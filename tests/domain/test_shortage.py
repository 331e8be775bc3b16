"""Shares of scarce replacements: nobody gets more than it lacks, nothing more than there is, first expired first."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.shortage import FreeLot, Need, allocate, shares, shortage

D = Decimal
TODAY = date(2026, 11, 22)
UNITS = st.integers(0, 500).map(Decimal)
NEEDS = st.lists(st.tuples(UNITS, UNITS), max_size=8).map(
    lambda rows: [Need(site, short, demand) for site, (short, demand) in enumerate(rows)]
)
LOTS = st.lists(st.tuples(UNITS, st.none() | st.dates(date(2026, 1, 1), date(2028, 1, 1))), max_size=6).map(
    lambda rows: [FreeLot(lot, 1, free, expires) for lot, (free, expires) in enumerate(rows)]
)


@given(NEEDS, LOTS)
def test_no_site_gets_more_than_it_lacks_and_no_lot_gives_more_than_is_free(
    needs: list[Need], lots: list[FreeLot]
) -> None:
    found = allocate(needs, lots, TODAY)
    for need in needs:
        assert sum(share.quantity for share in found if share.site == need.site) <= need.short
    for lot in lots:
        given = sum(share.quantity for share in found if share.lot == lot.lot)
        assert given <= lot.free
        assert not given or lot.expires_on is None or lot.expires_on > TODAY


@given(NEEDS, LOTS)
def test_everything_usable_is_given_until_every_site_has_what_it_lacks(needs: list[Need], lots: list[FreeLot]) -> None:
    usable = sum((lot.free for lot in lots if lot.expires_on is None or lot.expires_on > TODAY), D(0))
    lacking = sum((need.short for need in needs), D(0))
    assert sum((share.quantity for share in allocate(needs, lots, TODAY)), D(0)) == min(usable, lacking)


@given(NEEDS, UNITS)
def test_a_scarce_share_is_within_one_unit_of_the_sites_proportion(needs: list[Need], available: Decimal) -> None:
    total = sum((need.short for need in needs), D(0))
    given = shares(needs, available)
    if total > available:
        for need in needs:
            assert abs(given.get(need.site, D(0)) - need.short * available / total) < 1


def test_odd_units_go_to_the_site_with_the_higher_demand() -> None:
    needs = [Need(1, D(10), D(0)), Need(2, D(10), D(8)), Need(3, D(10), D(3))]
    assert shares(needs, D(10)) == {1: D(3), 2: D(4), 3: D(3)}


def test_what_expires_first_goes_first_and_what_never_expires_goes_last() -> None:
    lots = [
        FreeLot(1, 1, D(5), None),
        FreeLot(2, 1, D(5), date(2027, 5, 1)),
        FreeLot(3, 1, D(5), date(2027, 1, 1)),
        FreeLot(4, 1, D(5), TODAY),
    ]
    assert [(share.lot, share.quantity) for share in allocate([Need(9, D(12))], lots, TODAY)] == [
        (3, D(5)),
        (2, D(5)),
        (1, D(2)),
    ]


def test_what_was_replaced_already_is_not_short() -> None:
    assert shortage(D(10), D(4)) == D(6)
    assert shortage(D(4), D(10)) == D(0)
