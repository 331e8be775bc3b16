"""What every entry about a consignee needs first: the recall still open, the caller's permission, one transaction per
Idempotency-Key, and the nudges afterwards."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, NumberDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_campaign, nudge_case, nudge_recall
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.signing import sign, signs
from api.state import ApiState
from db.repositories.cases import By, UnknownConsignee
from db.repositories.reply_effects import open_campaign
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.workflow_ids import update_id
from models.access import IdempotencyKey

Act = Callable[[AsyncSession, By], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Desk:
    """One entry by one member of staff about one recall."""

    state: ApiState
    request: Request
    principal: Principal
    number: str
    key: str
    permission: Permission = Permission.CONTACT_CONSIGNEE
    after_the_end: bool = False
    """Whether the entry is still taken when the recall has ended."""

    def form_id(self, operation: str) -> str:
        """One-time id of the entry: the same key after a crash finds what was written."""
        return update_id(self.principal.name, operation, self.key)[:64]

    def by(self) -> By:
        """Who enters it, in which function, now."""
        role = self.principal.role_for(self.permission)
        return By(self.principal.name, role, self.state.now(), self.principal.signature)

    async def carry_out(
        self,
        body: BaseModel,
        act: Act,
        *,
        consignee_id: int | None,
        status: int = 200,
        moved: str = "checklist",
        signed_as: str | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> JSONResponse:
        """Do it in one transaction, once; then tell the campaign, the consignee's case and the recall.

        `signed_as`: the operation as its signature names it, at the desk of a route that signs; `about`: what is signed
        besides the body, the consignee where nothing else is named.

        Raises:
            Problem: 404, 409 the recall has ended, 422, and whatever `act` raises.
        """

        async def operation(_: IdempotencyKey) -> Answer:
            if signed_as is not None:
                stated = {**(about or {"consignee": consignee_id}), **body.model_dump(mode="json")}
                await sign(self.state, self.principal, self.number, signed_as, stated)
            try:
                async with self.state.sessions.begin() as session:
                    answer = await act(session, self.by())
            except UnknownConsignee as error:
                raise Problem("not_found", f"The recall {self.number} has no consignee {consignee_id}.") from error
            await self._nudge(consignee_id, moved)
            return Answer(status, answer)

        recall = await load(self.state, self.number)
        if is_final(Phase(recall.phase)) and not self.after_the_end:
            raise Problem("recall_closed", f"The recall is {recall.phase}; its record takes no more entries.")
        asked = {"consignee": consignee_id, "body": body.model_dump(mode="json")}
        return await once(self.state, self.request, self.principal, self.key, asked=asked, operation=operation)

    async def _nudge(self, consignee_id: int | None, moved: str) -> None:
        if consignee_id is not None:
            async with self.state.sessions() as session:
                campaign = await open_campaign(session, [consignee_id])
            # The campaign counts, and starts the workflow of a case that has none.
            await nudge_campaign(self.state, self.number, campaign)
            await nudge_case(self.state, self.number, consignee_id)
        await nudge_recall(self.state, self.number, moved)


def desk(
    request: Request,
    number: NumberDep,
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.CONTACT_CONSIGNEE))],
    state: StateDep,
) -> Desk:
    """The desk of whoever may contact consignees."""
    return Desk(state, request, principal, number, key)


def signing_desk(meaning: str) -> Callable[..., Desk]:
    """The desk of whoever signs an account of a consignee, with this meaning."""

    def made(
        request: Request,
        number: NumberDep,
        key: KeyDep,
        principal: Annotated[Principal, Depends(signs(Permission.CONTACT_CONSIGNEE, meaning))],
        state: StateDep,
    ) -> Desk:
        return Desk(state, request, principal, number, key)

    return made


def quality_desk(meaning: str) -> Callable[..., Desk]:
    """The desk of whoever signs for quality, with this meaning.

    A report of harm is closed whatever has become of the recall.
    """

    def made(
        request: Request,
        number: NumberDep,
        key: KeyDep,
        principal: Annotated[Principal, Depends(signs(Permission.COMPLETE_QUALITY, meaning))],
        state: StateDep,
    ) -> Desk:
        return Desk(state, request, principal, number, key, Permission.COMPLETE_QUALITY, after_the_end=True)

    return made


__all__ = ["Desk", "desk", "quality_desk", "signing_desk"]
