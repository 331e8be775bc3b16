"""Frozen results of a recall's traces: what each run found, and which serialised units a scope version names.

A run is kept as its difference to the run before it, so that a recall with 100,000 sites costs a row per site once and
then a row per site that changed. What a run found is the newest row of each lot, site or gap up to that run, unless
that row says `gone`. Rows are only ever added.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, quantity, ref, text


def _run() -> Any:
    """The run is written after its rows, when it is known that there are any."""
    key = ForeignKey("trace_run.id", deferrable=True, initially="DEFERRED")
    return Field(sa_column=Column(BigInteger, key, primary_key=True, autoincrement=False))


def _key() -> Any:
    """Id of a lot or a location, without a foreign key: the scope's lots and their movements hold both in place, and
    a check per row would cost more than the rows."""
    return Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class TraceRun(SQLModel, table=True):
    """One trace of a recall that found something else than the one before, or the first one of a scope version."""

    __tablename__ = "trace_run"
    __table_args__ = (UniqueConstraint("recall_number", "run"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    run: int = Field(nullable=False)
    """1, 2, ... within the recall, across its scope versions."""
    scope_version: int = Field(nullable=False)
    traced_at: datetime = instant()
    found: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """Counts of the whole result: lots, positions, consignees, sites, quantity, returned, countries, gaps by kind."""
    sources: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """How old the data of each source system was: newest movement and count of the traced lots, newest import."""
    sha256: str = text(64)
    """Over lots, positions and gaps of the whole result (docs/trace.md)."""


class TraceRunLot(SQLModel, table=True):
    """A lot of a run's result that the run before had not, or had otherwise."""

    __tablename__ = "trace_run_lot"

    run_id: int = _run()
    lot_id: int = _key()
    gone: bool = Field(nullable=False)
    root: bool = Field(nullable=False)
    depth: int = Field(nullable=False)
    by_serial: bool = Field(nullable=False)


class TraceRunSite(SQLModel, table=True):
    """What one lot did at one place, in units of use, as `db.repositories.trace.TracedSite`; zeros where gone."""

    __tablename__ = "trace_run_site"

    run_id: int = _run()
    lot_id: int = _key()
    location_id: int = _key()
    gone: bool = Field(nullable=False)
    shipped_to: Decimal = quantity()
    received: Decimal = quantity()
    in_transit: Decimal = quantity()
    returned_in: Decimal = quantity()
    shipped_out: Decimal = quantity()
    returned_out: Decimal = quantity()
    consumed: Decimal = quantity()
    destroyed: Decimal = quantity()
    adjusted: Decimal = quantity()
    on_hand: Decimal = quantity()
    is_counted: bool = Field(nullable=False)
    last_at: datetime | None = instant(nullable=True)


class TraceRunGap(SQLModel, table=True):
    """What a run could not know; `key` names the gap without its figures, so that a change of these shows as one."""

    __tablename__ = "trace_run_gap"

    run_id: int = _run()
    key: str = Field(max_length=64, primary_key=True)
    gone: bool = Field(nullable=False)
    kind: str = text(30)
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class ScopeSerial(SQLModel, table=True):
    """A serialised unit that a scope version names, one by one or in a range."""

    __tablename__ = "scope_serial"

    recall_number: str = Field(foreign_key="recall.number", primary_key=True)
    scope_version: int = Field(primary_key=True)
    serial_id: int = ref("serial.id", primary_key=True, index=True)


__all__ = ["ScopeSerial", "TraceRun", "TraceRunGap", "TraceRunLot", "TraceRunSite"]
