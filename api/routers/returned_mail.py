"""The mail that came back, newest first: so that what belongs to no recall is seen by somebody, too."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from db.repositories import returned_mail_read
from domain.mail_kinds import MailKind
from models.returned_mail import ReturnedMail
from models.schemas_common import Page
from models.schemas_returned_mail import ReturnedMailOut

router = APIRouter(prefix="/returned-mail", tags=["notices"])
Number = Annotated[str | None, Query(pattern="^R[CD]-[0-9]{4}-[0-9]{6}$", description="Mail about one recall.")]
Outcome = Annotated[str | None, Query(pattern="^[a-z_]{1,40}$", description="What was made of it.")]


@router.get(
    "",
    operation_id="listReturnedMail",
    summary="Mail that came back",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_returned_mail(
    _: ReaderDep,
    state: StateDep,
    recall: Number = None,
    kind: MailKind | None = None,
    outcome: Outcome = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReturnedMailOut]:
    """Bounces, automatic answers and people's answers of all recalls, and mail that belongs to none."""
    name = listing_name("returned_mail", recall=recall, kind=kind, outcome=outcome)
    before = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await returned_mail_read.newest(
            session,
            number=recall,
            kind=kind.value if kind else None,
            outcome=outcome,
            before=before[0] if before else None,
            limit=limit + 1,
        )
    return page_of(rows, limit, _out, lambda row: state.cursors.write(name, [row.id]))


def _out(row: ReturnedMail) -> ReturnedMailOut:
    return ReturnedMailOut.model_validate(row, from_attributes=True)


__all__ = ["router"]
