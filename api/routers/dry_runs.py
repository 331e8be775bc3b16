"""Dry runs over HTTP: a case or a recall under given versions of the profiles; nothing is written."""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NUMBER, ReaderDep, StateDep
from api.problems import Problem, problems
from api.state import ApiState
from db.repositories import dry_runs, recalls
from domain.dry_run_asks import DryRun, differences
from domain.dry_run_case import CaseError, DryRunCase, parse_case
from domain.dry_run_inputs import run_case
from domain.policy import Policy
from domain.policy_text import PolicyError
from models.schemas_common import FieldProblem
from models.schemas_policy_moves import DryRunIn, DryRunOut

router = APIRouter(prefix="/policies", tags=["policies"])


@router.post(
    "/dry-run",
    operation_id="dryRunPolicies",
    summary="Who would be asked what, when",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "invalid"),
)
async def run(body: DryRunIn, _: ReaderDep, state: StateDep) -> DryRunOut:
    """Tasks with their functions and limits, signatures, gates, the ladder and every report with its due instant.

    With `compare` a second run under other versions, and what it asks differently.
    """
    found = await (_of_recall(state, body) if body.recall is not None else _of_case(state, body))
    first, second = found
    return DryRunOut(
        versions=list(first.versions),
        asks=list(first.asks),
        compared_with=list(second.versions) if second else [],
        differences=list(differences(first, second)) if second else [],
    )


async def _of_case(state: ApiState, body: DryRunIn) -> tuple[DryRun, DryRun | None]:
    case = await asyncio.to_thread(_parsed, body.case or "")
    async with state.sessions() as session:
        base = await _policies(state, session, case, body.versions)
        other = await _policies(state, session, case, body.versions | body.compare) if body.compare else None
    return await asyncio.to_thread(_run, state, case, base), (
        await asyncio.to_thread(_run, state, case, other) if other else None
    )


def _parsed(text: str) -> DryRunCase:
    try:
        return parse_case(text)
    except PolicyError as error:
        raise _faults("The case cannot be used; see `errors`.", error) from error


async def _policies(
    state: ApiState, session: AsyncSession, case: DryRunCase, versions: Mapping[str, int]
) -> dict[str, Policy]:
    try:
        return await dry_runs.policies_of(session, case.jurisdictions, state.now().date(), versions)
    except LookupError as error:
        raise Problem("not_found", _sentence(error)) from error


def _run(state: ApiState, case: DryRunCase, policies: dict[str, Policy]) -> DryRun:
    try:
        return run_case(case, policies, state.jurisdictions.calendar)
    except CaseError as error:
        raise _faults("The case does not fit the profiles; see `errors`.", error) from error


async def _of_recall(state: ApiState, body: DryRunIn) -> tuple[DryRun, DryRun | None]:
    number = body.recall or ""
    if NUMBER.fullmatch(number) is None:
        raise Problem("recall_unknown", "A recall number reads RC-YYYY-NNNNNN.")
    now, calendars = state.now(), state.jurisdictions.calendar
    async with state.sessions() as session:
        try:
            recall = await recalls.get(session, number)
            held = [pin.policy_id for pin in await recalls.pins(session, number)]
            runs: list[DryRun] = []
            for versions in (body.versions, body.versions | body.compare):
                wanted = [name for name in held if name in versions]
                others = await dry_runs.policies_of(session, wanted, now.date(), versions)
                runs.append(await dry_runs.run_recall(session, recall, others, calendars, now))
        except recalls.UnknownRecall as error:
            raise Problem("recall_unknown", f"No recall has the number {number}.") from error
        except LookupError as error:
            raise Problem("not_found", _sentence(error)) from error
    return runs[0], runs[1] if body.compare else None


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _faults(detail: str, error: PolicyError) -> Problem:
    return Problem("invalid", detail, errors=[FieldProblem(pointer="#/case", detail=fault) for fault in error.faults])


__all__ = ["router"]
