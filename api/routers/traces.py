"""Traces over HTTP: a question from any criteria, and the frozen results of a recall with what differs between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from api.deps import NumberDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.state import ApiState
from db.repositories import affected_serials, trace, trace_runs_read
from db.repositories.trace_edges import edges_among
from db.repositories.trace_limits import MOST_ROWS
from documents.trace_file import csv_pieces, csv_stream, json_pieces, json_stream
from documents.trace_graph import graph_of
from documents.trace_svg import svg_of
from domain.scope import UnknownScope
from domain.trace_result import TracedSite, TraceResult, TraceTooLarge
from models.schemas_common import FieldProblem, Page
from models.schemas_trace import (
    AffectedSerialOut,
    ChangeCounts,
    RunChangeOut,
    RunDifferenceOut,
    RunGapOut,
    RunLotOut,
    RunSiteOut,
    TraceIn,
    TraceRunOut,
)
from models.trace_run import TraceRun

_READING = ("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid")
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The answer, whole",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
            "image/svg+xml": {"schema": {"type": "string"}},
        },
    }
}
router = APIRouter(tags=["recall records"])
Form = Annotated[
    Literal["json", "csv", "svg"],
    Query(alias="format", description="JSON: lots with paths, places, gaps. CSV: places. SVG: a picture."),
]
RunNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the run within the recall.")]
_MEDIA: Final = {"json": "application/json", "csv": "text/csv; charset=utf-8", "svg": "image/svg+xml"}
_PART: Final = 10_000
"""Places of a file that are in memory at once."""
_TOO_MUCH: Final = (
    "The answer has more than 50,000 lots, or lots at places and gaps. Name fewer lots, narrow `scope` (`made_from`, "
    "`made_to`, `received`, `shipped`), or set `window`; `recall trace` on the server has no bound."
)
_RUNS = "/recalls/{number}/trace/runs"


@router.post(
    "/trace",
    operation_id="traceLots",
    summary="Trace any lots",
    response_class=Response,
    responses=problems("bad_request", "unauthenticated", "not_permitted", "invalid", "too_large") | _ANSWERS,
)
async def trace_lots(_: ReaderDep, state: StateDep, body: TraceIn, form: Form = "json") -> Response:
    """Where lots went, or what went into them, from the records as they stand now. Nothing is stored.

    The criteria are those of a recall's scope. Names that are not on record are errors, each listed. An answer of more
    than 50,000 lots, or of more than 50,000 lots at places and gaps, is refused.
    """
    follow = trace.trace_forward if body.direction == "forward" else trace.trace_backward
    async with state.sessions() as session:
        try:
            roots = await trace.resolve_roots(session, body.scope)
        except UnknownScope as error:
            faults = [
                FieldProblem(pointer=f"#/scope/{item['field']}", detail=f"not on record: {item['value']}")
                for item in error.unknown
            ]
            raise Problem("invalid", "The criteria do not fit the records; see `errors`.", errors=faults) from error
        try:
            result = await follow(session, roots, window=body.window, most=MOST_ROWS)
        except TraceTooLarge:
            raise Problem("too_large", _TOO_MUCH) from None
        edges = await edges_among(session, [lot.lot_id for lot in result.lots]) if form == "svg" else []
    named = ", ".join(lot.number for lot in result.lots if lot.root)[:100]
    words = "from" if body.direction == "forward" else "back from"
    return await _file(result, edges, form, f"Trace {words} {named}", "trace")


@router.get(
    _RUNS,
    operation_id="listTraceRuns",
    summary="Frozen results of the recall's traces",
    responses=problems(*_READING),
)
async def list_runs(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[TraceRunOut]:
    """Newest first. Each trace that found something else than the one before is kept as it was, with the age of the
    data of every source system.
    """
    await load(state, number)
    name = listing_name(f"trace-runs:{number}")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await trace_runs_read.runs(session, number, after=after[0] if after else None, limit=limit + 1)
    return page_of(rows, limit, _run_out, lambda row: state.cursors.write(name, [row.run]))


@router.get(f"{_RUNS}/{{run}}", operation_id="readTraceRun", summary="One frozen result", responses=problems(*_READING))
async def read_run(number: NumberDep, run: RunNumber, _: ReaderDep, state: StateDep) -> TraceRunOut:
    """Its figures, its hash (docs/trace.md says over what), and how old the data was."""
    return _run_out(await _run(state, number, run))


@router.get(
    f"{_RUNS}/{{run}}/lots",
    operation_id="listTraceRunLots",
    summary="Lots of a frozen result",
    responses=problems(*_READING),
)
async def run_lots(
    number: NumberDep, run: RunNumber, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[RunLotOut]:
    """By lot id."""
    await _run(state, number, run)
    name = listing_name(f"trace-run-lots:{number}:{run}")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await trace_runs_read.lots_of(session, number, run, after=after[0] if after else 0, limit=limit + 1)
    return page_of(
        rows, limit, lambda row: RunLotOut(**row._mapping), lambda row: state.cursors.write(name, [row.lot_id])
    )


@router.get(
    f"{_RUNS}/{{run}}/sites",
    operation_id="listTraceRunSites",
    summary="Places of a frozen result",
    responses=problems(*_READING),
)
async def run_sites(
    number: NumberDep, run: RunNumber, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[RunSiteOut]:
    """What each lot did at each place, by lot and place."""
    await _run(state, number, run)
    name = listing_name(f"trace-run-sites:{number}:{run}")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await trace_runs_read.sites_of(
            session, number, run, after=(after[0], after[1]) if after else (0, 0), limit=limit + 1
        )
    return page_of(
        rows,
        limit,
        lambda row: RunSiteOut(**row._mapping),
        lambda row: state.cursors.write(name, [row.lot_id, row.location_id]),
    )


@router.get(
    f"{_RUNS}/{{run}}/gaps",
    operation_id="listTraceRunGaps",
    summary="Gaps of a frozen result",
    responses=problems(*_READING),
)
async def run_gaps(
    number: NumberDep, run: RunNumber, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[RunGapOut]:
    """What the trace could not know, by kind."""
    await _run(state, number, run)
    name = listing_name(f"trace-run-gaps:{number}:{run}")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await trace_runs_read.gaps_of(
            session, number, run, after=(after[0], after[1]) if after else ("", ""), limit=limit + 1
        )
    return page_of(
        rows,
        limit,
        lambda row: RunGapOut(kind=row.kind, detail=row.detail),
        lambda row: state.cursors.write(name, [row.kind, row.key]),
    )


@router.get(
    f"{_RUNS}/{{run}}/file",
    operation_id="readTraceRunFile",
    summary="A frozen result as one file",
    response_class=Response,
    responses=problems(*_READING, "too_large") | _ANSWERS,
)
async def run_file(number: NumberDep, run: RunNumber, _: ReaderDep, state: StateDep, form: Form = "json") -> Response:
    """JSON: all of it, gaps included. CSV: the places. SVG: a picture, in which gaps are red; of at most 50,000 lots at
    places.
    """
    found = await _run(state, number, run)
    name = f"{number}-trace-{run}"
    if form != "svg":
        async with state.sessions() as session:
            result = await trace_runs_read.lots_and_gaps_of(session, number, run)
        stream = json_stream if form == "json" else csv_stream
        return StreamingResponse(stream(result, _sites_of(state, number, run)), **_sent_as(form, name))
    if found.found["positions"] > MOST_ROWS:
        raise Problem("too_large", "The run has more lots at places than a picture is drawn of; take CSV or JSON.")
    async with state.sessions() as session:
        result = await trace_runs_read.result_of(session, number, run)
        edges = await edges_among(session, [lot.lot_id for lot in result.lots])
    title = f"{number}, run {run} of {found.traced_at:%Y-%m-%d %H:%M} UTC, scope version {found.scope_version}"
    return await _file(result, edges, form, title, name)


@router.get(
    f"{_RUNS}/{{run}}/difference",
    operation_id="compareTraceRuns",
    summary="What differs between two frozen results",
    responses=problems(*_READING),
)
async def difference(
    number: NumberDep,
    run: RunNumber,
    _: ReaderDep,
    state: StateDep,
    since: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="The earlier run; 0: nothing. Default: the one before.")
    ] = None,
    what: Annotated[Literal["lots", "sites", "gaps"], Query(description="Which changes to list.")] = "sites",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> RunDifferenceOut:
    """Counts of lots, places and gaps added, removed and changed (first page), and the changes of one of them in
    pages.
    """
    await _run(state, number, run)
    start = run - 1 if since is None else since
    if start >= run:
        fault = FieldProblem(pointer="query/since", detail=f"expected a run before {run}")
        raise Problem("invalid", "The earlier run must come first.", errors=[fault])
    name = listing_name(f"trace-difference:{number}:{run}", since=start, what=what)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        # Counting compares everything: once for all pages.
        counts = None if after else await trace_runs_read.changes_between(session, number, start, run)
        rows = await trace_runs_read.changed(session, number, start, run, what, after=after, limit=limit + 1)
    return RunDifferenceOut(
        since=start,
        run=run,
        counts=counts and {part: ChangeCounts(**figures) for part, figures in counts.items()},
        changes=page_of(rows, limit, _change_out, lambda row: state.cursors.write(name, _KEYS[what](row))),
    )


@router.get(
    "/recalls/{number}/serials",
    operation_id="listAffectedSerials",
    summary="Affected serialised units",
    responses=problems(*_READING),
)
async def list_serials(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    unplaced: Annotated[bool, Query(description="Only units nobody knows the place of.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AffectedSerialOut]:
    """Every unit to be picked out, and where it was last seen: of lots named by serial the units named, of other lots
    all that are on record.
    """
    recall = await load(state, number)
    name = listing_name(f"serials:{number}", version=recall.scope_version, unplaced=unplaced)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await affected_serials.page(
            session,
            number,
            recall.scope_version,
            unplaced=unplaced,
            after=(after[0], after[1]) if after else (0, 0),
            limit=limit + 1,
        )
    return page_of(
        rows,
        limit,
        lambda row: AffectedSerialOut(**{field: row._mapping[field] for field in AffectedSerialOut.model_fields}),
        lambda row: state.cursors.write(name, [row.lot_id, row.serial_id]),
    )


_KEYS: Final[dict[str, Callable[[Any], list[Any]]]] = {
    "lots": lambda row: [row.lot_id],
    "sites": lambda row: [row.lot_id, row.location_id],
    "gaps": lambda row: [row.key],
}
_UNSAID: Final = ("run_id", "gone", "key", "lot_id", "location_id")


def _change_out(row: Any) -> RunChangeOut:
    named = {part: row._mapping.get(part) for part in ("product", "lot", "site", "partner")}
    return RunChangeOut(
        change="changed" if row.was and row._mapping["is"] else "removed" if row.was else "added",
        before=_facts(row.before) if row.was else None,
        after=_facts(row.after) if row._mapping["is"] else None,
        **named,
    )


def _facts(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _UNSAID}


async def _run(state: ApiState, number: str, run: int) -> TraceRun:
    await load(state, number)
    async with state.sessions() as session:
        found = await trace_runs_read.one_run(session, number, run)
    if found is None:
        raise Problem("not_found", f"{number} has no trace run {run}.")
    return found


def _run_out(row: TraceRun) -> TraceRunOut:
    facts = row.model_dump(include={"run", "scope_version", "traced_at", "sources", "sha256"})
    return TraceRunOut(**facts, **row.found)


async def _file(result: TraceResult, edges: list[tuple[int, int]], form: str, title: str, name: str) -> Response:
    if form == "svg":
        picture = await asyncio.to_thread(lambda: svg_of(graph_of(result, edges, title)))
        return Response(picture, **_sent_as(form, name))
    pieces: Iterator[str] = json_pieces(result) if form == "json" else csv_pieces(result)
    return StreamingResponse(pieces, **_sent_as(form, name))


def _sent_as(form: str, name: str) -> dict[str, Any]:
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": "no-store"}
    return {"media_type": _MEDIA[form], "headers": headers}


async def _sites_of(state: ApiState, number: str, run: int) -> AsyncIterator[list[TracedSite]]:
    """Places of a frozen result by and by; no connection is kept while a slow reader takes them."""
    after = (0, 0)
    while True:
        async with state.sessions() as session:
            part = await trace_runs_read.traced_sites_of(session, number, run, after=after, limit=_PART)
        if part:
            yield part
        if len(part) < _PART:
            return
        after = part[-1].lot_id, part[-1].location_id


__all__ = ["router"]
