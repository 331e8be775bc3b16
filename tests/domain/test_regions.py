"""The shipped region table: every spelling, and the scope that follows from it."""

from pathlib import Path

import pytest

from domain.firm import Firm
from domain.geographic_scope import GeographicScope
from domain.policy_text import PolicyError
from domain.regions import parse_regions

pytestmark = pytest.mark.unit
FILE = Path(__file__).resolve().parents[2] / "policies" / "regions" / "regions.yaml"
TABLE = parse_regions(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("home", "places", "scope"),
    [
        ("US", [("US", "Ohio"), ("US", "OH"), ("US", "US-OH"), ("us", " ohio ")], GeographicScope.LOCAL),
        ("US", [("US", "Ohio"), ("US", "IA")], GeographicScope.REGIONAL),
        ("US", [("US", "Ohio"), ("US", "Texas")], GeographicScope.NATIONAL),
        ("US", [("US", "Ohio"), ("US", "Elsewhere")], GeographicScope.NATIONAL),
        ("US", [("US", "Ohio"), ("CA", "ON")], GeographicScope.GLOBAL),
        ("CN", [("CN", "广东省"), ("CN", "Guangdong")], GeographicScope.LOCAL),
        ("CN", [("CN", "广东"), ("CN", "海南省")], GeographicScope.REGIONAL),
        ("CN", [("CN", "上海市"), ("CN", "北京")], GeographicScope.NATIONAL),
        ("CN", [("CN", "上海"), ("US", "Ohio")], GeographicScope.GLOBAL),
        ("DE", [("DE", "Bayern"), ("DE", "BW")], GeographicScope.REGIONAL),
        ("DE", [("DE", "Bavaria"), ("DE", "Berlin")], GeographicScope.NATIONAL),
        ("FR", [("FR", "Corse"), ("FR", "Corsica")], GeographicScope.LOCAL),
    ],
)
def test_the_scope_of_places_as_partners_write_them(
    home: str, places: list[tuple[str | None, str | None]], scope: GeographicScope
) -> None:
    assert Firm(home, "USD", TABLE).scope_of(places).scope == scope


def test_every_state_and_province_has_one_area() -> None:
    groups = TABLE.groups()
    assert len(groups["US"]) == 50 + 1 + 5  # states, the District of Columbia, inhabited territories
    assert len(groups["CN"]) == 31  # provinces, autonomous regions and municipalities of the mainland
    assert len(groups["DE"]) == 16
    assert len(groups["CA"]) == 13
    assert all(country.source for country in TABLE.countries.values())


def test_codes_of_two_letters_belong_to_their_country_alone() -> None:
    assert TABLE.area_of("US", "DE") == "South"
    assert TABLE.area_of("DE", "DE") is None
    assert TABLE.canonical("SE", "Skåne") == "Skåne"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("schema: recall-regions/1\ncountries: {USA: {source: s, areas: {A: [B]}}}", "countries"),
        ("schema: recall-regions/1\ncountries: {US: {source: s, areas: {A: [X], B: [Y / X]}}}", "two areas"),
        ("schema: recall-regions/1\ncountries: {US: {areas: {A: [X]}}}", "source"),
        ("schema: recall-regions/2\ncountries: {}", "schema"),
        ("- no mapping", "mapping"),
    ],
)
def test_a_faulty_table_is_refused_with_the_place_of_the_fault(text: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        parse_regions(text)
