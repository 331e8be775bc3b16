"""Changing a running recall: its scope grows or shrinks, its class rises or falls. Only the difference moves."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.desk import DeskDep
from api.level_check import levels_fit
from api.problems import Problem
from api.routers.decisions import RESPONSES
from api.security.bearer import Principal
from api.signing import signs
from db.repositories.trace_roots import resolve_roots
from domain.roles import Permission
from domain.scope import ScopeCriteria, UnknownScope
from models.messages import ExpandScope, Reclassify, ReduceScope
from models.recall import Recall
from models.schemas_changes import ExpansionIn, ReclassificationIn, ReductionIn
from models.schemas_common import FieldProblem
from models.schemas_decisions import DecisionOut

router = APIRouter(prefix="/recalls/{number}", tags=["decisions"], responses=RESPONSES)
Changer = Annotated[Principal, Depends(signs(Permission.CHANGE_SCOPE, "I add these products and lots to the recall"))]
Reducer = Annotated[
    Principal, Depends(signs(Permission.DECIDE_ASSESSMENT, "I approve taking these lots out of the recall"))
]
ClassSigner = Annotated[
    Principal,
    Depends(
        signs(Permission.DECIDE_ASSESSMENT, "I have reviewed and decide on the class of the recall", with_others=True)
    ),
]


def _not_on_record(error: UnknownScope, where: str) -> Problem:
    faults = [
        FieldProblem(pointer=f"#/{where}{item['field']}", detail=f"not on record: {item['value']}")
        for item in error.unknown
    ]
    return Problem("invalid", "The criteria do not fit the records; see `errors`.", errors=faults)


@router.post("/scope/expand", operation_id="expandScope", summary="Expand the scope", response_model=DecisionOut)
async def expand_scope(desk: DeskDep, principal: Changer, body: ExpansionIn) -> JSONResponse:
    """Add suspect criteria. What they reach is traced and held at once, in every phase from assessment on.

    Whoever received more than before gets an amended notice, once an approver has released it. Product lines without a
    class are evaluated and decided on first. A completed recall is reopened by it.
    """

    async def names_something(_: Recall) -> None:
        async with desk.state.sessions() as session:
            try:
                await resolve_roots(session, body.scope)
            except UnknownScope as error:
                raise _not_on_record(error, "scope/") from error

    decision = ExpandScope(actor=principal.actor(), reason=body.reason, added=body.scope)
    return await desk.decide(principal, "expand_scope", body, decision, before=names_something)


@router.post("/scope/reduce", operation_id="reduceScope", summary="Reduce the scope", response_model=DecisionOut)
async def reduce_scope(desk: DeskDep, principal: Reducer, body: ReductionIn) -> JSONResponse:
    """Take lots out: an approver who did not start the recall decides. Nothing is released by it.

    Their stock stays locked as nonconforming; consignees left without a lot get a retraction.
    """
    async with desk.state.sessions() as session:
        try:
            # Lots on record, not only those in scope: the repeat of a reduction must find its first answer.
            lots = await resolve_roots(session, ScopeCriteria(lots=body.lots))
        except UnknownScope as error:
            raise _not_on_record(error, "") from error
    decision = ReduceScope(actor=principal.actor(), reason=body.reason, lot_ids=tuple(lots))
    return await desk.decide(principal, "reduce_scope", body, decision)


@router.post("/reclassify", operation_id="reclassify", summary="Decide on the class again", response_model=DecisionOut)
async def reclassify(desk: DeskDep, principal: ClassSigner, body: ReclassificationIn) -> JSONResponse:
    """Confirm or change the newest proposal, or record the authority's own class.

    Deadlines only become earlier. When the class rises, everybody told gets an amended notice.
    """
    decision = Reclassify(
        actor=principal.actor(),
        reason=body.reason,
        proposal_id=body.proposal_id,
        overrides=tuple(each.message() for each in body.overrides),
        authority=tuple(each.message() for each in body.authority),
        facts_known_at=body.facts_known_at,
    )
    fits = levels_fit(desk, body.overrides, body.facts_known_at, body.authority)
    return await desk.decide(principal, "reclassify", body, decision, before=fits)


__all__ = ["router"]
