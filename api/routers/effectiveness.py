"""Effectiveness checks (21 CFR 7.42(b)(3)): where the rounds stand, and recording what a check found."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_recall
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import effectiveness, effectiveness_checks
from domain import effectiveness as rules
from domain.roles import Permission
from domain.workflow_ids import update_id
from models.access import IdempotencyKey
from models.effectiveness import EffectivenessCheck
from models.schemas_common import FieldProblem, Page
from models.schemas_effectiveness import (
    CheckIn,
    CheckOut,
    CheckRecorded,
    CheckState,
    EffectivenessOut,
    FoundOut,
    RoundOut,
)

router = APIRouter(
    prefix="/recalls/{number}/effectiveness",
    tags=["effectiveness"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
Checker = Annotated[Principal, Depends(require(Permission.CHECK_EFFECTIVENESS))]
_ROLE = Permission.CHECK_EFFECTIVENESS
OPEN_PHASES = frozenset({"notification", "gates", "resolution"})
"""Phases in which a notice is out and the recall is not signed as completed."""


@router.get("", operation_id="readEffectiveness", summary="Effectiveness rounds")
async def read_effectiveness(number: NumberDep, _: ReaderDep, state: StateDep) -> EffectivenessOut:
    """Level, rounds with seed and candidates (so that each sample can be drawn again), and how many have passed."""
    await load(state, number)
    async with state.sessions() as session:
        strategy = await effectiveness.signed_strategy(session, number)
        if strategy is None:
            return EffectivenessOut(
                level=None, depth=None, met=False, candidates=0, passed=0, failed=0, waiting=0, rounds=[]
            )
        found = await effectiveness.standing(session, number, strategy.depth)
        return EffectivenessOut(
            level=strategy.effectiveness_level,
            depth=strategy.depth,
            met=await effectiveness.is_met(session, number),
            candidates=len(found.candidates),
            passed=len(found.passed),
            failed=len(found.failed),
            waiting=found.waiting,
            rounds=await _rounds(session, number),
        )


async def _rounds(session: AsyncSession, number: str) -> list[RoundOut]:
    pending = await effectiveness_checks.pending_by_round(session, number)
    return [
        RoundOut.model_validate(
            row.model_dump(exclude={"id", "recall_number", "candidates"})
            | {
                "pending": pending.get(row.sequence, 0),
                "candidates": sorted(row.candidates, key=lambda each: rules.rank(row.seed, each)),
            }
        )
        for row in await effectiveness_checks.rounds(session, number)
    ]


@router.get(
    "/checks",
    operation_id="listEffectivenessChecks",
    summary="Effectiveness checks",
    responses=problems("bad_cursor"),
)
async def list_checks(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    sequence: Annotated[int | None, Query(alias="round", ge=1, le=10_000, description="Round of the checks.")] = None,
    check_state: Annotated[CheckState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CheckOut]:
    """Checks in the order in which they were drawn, with what was found against what was expected."""
    await load(state, number)
    name = listing_name(f"checks:{number}", round=sequence, state=check_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await effectiveness_checks.checks(
            session,
            number,
            sequence=sequence,
            state=check_state,
            after=after[0] if after else None,
            limit=limit + 1,
        )
    return page_of(rows, limit, _check_out, lambda row: state.cursors.write(name, [row[0].id]))


def _check_out(row: Any) -> CheckOut:
    check, sequence, code = row
    # The person spoken to stays in the record.
    facts = check.model_dump(exclude={"round_id", "found", "person", "request"})
    found = [FoundOut.model_validate(line) for line in check.found or []]
    return CheckOut(**facts, round=sequence, consignee_code=code, found=found)


@router.post(
    "/checks/{check_id}",
    operation_id="recordEffectivenessCheck",
    summary="Record an effectiveness check",
    response_model=CheckRecorded,
    responses=problems(
        "idempotency_key_missing",
        "not_found",
        "wrong_phase",
        "check_not_open",
        "not_answered",
        "request_in_progress",
        "idempotency_key_reused",
    ),
)
async def record_check(
    request: Request,
    number: NumberDep,
    check_id: Annotated[int, Path(ge=1, le=2**53, description="Id of the check.")],
    body: CheckIn,
    key: KeyDep,
    principal: Checker,
    state: StateDep,
) -> JSONResponse:
    """Record whether the consignee received, understood and acted on the notice, and count every lot it stated.

    It passes only with all three, nothing more found than expected, and less only with an explanation. `no_response`
    never passes.
    """
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        if recall.phase not in OPEN_PHASES:
            raise Problem("wrong_phase", f"The recall is in the phase {recall.phase}; checks are over.")
        try:
            with citing(body.evidence_ids):
                async with state.sessions.begin() as session:
                    check = await effectiveness_checks.record(
                        session,
                        number,
                        check_id,
                        _findings(body),
                        actor=principal.name,
                        role=principal.role_for(_ROLE),
                        request=update_id(principal.name, "effectiveness_check", key),
                        now=state.now(),
                    )
                    answer = _recorded(check)
        except effectiveness_checks.CheckUnknown as error:
            raise Problem("not_found", f"The recall {number} has no effectiveness check {check_id}.") from error
        except effectiveness_checks.CheckNotOpen as error:
            raise Problem("check_not_open", f"The check is {str(error).replace('_', ' ')} already.") from error
        except effectiveness_checks.NotAnswered as error:
            detail = f"The consignee is {error}: it has to state its quantities before they can be checked."
            raise Problem("not_answered", detail) from error
        except effectiveness_checks.FoundFaults as error:
            errors = [FieldProblem(pointer=f"#/{where}", detail=what) for where, what in error.faults]
            raise Problem("invalid", "What was found does not fit the lots; see `errors`.", errors=errors) from error
        await nudge_recall(state, number, "effectiveness")
        return Answer(200, answer)

    return await once(state, request, principal, key, asked=body, operation=carry_out)


def _findings(body: CheckIn) -> effectiveness_checks.Findings:
    facts = None if body.no_response else (bool(body.received), bool(body.understood), bool(body.acted))
    counted = tuple(effectiveness_checks.Counted(each.lot_id, each.quantity, each.explanation) for each in body.found)
    evidence_ids = tuple(str(each) for each in body.evidence_ids)
    return effectiveness_checks.Findings(facts, counted, body.method, body.person, evidence_ids)


def _recorded(check: EffectivenessCheck) -> CheckRecorded:
    return CheckRecorded.model_validate(
        {"id": check.id, "state": check.state, "passed": bool(check.passed), "why": check.why}
    )


__all__ = ["OPEN_PHASES", "router"]
