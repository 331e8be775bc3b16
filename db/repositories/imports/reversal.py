"""Taking a batch back: only if nothing outside the batch has used what it brought.

What can use a record is read from the database's own foreign keys, so a table added later is guarded from the day
it refers to a lot, a partner or a contact. Whether the lots a batch moved are part of a recall is checked the same way.
"""

from dataclasses import dataclass
from typing import cast

from psycopg import sql

from db.repositories.imports.differences import composed
from db.repositories.imports.readings import series_of_batch, work_out
from db.repositories.imports.serials import NEWEST_PLACE
from db.repositories.imports.stage import Cursor
from db.repositories.imports.stock import OWN_SINCE

BROUGHT = (
    *(
        "lot_measurement",
        "sensor_reading",
        "serial_sighting",
        "serial",
        "goods_document_line",
        "goods_document",
        "movement",
        "lot_genealogy",
        "contact",
    ),
    *("package_level", "lot", "location", "partner", "product"),
)
"""Tables whose rows carry the batch that brought them, in the order they can be deleted; stock is treated apart."""

_NOT_USE = {"import_batch", "stock_before", "goods_document_before", "ledger_change"}

_REFERENCES = """
    SELECT referring.relname, own.attname, referred.relname,
        EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = referring.oid AND b.attname = 'batch_id'),
        EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = referring.oid AND b.attname = 'recall_number')
    FROM pg_constraint c
    JOIN pg_class referring ON referring.oid = c.conrelid
    JOIN pg_class referred ON referred.oid = c.confrelid
    JOIN pg_namespace n ON n.oid = referred.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute own ON own.attrelid = c.conrelid AND own.attnum = c.conkey[1]
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 1 AND referred.relname = ANY (%s)
    ORDER BY 1, 2
"""

_TOUCHED_LOTS = """
    SELECT lot_id FROM movement WHERE batch_id = %(batch)s AND lot_id IS NOT NULL
    UNION SELECT input_lot_id FROM lot_genealogy WHERE batch_id = %(batch)s
    UNION SELECT output_lot_id FROM lot_genealogy WHERE batch_id = %(batch)s
    UNION SELECT lot_id FROM stock WHERE batch_id = %(batch)s
"""

_LOOKED_AT_LOTS = f"""{_TOUCHED_LOTS}
    UNION SELECT lot_id FROM lot_measurement WHERE batch_id = %(batch)s
    UNION SELECT m.lot_id FROM sensor_series s JOIN movement m ON m.document_no = s.document_no
        WHERE m.lot_id IS NOT NULL AND s.id IN (SELECT series_id FROM sensor_reading WHERE batch_id = %(batch)s)
"""  # noqa: S608 - constants
"""With those it says something of: what a recall's file rests on stays."""

_GAPS = """
    SELECT s.recall_number, count(DISTINCT m.id) FROM movement m
    JOIN lot l ON l.product_id = m.product_id JOIN scope_lot s ON s.lot_id = l.id
    WHERE m.batch_id = %(batch)s AND m.lot_id IS NULL GROUP BY 1 ORDER BY 1 LIMIT 1
"""

_LATER_STOCK = """
    SELECT b.batch_id, count(*) FROM stock_before b JOIN import_batch i ON i.id = b.batch_id AND i.state = 'loaded'
    WHERE b.prior_batch_id = %(batch)s GROUP BY 1 ORDER BY 1 LIMIT 1
"""

_LATER_DOCUMENTS = """
    SELECT b.batch_id, count(*) FROM goods_document_before b WHERE b.prior_batch_id = %(batch)s
    GROUP BY 1 ORDER BY 1 LIMIT 1
"""

_RESTORE_DOCUMENTS = (
    """
    UPDATE goods_document d SET state = was.state, partner_id = was.partner_id, carrier_id = was.carrier_id,
        requested_at = was.requested_at, expected_at = was.expected_at
    FROM goods_document_before b CROSS JOIN LATERAL jsonb_populate_record(NULL::goods_document, b.content) AS was
    WHERE b.batch_id = %(batch)s AND b.line_id IS NULL AND d.id = b.document_id
    """,
    """
    UPDATE goods_document_line m SET lot_id = was.lot_id, quantity = was.quantity
    FROM goods_document_before b CROSS JOIN LATERAL jsonb_populate_record(NULL::goods_document_line, b.content) AS was
    WHERE b.batch_id = %(batch)s AND m.id = b.line_id
    """,
    "DELETE FROM goods_document_before WHERE batch_id = %(batch)s",
)

_SAY_CHANGED = f"""
    INSERT INTO ledger_change (xid, lot_id, what)
    SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint), lot_id, 'stock' FROM ({_TOUCHED_LOTS}
        UNION SELECT lot_id FROM goods_document_line WHERE batch_id = %(batch)s AND lot_id IS NOT NULL) AS touched
"""  # noqa: S608 - constants

_HELD_STOCK = "SELECT count(*) FROM stock WHERE batch_id = %(batch)s AND held > 0"

_RESTORE_STOCK = """
    UPDATE stock k SET on_hand = b.on_hand, reserved = b.reserved, as_of = b.as_of, batch_id = b.prior_batch_id,
        booked = 0
    FROM stock_before b
    WHERE b.batch_id = %(batch)s AND k.batch_id = %(batch)s AND k.lot_id = b.lot_id AND k.location_id = b.location_id
"""

