"""Status of a lot, and places where held units lie with their room."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import PrincipalDep, ReaderDep, StateDep, refuse
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from db.repositories import keeper_lot_status, lot_status
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.lot_status import LotAtPlace, QuarantinePlace
from domain.roles import Permission
from models.schemas_common import Page
from models.schemas_lots import CapacityIn, LotAtPlaceOut, LotOut, LotToldOut, QuarantinePlaceOut

router = APIRouter(tags=["disposition"])
Id = Annotated[int, Path(ge=1, le=2**53)]
_READING = ("unauthenticated", "not_permitted", "invalid")


@router.get(
    "/lots/{lot_id}", operation_id="readLot", summary="Status of a lot", responses=problems("not_found", *_READING)
)
async def read_lot(lot_id: Id, _: ReaderDep, state: StateDep) -> LotOut:
    """Recalled, quarantined, blocked, rejected or released, with what lies where, who holds it and who was told."""
    async with state.sessions() as session:
        found = await lot_status.of_lot(session, lot_id)
        told = await keeper_lot_status.of_lot(session, lot_id)
    if found is None:
        raise Problem("not_found", f"There is no lot {lot_id}.")
    fields = {name: getattr(found, name) for name in LotOut.model_fields if name not in {"places", "keepers"}}
    keepers = [LotToldOut(**{name: getattr(row, name) for name in LotToldOut.model_fields}) for row in told]
    return LotOut(**fields, places=[_at_place(each) for each in found.places], keepers=keepers)


@router.get(
    "/quarantine-places",
    operation_id="listQuarantinePlaces",
    summary="Places with held units, and their room",
    responses=problems("bad_cursor", *_READING),
)
async def list_places(
    _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[QuarantinePlaceOut]:
    """Where something is locked or a capacity is known, by id."""
    name = listing_name("quarantine_places")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await lot_status.quarantine_places(session, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _place, lambda row: state.cursors.write(name, [row.location_id]))


@router.put(
    "/quarantine-places/{location_id}/capacity",
    operation_id="setQuarantineCapacity",
    summary="Say how many units may lie locked at a place",
    responses=problems("not_found", *_READING),
)
async def set_capacity(
    location_id: Id, body: CapacityIn, principal: PrincipalDep, state: StateDep
) -> QuarantinePlaceOut:
    """A figure to warn by: nothing is refused because a place is full."""
    if not principal.may(Permission.CONFIRM_HOLD):
        await refuse(state, principal, Permission.CONFIRM_HOLD, None)
    who = Who(principal.name, principal.role_for(Permission.CONFIRM_HOLD), state.now())
    try:
        async with state.sessions.begin() as session:
            return _place(await lot_status.set_capacity(session, location_id, body.units, who))
    except DisposalRefused as error:
        raise Problem(error.kind, error.detail) from error


def _place(row: QuarantinePlace) -> QuarantinePlaceOut:
    return QuarantinePlaceOut(**{name: getattr(row, name) for name in QuarantinePlaceOut.model_fields})


def _at_place(row: LotAtPlace) -> LotAtPlaceOut:
    return LotAtPlaceOut(
        place=_place(row.place),
        on_hand=row.on_hand,
        held=row.held,
        free=row.free,
        held_by=list(row.held_by),
        nonconforming=row.nonconforming,
    )


__all__ = ["router"]
