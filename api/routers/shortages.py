"""Sites left short by a recall: what they lack, which unaffected lots they get, who decided, what was shipped."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, Signs, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import allocations, evidence, keeper_shipments, replacement_orders, shortages
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.disposition import Allocation, AllocationState, Shortage
from models.keeper_hold import KeeperShipment
from models.schemas_common import Page
from models.schemas_supply import AllocationOut, ComputedOut, OrderOut, ReasonIn, ShipIn, ShortageOut

router = APIRouter(prefix="/recalls/{number}", tags=["shortages"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
Id = Annotated[int, Path(ge=1, le=2**53)]
_READING = ("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid")


@router.post(
    "/shortages/compute",
    operation_id="computeShortages",
    summary="Compute shortages and propose allocations",
    response_model=ComputedOut,
    responses=problems(*PROBLEMS),
)
async def compute_shortages(number: NumberDep, desk: DeskDep) -> JSONResponse:
    """The same the system does by itself when answers come in, at once."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        changed = await shortages.compute(session, number, who.at)
        return ComputedOut(changed=changed, proposed=await allocations.propose(session, number, who.at))

    return await desk.carry_out(Permission.PROPOSE_DISPOSITION, "compute_shortages", {}, act)


@router.get("/shortages", operation_id="listShortages", summary="Sites left short", responses=problems(*_READING))
async def list_shortages(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[ShortageOut]:
    """By site and product, in units of use."""
    await load(state, number)
    name = listing_name("shortages", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await shortages.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _shortage_out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/shortages/{shortage_id}/settle",
    operation_id="settleShortage",
    summary="Decide that nothing more is supplied",
    response_model=ShortageOut,
    responses=problems(*PROBLEMS),
)
async def settle_shortage(number: NumberDep, shortage_id: Id, body: ReasonIn, desk: DeskDep) -> JSONResponse:
    """With the reason; a shortage that grows afterwards is open again."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _shortage_out(await shortages.settle(session, number, shortage_id, who, body.reason))

    stated = {"shortage": shortage_id, "reason": body.reason}
    signs = Signs("I decide that nothing more is supplied", "settle_shortage", stated)
    return await desk.carry_out(Permission.APPROVE_ALLOCATION, f"settle_shortage_{shortage_id}", body, act, signs=signs)


@router.get("/allocations", operation_id="listAllocations", summary="Allocations", responses=problems(*_READING))
async def list_allocations(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    allocation_state: Annotated[AllocationState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AllocationOut]:
    """Units of unaffected lots for sites left short."""
    await load(state, number)
    name = listing_name("allocations", number=number, state=allocation_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await allocations.listed(
            session,
            number,
            state=allocation_state.value if allocation_state else None,
            after=after[0] if after else 0,
            limit=limit + 1,
        )
        orders = await keeper_shipments.of_allocations(session, [row.id for row in rows])
    return page_of(rows, limit, lambda row: _with_order(row, orders), lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/allocations/{allocation_id}/approve",
    operation_id="approveAllocation",
    summary="Approve an allocation",
    response_model=AllocationOut,
    responses=problems(*PROBLEMS),
)
async def approve_allocation(number: NumberDep, allocation_id: Id, desk: DeskDep) -> JSONResponse:
    """Refused when the lot has become suspect or its units are not free any more."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return await _allocation_out(session, await allocations.approve(session, number, allocation_id, who))

    operation = f"approve_allocation_{allocation_id}"
    signs = Signs("I approve this allocation", "approve_allocation", {"allocation": allocation_id})
    return await desk.carry_out(Permission.APPROVE_ALLOCATION, operation, {}, act, signs=signs)


@router.post(
    "/allocations/{allocation_id}/reject",
    operation_id="rejectAllocation",
    summary="Reject an allocation",
    response_model=AllocationOut,
    responses=problems(*PROBLEMS),
)
async def reject_allocation(number: NumberDep, allocation_id: Id, body: ReasonIn, desk: DeskDep) -> JSONResponse:
    """Decides that these units are not supplied."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await allocations.reject(session, number, allocation_id, who, body.reason)
        return await _allocation_out(session, row)

    operation = f"reject_allocation_{allocation_id}"
    stated = {"allocation": allocation_id, "reason": body.reason}
    signs = Signs("I decide that these units are not supplied", "reject_allocation", stated)
    return await desk.carry_out(Permission.APPROVE_ALLOCATION, operation, body, act, signs=signs)


@router.post(
    "/allocations/{allocation_id}/order/abandon",
    operation_id="abandonOrder",
    summary="Wait no longer for a keeper that does not answer about its order",
    response_model=AllocationOut,
    responses=problems(*PROBLEMS),
)
async def abandon_order(number: NumberDep, allocation_id: Id, body: ReasonIn, desk: DeskDep) -> JSONResponse:
    """A person may ship from now on, at the risk that the keeper ships, too (`order.shipped_twice`).

    The keeper is asked to take its order back until it answers.
    """

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await replacement_orders.abandon(session, number, allocation_id, who, body.reason)
        return await _allocation_out(session, row)

    stated = {"allocation": allocation_id, "reason": body.reason}
    signs = Signs("I decide that this may be shipped by hand, and may be shipped twice", "abandon_order", stated)
    return await desk.carry_out(Permission.APPROVE_ALLOCATION, f"abandon_order_{allocation_id}", body, act, signs=signs)


@router.post(
    "/allocations/{allocation_id}/ship",
    operation_id="shipAllocation",
    summary="Record that a replacement was shipped",
    response_model=AllocationOut,
    responses=problems(*PROBLEMS),
)
async def ship_allocation(number: NumberDep, allocation_id: Id, body: ShipIn, desk: DeskDep) -> JSONResponse:
    """A shipment of the unaffected lot from our place to the site, by its document number.

    Where a keeper outside our ledger has an order for it (`order`), by the number of that order.
    """

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await allocations.ship(session, number, allocation_id, body.document_no, who)
        subject = f"allocation:{row.id}"
        await evidence.link(session, number, body.evidence_ids, subject, by=who.principal, at=who.at, role=who.role)
        return await _allocation_out(session, row)

    operation = f"ship_allocation_{allocation_id}"
    return await desk.carry_out(Permission.EXECUTE_DISPOSITION, operation, body, act, evidence_ids=body.evidence_ids)


def _shortage_out(row: Shortage) -> ShortageOut:
    return ShortageOut(**{name: getattr(row, name) for name in ShortageOut.model_fields})


async def _allocation_out(session: AsyncSession, row: Allocation) -> AllocationOut:
    return _with_order(row, await keeper_shipments.of_allocations(session, [row.id]))


def _with_order(row: Allocation, orders: Mapping[int, KeeperShipment]) -> AllocationOut:
    found = orders.get(row.id or 0)
    order = None
    if found is not None:
        facts = {name: getattr(found, name) for name in OrderOut.model_fields if name != "shipped_twice"}
        order = OrderOut(**facts, shipped_twice=keeper_shipments.risk_of(found, row.document_no))
    own = {name: getattr(row, name) for name in AllocationOut.model_fields if name != "order"}
    return AllocationOut(**own, order=order)


__all__ = ["router"]
