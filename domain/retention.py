"""How long the file of a recall is kept: the policy's years after the latest fact they may be counted from.

Authorities count from the end of the expected life (21 CFR 806.20(c)) or from the last device placed on the market
(MDR Art. 10(8)). Where the record does not know such a date, the end of the recall or the export stands in, which
never makes the time shorter.
"""

from dataclasses import dataclass
from datetime import date

from domain.policy_parts import Retention


@dataclass(frozen=True, slots=True)
class RetentionFacts:
    """What the record knows of the products in scope."""

    closed_on: date
    """Day the recall ended, or of the export while it runs."""
    last_shipped_on: date | None
    """Last shipment of a lot in scope."""
    longest_life_years: int | None
    """Longest expected life of a product in scope."""
    last_expiry_on: date | None
    """Latest expiry of a lot in scope."""
    implantable: bool


@dataclass(frozen=True, slots=True)
class KeptUntil:
    """The day until which the file is kept, and what the years were counted from."""

    until: date
    years: int
    counted_from: date
    because: str


def kept_until(rule: Retention, facts: RetentionFacts) -> KeptUntil:
    """The retention date under one policy; the latest date that the years may be counted from decides."""
    starts = [(facts.closed_on, "end of the recall, or this export")]
    if facts.last_shipped_on is not None:
        starts.append((facts.last_shipped_on, "last shipment of a lot in scope"))
        if facts.longest_life_years is not None:
            end_of_life = years_later(facts.last_shipped_on, facts.longest_life_years)
            starts.append((end_of_life, "last shipment and the expected life of the device"))
    if facts.last_expiry_on is not None:
        starts.append((facts.last_expiry_on, "latest expiry of a lot in scope"))
    counted_from, because = max(starts, key=lambda start: start[0])
    years = rule.implantable_years if facts.implantable and rule.implantable_years else rule.years
    return KeptUntil(years_later(counted_from, years), years, counted_from, because)


def years_later(day: date, years: int) -> date:
    """The same day of the year; 29 February becomes 1 March, never a day earlier."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


__all__ = ["KeptUntil", "RetentionFacts", "kept_until", "years_later"]
