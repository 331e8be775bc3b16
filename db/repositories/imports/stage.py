"""Staging: one temporary table for the rows of a file, one each for the products and places they name.

A product or place is staged once per distinct set of attributes (a *variant*); rows refer to variants by number.
"""

from collections.abc import AsyncIterator

from psycopg import AsyncConnection, AsyncCursor, sql
from sqlmodel.ext.asyncio.session import AsyncSession

Cursor = AsyncCursor[tuple[object, ...]]

PROBLEM = ("problem_field", "problem_value", "problem_reason")

PRODUCT_ATTRIBUTES = (
    "name",
    "family",
    "brand",
    "gtin",
    "udi_di",
    "unit_of_use",
    "device_class",
    "implantable",
    "life_supporting",
    "sterile",
    "expected_life_years",
    "unit_currency",
    "unit_value",
)
PRODUCT = ("code", *PRODUCT_ATTRIBUTES, "packages", "creates", "keeps")
"""Columns of a product variant after `variant` and `line`."""

LOCATION_ATTRIBUTES = ("name", "custody", "gln")
PARTNER_ATTRIBUTES = (
    "partner_name",
    "partner_kind",
    "country",
    "region",
    "group_name",
    "account_manager",
    "language",
    "time_zone",
    "partner_gln",
)
PLACE = ("code", *LOCATION_ATTRIBUTES, "partner_code", *PARTNER_ATTRIBUTES, "creates", "keeps")
"""Columns of a place variant (a location with its partner) after `variant` and `line`."""

LOT_ATTRIBUTES = ("supplier_lot", "made_on", "expires_on", "quantity_made")

_TYPES = {
    "line": "int",
    "variant": "int",
    "packages": "jsonb",
    "creates": "boolean",
    "keeps": "boolean",
    "implantable": "boolean",
    "life_supporting": "boolean",
    "sterile": "boolean",
    "expected_life_years": "int",
    "unit_value": "numeric",
    "delivered": "boolean",
    "quantity": "numeric",
    "reserved": "numeric",
    "factor": "numeric",
    "occurred_at": "timestamptz",
    "requested_at": "timestamptz",
    "expected_at": "timestamptz",
    "as_of": "timestamptz",
    "at": "timestamptz",
    "value": "numeric",
    "result": "numeric",
    "lower": "numeric",
    "upper": "numeric",
    "position": "int",
    "channels": "text[]",
}
_LOT_TYPES = {"made_on": "date", "expires_on": "date", "quantity_made": "numeric"}

_MEASURED = (
    *("source_id", "stage", "product_v", "lot", "site_v", "step", "characteristic", "result", "result_text"),
    *("lower", "upper", "in_unit", "verdict", "document_no", "at"),
)

ROWS: dict[str, tuple[str, ...]] = {
    "movements": (
        *("source_id", "kind", "product_v", "lot", "site_v", "from_v", "to_v", "quantity", "unit", "factor"),
        *("delivered", "occurred_at", "document_no", *LOT_ATTRIBUTES),
    ),
    "genealogy": (
        *("source_id", "input_product_v", "input_lot", "input_site_v", "output_product_v", "output_lot"),
        *("output_site_v", "quantity", "unit", "factor", "occurred_at"),
        *(f"input_{name}" for name in LOT_ATTRIBUTES),
        *(f"output_{name}" for name in LOT_ATTRIBUTES),
    ),
    "stock": (
        *("product_v", "lot", "site_v", "location_v", "quantity", "reserved", "unit", "factor", "as_of"),
        *LOT_ATTRIBUTES,
    ),
    "serials": ("product_v", "lot", "site_v", "serial", "location_v", "as_of", *LOT_ATTRIBUTES),
    "documents": (
        *("source_id", "kind", "number", "state", "product_v", "lot", "site_v", "from_v", "to_v", "partner", "carrier"),
        *("quantity", "unit", "factor", "requested_at", "expected_at"),
    ),
    "inspections": _MEASURED,
    "parameters": _MEASURED,
    "readings": ("device", "measure", "document_no", "location_v", "in_unit", "lower", "upper", "at", "value"),
    "products": ("product_v",),
    "partners": ("place_v",),
    "contacts": (
        *("partner", "position", "name", "role", "email", "phone", "channels"),
        *("webhook_url", "webhook_format", "webhook_key", "party"),
    ),
}
"""Columns of a staged row after `line`; the three problem columns follow."""


def _type(column: str) -> str:
    if column.endswith("_v"):
        return "int"
    bare = column.removeprefix("input_").removeprefix("output_")
    return _LOT_TYPES.get(bare) or _TYPES.get(column, "text")


def _create(table: str, columns: tuple[str, ...], extra: str = "") -> sql.Composed:
    declared = ", ".join(f"{name} {_type(name)}" for name in columns)
    return sql.SQL("CREATE TEMP TABLE {} ({}{}) ON COMMIT DROP").format(
        sql.Identifier(table), sql.SQL(declared), sql.SQL(extra)
    )


async def raw_connection(session: AsyncSession) -> AsyncConnection[tuple[object, ...]]:
    """The psycopg connection under a session, inside the session's transaction."""
    proxied = await (await session.connection()).get_raw_connection()
    connection = proxied.driver_connection
    assert isinstance(connection, AsyncConnection)  # noqa: S101 - the engine is psycopg's by construction
    return connection


async def wait_for_imports(cursor: Cursor) -> None:
    """Imports and reversals run one after the other: two must not reserve, or remove, the same record."""
    await cursor.execute("SET LOCAL statement_timeout = 0")
    await cursor.execute("SET LOCAL work_mem = '64MB'")
    await cursor.execute("SELECT pg_advisory_xact_lock(hashtext('recall import'))")


async def create_stage(cursor: Cursor, kind: str) -> None:
    """Make the staging tables of one import; they vanish with the transaction."""
    await wait_for_imports(cursor)
    await cursor.execute(_create("imp_row", ("line", *ROWS[kind], *PROBLEM)))
    tail = ", id bigint, fresh boolean NOT NULL DEFAULT false, kept boolean NOT NULL DEFAULT false"
    await cursor.execute(_create("imp_product", ("variant", "line", *PRODUCT, *PROBLEM), tail))
    tail += ", partner_id bigint, partner_fresh boolean NOT NULL DEFAULT false"
    await cursor.execute(_create("imp_place", ("variant", "line", *PLACE, *PROBLEM), tail))


async def copy_rows(cursor: Cursor, kind: str, blocks: AsyncIterator[str]) -> None:
    """COPY staged rows; each block holds whole lines in COPY's text form."""
    await _copy(cursor, "imp_row", ("line", *ROWS[kind], *PROBLEM), blocks)


async def copy_products(cursor: Cursor, blocks: AsyncIterator[str]) -> None:
    """COPY the product variants the rows refer to."""
    await _copy(cursor, "imp_product", ("variant", "line", *PRODUCT), blocks)


async def copy_places(cursor: Cursor, blocks: AsyncIterator[str]) -> None:
    """COPY the place variants the rows refer to."""
    await _copy(cursor, "imp_place", ("variant", "line", *PLACE), blocks)


async def _copy(cursor: Cursor, table: str, columns: tuple[str, ...], blocks: AsyncIterator[str]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with cursor.copy(statement) as copy:
        async for block in blocks:
            await copy.write(block)
    await cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
