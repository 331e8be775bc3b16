"""Excursions and mean kinetic temperature: known answers, units, and what no series can say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.readings import Limits, Reading, Side, TemperatureUnit, excursions, mean_kinetic_temperature, summary

START = datetime(2026, 3, 1, tzinfo=UTC)
COLD = Limits(Decimal(2), Decimal(8))


def series(*values: str, minutes: int = 10) -> list[Reading]:
    return [Reading(START + timedelta(minutes=minutes * n), Decimal(value)) for n, value in enumerate(values)]


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_an_excursion_lasts_to_the_first_reading_back_and_a_value_on_a_limit_is_within() -> None:
    found = excursions(series("8", "8.1", "9.5", "8.0", "1.9", "12", "5"), COLD)
    assert [(e.side, e.start, e.end, e.peak, e.readings, e.open) for e in found] == [
        (Side.above, at(10), at(30), Decimal("9.5"), 2, False),
        (Side.below, at(40), at(50), Decimal("1.9"), 1, False),
        (Side.above, at(50), at(60), Decimal(12), 1, False),
    ]
    assert found[0].duration == timedelta(minutes=20)


def test_a_series_that_ends_outside_has_an_open_excursion_and_one_without_limits_none() -> None:
    [last] = excursions(series("5", "1", "0.5"), COLD)
    assert (last.open, last.end, last.peak) == (True, at(20), Decimal("0.5"))
    assert excursions(series("-50", "90"), Limits()) == []
    assert excursions([], COLD) == []


def test_mean_kinetic_temperature_has_known_answers() -> None:
    # Equal temperatures give themselves. Of 20 and 30 °C: -10000 / ln((exp(-10000/293.15) + exp(-10000/303.15)) / 2) K.
    assert mean_kinetic_temperature(series("5", "5", "5")) == pytest.approx(5)
    assert mean_kinetic_temperature(series("20", "30")) == pytest.approx(26.2599, abs=0.0001)
    assert mean_kinetic_temperature([]) is None
    assert mean_kinetic_temperature(series("21.5")) == pytest.approx(21.5)


def test_readings_count_by_the_time_they_hold() -> None:
    # 20 °C for 10 minutes, 30 °C for 20 minutes: as three readings at equal intervals.
    uneven = [Reading(at(0), Decimal(20)), Reading(at(10), Decimal(30)), Reading(at(30), Decimal(30))]
    assert mean_kinetic_temperature(uneven) == pytest.approx(
        mean_kinetic_temperature(series("20", "30", "30", "30", "30")) or 0
    )


@pytest.mark.parametrize(
    ("unit", "values"),
    [(TemperatureUnit.fahrenheit, ("68", "86")), (TemperatureUnit.kelvin, ("293.15", "303.15"))],
)
def test_other_units_come_to_the_same_temperature(unit: TemperatureUnit, values: tuple[str, str]) -> None:
    assert mean_kinetic_temperature(series(*values), unit) == pytest.approx(
        mean_kinetic_temperature(series("20", "30")) or 0
    )


def test_what_no_shipment_has_is_refused() -> None:
    with pytest.raises(ValueError, match="expected -200 to 1000 degrees"):
        mean_kinetic_temperature(series("-274"))
    with pytest.raises(ValueError, match="activation energy above zero"):
        mean_kinetic_temperature(series("5"), energy=0)


def test_a_summary_orders_its_readings_and_knows_the_longest_silence() -> None:
    given = [Reading(at(90), Decimal(6)), Reading(at(0), Decimal(4)), Reading(at(30), Decimal(9))]
    found = summary(given, COLD, TemperatureUnit.celsius)
    assert found is not None
    assert (found.readings, found.first_at, found.last_at, found.longest_gap) == (3, at(0), at(90), timedelta(hours=1))
    assert (found.least, found.most, len(found.excursions)) == (Decimal(4), Decimal(9), 1)
    assert summary(given, COLD, None).mean_kinetic is None  # type: ignore[union-attr]
    assert summary([], COLD, None) is None
