"""What the firm keeps beside its recalls (account mapping, exchange rates): one transaction per Idempotency-Key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, PrincipalDep, StateDep, refuse
from api.idempotency import Answer, once
from api.problems import Problem
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.roles import Permission
from domain.workflow_ids import update_id
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem

Act = Callable[[AsyncSession, Who], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class FirmDesk:
    """One entry by one member of staff that is about no recall."""

    state: ApiState
    request: Request
    principal: Principal
    key: str

    async def carry_out(
        self, permission: Permission, operation: str, body: BaseModel, act: Act, *, status: int = 200
    ) -> JSONResponse:
        """Do it once in one transaction.

        Raises:
            Problem: 403, and whatever `act` refuses.
        """
        if not self.principal.may(permission):
            await refuse(self.state, self.principal, permission, None)
        principal = self.principal

        async def run(_: IdempotencyKey) -> Answer:
            role, now = principal.role_for(permission), self.state.now()
            who = Who(principal.name, role, now, update_id(principal.name, operation, self.key))
            try:
                async with self.state.sessions.begin() as session:
                    return Answer(status, await act(session, who))
            except DisposalRefused as error:
                errors = [FieldProblem(pointer=f"#/{each.field}", detail=each.expected) for each in error.faults]
                raise Problem(error.kind, error.detail, errors=errors) from error

        asked = {"operation": operation, "body": body.model_dump(mode="json")}
        return await once(self.state, self.request, principal, self.key, asked=asked, operation=run)


def firm_desk(request: Request, key: KeyDep, principal: PrincipalDep, state: StateDep) -> FirmDesk:
    """The desk; each route names the permission it needs."""
    return FirmDesk(state, request, principal, key)


__all__ = ["FirmDesk", "firm_desk"]
