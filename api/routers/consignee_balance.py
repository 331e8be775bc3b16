"""The mass balance by consignee and lot: the largest rest first, as pages or as one CSV."""

import asyncio
import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from api.deps import NumberDep, ReaderDep, StateDep
from api.packages import MARKET, packed_out
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from db.repositories import consignee_balance
from db.repositories.consignee_balance import After, ConsigneeBalance
from domain.lots_csv import sheet_cell
from domain.mass_balance import plain
from domain.packages import Package
from models.schemas_closure import ConsigneeBalanceOut
from models.schemas_common import Page

router = APIRouter(
    prefix="/recalls/{number}/mass-balance/consignees",
    tags=["closure"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
_Id = Annotated[int | None, Query(ge=1, le=2**53)]
_MOVED: Final = ("received", "taken_over", "passed_on")
_NAMES: Final = ("consignee_id", "consignee_code", "consignee_name", "state", "lot_number", "product_code", "unit")
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "One row per consignee and lot", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "",
    operation_id="readConsigneeBalance",
    summary="Mass balance by consignee",
    responses=problems("bad_cursor", "not_found"),
)
async def read_rows(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    lot: _Id = None,
    consignee: _Id = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ConsigneeBalanceOut]:
    """Each consignee and lot with the terms of the market's side; the rows of a lot add up to the lot's balance.

    The largest rest comes first, be it missing or too much.
    """
    await load(state, number)
    name = listing_name(f"consignee-balance:{number}", lot=lot, consignee=consignee)
    after = _after(state.cursors.read(name, cursor))
    async with state.sessions() as session:
        partner = None
        if consignee is not None:
            partner = await consignee_balance.partner_of(session, number, consignee)
            if partner is None:
                raise Problem("not_found", f"The recall {number} has no consignee {consignee}.")
        rows = await consignee_balance.rows(session, number, lot=lot, partner=partner, after=after, limit=limit + 1)
        packages = await consignee_balance.packages(session, {row.product_id for row in rows})
    return page_of(
        rows,
        limit,
        lambda row: _out(row, packages.get(row.product_id, ())),
        lambda row: state.cursors.write(name, [str(row.terms.unaccounted), row.partner_id, row.lot_id]),
    )


@router.get(
    ".csv",
    operation_id="exportConsigneeBalance",
    summary="Mass balance by consignee as CSV",
    response_class=Response,
    responses=_CSV,
)
async def export_rows(number: NumberDep, _: ReaderDep, state: StateDep, lot: _Id = None) -> Response:
    """Every row, the largest rest first; quantities are units of use."""
    await load(state, number)
    async with state.sessions() as session:
        rows = await consignee_balance.rows(session, number, lot=lot)
    headers = {
        "Content-Disposition": f'attachment; filename="{number}-mass-balance.csv"',
        "Cache-Control": "no-store",
    }
    return Response(await asyncio.to_thread(_table, rows), media_type="text/csv", headers=headers)


def _after(values: list[Any] | None) -> After | None:
    return None if values is None else After(Decimal(values[0]), int(values[1]), int(values[2]))


def _out(row: ConsigneeBalance, packages: Sequence[Package]) -> ConsigneeBalanceOut:
    quantities = {name: getattr(row.terms, name) for name in MARKET} | {name: getattr(row, name) for name in _MOVED}
    return ConsigneeBalanceOut(
        consignee_id=row.consignee_id,
        consignee_code=row.code,
        consignee_name=row.name,
        state=row.state,
        lot_id=row.lot_id,
        lot_number=row.lot_number,
        product_code=row.product_code,
        unit=row.unit,
        packages=packed_out(packages, quantities),
        **quantities,
    )


def _table(rows: Sequence[ConsigneeBalance]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((*_NAMES, *_MOVED, *MARKET))
    for row in rows:
        names = (row.code, row.name, row.state or "", row.lot_number, row.product_code, row.unit)
        moved = [plain(getattr(row, name)) for name in _MOVED]
        terms = [plain(getattr(row.terms, name)) for name in MARKET]
        writer.writerow((row.consignee_id or "", *map(sheet_cell, names), *moved, *terms))
    return out.getvalue().encode("utf-8-sig")


__all__ = ["router"]
