"""What every entry about held units needs: one transaction per Idempotency-Key, tasks kept in line, nudges afterwards.

Unlike other records these take entries after the recall has ended, too: its nonconformity holds are released then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, NumberDep, PrincipalDep, StateDep, refuse
from api.idempotency import Answer, once
from api.nudge import nudge_recall, nudge_workflow
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.signing import may_sign, sign
from api.state import ApiState
from db.repositories import disposition_tasks
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.roles import Permission
from domain.workflow_ids import disposition_id, update_id
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem

Act = Callable[[AsyncSession, Who], Awaitable[BaseModel]]
PROBLEMS: Final = (
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "recall_unknown",
    "not_found",
    "wrong_phase",
    "already_decided",
    "conflict",
    "drill_blocked",
    "quantity_exceeded",
    "request_in_progress",
    "invalid",
    "invalid_input",
    "idempotency_key_reused",
)


@dataclass(frozen=True, slots=True)
class Signs:
    """How a decision about units is signed."""

    meaning: str
    operation: str
    stated: Mapping[str, Any]
    """What the signer says; which records it is about decides what else the signature covers."""
    done: Callable[[AsyncSession, str], Awaitable[bool]] | None = None
    """Whether the request of this id was carried out already: its repeat is not signed again."""


@dataclass(frozen=True, slots=True)
class DisposalDesk:
    """One entry by one member of staff about one recall's units."""

    state: ApiState
    request: Request
    principal: Principal
    number: str
    key: str

    async def carry_out(
        self,
        permission: Permission,
        operation: str,
        body: BaseModel | dict[str, Any],
        act: Act,
        *,
        status: int = 200,
        evidence_ids: Sequence[UUID] = (),
        signs: Signs | None = None,
        goods: bool = True,
    ) -> JSONResponse:
        """Do it once in one transaction, with the tasks that follow from it; then tell disposition and recall.

        `signs`: it is a decision, and signed with this meaning. `goods`: False for money, from which no task of
        disposition and no item of the checklist follows.

        Raises:
            Problem: 403, 404, 409, 422, and whatever `act` refuses.
        """
        principal = await self._permitted(permission, signs)
        await load(self.state, self.number)

        async def run(_: IdempotencyKey) -> Answer:
            request = update_id(principal.name, operation, f"{self.number} {self.key}")
            if signs is not None and not await self._signed(signs, request):
                await sign(self.state, principal, self.number, signs.operation, signs.stated)
            who = Who(
                principal.name,
                principal.role_for(permission),
                self.state.now(),
                request,
                principal.signature,
            )
            try:
                with citing(evidence_ids):
                    async with self.state.sessions.begin() as session:
                        answer = await act(session, who)
                        if goods:
                            await disposition_tasks.sync(session, self.number, who.at, by=who.principal)
            except DisposalRefused as error:
                errors = [FieldProblem(pointer=f"#/{each.field}", detail=each.expected) for each in error.faults]
                raise Problem(error.kind, error.detail, errors=errors) from error
            if goods:
                await nudge_workflow(self.state, disposition_id(self.number))
                await nudge_recall(self.state, self.number, "checklist")
            return Answer(status, answer)

        plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
        asked = {"operation": operation, "body": plain}
        return await once(self.state, self.request, principal, self.key, asked=asked, operation=run)

    async def _signed(self, signs: Signs, request: str) -> bool:
        if signs.done is None:
            return False
        async with self.state.sessions() as session:
            return await signs.done(session, request)

    async def _permitted(self, permission: Permission, signs: Signs | None) -> Principal:
        if signs is not None:
            return await may_sign(self.state, self.principal, permission, signs.meaning, self.number)
        if not self.principal.may(permission):
            await refuse(self.state, self.principal, permission, self.number)
        return self.principal


def disposal_desk(
    request: Request, number: NumberDep, key: KeyDep, principal: PrincipalDep, state: StateDep
) -> DisposalDesk:
    """The desk; each route names the permission it needs."""
    return DisposalDesk(state, request, principal, number, key)


__all__ = ["PROBLEMS", "DisposalDesk", "Signs", "disposal_desk"]
