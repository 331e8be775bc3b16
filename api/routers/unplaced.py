"""Text messages and mail that belong to no consignee of a running recall: read by a person, and settled by one."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse

from api.deps import KeyDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import unplaced
from db.repositories.cases import By
from db.repositories.evidence import EvidenceUnusable
from db.repositories.late_harm import PROVIDER as PAGE
from db.repositories.returned_mail import PROVIDER as MAIL
from domain.harm import mentions_harm
from domain.roles import Permission
from models.access import IdempotencyKey
from models.notice import Settled
from models.schemas_common import FieldProblem, Page
from models.schemas_unplaced import SettledOut, SettleMessageIn, UnplacedOut

router = APIRouter(prefix="/unplaced-messages", tags=["replies"])
_CHANNELS: Final[Mapping[str, Literal["email", "page"]]] = {MAIL: "email", PAGE: "page"}
Reader = Annotated[Principal, Depends(require(Permission.CONTACT_CONSIGNEE))]


@router.get(
    "",
    operation_id="listUnplacedMessages",
    summary="Messages that belong to nobody",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_unplaced(
    _: Reader,
    state: StateDep,
    settled: Annotated[bool | None, Query(description="Only settled ones, or only those that wait.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[UnplacedOut]:
    """Oldest first: of unknown senders, about recalls that have ended, unreadable, or about one of several recalls."""
    name = listing_name("unplaced_messages", settled=settled)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await unplaced.listed(session, settled=settled, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/{message_id}/settle",
    operation_id="settleUnplacedMessage",
    summary="Say what became of a message",
    response_model=UnplacedOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "not_found",
        "already_decided",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def settle_unplaced(
    request: Request,
    message_id: Annotated[int, Path(ge=1, le=2**53)],
    body: SettleMessageIn,
    key: KeyDep,
    principal: Reader,
    state: StateDep,
) -> JSONResponse:
    """An answer is entered at its consignee, harm as a complaint; this says that it was done, or why nothing was."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        if body.recall_number is not None:
            await load(state, body.recall_number)
        by = By(principal.name, principal.role_for(Permission.CONTACT_CONSIGNEE), state.now())
        settlement = unplaced.Settlement(body.how, body.note, body.recall_number)
        try:
            async with state.sessions.begin() as session:
                settled, ended = await unplaced.settle(session, message_id, settlement, by)
        except unplaced.UnknownMessage as error:
            raise Problem("not_found", f"No message {message_id} waits for a reader.") from error
        except unplaced.MessageSettled as error:
            raise Problem("already_decided", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        except EvidenceUnusable as error:
            fault = FieldProblem(pointer="#/recall_number", detail="expected the recall the mail belongs to")
            raise Problem("invalid", "The mail belongs to another recall.", errors=[fault]) from error
        if ended is not None:
            await nudge_owners(state, [(ended.owner, ended.key)])
        return Answer(200, _out(settled))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


def _out(row: unplaced.Unplaced) -> UnplacedOut:
    settled = None
    if row.settled_at is not None and row.settled_as is not None:
        settled = SettledOut(
            at=row.settled_at,
            by=row.settled_by or "",
            how=Settled(row.settled_as),
            note=row.settled_note or "",
            recall_number=row.settled_in,
        )
    return UnplacedOut(
        id=row.id,
        channel=_CHANNELS.get(row.provider, "sms"),
        sender=row.sender or None,
        contact_id=row.contact_id,
        text=row.body,
        speaks_of_harm=row.harm_aware_at is not None or row.provider == PAGE or mentions_harm(row.body),
        outcome=row.outcome,
        received_at=row.received_at,
        harm_aware_at=row.harm_aware_at,
        evidence_id=row.evidence_id,
        recall_number=row.recall_number,
        settled=settled,
    )


__all__ = ["router"]
