"""A desk that imports small files: writes them, runs the real import on a real database, reads the record back."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from db.engine import SessionFactory
from imports.loader import Order, Report, run_import
from imports.totals import Expected
from models.chain import ImportKind
from tests.support.servers import PostgresForTests

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

PLACE = """
  {role}:
    partner: {{code: {column}, name: {column}, kind: {{constant: {kind}}}, language: {{constant: en}}, \
time_zone: {{constant: UTC}}}}
    location: {{name: {column}, custody: {{constant: {custody}}}}}"""

CREATE_ALL = (
    """
create:
  product: {name: Item, unit_of_use: {constant: kit}}
  lot: {}"""
    + PLACE.format(role="site", column="Site", kind="manufacturer", custody="own")
    + PLACE.format(role="from", column="From", kind="manufacturer", custody="own")
    + PLACE.format(role="to", column="To", kind="hospital", custody="customer")
)

MOVEMENTS = """
kind: movements
source_system: erp
source_id: Id
dates: {formats: [iso], time_zone: UTC}
columns:
  kind: Type
  product: Item
  lot: Lot
  site: Site
  from: From
  to: To
  quantity: Qty
  unit: Unit
  occurred_at: Day
  document_no: Doc
"""

RECALL = """
INSERT INTO recall (number, title, reason, hazard, trigger_source, awareness_at, jurisdictions, suspect, drill, pace,
    owner, started_by, created_at, phase, phase_since, scope_version, version)
VALUES ('RC-2026-000001', 't', 'r', 'h', 'other', now(), '{us-fda}', '{}', false, 1, 'o', 's', now(), 'assessment',
    now(), 1, 0)
"""
"""A running recall, for imports that touch its lots."""


def movement(number: int, **changed: Any) -> dict[str, Any]:
    """One good row of the movements file."""
    row = {
        "Id": f"M{number}",
        "Day": "2026-01-05",
        "Type": "shipment",
        "Item": "KIT",
        "Lot": "L1",
        "Site": "PLANT",
        "From": "PLANT",
        "To": "CLINIC",
        "Qty": 10 * number,
        "Unit": "kit",
        "Doc": f"D{number}",
    }
    return row | changed


class Office:
    """Imports into one database and looks at the result."""

    def __init__(self, folder: Path, postgres: PostgresForTests, sessions: SessionFactory) -> None:
        self.folder = folder
        self.postgres = postgres
        self.sessions = sessions
        self.rejects = folder / "rejects.csv"
        self._files = 0

    def file(self, rows: Sequence[dict[str, Any]], name: str = "", **options: Any) -> Path:
        """A CSV file of these rows."""
        self._files += 1
        path = self.folder / (name or f"file{self._files}.csv")
        with path.open("w", encoding=options.pop("encoding", "utf-8"), newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), **options)
            writer.writeheader()
            writer.writerows(rows)
        return path

    def mapping(self, text: str) -> Path:
        """A mapping file."""
        self._files += 1
        path = self.folder / f"map{self._files}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    async def load(self, kind: str, file: Path, mapping: str | Path, **changed: Any) -> Report:
        """Run one import."""
        path = mapping if isinstance(mapping, Path) else self.mapping(mapping)
        expected = changed.pop("expected", Expected())
        order = Order(ImportKind(kind), file, path, "tester", NOW, rejects=self.rejects, expected=expected, **changed)
        return await run_import(self.sessions, order)

    async def movements(self, rows: Sequence[dict[str, Any]], mapping: str = MOVEMENTS + CREATE_ALL) -> Report:
        """Import movement rows."""
        return await self.load("movements", self.file(rows), mapping)

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query, as the owner."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: Any) -> Any:
        """The only value of a query."""
        [(value,)] = self.sql(query, *parameters)
        return value

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.one(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names from the tests

    def rejected(self) -> list[dict[str, str]]:
        """Rows of the reject file."""
        with self.rejects.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


def counts(report: Report) -> tuple[int, int, int, int]:
    """read, new, already there, rejected."""
    by = report.totals.by_outcome
    return report.totals.read.rows, by["new"].rows, by["already_there"].rows, by["rejected"].rows
