"""Regions of countries and the larger areas they belong to, as data: what makes a recall regional or national.

Partners' records name regions in many ways ("Ohio", "OH", "US-OH"); the table knows the spellings it lists and keeps
any other name as it is, which then belongs to no area and is read as the wider scope.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from domain.policy_text import PolicyError, fault_line, load_mapping

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CountryRegions(_Part):
    """One country: its areas, each with its regions, written as `name / other spellings`."""

    source: Label
    areas: dict[Label, tuple[Label, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_once(self) -> "CountryRegions":
        seen: dict[str, str] = {}
        for area, regions in self.areas.items():
            for spelling in (each for region in regions for each in _spellings(region)):
                if seen.setdefault(_folded(spelling), area) != area:
                    raise ValueError(f"{spelling!r} is in two areas, {seen[_folded(spelling)]} and {area}")
        return self

    def names(self) -> Iterator[tuple[str, str, str]]:
        """(spelling, name, area) of every spelling of every region."""
        for area, regions in self.areas.items():
            for region in regions:
                spellings = _spellings(region)
                yield from ((spelling, spellings[0], area) for spelling in spellings)


class RegionTable(_Part):
    """The whole table."""

    schema_: Literal["recall-regions/1"] = Field(alias="schema", default="recall-regions/1")
    countries: dict[Country, CountryRegions] = Field(default_factory=dict)

    def groups(self) -> dict[str, dict[str, str]]:
        """Country -> region's name -> larger area, for `domain.geographic_scope`."""
        return {code: {name: area for _, name, area in country.names()} for code, country in self.countries.items()}

    def canonical(self, country: str | None, region: str | None) -> str | None:
        """The table's name of a region, however it is spelled; the text itself, stripped, if it is not known."""
        if region is None or not region.strip():
            return None
        code = (country or "").strip().upper()
        known = self.countries.get(code)
        wanted = {_folded(region), _folded(region.strip().upper().removeprefix(f"{code}-"))}
        for spelling, name, _ in known.names() if known else ():
            if _folded(spelling) in wanted:
                return name
        return region.strip()

    def area_of(self, country: str | None, region: str | None) -> str | None:
        """The larger area a region belongs to; None if the table does not know it."""
        known = self.countries.get((country or "").strip().upper())
        name = self.canonical(country, region)
        return next((area for _, each, area in known.names() if each == name), None) if known else None

    def places(self, places: Iterable[tuple[str | None, str | None]]) -> list[tuple[str | None, str | None]]:
        """(country, region) pairs with regions by their names, each pair once."""
        return list(dict.fromkeys((country, self.canonical(country, region)) for country, region in places))


def parse_regions(text: str) -> RegionTable:
    """The table written in `text` (YAML, schema `recall-regions/1`).

    Raises:
        PolicyError: with every fault found, each one line `path: what was expected`.
    """
    try:
        return RegionTable.model_validate(load_mapping(text))
    except ValidationError as error:
        raise PolicyError([fault_line(item) for item in error.errors(include_url=False)]) from error


def _spellings(region: str) -> list[str]:
    return [part.strip() for part in region.split(" / ") if part.strip()]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


__all__ = ["CountryRegions", "RegionTable", "parse_regions"]
