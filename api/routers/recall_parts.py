"""The long lists of one recall: trace, holds, consignees, deliveries and replies, each by keyset."""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from api.deps import NumberDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import consignee_holds, hold_checks, recall_views, recalls_read, trace
from domain.channels import Channel
from models.hold import Hold, HoldState
from models.notice import DeliveryState, Reply
from models.schemas_common import Page
from models.schemas_views import (
    ConsigneeHoldOut,
    ConsigneeHoldState,
    ConsigneeLotOut,
    ConsigneeOut,
    DeliveryOut,
    GapOut,
    HoldOut,
    ReplyLineOut,
    ReplyOut,
    TraceLot,
    TraceOut,
    TracePosition,
    TraceSite,
)

router = APIRouter(
    prefix="/recalls/{number}",
    tags=["recall records"],
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
Id = Annotated[int | None, Query(ge=1, le=2**53)]


@router.get("/trace", operation_id="readTrace", summary="Lots, sites, gaps")
async def read_trace(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> TraceOut:
    """The recall's scope as traced: lots (paged) with path and places, every consignee, and what is not known."""
    recall = await load(state, number)
    name = listing_name(f"trace:{number}", version=recall.scope_version)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        version = recall.scope_version
        lots = await recall_views.trace_lots(
            session, number, version, after=after[0] if after else None, limit=limit + 1
        )
        sites = await recall_views.trace_sites(session, number)
        gaps = await recall_views.gaps(session, number, version)
        counts = await recalls_read.scope_counts(session, number, version)
        roots = await recall_views.root_lots(session, number, version)
        parents = {lot.lot_id: lot.parent_id for lot in await trace.trace_lots(session, "forward", roots)}
        positions = await trace.trace_sites(session, [row.lot_id for row in lots[:limit]])
    return TraceOut(
        scope_version=version,
        lots=page_of(
            lots,
            limit,
            lambda row: TraceLot(**row._mapping, parent_id=parents.get(row.lot_id)),
            lambda row: state.cursors.write(name, [row.lot_id]),
        ),
        positions=[_position_out(site) for site in positions],
        sites=[TraceSite.model_validate(dict(row._mapping)) for row in sites],
        gaps=[GapOut(kind=gap.kind, detail=gap.detail) for gap in gaps],
        gaps_total=sum(counts.gaps.values()),
    )


def _position_out(site: trace.TracedSite) -> TracePosition:
    facts = {field: getattr(site, field) for field in TracePosition.model_fields if field != "counted"}
    return TracePosition(**facts, counted=site.is_counted)


@router.get("/holds", operation_id="listHolds", summary="Holds")
async def list_holds(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    hold_state: Annotated[HoldState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[HoldOut]:
    """The recall's claims on stock: own and logistics partners' locations, and goods in transit."""
    await load(state, number)
    name = listing_name(f"holds:{number}", state=hold_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await recall_views.holds(session, number, state=hold_state, after=after, limit=limit + 1)
        found = await hold_checks.standing(session, [row[0].id for row in rows])
    now = state.now()
    return page_of(
        rows,
        limit,
        lambda row: hold_out(row, found.get(row[0].id), now),
        lambda row: state.cursors.write(name, [0 if unconfirmed(row[0]) else 1, row[0].id]),
    )


@router.get("/holds/consignees", operation_id="listConsigneeHolds", summary="What consignees hold on our notice")
async def list_consignee_holds(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    hold_state: Annotated[ConsigneeHoldState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ConsigneeHoldOut]:
    """Each lot at each consignee, what nobody has confirmed first."""
    await load(state, number)
    name = listing_name(f"consignee-holds:{number}", state=hold_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await consignee_holds.positions(session, number, state=hold_state, after=after, limit=limit + 1)
    now = state.now()

    def shown(row: Any) -> ConsigneeHoldOut:
        waits = row.requested_at is not None and row.rank == 0
        age = int((now - row.requested_at).total_seconds()) if waits else None
        facts = {key: value for key, value in row._mapping.items() if key != "rank"}
        return ConsigneeHoldOut(**facts, unconfirmed_seconds=age)

    return page_of(rows, limit, shown, lambda row: state.cursors.write(name, [row.rank, row.consignee_id, row.lot_id]))


def unconfirmed(hold: Hold) -> bool:
    """Whether its keeper still owes us the confirmation (see `recall_views.UNCONFIRMED`)."""
    claims = hold.ended_at is None or hold.state == HoldState.nonconformity.value
    return hold.confirmed_at is None and hold.quantity > 0 and claims


def hold_out(row: Any, standing: hold_checks.Standing | None, now: datetime) -> HoldOut:
    """A hold with the names of its lot and place, its keeper's answer, and who counted it last."""
    hold, lot, product, location = row
    age = int((now - hold.requested_at).total_seconds()) if unconfirmed(hold) else None
    return HoldOut(
        **hold.model_dump(exclude={"recall_number", "location_id"}),
        lot_number=lot.number,
        product_code=product.code,
        location_code=location.code,
        location_name=location.name,
        custody=location.custody,
        unconfirmed_seconds=age,
        **(asdict(standing) if standing else {}),
    )


@router.get("/consignees", operation_id="listConsignees", summary="Consignees")
async def list_consignees(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    consignee_state: Annotated[
        Literal["open", "acknowledged", "answered", "documented", "withdrawn"] | None, Query(alias="state")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ConsigneeOut]:
    """Who received affected product, how much of which lot, and how far their answer is."""
    await load(state, number)
    name = listing_name(f"consignees:{number}", state=consignee_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await recall_views.consignees(
            session, number, state=consignee_state, after=after[0] if after else None, limit=limit + 1
        )
        lots = await recall_views.consignee_lots(session, [row[0].id for row in rows])
    received: defaultdict[int, list[ConsigneeLotOut]] = defaultdict(list)
    for line, lot, product in lots:
        facts = line.model_dump(exclude={"consignee_id"})
        received[line.consignee_id].append(ConsigneeLotOut(**facts, product_code=product.code, lot_number=lot.number))
    return page_of(
        rows,
        limit,
        lambda row: _consignee_out(row, received[row[0].id]),
        lambda row: state.cursors.write(name, [row[0].id]),
    )


def _consignee_out(row: Any, lots: list[ConsigneeLotOut]) -> ConsigneeOut:
    consignee, partner, replies, last_reply_at = row
    return ConsigneeOut(
        **consignee.model_dump(exclude={"recall_number", "partner_id", "added_at"}),
        partner_code=partner.code,
        partner_name=partner.name,
        partner_kind=partner.kind,
        country=partner.country,
        language=partner.language,
        lots=lots,
        replies=replies,
        last_reply_at=last_reply_at,
    )


@router.get("/deliveries", operation_id="listDeliveries", summary="Deliveries")
async def list_deliveries(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    delivery_state: Annotated[DeliveryState | None, Query(alias="state")] = None,
    channel: Channel | None = None,
    consignee_id: Id = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeliveryOut]:
    """Messages sent or to be sent, oldest first. Addresses and telephone numbers are not shown."""
    await load(state, number)
    name = listing_name(f"deliveries:{number}", state=delivery_state, channel=channel, consignee=consignee_id)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await recall_views.deliveries(
            session,
            number,
            state=delivery_state,
            channel=channel,
            consignee_id=consignee_id,
            after=(datetime.fromisoformat(after[0]), UUID(after[1])) if after else None,
            limit=limit + 1,
        )
    return page_of(
        rows,
        limit,
        lambda row: DeliveryOut.model_validate(row, from_attributes=True),
        lambda row: state.cursors.write(name, [row.created_at.isoformat(), str(row.id)]),
    )


@router.get("/replies", operation_id="listReplies", summary="Replies")
async def list_replies(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    consignee_id: Id = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReplyOut]:
    """Statements of consignees as given, with what the checks found.

    A correction is a reply of its own: the earlier one stays as it was, and names it in `corrected_by`.
    """
    await load(state, number)
    name = listing_name(f"replies:{number}", consignee=consignee_id)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await recall_views.replies(
            session, number, consignee_id=consignee_id, after=after[0] if after else None, limit=limit + 1
        )
        ids = [row.id for row in rows if row.id is not None]
        lines = await recall_views.reply_lines(session, ids)
        sent = await recall_views.reply_files(session, number, ids)
        corrected = await recall_views.reply_corrections(session, ids)
    stated: defaultdict[int, list[ReplyLineOut]] = defaultdict(list)
    for line, lot in lines:
        facts = line.model_dump(exclude={"id", "reply_id"})
        stated[line.reply_id].append(ReplyLineOut(**facts, lot_number=lot.number))
    files: defaultdict[str, list[UUID]] = defaultdict(list)
    for subject, evidence_id in sent:
        files[subject].append(evidence_id)
    return page_of(
        rows,
        limit,
        lambda row: _reply_out(row, stated[row.id or 0], files[f"reply:{row.id}"], corrected.get(row.id or 0)),
        lambda row: state.cursors.write(name, [row.id]),
    )


def _reply_out(reply: Reply, lines: list[ReplyLineOut], files: list[UUID], corrected_by: int | None) -> ReplyOut:
    # Name and free text of the person answering stay in the record; the function in the firm is enough here.
    facts = reply.model_dump(exclude={"recall_number", "form_id", "responder_name", "free_text"})
    return ReplyOut(**facts, lines=lines, evidence_ids=files, corrected_by=corrected_by)


__all__ = ["hold_out", "router"]
