"""What keepers outside our ledger report of a recall's lots, brought into our record.

A report is a count, with its instant and its source, so that trace, claims and mass balance go on reading one record.
Goods it says are under way become movements, unless the firm's own records tell of the same shipment. What a report
leaves out is nothing only where all of it could be read; goods under way to a customer have arrived, or never left,
only by the keeper's word on their document. What cannot be read, has vanished on its way, or is missing under a hold,
is a gap of the trace.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import keeper_counts_sql as sql
from db.repositories import ledger
from db.repositories.hold_records import record
from db.repositories.stock import refresh_held
from domain.inventory import Document, DocumentKind, DocumentState, Position, PositionState, Unread, UnreadDocument

FRESH: Final = timedelta(minutes=15)
"""A count that says nothing new is dated anew after this long."""
_TRAVELS: Final = PositionState.IN_TRANSIT
_MOVES: Final = (DocumentKind.SHIPMENT, DocumentKind.RECEIPT)
"""Documents of goods under way; an order or a pick of the same number says nothing about them."""
_CANCELLED: Final = DocumentKind.SHIPMENT, DocumentState.CANCELLED
_RECEIVED: Final = DocumentKind.RECEIPT, DocumentState.DONE
_UNITS: Final = ("never_left", "arrived")
Transit = tuple[int, int, str]
"""Lot, destination, document."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one keeper answered, asked at `at` for all lots of a recall's scope."""

    keeper: str
    number: str
    version: int
    lots: Sequence[int]
    kept: Sequence[int]
    """The keeper's places at which these lots are known."""
    positions: Sequence[Position]
    documents: Sequence[Document]
    at: datetime
    unread: Sequence[Unread] = ()
    """What of the answer could not be read: there, nothing follows from what it does not say."""
    unread_documents: Sequence[UnreadDocument] = ()
    """The same of its documents: goods under way on one of them are where they were."""

    @property
    def system(self) -> str:
        """Source system of the movements it makes; an import cannot use it (its names hold no colon)."""
        return f"keeper:{self.keeper}"


async def lots_of(session: AsyncSession, number: str, version: int) -> list[int]:
    """Lots in scope, and those that the recall holds besides."""
    return list((await run(session, sql.LOTS, {"number": number, "version": version})).scalars())


async def places_of(session: AsyncSession, number: str, version: int) -> list[int]:
    """Places of ours and of partners at which lots in scope are or were."""
    return list((await run(session, sql.PLACES_OF_LOTS, {"number": number, "version": version})).scalars())


async def under_way(session: AsyncSession, keeper: str, lots: Sequence[int]) -> bool:
    """Whether the keeper has reported goods under way before."""
    binds = {"system": f"keeper:{keeper}", "lots": list(lots)}
    return (await run(session, sql.UNDER_WAY, binds)).first() is not None


async def take_in(session: AsyncSession, report: Report) -> None:
    """Bring our record in line with the report; the caller claims what appeared, in the same transaction or after.

    Writes the audit event `holds.located` when something changed.
    """
    report = await _concerned(session, report)
    await ledger.lock(session, [report.number], report.lots)
    moved = await _transit(session, report, _in_transit(report))
    counted = await _counts(session, report)
    await refresh_held(session, report.lots)
    values = {"number": report.number, "version": report.version, "keeper": report.keeper}
    missing = (await run(session, sql.MISSING, values)).scalars().all()
    unclear = (await run(session, sql.VANISHED, values | _under_way(report))).scalars().all()
    if report.unread:
        back = False
        why = "; ".join(sorted({each.reason for each in report.unread})[:3])
        error = f"{len(report.unread)} rows of its report could not be read: {why}"[:300]
        await run(session, sql.OTHER_FAULT, values | {"error": error})
        await unread(session, report.number, report.version, report.keeper, error=error, at=report.at)
    else:
        back = (await run(session, sql.READ, values)).first() is not None
    if moved or counted or missing or unclear or back:
        facts = {"keeper": report.keeper, "counts": counted, "under_way": moved, "missing_under_hold": len(missing)}
        facts |= {"vanished": len(unclear)} if unclear else {}
        await record(session, report.number, "holds.located", report.at, facts)


async def _concerned(session: AsyncSession, report: Report) -> Report:
    """The report without lots of the scope that neither it nor our record knows at this keeper."""
    reported = {each.lot_id for each in report.positions}
    values = {
        "lots": list(report.lots),
        "kept": sorted({*report.kept, *(each.location_id for each in report.positions)}),
        "system": report.system,
    }
    known = (await run(session, sql.KNOWN_THERE, values)).scalars()
    return replace(report, lots=sorted({*known, *reported}))


async def unread(session: AsyncSession, number: str, version: int, keeper: str, *, error: str, at: datetime) -> None:
    """The keeper could not be read: a gap of the trace until it can; audited when it begins."""
    values = {"number": number, "version": version, "keeper": keeper, "error": error, "at": at}
    if (await run(session, sql.UNREAD, values)).first() is not None:
        await record(session, number, "holds.keeper_unread", at, {"keeper": keeper, "error": error[:300]})


async def _counts(session: AsyncSession, report: Report) -> int:
    on_hand: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    reserved: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for each in report.positions:
        if each.state is not PositionState.IN_TRANSIT:
            on_hand[each.lot_id, each.location_id] += each.quantity
            if each.state is PositionState.RESERVED:
                reserved[each.lot_id, each.location_id] += each.quantity
    values: dict[str, Any] = {
        "lots": [lot for lot, _ in on_hand],
        "places": [place for _, place in on_hand],
        "on_hand": list(on_hand.values()),
        "reserved": [reserved[place] for place in on_hand],
        "asked_lots": list(report.lots),
        "kept": sorted({*report.kept, *(place for _, place in on_hand)}),
        "keeper": report.keeper,
        "at": report.at,
        "fresh": FRESH,
        "lot_ids": _doubtful(report),
        "doubt_lots": [each.lot_id for each in report.unread],
        "doubt_places": [each.location_id for each in report.unread],
    }
    return len((await run(session, sql.COUNTS, values)).all())


