"""`recall trace forward|backward`: where lots went or came from, as a table, JSON, CSV or a picture.

The answer goes to standard output, everything else to standard error. Exit code 2: a name is not on record, or the
database cannot be reached; one line says which.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from db.engine import make_engine, make_session_factory
from db.repositories import trace
from db.repositories.trace_edges import edges_among
from documents.trace_file import as_document, csv_pieces, plain_value
from documents.trace_graph import graph_of
from documents.trace_svg import svg_of
from domain.scope import LotRef, ScopeCriteria, UnknownScope
from domain.trace_result import TraceResult

trace_app = typer.Typer(name="trace", help="Follow lots through genealogy and movements.", no_args_is_help=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_Run = Callable[..., Awaitable[TraceResult]]
_INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""A day begins at 00:00 UTC; a time without offset is UTC."""

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
ReceivedFrom = Annotated[
    datetime | None, typer.Option("--received-from", formats=_INSTANTS, help="First time received")
]
ReceivedTo = Annotated[
    datetime | None, typer.Option("--received-to", formats=_INSTANTS, help="Time before which received")
]
ShippedFrom = Annotated[datetime | None, typer.Option("--shipped-from", formats=_INSTANTS, help="First time shipped")]
ShippedTo = Annotated[
    datetime | None, typer.Option("--shipped-to", formats=_INSTANTS, help="Time before which shipped")
]
LotRanges = Annotated[
    list[str] | None, typer.Option("--lot-range", help="PRODUCT:FIRST..LAST, both included; A9 comes before A10")
]
Serials = Annotated[list[str] | None, typer.Option("--serial", help="PRODUCT:SERIAL of one unit")]
SerialRanges = Annotated[list[str] | None, typer.Option("--serial-range", help="PRODUCT:FIRST..LAST of units")]
Documents = Annotated[list[str] | None, typer.Option("--document", help="Number of a delivery or receipt document")]
Families = Annotated[list[str] | None, typer.Option("--family", help="Product family")]
Brands = Annotated[list[str] | None, typer.Option("--brand", help="Brand")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Draw the trace into this file", show_default=False)]
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
    lot_range: LotRanges = None,
    serial: Serials = None,
    serial_range: SerialRanges = None,
    product: Products = None,
    family: Families = None,
    brand: Brands = None,
    supplier_lot: SupplierLots = None,
    site: Sites = None,
    document: Documents = None,
    made_from: MadeFrom = None,
    made_to: MadeTo = None,
    received_from: ReceivedFrom = None,
    received_to: ReceivedTo = None,
    shipped_from: ShippedFrom = None,
    shipped_to: ShippedTo = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
) -> None:
    """Everything made from these lots, and where it went."""
    given = dict(
        _named(lot, lot_range, serial, serial_range),
        product_codes=product or (),
        families=family or (),
        brands=brand or (),
        supplier_lots=supplier_lot or (),
        manufacturing_sites=site or (),
        documents=document or (),
        made_from=made_from.date() if made_from else None,
        made_to=made_to.date() if made_to else None,
        received=_window(received_from, received_to),
        shipped=_window(shipped_from, shipped_to),
    )
    _show(_run(database_url, _criteria(given), trace.trace_forward), as_json=as_json, as_csv=as_csv, svg=svg)


@trace_app.command()
def backward(
    database_url: DatabaseUrl = "",
    lot: Lots = None,
    lot_range: LotRanges = None,
    serial: Serials = None,
    serial_range: SerialRanges = None,
    product: Products = None,
    family: Families = None,
    brand: Brands = None,
    supplier_lot: SupplierLots = None,
    site: Sites = None,
    document: Documents = None,
    made_from: MadeFrom = None,
    made_to: MadeTo = None,
    received_from: ReceivedFrom = None,
    received_to: ReceivedTo = None,
    shipped_from: ShippedFrom = None,
    shipped_to: ShippedTo = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    svg: Svg = None,
) -> None:
    """Everything that went into these lots, and where it came from."""
    given = dict(
        _named(lot, lot_range, serial, serial_range),
        product_codes=product or (),
        families=family or (),
        brands=brand or (),
        supplier_lots=supplier_lot or (),
        manufacturing_sites=site or (),
        documents=document or (),
        made_from=made_from.date() if made_from else None,
        made_to=made_to.date() if made_to else None,
        received=_window(received_from, received_to),
        shipped=_window(shipped_from, shipped_to),
    )
    _show(_run(database_url, _criteria(given), trace.trace_backward), as_json=as_json, as_csv=as_csv, svg=svg)


