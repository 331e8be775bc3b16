"""What was measured of lots and of the way they went: inspections, production parameters, readings of devices."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, Float, Index, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from domain.readings import Measure, Side
from models.base import QUANTITY, identity, instant, one_of, quantity, ref, text


class MeasurementStage(StrEnum):
    """Where in the life of a lot something was measured."""

    incoming = "incoming"
    in_process = "in_process"
    final = "final"
    parameter = "parameter"
    """A production parameter of the batch record."""


class LotMeasurement(SQLModel, table=True):
    """One characteristic of one inspection report, or one parameter of a batch record; never changed."""

    __tablename__ = "lot_measurement"
    __table_args__ = (
        UniqueConstraint("source_system", "source_id"),
        one_of("stage", MeasurementStage),
        CheckConstraint("lower <= upper", name="limits_ordered"),
        CheckConstraint(
            "out_of_limits = (coalesce(result < lower, false) OR coalesce(result > upper, false))",
            name="out_of_limits_follows",
        ),
        Index("ix_lot_measurement_lot", "lot_id"),
        Index("ix_lot_measurement_batch", "batch_id"),
    )

    id: int | None = identity()
    stage: str = text(12)
    lot_id: int = ref("lot.id")
    step: str | None = text(120, nullable=True)
    """Step of the process, or equipment."""
    characteristic: str = text(200)
    result: Decimal | None = quantity(nullable=True)
    result_text: str | None = text(200, nullable=True)
    """What was found where it is no number."""
    lower: Decimal | None = quantity(nullable=True)
    upper: Decimal | None = quantity(nullable=True)
    unit: str | None = text(40, nullable=True)
    passed: bool = Field(nullable=False)
    """As the report says; where it says nothing, whether the result is within its limits."""
    out_of_limits: bool = Field(nullable=False)
    """What the numbers say, whatever the verdict."""
    document_no: str | None = text(80, nullable=True)
    measured_at: datetime = instant()
    source_system: str = text(60)
    source_id: str = text(120)
    batch_id: int | None = ref("import_batch.id", nullable=True)


class SensorSeries(SQLModel, table=True):
    """What one device measured of one shipment or place, with its limits and what its readings come to."""

    __tablename__ = "sensor_series"
    __table_args__ = (
        UniqueConstraint(
            *("source_system", "device", "measure", "document_no", "location_id"),
            postgresql_nulls_not_distinct=True,
            name="uq_sensor_series",
        ),
        one_of("measure", Measure),
        CheckConstraint("document_no IS NOT NULL OR location_id IS NOT NULL", name="of_something"),
        CheckConstraint("measure <> 'temperature' OR unit IN ('C', 'F', 'K')", name="temperature_unit"),
        CheckConstraint("lower <= upper", name="limits_ordered"),
        Index("ix_sensor_series_document", "document_no"),
        Index("ix_sensor_series_location", "location_id"),
    )

    id: int | None = identity()
    source_system: str = text(60)
    device: str = text(120)
    measure: str = text(12)
    document_no: str | None = text(80, nullable=True)
    """Document number of the movements it travelled with."""
    location_id: int | None = ref("location.id", nullable=True)
    unit: str = text(40)
    lower: Decimal | None = quantity(nullable=True)
    upper: Decimal | None = quantity(nullable=True)
    readings: int = Field(default=0, nullable=False)
    first_at: datetime | None = instant(nullable=True)
    last_at: datetime | None = instant(nullable=True)
    longest_gap_s: int | None = None
    """Longest time between two readings: what happened within nobody measured."""
    least: Decimal | None = quantity(nullable=True)
    most: Decimal | None = quantity(nullable=True)
    mean_kinetic_c: float | None = Field(default=None, sa_column=Column(Float, nullable=True))
    """Mean kinetic temperature in degrees Celsius (domain.readings), of temperatures only."""


class SensorReading(SQLModel, table=True):
    """One value at one instant, in the unit of its series; never changed."""

    __tablename__ = "sensor_reading"
    __table_args__ = (Index("ix_sensor_reading_batch", "batch_id", postgresql_using="brin"),)

    series_id: int = ref("sensor_series.id", primary_key=True)
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    value: Decimal = Field(sa_column=Column(QUANTITY, nullable=False))
    batch_id: int | None = ref("import_batch.id", nullable=True)


class SensorExcursion(SQLModel, table=True):
    """Consecutive readings of a series outside the same limit (domain.readings), worked out from its readings."""

    __tablename__ = "sensor_excursion"
    __table_args__ = (one_of("side", Side),)

    series_id: int = ref("sensor_series.id", primary_key=True)
    starts_at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    ends_at: datetime = instant()
    side: str = text(5)
    peak: Decimal = quantity()
    readings: int = Field(nullable=False)
    open: bool = Field(nullable=False)
    """The series ends outside its limits."""


__all__ = ["LotMeasurement", "MeasurementStage", "SensorExcursion", "SensorReading", "SensorSeries"]
