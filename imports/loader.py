"""One import from file to batch, in one transaction: stage, judge, insert, compare totals, audit, commit.

A dry run is the same run with a rollback at its end, so its totals are those of the real one.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.repositories import audit, holds_late, ledger_feed, recall_documents
from db.repositories.imports import batches, outcome, stage
from db.repositories.imports.contacts import load_contacts
from db.repositories.imports.documents import load_documents
from db.repositories.imports.genealogy import load_genealogy
from db.repositories.imports.masters import load_partners, load_products
from db.repositories.imports.measurements import load_measurements
from db.repositories.imports.movements import load_movements
from db.repositories.imports.places import resolve_places
from db.repositories.imports.products import resolve_products
from db.repositories.imports.readings import load_readings
from db.repositories.imports.serials import load_serials
from db.repositories.imports.stock import load_stock
from imports.errors import ImportRefusedError
from imports.mapping import LoadedMapping, load_mapping
from imports.plan import Plan
from imports.rejects import write_rejects
from imports.sources import Source
from imports.totals import Expected, Totals
from models.chain import BatchState, ImportBatch, ImportKind

_BLOCK = 1 << 17

Progress = Callable[[int, int], None]
"""Called with (bytes read, size of the file)."""


@dataclass(frozen=True)
class Order:
    """What to import, by whom, and how to treat the result."""

    kind: ImportKind
    file: Path
    mapping: Path
    actor: str
    at: datetime
    """Instant of the import by the caller's clock; nothing in the file may lie after its day."""
    role: str = "admin"
    dry_run: bool = False
    rejects: Path | None = None
    """Where rejected rows go (a file is made only if there are some); None writes none."""
    expected: Expected = field(default_factory=Expected)


@dataclass(frozen=True)
class Report:
    """What became of the file."""

    batch_id: int | None
    """None after a dry run."""
    totals: Totals
    rejects: Path | None
    """The reject file, if there were rejected rows and a path."""
    late_stock: tuple[str, ...] = ()
    """Running recalls that stock of this batch was claimed for; their workflows have holds to carry out."""
    retrace: tuple[str, ...] = ()
    """Running recalls whose scope this batch may change, or that have documents of it to stop."""


def _silent(done: int, size: int) -> None:
    """No progress is shown."""


class _DryRunError(Exception):
    """Rolls the transaction back."""


async def run_import(sessions: SessionFactory, order: Order, progress: Progress | None = None) -> Report:
    """Import one file as one batch.

    Raises:
        ImportRefusedError: nothing was loaded; the message says why in one line.
    """
    loaded = load_mapping(order.mapping, order.kind)
    source = Source(order.file, loaded.mapping.file, loaded.mapping.numbers.decimal)
    plan = Plan(loaded, source, order.at)
    report: Report | None = None
    try:
        async with sessions.begin() as session:
            report = await _run(session, order, loaded, source, plan, progress=progress or _silent)
            if order.dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    except (psycopg.OperationalError, OperationalError) as error:
        # The connection may have gone while the commit was under way, so this does not claim that nothing was loaded.
        again = "import the file again: rows that were loaded are recognised"
        raise ImportRefusedError(f"the database cannot be used: {_one_line(error)}; {again}") from error
    except (psycopg.Error, DBAPIError) as error:
        raise ImportRefusedError(f"the database refused the import, nothing was loaded: {_one_line(error)}") from error
    finally:
        plan.masters.close()
    assert report is not None  # noqa: S101 - the transaction block set it or raised
    return report


async def _run(
    session: AsyncSession, order: Order, loaded: LoadedMapping, source: Source, plan: Plan, *, progress: Progress
) -> Report:
    connection = await stage.raw_connection(session)
    cursor = connection.cursor()
    await stage.create_stage(cursor, order.kind)
    batch = ImportBatch(
        kind=order.kind,
        state=BatchState.loaded,
        source_system=loaded.mapping.source_system,
        file_name=order.file.name[:300],
        file_sha256=source.sha256(),
        mapping_sha256=loaded.sha256,
        actor=order.actor,
        loaded_at=order.at,
        totals={},
    )
    batch_id = await batches.open_batch(session, batch)
    await stage.copy_rows(cursor, order.kind, _staged(source, plan, progress))
    await stage.copy_products(cursor, plan.masters.products.blocks())
    await stage.copy_places(cursor, plan.masters.places.blocks())
    await resolve_products(cursor)
    await resolve_places(cursor)
    created = await _LOADS[order.kind](cursor, plan.load(batch_id))
    counts = await outcome.totals(cursor, lots=order.kind == ImportKind.movements)
    totals = Totals.of(order.kind, counts, created, source.blank_lines)
    order.expected.check(totals)
    await batches.set_totals(session, batch, totals.as_json())
    rejects = None
    if order.rejects is not None and (totals.by_outcome["rejected"].rows or order.rejects.exists()):
        # a file of an earlier run is overwritten even by none: it must not look like this run's
        await write_rejects(source, outcome.rejected(connection), order.rejects)
        rejects = order.rejects
    # In the same transaction, so that no stock of a running recall is free for a moment.
    late = await holds_late.claim_late_stock(session, batch_id, now=order.at)
    retrace = await holds_late.recalls_touched_by(session, batch_id)
    if order.kind == ImportKind.documents:
        retrace += await recall_documents.concerned(session, batch_id)
    if order.kind in _IN_FEED:
        await ledger_feed.note_batch(session, _IN_FEED[order.kind], batch_id)
    await _audit(session, order, batch, batch_id)
    return Report(None if order.dry_run else batch_id, totals, rejects, tuple(late), tuple(retrace))


_LOADS = {
    ImportKind.movements: load_movements,
    ImportKind.genealogy: load_genealogy,
    ImportKind.stock: load_stock,
    ImportKind.serials: load_serials,
    ImportKind.documents: load_documents,
    ImportKind.inspections: load_measurements,
    ImportKind.parameters: load_measurements,
    ImportKind.readings: load_readings,
    ImportKind.products: load_products,
    ImportKind.partners: load_partners,
    ImportKind.contacts: load_contacts,
}


_IN_FEED = {
    ImportKind.movements: "stock",
    ImportKind.genealogy: "stock",
    ImportKind.stock: "stock",
    ImportKind.documents: "document",
}
"""What the ledger's feed calls what a batch brought."""


async def _staged(source: Source, plan: Plan, progress: Progress) -> AsyncIterator[str]:
    lines: list[str] = []
    size = 0
    for number, row in source.rows():
        line = plan.line(number, row)
        lines.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield "".join(lines)
            lines.clear()
            size = 0
            progress(source.position, source.size)
    if lines:
        yield "".join(lines)
    progress(source.size, source.size)


async def _audit(session: AsyncSession, order: Order, batch: ImportBatch, batch_id: int) -> None:
    data = {
        "batch": batch_id,
        "kind": batch.kind,
        "source_system": batch.source_system,
        "file": batch.file_name,
        "file_sha256": batch.file_sha256,
        "mapping_sha256": batch.mapping_sha256,
        "totals": batch.totals,
    }
    await audit.append(
        session,
        audit.SYSTEM,
        actor=order.actor,
        role=order.role,
        action="import.loaded",
        at=order.at,
        data=data,
    )


def _one_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


__all__ = ["Order", "Progress", "Report", "run_import"]
