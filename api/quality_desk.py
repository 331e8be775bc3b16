"""Entries about files of quality: one transaction per Idempotency-Key, refusals in the API's words, signatures."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, PrincipalDep, StateDep, refuse
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.problems import Problem
from api.security.bearer import Principal
from api.signing import may_sign, sign
from api.state import ApiState
from db.repositories import idempotency as keys
from db.repositories.codes import CodesRefused
from db.repositories.disposition_who import Who
from db.repositories.files import UnknownFile
from db.repositories.nonconformities import UnknownNonconformity
from domain.nonconformity import NcRefused
from domain.roles import Permission
from domain.workflow_ids import QUALITY_ID, update_id
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem

Act = Callable[[AsyncSession, Who], Awaitable[BaseModel]]
NC_NUMBER = r"^NC-[0-9]{4}-[0-9]{6}$"
NcNumber = Annotated[
    str, Path(pattern=NC_NUMBER, description="Number of the nonconformity.", examples=["NC-2026-000012"])
]


@contextmanager
def quality_problems(pointer_of_codes: str = "#/codes") -> Iterator[None]:
    """Around repositories of quality: their refusals as problems that name the field."""
    try:
        yield
    except (UnknownNonconformity, UnknownFile) as error:
        raise Problem("not_found", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    except CodesRefused as error:
        errors = [FieldProblem(pointer=f"{pointer_of_codes}/{each.index}", detail=each.detail) for each in error.faults]
        raise Problem("invalid", "Codes cannot be taken; see `errors`.", errors=errors) from error
    except NcRefused as error:
        text = f"{str(error)[:1].upper()}{str(error)[1:]}."
        errors = [FieldProblem(pointer=f"#/{error.field}", detail=str(error))] if error.field else []
        raise Problem(error.kind, text, errors=errors) from error


@dataclass(frozen=True, slots=True)
class QualityDesk:
    """One entry by one member of staff."""

    state: ApiState
    request: Request
    principal: Principal
    key: str

    async def carry_out(
        self,
        permission: Permission,
        operation: str,
        body: BaseModel,
        act: Act,
        *,
        status: int = 200,
        meaning: str | None = None,
        about: Mapping[str, Any] | None = None,
        evidence_ids: Sequence[Any] = (),
    ) -> JSONResponse:
        """Do it once in one transaction, then have quality's workflow look.

        Args:
            meaning: what the signature says, where the entry is a signed one.
            about: what it is about besides the body, as the signature names it.

        Raises:
            Problem: 401, 403, 404, 409, 422, and whatever `act` refuses.
        """
        principal = await self.permitted(permission, meaning)
        plain = {"operation": operation, **(about or {}), "body": body.model_dump(mode="json")}

        async def run(_: IdempotencyKey) -> Answer:
            if meaning is not None:
                await sign(self.state, principal, None, operation, plain)
            who = Who(
                principal.name,
                principal.role_for(permission),
                self.state.now(),
                update_id(principal.name, operation, self.key),
                principal.signature,
            )
            with quality_problems(), citing(evidence_ids):
                async with self.state.sessions.begin() as session:
                    answer = await act(session, who)
                    # With the entry itself: a process that dies right after it has done it for good, and once.
                    kept = {"body": answer.model_dump(mode="json"), "headers": {}}
                    await keys.finish(session, principal.name, self.key, status, kept)
            await nudge_owners(self.state, [(QUALITY_ID, "")])
            return Answer(status, answer)

        return await once(self.state, self.request, principal, self.key, asked=plain, operation=run)

    async def permitted(self, permission: Permission, meaning: str | None = None) -> Principal:
        """The caller, who holds the permission and, where there is a meaning, may sign with it now.

        Raises:
            Problem: 401 or 403.
        """
        if meaning is not None:
            return await may_sign(self.state, self.principal, permission, meaning, None)
        if not self.principal.may(permission):
            await refuse(self.state, self.principal, permission, None)
        return self.principal


def _desk(request: Request, key: KeyDep, principal: PrincipalDep, state: StateDep) -> QualityDesk:
    return QualityDesk(state, request, principal, key)


QualityDeskDep = Annotated[QualityDesk, Depends(_desk)]

__all__ = ["NC_NUMBER", "NcNumber", "QualityDesk", "QualityDeskDep", "quality_problems"]
