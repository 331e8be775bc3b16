"""Import of movements against bare COPY, in the same run on the same machine.

Two yardsticks, because "bare COPY" can mean two things: COPY of the finished rows into the same table (its indexes,
foreign keys and checks included), and COPY of the file's own text into a table without any of these.

    python -m bench.import_movements [ROWS]
"""

import argparse
import asyncio
import csv
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from db.engine import make_engine, make_session_factory
from db.migrate import upgrade
from imports.loader import Order, run_import
from models.chain import ImportKind
from tests.support.servers import PostgresForTests, ThrowAwayPostgres

HEADER = ("Id", "Date", "Type", "Product", "Lot", "Site", "From", "To", "Quantity", "Unit", "Document")

MAPPING = """
kind: movements
source_system: bench
source_id: Id
dates: {formats: ["%Y-%m-%d"], time_zone: UTC}
columns: {kind: Type, product: Product, lot: Lot, site: Site, from: From, to: To, quantity: Quantity, unit: Unit,
  occurred_at: Date, document_no: Document}
create:
  product:
    name: Product
    unit_of_use: {constant: kit}
    packages: [{unit: {constant: box}, units_of_use: {constant: 20}}]
  lot: {}
  site: &plant
    partner: {code: Site, name: Site, kind: {constant: manufacturer}, language: &en {constant: en},
      time_zone: &utc {constant: UTC}}
    location: {name: Site, custody: {constant: own}}
  from: *plant
  to:
    partner: {code: To, name: To, kind: {constant: hospital}, language: *en, time_zone: *utc}
    location: {name: To, custody: {constant: customer}}
"""

COLUMNS = (
    "kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, occurred_at, document_no, "
    "source_system, source_id, batch_id"
)


def write_file(path: Path, rows: int) -> None:
    """A movements file: 200 products, one lot per 20 rows, 20 sites, 2,000 customers."""
    chance = random.Random(1)
    start = date(2024, 1, 1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            lot = chance.randrange(max(1, rows // 20))
            site = f"SITE-{lot % 20:02d}"
            day = start + timedelta(days=number * 700 // rows)
            unit = chance.choice(("kit", "box"))
            customer = f"CLINIC-{chance.randrange(2000):04d}"
            names = (f"M{number:08d}", day, "shipment", f"KIT-{lot % 200:03d}", f"L{lot:06d}", site, site, customer)
            writer.writerow((*names, chance.randint(1, 500), unit, f"SHP-{number // 4:07d}"))


def fresh_database(server: ThrowAwayPostgres, name: str) -> PostgresForTests:
    """An empty, migrated database."""
    addresses = server.create_database(name)
    upgrade(addresses.owner_url)
    return addresses


async def timed_import(url: str, file: Path, mapping: Path) -> tuple[float, dict[str, object]]:
    """Seconds of one import from file to commit, and its totals."""
    engine = make_engine(url, application_name="bench")
    try:
        order = Order(ImportKind.movements, file, mapping, "bench", datetime.now(UTC))
        started = time.perf_counter()
        report = await run_import(make_session_factory(engine), order)
        return time.perf_counter() - started, report.totals.as_json()
    finally:
        await engine.dispose()


def timed_copy(url: str, statement: str, source: Path) -> float:
    """Seconds of a bare COPY of a file of COPY text or CSV, commit included."""
    with psycopg.connect(url) as connection, source.open("rb") as file:
        started = time.perf_counter()
        with connection.cursor().copy(statement.encode()) as copy:
            while block := file.read(1 << 18):
                copy.write(block)
        connection.commit()
        return time.perf_counter() - started


def dump(url: str, statement: str, target: Path) -> None:
    """What the import produced, as COPY text for the yardstick."""
    with (
        psycopg.connect(url) as connection,
        target.open("wb") as file,
        connection.cursor().copy(statement.encode()) as copy,
    ):
        for block in copy:
            file.write(block)


def same_table(server: ThrowAwayPostgres, imported: PostgresForTests, folder: Path) -> float:
    """COPY of the finished rows into an equal table beside equal master rows."""
    bare = fresh_database(server, "bench_copy")
    for table in ("import_batch", "partner", "product", "location", "lot"):
        content = folder / f"{table}.copy"
        dump(imported.owner_url, f"COPY {table} TO STDOUT", content)
        timed_copy(bare.owner_url, f"COPY {table} FROM STDIN", content)
    with psycopg.connect(bare.admin_url, autocommit=True) as admin:
        admin.execute("ANALYZE")
    rows = folder / "movement.copy"
    dump(imported.owner_url, f"COPY movement ({COLUMNS}) TO STDOUT", rows)
    return timed_copy(bare.app_url, f"COPY movement ({COLUMNS}) FROM STDIN", rows)


def raw_text(server: ThrowAwayPostgres, file: Path) -> float:
    """COPY of the file as it is into a table of text without index, key or check."""
    plain = server.addresses()
    with psycopg.connect(plain.owner_url) as connection:
        connection.execute("CREATE TABLE raw (" + ", ".join(f'"{name}" text' for name in HEADER) + ")")
    return timed_copy(plain.owner_url, "COPY raw FROM STDIN (FORMAT csv, HEADER)", file)


def main() -> None:
    """Run and print; exit code 1 when the import is slower than the share asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="?", type=int, default=300_000)
    parser.add_argument("--at-least", type=float, default=0.3, help="share of COPY into the same table")
    options = parser.parse_args()
    server = ThrowAwayPostgres()
    server.start()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            file, mapping = folder / "movements.csv", folder / "map.yaml"
            write_file(file, options.rows)
            mapping.write_text(MAPPING)
            imported = fresh_database(server, "bench_import")
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            first, totals = asyncio.run(timed_import(imported.app_url, file, mapping))
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            assert totals["new"] == options.rows, totals
            bare = same_table(server, imported, folder)
            raw = raw_text(server, file)
            again, totals = asyncio.run(timed_import(imported.app_url, file, mapping))
            assert totals["already_there"] == options.rows, totals
    finally:
        server.stop()
    seconds = {
        "import": first,
        "the same file again": again,
        "COPY, same table": bare,
        "COPY, raw text": raw,
    }
    per_second = {name: options.rows / taken for name, taken in seconds.items()}
    for name, rate in per_second.items():
        print(f"{name:22} {rate:12,.0f} rows/s")
    ratio = per_second["import"] / per_second["COPY, same table"]
    print(f"import : COPY into the same table  {ratio:.2f}  (asked: {options.at_least})")
    print(f"import : COPY of raw text          {per_second['import'] / per_second['COPY, raw text']:.3f}")
    print(f"memory grown while importing       {grown:.0f} MiB")
    sys.exit(0 if ratio >= options.at_least else 1)


if __name__ == "__main__":
    main()
