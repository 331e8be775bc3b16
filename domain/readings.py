"""Series of readings against limits: excursions, and the mean kinetic temperature of a temperature series.

A reading holds until the next one. So an excursion starts with its first reading outside a limit and ends with the
first reading that is outside no more, or outside the other limit; one that the series ends in is `open` and ends with
the last reading.

Mean kinetic temperature: the one temperature that would have put the goods under the same thermal challenge as the
temperatures they went through (ICH Q1A(R2), glossary; USP <1079.2>). With n readings at equal intervals it is

    T = (dH / R) / -ln((exp(-dH / (R T1)) + ... + exp(-dH / (R Tn))) / n)

with T in kelvin and the activation energy dH = 83.144 kJ/mol that both use where no better one is known. Readings at
unequal intervals count by the time they hold; the last one by the interval before it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

ACTIVATION_ENERGY: Final = 83.144
"""kJ/mol."""
GAS_CONSTANT: Final = 8.3144e-3
"""kJ/(mol K); with the activation energy above dH / R is 10,000 K."""
FREEZING_POINT: Final = 273.15
"""Kelvin at 0 °C."""
COLDEST: Final = -200
"""Celsius; no shipment is colder than liquid nitrogen."""
HOTTEST: Final = 1000
"""Celsius."""


class Measure(StrEnum):
    """What a device measures."""

    temperature = "temperature"
    humidity = "humidity"
    pressure = "pressure"
    shock = "shock"
    light = "light"
    other = "other"


class TemperatureUnit(StrEnum):
    """Units a temperature may be given in."""

    celsius = "C"
    fahrenheit = "F"
    kelvin = "K"


class Side(StrEnum):
    """Which limit was left."""

    above = "above"
    below = "below"


@dataclass(frozen=True, slots=True)
class Limits:
    """Least and most that is allowed; a value on a limit is within."""

    lower: Decimal | None = None
    upper: Decimal | None = None

    def side(self, value: Decimal) -> Side | None:
        """Which limit the value is outside of."""
        if self.upper is not None and value > self.upper:
            return Side.above
        return Side.below if self.lower is not None and value < self.lower else None


@dataclass(frozen=True, slots=True)
class Reading:
    """One value at one instant."""

    at: datetime
    value: Decimal


@dataclass(slots=True)
class Excursion:
    """Consecutive readings outside the same limit."""

    side: Side
    start: datetime
    end: datetime
    peak: Decimal
    """The value furthest outside."""
    readings: int = 1
    open: bool = True
    """The series ends outside: how much longer it lasted is not known."""

    @property
    def duration(self) -> timedelta:
        """From the first reading outside to the first one back."""
        return self.end - self.start

    def joined_by(self, reading: Reading) -> None:
        """One more reading outside the same limit."""
        self.end = reading.at
        self.peak = (max if self.side is Side.above else min)(self.peak, reading.value)
        self.readings += 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a series comes to."""

    readings: int
    first_at: datetime
    last_at: datetime
    longest_gap: timedelta
    """Longest time between two readings: what happened within nobody measured."""
    least: Decimal
    most: Decimal
    excursions: tuple[Excursion, ...]
    mean_kinetic: float | None
    """Degrees Celsius; only of temperatures."""


def celsius(value: Decimal, unit: TemperatureUnit) -> float:
    """A temperature in degrees Celsius."""
    if unit is TemperatureUnit.kelvin:
        return float(value) - FREEZING_POINT
    return (float(value) - 32) * 5 / 9 if unit is TemperatureUnit.fahrenheit else float(value)


def excursions(series: Iterable[Reading], limits: Limits) -> list[Excursion]:
    """Every excursion of a series in order of time, oldest first."""
    found: list[Excursion] = []
    for reading in series:
        side = limits.side(reading.value)
        last = found[-1] if found and found[-1].open else None
        if last is not None and last.side is side:
            last.joined_by(reading)
            continue
        if last is not None:
            last.end, last.open = reading.at, False
        if side is not None:
            found.append(Excursion(side, reading.at, reading.at, reading.value))
    return found


def mean_kinetic_temperature(
    series: Iterable[Reading],
    unit: TemperatureUnit = TemperatureUnit.celsius,
    energy: float = ACTIVATION_ENERGY,
) -> float | None:
    """Degrees Celsius, of readings in order of time; None without a reading.

    Raises:
        ValueError: a reading below COLDEST or above HOTTEST, or an activation energy that is not positive.
    """
    if energy <= 0:
        raise ValueError(f"expected an activation energy above zero, got {energy}")
    ordered = list(series)
    if not ordered:
        return None
    factor = energy / GAS_CONSTANT
    held = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(ordered)]
    held.append(held[-1] if held else 1.0)
    terms = (
        seconds * math.exp(-factor / (_plausible(celsius(reading.value, unit)) + FREEZING_POINT))
        for seconds, reading in zip(held, ordered, strict=True)
    )
    return factor / -math.log(math.fsum(terms) / math.fsum(held)) - FREEZING_POINT


def _plausible(value: float) -> float:
    if not COLDEST <= value <= HOTTEST:
        raise ValueError(f"expected {COLDEST} to {HOTTEST} degrees Celsius, got {value}")
    return value


def summary(series: Iterable[Reading], limits: Limits, temperature: TemperatureUnit | None) -> Summary | None:
    """What a series comes to, its readings in any order and one per instant; None without a reading.

    Args:
        series: values in the unit of the limits.
        limits: what is allowed.
        temperature: the unit of a temperature; None for any other measure.
    """
    ordered = sorted(series, key=lambda reading: reading.at)
    if not ordered:
        return None
    values = [reading.value for reading in ordered]
    return Summary(
        readings=len(ordered),
        first_at=ordered[0].at,
        last_at=ordered[-1].at,
        longest_gap=max((later.at - earlier.at for earlier, later in pairwise(ordered)), default=timedelta()),
        least=min(values),
        most=max(values),
        excursions=tuple(excursions(ordered, limits)),
        mean_kinetic=None if temperature is None else mean_kinetic_temperature(ordered, temperature),
    )


__all__ = [
    "ACTIVATION_ENERGY",
    "COLDEST",
    "FREEZING_POINT",
    "GAS_CONSTANT",
    "HOTTEST",
    "Excursion",
    "Limits",
    "Measure",
    "Reading",
    "Side",
    "Summary",
    "TemperatureUnit",
    "celsius",
    "excursions",
    "mean_kinetic_temperature",
    "summary",
]
