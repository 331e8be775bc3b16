"""Branches of a recall's policies: the facts they look at, which hold since when, and who must sign what by them."""

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import Problem, problems
from db.repositories import branch_facts, recalls
from db.repositories.approvals import given_signatures
from domain.branch_state import BranchState, needed_signers
from domain.policy import Policy
from domain.policy_approvals import ApprovalStep
from models.schemas_responsibility import ApprovalOut, BranchesOut, BranchOut, GivenSignature

router = APIRouter(prefix="/recalls/{number}/branches", tags=["recalls"])


@router.get(
    "",
    operation_id="readBranches",
    summary="Branches of the policies, and who must sign",
    responses=problems("unauthenticated", "not_permitted", "not_found", "invalid"),
)
async def read_branches(number: NumberDep, _: ReaderDep, state: StateDep) -> BranchesOut:
    """Facts as last looked at. What one decision is about (the value of a lot) is added when that is signed."""
    async with state.sessions() as session:
        try:
            await recalls.get(session, number)
        except recalls.UnknownRecall as error:
            raise Problem("not_found", f"There is no recall {number}.") from error
        found = await branch_facts.state_of(session, number)
        written = await recalls.pinned_as_written(session, number)
        return await _out(session, number, found, written)


async def _out(session: AsyncSession, number: str, found: BranchState, written: list[Policy]) -> BranchesOut:
    given = await given_signatures(session, number)
    return BranchesOut(
        number=number,
        facts=found.facts.model_dump(mode="json", exclude={"market_action", "disposition"}),
        market_actions=found.market_actions,
        currency=found.currency,
        unvalued_products=list(found.unvalued.products),
        unvalued_count=found.unvalued.count,
        changed_at=found.changed_at,
        branches=[BranchOut.model_validate(each.model_dump()) for each in found.branches],
        approvals=[
            ApprovalOut(
                step=step.value,
                needed=[role.value for role in needed_signers(written, found, step)],
                given=[
                    GivenSignature(actor=row.actor, role=row.role, signed_at=row.signed_at)
                    for row in given.get(step.value, [])
                ],
            )
            for step in ApprovalStep
        ],
    )


__all__ = ["router"]
