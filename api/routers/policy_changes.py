"""Change control of regulation profiles: submit, review, approve, put in force, roll back.

Each step is taken once per Idempotency-Key and names the content it is about by hash; review, approval and putting in
force are electronic signatures. Recalls that run keep what they are pinned to (`/v1/recalls/{number}/policies/move`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, StateDep, require
from api.desk import audit_refusal
from api.idempotency import Answer, once
from api.policy_views import version_out
from api.problems import Problem, problems
from api.routers.policies import PolicyId, Version
from api.security.bearer import Principal
from api.signing import sign, signs
from db.repositories import policy_changes as changes
from db.repositories.policy_changes import By, ChangeRefused
from domain.policy import Policy, PolicyError, parse_policy
from domain.roles import Permission
from models.access import IdempotencyKey
from models.policy_version import PolicyVersion
from models.schemas_common import FieldProblem
from models.schemas_policies import (
    ActivationIn,
    PolicyContentIn,
    PolicyReasonIn,
    PolicyTextIn,
    PolicyVersionOut,
    RollbackIn,
)

_P = Permission
_STEP = problems(
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "four_eyes",
    "not_found",
    "wrong_state",
    "hash_mismatch",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)
router = APIRouter(prefix="/policies", tags=["policies"], responses=_STEP)
Author = Annotated[Principal, Depends(require(_P.AUTHOR_POLICY))]
Reviewer = Annotated[Principal, Depends(signs(_P.REVIEW_POLICY, "I have reviewed this version and found it right"))]
Returner = Annotated[Principal, Depends(require(_P.REVIEW_POLICY))]
Approver = Annotated[Principal, Depends(signs(_P.APPROVE_POLICY, "I approve this version"))]
Activator = Annotated[Principal, Depends(signs(_P.MANAGE_POLICIES, "I put this version in force"))]
Take = Callable[[AsyncSession, By], Awaitable[PolicyVersion]]


class Steps:
    """One step of change control: asked once, in its own transaction, refusals about the person audited."""

    def __init__(self, request: Request, key: KeyDep, state: StateDep) -> None:
        self.request, self.key, self.state = request, key, state

    async def take(
        self, caller: Principal, permission: Permission, body: BaseModel, take: Take, *, status: int = 200
    ) -> JSONResponse:
        """Take the step unless its key was answered already."""

        async def carry_out(_: IdempotencyKey) -> Answer:
            return Answer(status, await self.now(caller, permission, body, take))

        return await once(self.state, self.request, caller, self.key, asked=body, operation=carry_out)

    async def now(self, caller: Principal, permission: Permission, body: BaseModel, take: Take) -> PolicyVersionOut:
        """Take the step, signed where its route signs."""
        operation = permission.value
        signed = await sign(self.state, caller, None, operation, self._stated(body))
        at = self.state.now()
        by = By(caller.name, caller.role_for(permission), at, signed.actor().signature)
        try:
            async with self.state.sessions.begin() as session:
                row = await take(session, by)
                return version_out(row, at.date())
        except ChangeRefused as refused:
            # A step that is signed is audited with its signature, by `once`.
            if caller.signing is None and refused.kind in ("four_eyes", "not_permitted"):
                await audit_refusal(self.state, None, caller, operation, "FourEyes")
            raise _problem(refused) from refused

    def _stated(self, body: BaseModel) -> dict[str, Any]:
        return dict(self.request.path_params) | body.model_dump(mode="json")


StepsDep = Annotated[Steps, Depends(Steps)]


def _problem(refused: ChangeRefused) -> Problem:
    return Problem(refused.kind, refused.detail, errors=[_field(fault) for fault in refused.faults])


def _field(fault: str) -> FieldProblem:
    where, _, what = fault.partition(": ")
    return FieldProblem(pointer="#/from_day", detail=what) if where == "from_day" else _in_text(fault)


def _in_text(fault: str) -> FieldProblem:
    return FieldProblem(pointer="#/text", detail=fault)


async def parsed(text: str) -> Policy:
    """The profile in a request's YAML, read outside the event loop.

    Raises:
        Problem: 422 with one error per fault, each with its path in the profile.
    """
    try:
        return await asyncio.to_thread(parse_policy, text)
    except PolicyError as error:
        faults = [_in_text(fault) for fault in error.faults]
        raise Problem("invalid", "The text is no valid profile; see `errors`.", errors=faults) from error


@router.post(
    "", operation_id="submitPolicy", summary="Submit a draft", status_code=201, response_model=PolicyVersionOut
)
async def submit(steps: StepsDep, caller: Author, body: PolicyTextIn) -> JSONResponse:
    """The next version of a profile, or the first of a new one, as YAML. Each fault is named with its path."""
    policy = await parsed(body.text)

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.submit(session, policy, body.text, body.note, by)

    return await steps.take(caller, _P.AUTHOR_POLICY, body, take, status=201)


@router.put(
    "/{policy_id}/versions/{version}",
    operation_id="replacePolicyDraft",
    summary="Replace your own draft",
    response_model=PolicyVersionOut,
)
async def replace(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Author, body: PolicyTextIn
) -> JSONResponse:
    """Another text for a draft you wrote; nobody has reviewed it yet, or it was sent back."""
    policy = await parsed(body.text)

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.replace(session, policy_id, version, policy, body.text, body.note, by)

    return await steps.take(caller, _P.AUTHOR_POLICY, body, take)


@router.post(
    "/{policy_id}/versions/{version}/review",
    operation_id="reviewPolicy",
    summary="Sign that a draft was reviewed",
    response_model=PolicyVersionOut,
)
async def review(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Reviewer, body: PolicyContentIn
) -> JSONResponse:
    """Anybody who reviews policies but the author. From now on the content is frozen."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.review(session, policy_id, version, body.sha256, by)

    return await steps.take(caller, _P.REVIEW_POLICY, body, take)


