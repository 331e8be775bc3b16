"""What the recalling firm's place and money are: facts of the installation that rules about scope and value need."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.geographic_scope import ScopeFinding, geographic_scope
from domain.regions import RegionTable


@dataclass(frozen=True, slots=True)
class Firm:
    """The recalling firm, as far as rules look at it."""

    home_country: str = "US"
    """ISO 3166-1 code; product beyond it makes the scope global."""
    currency: str = "USD"
    """ISO 4217 code in which values are compared; what is priced otherwise is not valued."""
    regions: RegionTable = field(default_factory=RegionTable)

    def scope_of(self, places: Iterable[tuple[str | None, str | None]]) -> ScopeFinding:
        """Geographic scope from the (country, region) of all consignees, by the firm's country and region table."""
        return geographic_scope(self.regions.places(places), self.home_country, self.regions.groups())


__all__ = ["Firm"]
