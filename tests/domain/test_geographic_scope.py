"""Geographic scope: what is not known is read as the wider scope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.geographic_scope import GeographicScope, geographic_scope

pytestmark = pytest.mark.unit

GROUPS = {"US": {"Ohio": "Midwest", "Iowa": "Midwest", "Texas": "South"}}
Place = tuple[str | None, str | None]
places = st.lists(
    st.tuples(st.sampled_from(["US", "CN", None]), st.sampled_from(["Ohio", "Iowa", "Texas", None])), max_size=6
)


@pytest.mark.parametrize(
    ("given_places", "scope", "reason"),
    [
        ([], GeographicScope.NONE, "no consignee"),
        ([("US", "Ohio"), ("us", " Ohio ")], GeographicScope.LOCAL, "all consignees are in Ohio"),
        ([("US", "Ohio"), ("US", "Iowa")], GeographicScope.REGIONAL, "2 regions of Midwest, US: Iowa, Ohio"),
        ([("US", "Ohio"), ("US", "Texas")], GeographicScope.NATIONAL, "2 regions of US: Ohio, Texas"),
        ([("US", "Ohio"), ("US", "Guam")], GeographicScope.NATIONAL, "2 regions of US: Guam, Ohio"),
        ([("US", "Ohio"), ("US", None)], GeographicScope.NATIONAL, "1 consignees in US have no region"),
        ([("US", "Ohio"), ("CN", None)], GeographicScope.GLOBAL, "outside the firm's country US: CN"),
        ([("US", "Ohio"), (None, "Ohio")], GeographicScope.GLOBAL, "1 consignees have no country"),
    ],
)
def test_the_scope_follows_from_the_places_with_a_reason(
    given_places: list[Place], scope: GeographicScope, reason: str
) -> None:
    finding = geographic_scope(given_places, "US", GROUPS)
    assert finding.scope == scope
    assert reason in finding.reasons[0]


def test_without_a_region_table_two_regions_are_national() -> None:
    assert geographic_scope([("US", "Ohio"), ("US", "Iowa")], "US").scope == GeographicScope.NATIONAL


def test_many_countries_are_counted_and_the_first_ten_named() -> None:
    finding = geographic_scope([(f"A{chr(65 + n)}", None) for n in range(15)], "US")
    assert "15 countries" in finding.reasons[0]
    assert finding.reasons[0].endswith("and 5 more")


@given(places, places)
def test_more_consignees_never_narrow_the_scope(some: list[Place], more: list[Place]) -> None:
    order = list(GeographicScope)
    before = geographic_scope(some, "US", GROUPS).scope
    assert order.index(geographic_scope(some + more, "US", GROUPS).scope) >= order.index(before)