@router.post(
    "/{policy_id}/versions/{version}/send-back",
    operation_id="sendPolicyBack",
    summary="Send a version back to its author",
    response_model=PolicyVersionOut,
)
async def send_back(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Returner, body: PolicyReasonIn
) -> JSONResponse:
    """With what is to be changed; a reviewed version becomes a draft again and loses its review."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.send_back(session, policy_id, version, body.reason, by)

    return await steps.take(caller, _P.REVIEW_POLICY, body, take)


@router.post(
    "/{policy_id}/versions/{version}/approve",
    operation_id="approvePolicy",
    summary="Approve a reviewed version",
    response_model=PolicyVersionOut,
)
async def approve(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Approver, body: PolicyContentIn
) -> JSONResponse:
    """A third person signs, neither author nor reviewer."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.approve(session, policy_id, version, body.sha256, by)

    return await steps.take(caller, _P.APPROVE_POLICY, body, take)


@router.post(
    "/{policy_id}/versions/{version}/activate",
    operation_id="activatePolicy",
    summary="Put an approved version in force",
    response_model=PolicyVersionOut,
)
async def activate(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Activator, body: ActivationIn
) -> JSONResponse:
    """From a day, today or later; the version before is superseded on it. Running recalls stay pinned."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.activate(session, policy_id, version, body.sha256, body.from_day, by)

    return await steps.take(caller, _P.MANAGE_POLICIES, body, take)


@router.post(
    "/{policy_id}/versions/{version}/withdraw",
    operation_id="withdrawPolicy",
    summary="Withdraw a version that is not in force yet",
    response_model=PolicyVersionOut,
)
async def withdraw(
    policy_id: PolicyId, version: Version, steps: StepsDep, caller: Author, body: PolicyReasonIn
) -> JSONResponse:
    """By its author, or by whoever may approve policies. It stays on record."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        anybodys = caller.may(_P.APPROVE_POLICY)
        return await changes.withdraw(session, policy_id, version, body.reason, by, any_author=anybodys)

    return await steps.take(caller, _P.AUTHOR_POLICY, body, take)


@router.post(
    "/{policy_id}/rollback",
    operation_id="rollBackPolicy",
    summary="Bring back an earlier version",
    status_code=201,
    response_model=PolicyVersionOut,
)
async def rollback(policy_id: PolicyId, steps: StepsDep, caller: Author, body: RollbackIn) -> JSONResponse:
    """A new draft with the old content and the next number; reviewed, approved and put in force like any other."""

    async def take(session: AsyncSession, by: By) -> PolicyVersion:
        return await changes.rollback(session, policy_id, body.to, body.note, by)

    return await steps.take(caller, _P.AUTHOR_POLICY, body, take, status=201)


__all__ = ["parsed", "router"]
