"""Decisions on a CAPA: what somebody wrote is stored first, then its workflow decides whether it counts.

The entry's id follows from the update's, so a repeated request finds the entry it wrote before. A closed CAPA has no
running workflow: the decision to reopen it starts the workflow again, with what the record says.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.citing import citing
from api.decisions import Accepted, Target
from api.desk import DeskDep
from api.idempotency import Answer
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from api.views import recall_url
from db.repositories import capa as capas
from db.repositories import evidence, files
from db.repositories.files import File
from domain.capa import ENDED
from domain.quality_numbers import is_quality_number
from domain.workflow_ids import capa_id
from models.capa import Capa, CapaEntry, EntryKind
from models.messages import RECALL_QUEUE, CapaInput, Decision
from models.messages_capa import CapaFigures, CapaReceipt, CapaStatement
from models.recall import Recall
from models.schemas_capa import CapaDecisionOut


async def load_file(state: ApiState, number: str) -> File:
    """The recall or the CAPA's own file.

    Raises:
        Problem: 404 when there is none.
    """
    if not is_quality_number(number):
        return await load(state, number)
    async with state.sessions() as session:
        try:
            return await files.get(session, number)
        except LookupError as error:
            raise Problem("capa_unknown", f"There is no CAPA {number}.") from error


CapaNumber = Annotated[int, Path(ge=1, le=999_999, description="Number of the CAPA within the recall.")]


class CapaDesk:
    """One decision request on one CAPA."""

    def __init__(self, desk: DeskDep, sequence: CapaNumber) -> None:
        self.desk = desk
        self.sequence = sequence
        desk.about = {"capa": sequence}

    async def state_of(self) -> tuple[File, Capa, CapaFigures]:
        """The recall or file, the CAPA and its figures.

        Raises:
            Problem: 404 when there is none.
        """
        recall = await load_file(self.desk.state, self.desk.number)
        async with self.desk.state.sessions() as session:
            capa = await capas.find(session, recall.number, self.sequence)
            if capa is None:
                raise Problem("capa_unknown", f"The recall {recall.number} has no CAPA {self.sequence}.")
            return recall, capa, await capas.figures(session, capa)

    async def decide(self, principal: Principal, operation: str, body: BaseModel, decision: Decision) -> JSONResponse:
        """Send a decision without a text of its own."""
        recall, capa, figures = await self.state_of()

        async def prepared(_: str) -> Decision:
            if isinstance(recall, Recall):
                self.desk.check_version(recall)
            return decision

        target = self._target(recall, capa, figures, reopening=operation == "reopen")
        return await self.desk.send(principal, operation, body, target, prepared, self._answer)

    async def state(
        self,
        principal: Principal,
        operation: str,
        body: BaseModel,
        kind: EntryKind,
        text: dict[str, Any],
        decision: type[CapaStatement],
        *,
        check: Callable[[File], Awaitable[None]] | None = None,
        **facts: Any,
    ) -> JSONResponse:
        """Store what somebody wrote and send the decision about it; `body` has `evidence_ids` and `reason`.

        `check` may refuse it first; like all of this it is skipped when the key has its answer already.
        """
        recall, capa, figures = await self.state_of()
        cited: Sequence[UUID] = getattr(body, "evidence_ids", ())

        async def written(update_id: str) -> Decision:
            if isinstance(recall, Recall):
                self.desk.check_version(recall)
            if check is not None:
                await check(recall)
            entry_id = uuid5(NAMESPACE_URL, f"{capa_id(recall.number, self.sequence)}:{update_id}")
            async with self.desk.state.sessions.begin() as session:
                with citing(cited):
                    if faults := await evidence.unusable(session, cited, recall.number):
                        raise evidence.EvidenceUnusable({str(each): why for each, why in faults.items()})
                entry = CapaEntry(
                    id=entry_id,
                    capa_id=capa.id or 0,
                    kind=kind.value,
                    body=text,
                    author=principal.name,
                    written_at=self.desk.state.now(),
                )
                await capas.write_entry(session, entry)
            return decision(
                actor=principal.actor(),
                reason=getattr(body, "reason", None),
                entry=str(entry_id),
                evidence_ids=tuple(str(each) for each in cited),
                **facts,
            )

        target = self._target(recall, capa, figures, reopening=False)
        return await self.desk.send(principal, operation, body, target, written, self._answer)

    @staticmethod
    def target_of(capa: Capa) -> Target:
        """The CAPA's workflow."""
        closed = capa.state in ENDED
        the_id = capa_id(capa.file, capa.sequence)
        return Target(the_id, f"CAPA {capa.sequence}", f"in state {capa.state}", ended=closed, receipt=CapaReceipt)

    def _target(self, recall: File, capa: Capa, figures: CapaFigures, *, reopening: bool) -> Target:
        target = self.target_of(capa)
        if not (reopening and target.ended):
            return target
        start = CapaInput(
            number=recall.number,
            sequence=capa.sequence,
            title=capa.title,
            pace=recall.pace,
            drill=recall.drill,
            created_at=recall.created_at,
            carried={"figures": figures.model_dump(mode="json")},
        )

        def again() -> WithStartWorkflowOperation[Any, Any]:
            return WithStartWorkflowOperation(
                "CapaWorkflow",
                start,
                id=target.workflow_id,
                task_queue=RECALL_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=f"CAPA {capa.sequence} of {recall.number}, reopened",
            )

        return replace(target, start=again)

    def _answer(self, accepted: Accepted) -> Answer:
        return capa_answer(self.desk.number, self.sequence, accepted)


CapaDeskDep = Annotated[CapaDesk, Depends(CapaDesk)]


def capa_answer(number: str, sequence: int, accepted: Accepted) -> Answer:
    """200 with the receipt, or 202 while an accepted decision is still being carried out."""
    base = f"/v1/capas/{number}" if is_quality_number(number) else f"{recall_url(number)}/capas/{sequence}"
    url = f"{base}/decisions/{accepted.update_id}"
    common = {"decision_id": accepted.update_id, "status_url": url, "number": number, "sequence": sequence}
    receipt = accepted.receipt
    if not isinstance(receipt, CapaReceipt):
        pending = CapaDecisionOut(state="accepted", **common)
        return Answer(202, pending, {"Location": url, "Retry-After": "2"}, final=False)
    done = CapaDecisionOut(
        state="done",
        capa_state=receipt.state,
        accepted_at=receipt.accepted_at,
        detail=receipt.detail,
        waiting_for=receipt.waiting_for,
        **common,
    )
    return Answer(200, done)


__all__ = ["CapaDesk", "CapaDeskDep", "CapaNumber", "capa_answer"]
