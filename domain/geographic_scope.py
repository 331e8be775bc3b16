"""Geographic scope of a recall: how far the trace says the product went, with the facts behind it.

Local is one region, regional a few neighbouring ones, national more of one country, global anything
outside the recalling firm's country. What is not known is read as the wider scope and said so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


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
    places: Iterable[tuple[str, str | None]],
    firm_country: str,
    region_groups: Mapping[str, Mapping[str, str]] | None = None,
) -> ScopeFinding:
    """The scope from the places of all consignees.

    Args:
        places: (ISO country code, region or None) of each consignee; repeats are fine.
        firm_country: ISO code of the recalling firm's country.
        region_groups: per country, region to the larger area it belongs to; regions of one area are
            "regional". Without it, two or more regions are "national".
    """
    regions: dict[str, set[str]] = defaultdict(set)
    unknown: dict[str, int] = defaultdict(int)
    for country, region in places:
        code = country.strip().upper()
        if region and region.strip():
            regions[code].add(region.strip())
        else:
            regions[code] |= set()
            unknown[code] += 1
    home = firm_country.strip().upper()
    countries = tuple(sorted(regions))
    if not countries:
        return ScopeFinding(scope=GeographicScope.NONE, reasons=("the trace found no consignee",), countries=())
    if abroad := [code for code in countries if code != home]:
        shown = ", ".join(abroad[:10]) + (f" and {len(abroad) - 10} more" if len(abroad) > 10 else "")
        reason = f"consignees in {len(abroad)} countries outside the firm's country {home}: {shown}"
        return ScopeFinding(scope=GeographicScope.GLOBAL, reasons=(reason,), countries=countries)
    scope, reasons = _within(home, regions[home], unknown[home], (region_groups or {}).get(home, {}))
    return ScopeFinding(scope=scope, reasons=reasons, countries=countries)


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