def _named(
    lots: Sequence[str] | None,
    lot_ranges: Sequence[str] | None,
    serials: Sequence[str] | None,
    serial_ranges: Sequence[str] | None,
) -> dict[str, Any]:
    try:
        return {
            "lots": tuple(lot_ref(each) for each in lots or ()),
            "lot_ranges": [number_range("--lot-range", each) for each in lot_ranges or ()],
            "serials": [number_of("--serial", each) for each in serials or ()],
            "serial_ranges": [number_range("--serial-range", each) for each in serial_ranges or ()],
        }
    except ValueError as error:
        _refuse(str(error))


def number_of(option: str, given: str) -> dict[str, str]:
    """`PRODUCT:NUMBER`; the last colon counts.

    Raises:
        ValueError: there is no colon, or a part is empty.
    """
    product, _, number = given.rpartition(":")
    if not product.strip() or not number.strip():
        raise ValueError(f"{option} {given!r}: expected PRODUCT:NUMBER")
    return {"product_code": product, "number": number}


def number_range(option: str, given: str) -> dict[str, str]:
    """`PRODUCT:FIRST..LAST`; the last colon counts.

    Raises:
        ValueError: there is no colon, there are no two dots, or a part is empty.
    """
    product, _, rest = given.rpartition(":")
    first, _, last = rest.partition("..")
    if not product.strip() or not first.strip() or not last.strip():
        raise ValueError(f"{option} {given!r}: expected PRODUCT:FIRST..LAST")
    return {"product_code": product, "first": first, "last": last}


def _window(start: datetime | None, end: datetime | None) -> dict[str, datetime | None] | None:
    if start is None and end is None:
        return None
    return {"start": _utc(start), "end": _utc(end)}


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _criteria(given: dict[str, Any]) -> ScopeCriteria:
    try:
        return ScopeCriteria.model_validate(given)
    except ValidationError as error:
        _refuse("; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors()))


@dataclass(frozen=True)
class _Found:
    """The answer, and the genealogy among its lots."""

    result: TraceResult
    edges: list[tuple[int, int]]


def _run(url: str, criteria: ScopeCriteria, follow: _Run) -> _Found:
    async def run() -> _Found:
        engine = make_engine(url, application_name="recall-trace", pool_size=1)
        try:
            async with make_session_factory(engine)() as session:
                result = await follow(session, await trace.resolve_roots(session, criteria))
                return _Found(result, await edges_among(session, [lot.lot_id for lot in result.lots]))
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


def _show(found: _Found, *, as_json: bool, as_csv: bool, svg: Path | None) -> None:
    result = found.result
    if svg is not None:
        _draw(found, svg)
    if as_json:
        typer.echo(json.dumps(as_document(result), ensure_ascii=False, indent=2))
        return
    # One number may be two lots of two manufacturing sites.
    numbers = {lot.lot_id: (lot.product_code, lot.number, lot.site_code or "") for lot in result.lots}
    if as_csv:
        for piece in csv_pieces(result):
            sys.stdout.write(piece)
    elif svg is None:
        _print_table(result, numbers)
    for kind, count in result.gap_counts().items():
        _errors.print(f"gap: {kind} {count}", markup=False)


def _draw(found: _Found, path: Path) -> None:
    roots = ", ".join(lot.number for lot in found.result.lots if lot.root)
    words = "from" if found.result.direction == "forward" else "back from"
    try:
        path.write_bytes(svg_of(graph_of(found.result, found.edges, f"Trace {words} {roots[:120]}")))
    except OSError as error:
        _refuse(f"--svg {path}: {error.strerror}")


def _print_table(result: TraceResult, numbers: dict[int, tuple[str, str, str]]) -> None:
    table = Table(title=f"{result.direction}: {len(result.lots)} lots at {len(result.sites)} places")
    for heading in ("product", "lot", "made at", "place", "custody"):
        table.add_column(heading)
    figures = ("shipped_to", "received", "in_transit", "returned_out", "on_hand")
    for heading in figures:
        table.add_column(heading.replace("_", " "), justify="right")
    for site in result.sites:
        row = (*numbers[site.lot_id], site.location_code, site.custody)
        table.add_row(*row, *(str(plain_value(getattr(site, figure))) for figure in figures))
    # A pipe has no width to fit, and a cut-off figure is a wrong one.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
