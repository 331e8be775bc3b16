"""The versions a recall is held to: which, what moving it would change, and the signed move itself."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from api.decisions import REFUSALS
from api.deps import NumberDep, ReaderDep, StateDep
from api.desk import DeskDep
from api.problems import Problem, problems
from api.records import load
from api.routers.decisions import RESPONSES
from api.security.bearer import Principal
from api.signing import signs
from api.state import ApiState
from db.repositories import policy_moves
from db.repositories.policy_moves import MoveRefused, Preview
from domain.roles import Permission
from models.messages import MovePolicies, PolicyTarget
from models.recall import Recall
from models.schemas_common import FieldProblem
from models.schemas_decisions import DecisionOut
from models.schemas_policy_moves import DeadlineChangeOut, PinOut, PolicyMoveIn, PolicyMoveOut, PolicyMovePreviewOut

router = APIRouter(prefix="/recalls/{number}/policies", tags=["policies"])
_READING = problems("unauthenticated", "not_permitted", "recall_unknown", "invalid", "invalid_input", "wrong_state")
Mover = Annotated[
    Principal,
    Depends(signs(Permission.MOVE_POLICIES, "I have read what changes and move this recall to these policy versions")),
]


@router.get("", operation_id="listRecallPolicies", summary="The versions a recall is held to", responses=_READING)
async def list_pins(number: NumberDep, _: ReaderDep, state: StateDep) -> list[PinOut]:
    """Every version it ever was held to, the oldest first; nothing is replaced."""
    await load(state, number)
    async with state.sessions() as session:
        rows = await policy_moves.history(session, number)
    last = {row.policy_id: row.move for row in rows}
    return [
        PinOut(
            policy=row.policy_id,
            version=int(row.version),
            sha256=row.sha256,
            pinned_at=row.pinned_at,
            pinned_by=row.pinned_by,
            in_force=row.move == last[row.policy_id],
        )
        for row in rows
    ]


@router.get(
    "/preview",
    operation_id="previewPolicyMove",
    summary="What moving the recall would change",
    responses=_READING,
)
async def preview(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    to: Annotated[
        list[str],
        Query(min_length=1, max_length=40, description="Profile and version; repeatable.", examples=[["us-fda:2"]]),
    ],
) -> PolicyMovePreviewOut:
    """Every changed deadline, task limit, gate and signer, by the recall's record; its hash is what is signed."""
    targets = dict(_target(each) for each in to)
    return _out(await _preview(state, await load(state, number), targets))


def _target(text: str) -> tuple[str, int]:
    name, _, number = text.partition(":")
    if not name or not number.isascii() or not number.isdigit() or not 1 <= len(number) <= 6 or int(number) < 1:
        faults = [FieldProblem(pointer="query/to", detail="expected a profile and a version, for example us-fda:2")]
        raise Problem("invalid", "One value is not valid; see `errors`.", errors=faults)
    return name, int(number)


async def _preview(state: ApiState, recall: Recall, targets: Mapping[str, int]) -> Preview:
    async with state.sessions() as session:
        try:
            return await policy_moves.preview(session, recall, targets, state.jurisdictions.calendar, state.now())
        except MoveRefused as error:
            text = str(error)
            raise Problem(REFUSALS[error.kind], f"{text[:1].upper()}{text[1:]}.") from error


def _out(found: Preview) -> PolicyMovePreviewOut:
    return PolicyMovePreviewOut(
        sha256=found.sha256,
        moves=[
            PolicyMoveOut(
                policy=move.policy_id,
                before=move.before,
                after=move.after,
                before_sha256=move.before_sha256,
                after_sha256=move.after_sha256,
            )
            for move in found.moves
        ],
        deadlines=[
            DeadlineChangeOut(
                jurisdiction=each.jurisdiction,
                name=each.name,
                title=each.title,
                outcome=each.outcome,
                was=each.was,
                becomes=each.becomes,
                would_be=each.would_be,
            )
            for each in found.deadlines
        ],
        asked=list(found.asked),
    )


@router.post(
    "/move",
    operation_id="moveRecallPolicies",
    summary="Move the recall to other versions",
    response_model=DecisionOut,
    responses=RESPONSES,
)
async def move(desk: DeskDep, principal: Mover, body: PolicyMoveIn) -> JSONResponse:
    """Signed by an approver who did not start the recall, after the preview. What is open only becomes earlier.

    409 when what the move changes is not what the preview showed.
    """
    targets = tuple(PolicyTarget(policy=name, version=version) for name, version in sorted(body.versions.items()))

    async def still_so(recall: Recall) -> None:
        found = await _preview(desk.state, recall, body.versions)
        if found.sha256 != body.preview_sha256:
            raise Problem("hash_mismatch", f"What the move changes has changed; its preview is {found.sha256} now.")

    decision = MovePolicies(
        actor=principal.actor(), reason=body.reason, targets=targets, preview_sha256=body.preview_sha256
    )
    return await desk.decide(principal, "move_policies", body, decision, before=still_so)


__all__ = ["router"]
