"""Geographic scope of a recall: how far the trace says the product went, with the facts behind it.

Local is one region, regional a few neighbouring ones, national more of one country, global anything
outside the recalling firm's country. What is not known is read as the wider scope and said so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

_NO_COUNTRY: Final = "ZZ"
"""ISO 3166's user-assigned code for "unknown"."""


class GeographicScope(StrEnum):
    """How far the affected product has gone."""

    NONE = "none"
    """No consignee: everything is still under the firm's control."""
    LOCAL = "local"
    REGIONAL = "regional"
    NATIONAL = "national"
    GLOBAL = "global"


class ScopeFinding(BaseModel):
    """The scope and the reasons for it."""

    model_config = ConfigDict(frozen=True)

    scope: GeographicScope
    reasons: tuple[str, ...]
    countries: tuple[str, ...]


def geographic_scope(
    places: Iterable[tuple[str | None, str | None]],
    firm_country: str,
    region_groups: Mapping[str, Mapping[str, str]] | None = None,
) -> ScopeFinding:
    """The scope from the places of all consignees.

    Args:
        places: (ISO country code, region) of each consignee, None where not on record; repeats are fine.
        firm_country: ISO code of the recalling firm's country.
        region_groups: per country, region to the larger area it belongs to; regions of one area are
            "regional". Without it, two or more regions are "national".
    """
    regions: dict[str, set[str]] = defaultdict(set)
    unknown: dict[str, int] = defaultdict(int)
    without_country = 0
    for country, region in places:
        code = (country or "").strip().upper() or _NO_COUNTRY
        without_country += code == _NO_COUNTRY
        if region and region.strip():
            regions[code].add(region.strip())
        else:
            regions[code] |= set()
            unknown[code] += 1
    home = firm_country.strip().upper()
    countries = tuple(sorted(regions))
    if not countries:
        return ScopeFinding(scope=GeographicScope.NONE, reasons=("the trace found no consignee",), countries=())
    if reasons := _abroad(countries, home, without_country):
        return ScopeFinding(scope=GeographicScope.GLOBAL, reasons=reasons, countries=countries)
    scope, reasons = _within(home, regions[home], unknown[home], (region_groups or {}).get(home, {}))
    return ScopeFinding(scope=scope, reasons=reasons, countries=countries)


def _abroad(countries: tuple[str, ...], home: str, without_country: int) -> tuple[str, ...]:
    reasons = []
    if abroad := [code for code in countries if code not in (home, _NO_COUNTRY)]:
        shown = ", ".join(abroad[:10]) + (f" and {len(abroad) - 10} more" if len(abroad) > 10 else "")
        reasons.append(f"consignees in {len(abroad)} countries outside the firm's country {home}: {shown}")
    if _NO_COUNTRY in countries:
        reasons.append(f"{without_country} consignees have no country on record, so the wider scope counts")
    return tuple(reasons)


def _within(
    country: str, regions: set[str], unknown: int, groups: Mapping[str, str]
) -> tuple[GeographicScope, tuple[str, ...]]:
    if unknown:
        reason = f"{unknown} consignees in {country} have no region on record, so the wider scope counts"
        return GeographicScope.NATIONAL, (reason,)
    if len(regions) == 1:
        return GeographicScope.LOCAL, (f"all consignees are in {next(iter(regions))}, {country}",)
    areas = {groups.get(region, f"?{region}") for region in regions}
    named = ", ".join(sorted(regions)[:10])
    if len(areas) == 1:
        area = next(iter(areas))
        return GeographicScope.REGIONAL, (f"{len(regions)} regions of {area}, {country}: {named}",)
    return GeographicScope.NATIONAL, (f"{len(regions)} regions of {country}: {named}",)
