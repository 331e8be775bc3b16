"""A consignee's contacts during a recall: who they are, who has left, who is reached, whom to write to instead."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.case_work import Desk, desk
from api.deps import NumberDep, StateDep, require
from api.nudge import nudge_campaign
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import contact_book
from db.repositories.cases import By, UnknownConsignee
from domain.roles import Permission
from models.master import Contact, ContactStatus
from models.schemas_contacts import ContactIn, ContactOut, ContactsOut, ContactStatusIn

router = APIRouter(prefix="/recalls/{number}/consignees/{consignee_id}/contacts", tags=["chasing"])
Caller = Annotated[Principal, Depends(require(Permission.CONTACT_CONSIGNEE))]
DeskDep = Annotated[Desk, Depends(desk)]
ConsigneeId = Annotated[int, Path(ge=1, le=2**53)]
ContactId = Annotated[int, Path(ge=1, le=2**53)]
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
_WRITING = (
    "idempotency_key_missing",
    "not_found",
    "recall_closed",
    "request_in_progress",
    "idempotency_key_reused",
    *_READING,
)


@router.get(
    "",
    operation_id="listContacts",
    summary="Whom to reach at a consignee",
    responses=problems("not_found", *_READING),
)
async def list_contacts(number: NumberDep, consignee_id: ConsigneeId, _: Caller, state: StateDep) -> ContactsOut:
    """Its contacts in the order in which they are tried, with what is known of them."""
    await load(state, number)
    try:
        async with state.sessions() as session:
            found = await contact_book.of_consignee(session, number, consignee_id)
    except UnknownConsignee as error:
        raise Problem("not_found", f"The recall {number} has no consignee {consignee_id}.") from error
    return ContactsOut(items=[_contact_out(each) for each in found])


@router.post(
    "",
    operation_id="addContact",
    status_code=201,
    summary="Enter whom to write to from now on",
    response_model=ContactOut,
    responses=problems(*_WRITING),
)
async def add_contact(consignee_id: ConsigneeId, body: ContactIn, at_desk: DeskDep) -> JSONResponse:
    """Enter somebody behind the contacts on record. A consignee that is still to answer is told there at once."""

    async def act(session: AsyncSession, by: By) -> ContactOut:
        new = contact_book.NewContact(
            number=at_desk.number,
            consignee_id=consignee_id,
            name=body.name,
            role=body.role,
            email=body.email,
            phone=body.phone,
            channels=body.wished(),
            reason=body.reason,
        )
        return _contact_out((await contact_book.add(session, new, by)).contact)

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201)


@router.post(
    "/{contact_id}/status",
    operation_id="setContactStatus",
    summary="Note that a contact has left, or is reached",
    response_model=ContactOut,
    responses=problems(*_WRITING),
)
async def set_contact_status(
    consignee_id: ConsigneeId, contact_id: ContactId, body: ContactStatusIn, at_desk: DeskDep
) -> JSONResponse:
    """Whoever has left is written to no more, in any recall; the next contact takes over at once, as after a bounce."""
    nudges: list[tuple[str, int]] = []

    async def act(session: AsyncSession, by: By) -> ContactOut:
        new = contact_book.Standing(at_desk.number, consignee_id, contact_id, ContactStatus(body.status), body.reason)
        try:
            changed = await contact_book.set_status(session, new, by)
        except contact_book.UnknownContact as error:
            raise Problem("not_found", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        nudges.extend(changed.nudges)
        return _contact_out(changed.contact)

    answer = await at_desk.carry_out(body, act, consignee_id=consignee_id)
    for number, sequence in nudges:
        await nudge_campaign(at_desk.state, number, sequence)
    return answer


def _contact_out(contact: Contact) -> ContactOut:
    return ContactOut.model_validate(contact, from_attributes=True)


__all__ = ["router"]
