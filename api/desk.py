"""Where decisions are handed in: one request, sent to its workflow once per Idempotency-Key, refusals audited."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.decisions import AUDITED_REFUSALS, Accepted, Refused, Target, recall_target, send_decision
from api.deps import IfMatchDep, KeyDep, NumberDep, StateDep
from api.idempotency import Answer, once
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.signing import sign
from api.state import ApiState
from api.views import etag, recall_url
from db.repositories import refusals
from domain.quality_numbers import is_quality_number
from domain.workflow_ids import update_id
from models.access import IdempotencyKey
from models.messages import Decision
from models.recall import Recall
from models.schemas_decisions import DecisionOut


class Desk:
    """One decision request: who asks what of which recall, under which key."""

    def __init__(self, request: Request, number: NumberDep, key: KeyDep, if_match: IfMatchDep, state: StateDep) -> None:
        self.request = request
        self.number = number
        self.key = key
        self.if_match = if_match
        self.state = state
        self.about: dict[str, Any] = {}
        """What the decision is about besides the recall, as its signature names it."""

    async def decide(
        self,
        principal: Principal,
        operation: str,
        body: BaseModel,
        decision: Decision,
        *,
        before: Callable[[Recall], Awaitable[None]] | None = None,
    ) -> JSONResponse:
        """Send a decision on the recall as the update `operation` unless its key was answered already.

        `before` may check the recall's records first.
        """
        recall = await load(self.state, self.number)

        async def prepared(_: str) -> Decision:
            self.check_version(recall)
            if before is not None:
                await before(recall)
            return decision

        target = recall_target(self.number, recall.phase)
        return await self.send(
            principal, operation, body, target, prepared, lambda accepted: decision_answer(self.number, accepted)
        )

    async def send(
        self,
        principal: Principal,
        operation: str,
        body: BaseModel,
        target: Target,
        prepare: Callable[[str], Awaitable[Decision]],
        answer: Callable[[Accepted], Answer],
    ) -> JSONResponse:
        """Send a decision to `target` unless its key was answered already.

        `prepare` gets the update's id and returns the decision; it may store what the decision refers to.
        """
        the_id = update_id(principal.name, operation, self.key)

        async def carry_out(_: IdempotencyKey) -> Answer:
            decision = await self._signed(principal, operation, await prepare(the_id))
            try:
                return answer(await send_decision(self.state, target, operation, decision, update_id=the_id))
            except Refused as refused:
                await self._audit(principal, operation, refused)
                raise refused.problem() from refused

        return await once(self.state, self.request, principal, self.key, asked=body, operation=carry_out)

    async def _signed(self, principal: Principal, operation: str, decision: Decision) -> Decision:
        """The decision with its signature, where the route signs."""
        stated = decision.model_dump(mode="json", exclude={"actor"}) | self.about
        number = None if is_quality_number(self.number) else self.number
        signed = await sign(self.state, principal, number, operation, stated)
        return decision.model_copy(update={"actor": signed.actor()})

    def check_version(self, recall: Recall) -> None:
        """Refuse a decision on a recall that changed since the caller read it (`If-Match`).

        Raises:
            Problem: 412.
        """
        if self.if_match not in (None, "*", etag(recall)):
            detail = f"If-Match is {self.if_match}, the recall is at {etag(recall)}. Read it again before deciding."
            raise Problem("version_mismatch", detail, headers={"ETag": etag(recall)})

    async def _audit(self, principal: Principal, operation: str, refused: Refused) -> None:
        # What was to be signed is audited with its signature, where the key is kept (`api.idempotency`).
        if refused.type in AUDITED_REFUSALS and principal.signing is None:
            number = None if is_quality_number(self.number) else self.number
            await audit_refusal(self.state, number, principal, operation, refused.type)


DeskDep = Annotated[Desk, Depends(Desk)]


async def audit_refusal(
    state: ApiState, number: str | None, principal: Principal, operation: str, refusal: str
) -> None:
    """Record that four eyes or the workflow's own permission check stopped somebody."""
    async with state.sessions.begin() as session:
        await refusals.record_refused_decision(
            session,
            number,
            principal=principal.name,
            role=principal.shown_role,
            refusal=refusal,
            operation=operation,
            now=state.now(),
        )


def decision_answer(number: str, accepted: Accepted) -> Answer:
    """200 with the receipt, or 202 while an accepted decision is still being carried out."""
    url = f"{recall_url(number)}/decisions/{accepted.update_id}"
    if accepted.receipt is None:
        pending = DecisionOut(decision_id=accepted.update_id, state="accepted", status_url=url, number=number)
        return Answer(202, pending, {"Location": url, "Retry-After": "2"}, final=False)
    receipt = accepted.receipt.model_dump()
    return Answer(200, DecisionOut(decision_id=accepted.update_id, state="done", status_url=url, **receipt))


__all__ = ["Desk", "DeskDep", "audit_refusal", "decision_answer"]
