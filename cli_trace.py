"""`recall trace forward|backward`: where lots went or came from, as a table, JSON or CSV.

The answer goes to standard output, everything else to standard error. Exit code 2: a name is not on record, or the
database cannot be reached; one line says which.
"""

import asyncio
import csv
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from db.engine import make_engine, make_session_factory
from db.repositories import trace
from domain.scope import LotRef, ScopeCriteria, UnknownScope

trace_app = typer.Typer(name="trace", help="Follow lots through genealogy and movements.", no_args_is_help=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_Run = Callable[..., Awaitable[trace.TraceResult]]

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar="DATABASE_URL", show_default=False, help="postgresql:// address")
]
Lots = Annotated[
    list[str] | None,
    typer.Option("--lot", help="PRODUCT:NUMBER, or PRODUCT:NUMBER@SITE for the lot of one manufacturing site"),
]
Products = Annotated[list[str] | None, typer.Option("--product", help="Product code")]
SupplierLots = Annotated[list[str] | None, typer.Option("--supplier-lot", help="Lot number of the supplier")]
Sites = Annotated[list[str] | None, typer.Option("--site", help="Code of a manufacturing site")]
MadeFrom = Annotated[datetime | None, typer.Option("--made-from", formats=["%Y-%m-%d"], help="First day made")]
MadeTo = Annotated[datetime | None, typer.Option("--made-to", formats=["%Y-%m-%d"], help="Last day made")]
AsJson = Annotated[bool, typer.Option("--json", help="Lots with paths, sites and gaps as JSON")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Sites as CSV, one line per lot and location")]


def _refuse(message: str) -> NoReturn:
    _errors.print(message, markup=False)
    raise typer.Exit(2)


def lot_ref(given: str) -> LotRef:
    """`PRODUCT:NUMBER[@SITE]` as a reference; the last colon counts, because product codes may hold one.

    Raises:
        ValueError: there is no colon, or a part is empty.
    """
    product, colon, rest = given.rpartition(":")
    number, at, site = rest.partition("@")
    if not colon or not product.strip() or not number.strip() or (at and not site.strip()):
        raise ValueError(f"--lot {given!r}: expected PRODUCT:NUMBER or PRODUCT:NUMBER@SITE")
    return LotRef(product_code=product, number=number, site_code=site or None)


@trace_app.command()
def forward(
    database_url: DatabaseUrl = "",
    lot: Lots = None,
    product: Products = None,
    supplier_lot: SupplierLots = None,
    site: Sites = None,
    made_from: MadeFrom = None,
    made_to: MadeTo = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Everything made from these lots, and where it went."""
    criteria = _criteria(lot, product, supplier_lot, site, made_from, made_to)
    _show(_run(database_url, criteria, trace.trace_forward), as_json=as_json, as_csv=as_csv)


@trace_app.command()
def backward(
    database_url: DatabaseUrl = "",
    lot: Lots = None,
    product: Products = None,
    supplier_lot: SupplierLots = None,
    site: Sites = None,
    made_from: MadeFrom = None,
    made_to: MadeTo = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Everything that went into these lots, and where it came from."""
    criteria = _criteria(lot, product, supplier_lot, site, made_from, made_to)
    _show(_run(database_url, criteria, trace.trace_backward), as_json=as_json, as_csv=as_csv)


def _criteria(
    lots: Sequence[str] | None,
    products: Sequence[str] | None,
    supplier_lots: Sequence[str] | None,
    sites: Sequence[str] | None,
    made_from: datetime | None,
    made_to: datetime | None,
) -> ScopeCriteria:
    try:
        return ScopeCriteria(
            lots=tuple(lot_ref(each) for each in lots or ()),
            product_codes=tuple(products or ()),
            supplier_lots=tuple(supplier_lots or ()),
            manufacturing_sites=tuple(sites or ()),
            made_from=made_from.date() if made_from else None,
            made_to=made_to.date() if made_to else None,
        )
    except ValidationError as error:
        _refuse("; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors()))
    except ValueError as error:
        _refuse(str(error))


def _run(url: str, criteria: ScopeCriteria, follow: _Run) -> trace.TraceResult:
    async def run() -> trace.TraceResult:
        engine = make_engine(url, application_name="recall-trace", pool_size=1)
        try:
            async with make_session_factory(engine)() as session:
                return await follow(session, await trace.resolve_roots(session, criteria))
        finally:
            await engine.dispose()

    if not url:
        _refuse("no database: set DATABASE_URL, or start the stack with `recall up`")
    try:
        return asyncio.run(run())
    except UnknownScope as error:
        _refuse(f"not on record: {error}")
    except ValueError as error:
        _refuse(str(error))
    except DBAPIError as error:
        _refuse(f"the database cannot be read: {' '.join(str(error.orig).split())[:200]}")


def as_document(result: trace.TraceResult) -> dict[str, Any]:
    """The result as plain JSON values; quantities and instants are text, paths are lot numbers."""
    numbers = {lot.lot_id: lot.number for lot in result.lots}
    return {
        "direction": result.direction,
        "lots": [
            _plain(asdict(lot)) | {"path": [numbers[step] for step in result.path(lot.lot_id)]} for lot in result.lots
        ],
        "sites": [_plain(asdict(site)) | {"lot": numbers[site.lot_id]} for site in result.sites],
        "gaps": [{"kind": gap.kind} | gap.detail for gap in result.gaps],
        "gap_counts": result.gap_counts(),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _text(value) for key, value in values.items()}


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    return value.isoformat() if isinstance(value, date) else value


def _show(result: trace.TraceResult, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_document(result), ensure_ascii=False, indent=2))
        return
    # One number may be two lots of two manufacturing sites.
    numbers = {lot.lot_id: (lot.product_code, lot.number, lot.site_code or "") for lot in result.lots}
    if as_csv:
        _write_csv(result, numbers)
    else:
        _print_table(result, numbers)
    for kind, count in result.gap_counts().items():
        _errors.print(f"gap: {kind} {count}", markup=False)


_COLUMNS = (
    "location_code", "custody", "partner_code", "country", "shipped_to", "received", "in_transit", "returned_in",
    "shipped_out", "returned_out", "consumed", "destroyed", "adjusted", "on_hand", "is_counted", "last_at",
)  # fmt: skip


def _write_csv(result: trace.TraceResult, numbers: dict[int, tuple[str, str, str]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(("product", "lot", "made_at", *_COLUMNS))
    writer.writerows(
        (*numbers[site.lot_id], *(_text(getattr(site, column)) for column in _COLUMNS)) for site in result.sites
    )


def _print_table(result: trace.TraceResult, numbers: dict[int, tuple[str, str, str]]) -> None:
    table = Table(title=f"{result.direction}: {len(result.lots)} lots at {len(result.sites)} places")
    for heading in ("product", "lot", "made at", "place", "custody"):
        table.add_column(heading)
    figures = ("shipped_to", "received", "in_transit", "returned_out", "on_hand")
    for heading in figures:
        table.add_column(heading.replace("_", " "), justify="right")
    for site in result.sites:
        row = (*numbers[site.lot_id], site.location_code, site.custody)
        table.add_row(*row, *(str(_text(getattr(site, figure))) for figure in figures))
    # A pipe has no width to fit, and a cut-off figure is a wrong one.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
