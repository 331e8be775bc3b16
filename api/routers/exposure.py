"""Unit-hours of exposure: the whole recall with its curve, site by site, and both as CSV."""

import asyncio
import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from api.deps import NumberDep, ReaderDep, StateDep
from api.exposure_views import hours, out_of, policy_hours, site_out
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import exposure
from domain.lots_csv import sheet_cell
from domain.mass_balance import plain
from models.schemas_exposure import ExposureOut, SitesExposureOut

router = APIRouter(
    prefix="/recalls/{number}/exposure",
    tags=["closure"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("", operation_id="readExposure", summary="Unit-hours of exposure")
async def read_exposure(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    points: Annotated[int, Query(ge=2, le=5000, description="Steps of the curve; more are thinned by time.")] = 200,
) -> ExposureOut:
    """Area under the units not confirmed safe, since the firm's awareness, in real and in policy time.

    What makes a unit safe, and when, is in docs/money.md. The area is exact however the curve is thinned.
    """
    await load(state, number)
    async with state.sessions() as session:
        found = await exposure.exposure(session, number, state.now(), points=points)
    assert found is not None  # noqa: S101 - loaded above, and a recall is deleted years after its end
    return out_of(found)


@router.get(
    "/curve.csv",
    operation_id="exportExposureCurve",
    summary="The step curve as CSV",
    response_class=Response,
    responses=_CSV,
)
async def export_curve(number: NumberDep, _: ReaderDep, state: StateDep) -> Response:
    """Every instant at which the units not confirmed safe changed."""
    await load(state, number)
    async with state.sessions() as session:
        found = await exposure.exposure(session, number, state.now())
    assert found is not None  # noqa: S101 - loaded above
    clock = found.window.clock
    rows = ((each.at.isoformat(), clock.to_policy(each.at).isoformat(), plain(each.at_risk)) for each in found.curve)
    return await _csv(f"{number}-exposure.csv", ("at", "policy_at", "at_risk"), rows)


@router.get(
    "/sites",
    operation_id="listExposureOfSites",
    summary="Unit-hours of exposure by site",
    responses=problems("bad_cursor"),
)
async def list_sites(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> SitesExposureOut:
    """Consignees and places of ours, each lot for itself, the largest area first; live pages are of one instant."""
    recall = await load(state, number)
    name = listing_name(f"exposure-sites:{number}")
    after = state.cursors.read(name, cursor)
    now = state.now() if after is None else datetime.fromisoformat(after[4])
    async with state.sessions() as session:
        over = await exposure.window(session, recall, now)
        last = None if after is None else (Decimal(after[0]), *after[1:4])
        rows = await exposure.sites(session, number, over, after=last, limit=limit + 1)
    page = page_of(
        rows,
        limit,
        lambda row: site_out(row, over),
        lambda row: state.cursors.write(
            name, [str(row.unit_seconds), row.side, row.place_id, row.lot_id, now.isoformat()]
        ),
    )
    return SitesExposureOut(items=page.items, next_cursor=page.next_cursor, until=over.until)


@router.get(
    "/sites.csv",
    operation_id="exportExposureOfSites",
    summary="Unit-hours by site as CSV",
    response_class=Response,
    responses=_CSV,
)
async def export_sites(number: NumberDep, _: ReaderDep, state: StateDep) -> Response:
    """Every site and lot, the largest area first."""
    recall = await load(state, number)
    async with state.sessions() as session:
        over = await exposure.window(session, recall, state.now())
        rows = await exposure.sites(session, number, over)
    titles = ("side", "code", "name", "lot", "unit_hours", "policy_unit_hours", "at_risk", "used")
    table = (
        (
            row.side,
            sheet_cell(row.code),
            sheet_cell(row.name),
            sheet_cell(row.lot_number),
            plain(hours(row.unit_hours)),
            plain(policy_hours(row.unit_hours, over)),
            plain(row.at_risk),
            plain(row.used),
        )
        for row in rows
    )
    return await _csv(f"{number}-exposure-sites.csv", titles, table)


async def _csv(name: str, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    def table() -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(titles)
        writer.writerows(rows)
        return out.getvalue().encode("utf-8-sig")

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(await asyncio.to_thread(table), media_type="text/csv", headers=headers)


__all__ = ["router"]