_OWN_SINCE = OWN_SINCE.replace(
    "<which>", "(c.lot_id, c.location_id) IN (SELECT lot_id, location_id FROM stock_before WHERE batch_id = %(batch)s)"
)


@dataclass(frozen=True)
class Use:
    """Something outside the batch that needs what the batch brought."""

    what: str
    rows: int


async def uses_of(cursor: Cursor, batch_id: int) -> list[Use]:
    """Everything that forbids the reversal, empty when nothing does."""
    await cursor.execute(_REFERENCES, [list(BROUGHT)])
    references = cast(list[tuple[str, str, str, bool, bool]], await cursor.fetchall())
    found: list[Use] = []
    for table, column, referred, has_batch, has_recall in references:
        if table in _NOT_USE:
            continue
        found += await _outside(cursor, batch_id, (table, column, referred, has_batch, has_recall))
        if referred == "lot" and not has_batch:
            found += await _recalled(cursor, batch_id, table, column, has_recall)
    for query, words in (
        (_GAPS, "gaps of recall {}"),
        (_LATER_STOCK, "stock superseded by batch {}"),
        (_LATER_DOCUMENTS, "documents changed by batch {}"),
    ):
        await cursor.execute(query, {"batch": batch_id})
        row = await cursor.fetchone()
        if row is not None:
            found.append(Use(words.format(row[0]), cast(int, row[1])))
    await cursor.execute(_HELD_STOCK, {"batch": batch_id})
    held = cast(tuple[int], await cursor.fetchone())[0]
    if held:
        found.append(Use("stock under a hold", held))
    return list({use.what: use for use in found}.values())


async def _outside(cursor: Cursor, batch_id: int, reference: tuple[str, str, str, bool, bool]) -> list[Use]:
    """Rows of other batches (or of none) that refer to a record of this batch."""
    table, column, referred, has_batch, has_recall = reference
    statement = sql.SQL(
        "SELECT {shown}, count(*) FROM {table} t JOIN {referred} r ON r.id = t.{column} "
        "WHERE r.batch_id = %(batch)s {other} GROUP BY 1 ORDER BY 1 LIMIT 1"
    ).format(
        shown=_shown(has_batch, has_recall),
        table=sql.Identifier(table),
        referred=sql.Identifier(referred),
        column=sql.Identifier(column),
        other=sql.SQL("AND t.batch_id IS DISTINCT FROM %(batch)s") if has_batch else sql.SQL(""),
    )
    await cursor.execute(statement, {"batch": batch_id})
    row = await cursor.fetchone()
    words = f"{referred} in {table.replace('_', ' ')}"
    return [] if row is None else [Use(f"{words}{_of(row[0], has_batch, has_recall)}", cast(int, row[1]))]


async def _recalled(cursor: Cursor, batch_id: int, table: str, column: str, has_recall: bool) -> list[Use]:
    """Recall records of the lots this batch moved or measured, whoever brought the lots."""
    statement = sql.SQL(
        "SELECT {shown}, count(*) FROM {table} t WHERE t.{column} IN ({lots}) GROUP BY 1 ORDER BY 1 LIMIT 1"
    ).format(
        shown=_shown(False, has_recall),
        table=sql.Identifier(table),
        column=sql.Identifier(column),
        lots=sql.SQL(_LOOKED_AT_LOTS),
    )
    await cursor.execute(statement, {"batch": batch_id})
    row = await cursor.fetchone()
    words = f"lot in {table.replace('_', ' ')}"
    return [] if row is None else [Use(f"{words}{_of(row[0], False, has_recall)}", cast(int, row[1]))]


def _shown(has_batch: bool, has_recall: bool) -> sql.SQL:
    if has_recall:
        return sql.SQL("t.recall_number")
    return sql.SQL("t.batch_id") if has_batch else sql.SQL("NULL")


def _of(shown: object, has_batch: bool, has_recall: bool) -> str:
    if shown is None:
        return ""
    if has_recall:
        return f" of recall {shown}"
    return f" of batch {shown}" if has_batch else ""


async def delete_batch(cursor: Cursor, batch_id: int) -> dict[str, int]:
    """Remove every row the batch brought and put superseded stock back; returns rows removed per table."""
    removed: dict[str, int] = {}
    for restoring in (_SAY_CHANGED, *_RESTORE_DOCUMENTS):
        await cursor.execute(restoring, {"batch": batch_id})
    await cursor.execute(_RESTORE_STOCK, {"batch": batch_id})
    restored = cursor.rowcount
    await cursor.execute(_OWN_SINCE, {"batch": batch_id})
    await cursor.execute("DELETE FROM stock_before WHERE batch_id = %(batch)s", {"batch": batch_id})
    await cursor.execute("DELETE FROM stock WHERE batch_id = %(batch)s", {"batch": batch_id})
    removed["stock"] = cursor.rowcount
    elsewhere = sql.SQL("AND seen.batch_id IS DISTINCT FROM %(batch)s")
    await cursor.execute(composed(NEWEST_PLACE, which=elsewhere.as_string()), {"batch": batch_id})
    measured = await series_of_batch(cursor, batch_id)
    for table in BROUGHT:
        statement = sql.SQL("DELETE FROM {} WHERE batch_id = %(batch)s").format(sql.Identifier(table))
        await cursor.execute(statement, {"batch": batch_id})
        removed[table] = cursor.rowcount
    await work_out(cursor, measured)
    return {table: count for table, count in removed.items() if count} | (
        {"stock_restored": restored} if restored else {}
    )