async def _transit(session: AsyncSession, report: Report, transit: dict[Transit, Decimal]) -> int:
    """Goods under way: new ones, and what has arrived; returns the movements written."""
    known = (await run(session, sql.UNDER_WAY, {"system": report.system, "lots": list(report.lots)})).all()
    if not transit and not known:
        return 0
    documents = {each.number: each for each in report.documents if each.kind in _MOVES}
    reported = {document for _, _, document in transit}
    said = await _said(session, report, {row.document_no for row in known})
    # Ended for good, and no longer under way: the goods are where they were.
    void = {number for number, (kind, state) in said.items() if (kind, state) == _CANCELLED} - reported
    base: dict[str, Any] = {"system": report.system, "at": report.at, "keeper": report.keeper, "lots": [*report.lots]}
    hidden = {each.number for each in report.unread_documents}
    clear = sorted(set(report.lots) - set(_doubtful(report))) if None not in hidden else []
    received = [each for each in report.documents if (each.kind, each.state) == said.get(each.number) == _RECEIVED]
    arrived = {
        "clear": clear,
        "done": sorted(number for number, (_, state) in said.items() if state is DocumentState.DONE),
        "received": [each.number for each in received],
        "received_at": [each.location_id for each in received],
        "kept": sorted({*report.kept, *(p.location_id for p in report.positions if p.state is not _TRAVELS)}),
        "listed": sorted(documents.keys() | {each for each in hidden if each is not None}),
    }
    others = list((await run(session, sql.TOLD_BY_OTHERS, base)).all())
    others += (await run(session, sql.RECEIVED_BY_OTHERS, base | _under_way(report) | arrived)).all()
    cancelled = (await run(session, sql.CANCELLED, base | {"clear": clear, "void": sorted(void)})).all()
    if cancelled:
        shipments = [{**row._mapping, **{u: str(row._mapping[u]) for u in _UNITS}} for row in cancelled]
        facts = {"keeper": report.keeper, "shipments": shipments}
        await record(session, report.number, "holds.shipments_cancelled", report.at, facts)
    placed = [(key, _source(report, key, documents)) for key in transit]
    shipped = {
        "lots": [key[0] for key, _ in placed],
        "sources": [source for _, source in placed],
        "targets": [key[1] for key, _ in placed],
        "quantities": [transit[key] for key, _ in placed],
        "documents": [key[2] for key, _ in placed],
        "source_ids": [_name(key) for key, _ in placed],
    }
    ids = list((await run(session, sql.SHIPPED, base | shipped)).scalars())
    under_way = base | _under_way(report)
    ids += (await run(session, sql.NOT_BACK, under_way | arrived)).scalars().all()
    ids += (await run(session, sql.REAPPEARED, under_way)).scalars().all()
    ids += (await run(session, sql.ARRIVED, under_way | arrived)).scalars().all()
    if ids or others or cancelled:
        await run(session, sql.BATCH, {"system": report.system, "read": len(transit), "ids": ids})
    return len(ids) + len(others) + len(cancelled)


def _in_transit(report: Report) -> dict[Transit, Decimal]:
    transit: defaultdict[Transit, Decimal] = defaultdict(Decimal)
    for each in report.positions:
        if each.state is _TRAVELS:
            transit[each.lot_id, each.location_id, each.document_no or f"{report.keeper} unnumbered"] += each.quantity
    return transit


def _under_way(report: Report) -> dict[str, Any]:
    transit = _in_transit(report)
    return {
        "system": report.system,
        "source_ids": [_name(key) for key in transit],
        "quantities": list(transit.values()),
        "asked_lots": list(report.lots),
    }


def _name(key: Transit) -> str:
    """Source id of the movement for goods under way."""
    return ":".join(map(str, (key[2], key[0], key[1])))[:110]


def _doubtful(report: Report) -> list[int]:
    """Lots of which a part of the report could not be read."""
    return sorted({each.lot_id for each in report.unread})


async def _said(
    session: AsyncSession, report: Report, numbers: set[str]
) -> dict[str, tuple[DocumentKind, DocumentState]]:
    """How these documents stand by the keeper's own word: in this report, else when it was last asked to stop them.

    A shipment says more than the receipt of the same number; several that differ say nothing.
    """
    asked = {"keeper": report.keeper, "numbers": sorted(numbers)}
    said = {
        row.document_no: (DocumentKind.SHIPMENT, DocumentState(row.keeper_state))
        for row in await run(session, sql.SAID, asked)
    }
    for kind in reversed(_MOVES):
        listed: defaultdict[str, set[DocumentState]] = defaultdict(set)
        for each in report.documents:
            if each.number in numbers and each.kind is kind:
                listed[each.number].add(each.state)
        said |= {n: (kind, states.pop() if len(states) == 1 else DocumentState.OPEN) for n, states in listed.items()}
    return said


def _source(report: Report, key: Transit, documents: dict[str, Document]) -> int | None:
    """Where the goods left, as far as the keeper says; what comes to its own place may come from anywhere."""
    found = documents.get(key[2])
    if found is not None and found.location_id != key[1]:
        return found.location_id
    if found is not None and found.other_location_id not in (None, key[1]):
        return found.other_location_id
    return (
        next((place for place in sorted(report.kept) if place != key[1]), None) if key[1] not in report.kept else None
    )


__all__ = ["Report", "lots_of", "places_of", "take_in", "under_way", "unread"]
