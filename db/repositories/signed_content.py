"""What a signature refers to beyond the signer's own words: the state and hashes of the records at that moment.

Read in the transaction that writes the signature, so the document proves what lay before the signer (21 CFR 11.70).
Every signature on a recall names its phase, scope version, policies and cited files; a table adds what the operation
is about.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import (
    assessment,
    capa,
    checklist,
    costs,
    market_actions,
    mass_balance,
    notices,
    provisional_account,
    recalls,
)
from db.repositories.release import body_of
from db.repositories.signatures import sha256_of
from models.assessment import MarketActionRecord
from models.complaint import Complaint
from models.disposition import Allocation, Disposition, RetainedSample, Shortage
from models.evidence import Evidence
from models.hold import Hold
from models.notice import Notice
from models.recall import ClassDecision, Deadline, HazardEvaluationRecord, Recall
from models.recall_document import RecallDocument

Stated = Mapping[str, Any]
Facts = dict[str, Any]
Reader = Callable[[AsyncSession, str, Stated, datetime], Awaitable[Facts]]


async def refers_to(session: AsyncSession, number: str | None, operation: str, stated: Stated, at: datetime) -> Facts:
    """States and hashes of what is signed; for an act on no recall only what the caller states."""
    recall = await session.get(Recall, number) if number is not None else None
    if recall is None:
        return {}
    found: Facts = {
        "phase": recall.phase,
        "scope_version": recall.scope_version,
        "policies": [
            {"id": pin.policy_id, "version": pin.version, "sha256": pin.sha256}
            for pin in await recalls.pins(session, recall.number)
        ],
    }
    if files := await _files(session, stated.get("evidence_ids") or ()):
        found["evidence"] = files
    reader = READERS.get(operation)
    return found | (await reader(session, recall.number, stated, at) if reader else {})


async def _files(session: AsyncSession, ids: Sequence[str | UUID]) -> dict[str, str]:
    if not ids:
        return {}
    query = select(Evidence.id, Evidence.sha256).where(col(Evidence.id).in_([UUID(str(each)) for each in ids]))
    return {str(file_id): sha256 for file_id, sha256 in (await session.exec(query)).all()}


async def _proposal(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The proposed classes and the evaluations they rest on."""
    evaluations = await assessment.latest_evaluations(session, number)
    proposal = stated.get("proposal_id") or await assessment.latest_proposal(session, number)
    rows = await assessment.class_decisions(session, number, int(proposal), ("proposed",))
    return {
        "proposal": proposal,
        "classes": [_class(row) for row in rows],
        "evaluations": [
            {"id": row.id, "product_line": row.product_line, "assessor": row.assessor, "sha256": sha256_of(row.body)}
            for row in evaluations
        ],
    }


def _class(row: ClassDecision) -> Facts:
    return {
        "product_line": row.product_line,
        "jurisdiction": row.jurisdiction,
        "class": row.recall_class,
        "level": row.level,
        "market_action": row.market_action,
        "reasons_sha256": sha256_of(row.reasons),
    }


async def _market_actions(session: AsyncSession, number: str, _: Stated, __: datetime) -> Facts:
    """The market actions in force before the new ones."""
    return {"before": [_market_action(row) for row in await market_actions.latest(session, number)]}


async def _justification(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The justification that is reviewed, by the hash of its whole text."""
    row = await session.get(MarketActionRecord, int(stated["market_action_id"]))
    if row is None or row.recall_number != number:
        return {"market_action": None}
    return {"market_action": _market_action(row)}


def _market_action(row: MarketActionRecord) -> Facts:
    texts = {"justification": row.justification, "conclusions": row.conclusions, "follow_up": row.follow_up}
    return {
        "id": row.id,
        "product_line": row.product_line,
        "jurisdiction": row.jurisdiction,
        "action": row.action,
        "decided_by": row.decided_by,
        "sha256": sha256_of(texts),
    }


async def _classes(session: AsyncSession, number: str, _: Stated, __: datetime) -> Facts:
    """The classes in force."""
    return {"classes": [_class(row) for row in await assessment.classes_in_force(session, number)]}


async def _earlier_evaluation(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The evaluation of the same line that the new one supersedes, where there is one."""
    rows = await assessment.latest_evaluations(session, number)
    same = [row for row in rows if row.product_line == stated.get("product_line")]
    return {"supersedes": [_evaluation(row) for row in same]}


def _evaluation(row: HazardEvaluationRecord) -> Facts:
    return {"id": row.id, "sha256": sha256_of(row.body)}


async def _notice(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The notice and the hash of each body."""
    notice = await session.get(Notice, int(stated["notice_id"]))
    if notice is None or notice.recall_number != number:
        return {"notice": None}
    bodies = [
        {"kind": each.kind, "channel": each.channel, "language": each.language, "sha256": each.sha256}
        for each in await notices.bodies(session, notice.id or 0)
    ]
    return {"notice": {"version": notice.version, "kind": notice.kind, "sha256": notice.sha256, "bodies": bodies}}


async def _checklist(session: AsyncSession, number: str, _: Stated, at: datetime) -> Facts:
    """The completion checklist as it stood."""
    items = [item.model_dump(mode="json") for item in await checklist.checklist(session, number, at)]
    return {"checklist": items, "checklist_sha256": sha256_of(items)}


async def _capa(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The CAPA's state and the hash of every statement that counts; nothing where a whole recall is reopened."""
    if "capa" not in stated:
        return {}
    row = await capa.find(session, number, int(stated["capa"]))
    if row is None:
        return {"capa": None}
    entries = [
        {"id": each.id, "kind": each.kind, "author": each.author, "sha256": sha256_of(each.body)}
        for each in await capa.entries(session, row)
        if each.applied_at is not None
    ]
    return {"capa": {"state": row.state, "plan_version": row.plan_version, "plan_by": row.plan_by, "entries": entries}}


async def _dispositions(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The proposals as proposed: kind, lot, place, quantity, by whom."""
    query = select(Disposition).where(
        col(Disposition.recall_number) == number, col(Disposition.sequence).in_(stated["sequences"])
    )
    rows = (await session.exec(query.order_by(col(Disposition.sequence)))).all()
    return {
        "dispositions": [
            {"sequence": row.sequence, "state": row.state, "proposed_by": row.proposed_by, "reason": row.reason}
            | body_of(row)
            for row in rows
        ]
    }


async def _obligation(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The report owed, with its rule and limit."""
    row = await session.get(Deadline, int(stated["obligation"]))
    if row is None or row.recall_number != number:
        return {"obligation": None}
    fields = ("name", "jurisdiction", "title", "clock", "limit_text", "basis", "source", "due_at", "complaint_id")
    return {"obligation": {name: getattr(row, name) for name in fields}}


async def _unaccounted(session: AsyncSession, number: str, _: Stated, __: datetime) -> Facts:
    """What the mass balance lacks beyond the policy's share, lot by lot."""
    return {
        "lots": [
            {"lot": lot.lot_id, "unaccounted": lot.terms.unaccounted, "residual": lot.terms.residual}
            for lot in (await mass_balance.balance(session, number)).unsigned
        ]
    }


async def _holds(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The holds that are to go on."""
    return {"holds": await _rows(session, Hold, number, stated["hold_ids"], ("id", "lot_id", "quantity", "state"))}


async def _complaint(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The report of harm as it was recorded; its free text by hash."""
    query = select(Complaint).where(
        col(Complaint.recall_number) == number, col(Complaint.sequence) == int(stated["complaint"])
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        return {"complaint": None}
    fields = ("sequence", "severity", "state", "awareness_at", "lot_id", "product_line")
    return {
        "complaint": {name: getattr(row, name) for name in fields} | {"description_sha256": sha256_of(row.description)}
    }


async def _sample(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """Which units were kept."""
    fields = ("id", "lot_id", "location_id", "quantity", "settled_at")
    return {"sample": await _rows(session, RetainedSample, number, [stated["sample"]], fields)}


async def _allocation(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """Which units for whom."""
    fields = ("id", "shortage_id", "lot_id", "location_id", "quantity", "state")
    return {"allocation": await _rows(session, Allocation, number, [stated["allocation"]], fields)}


async def _shortage(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """Who lacks what."""
    fields = ("id", "consignee_id", "product_id", "removed", "used", "quantity")
    return {"shortage": await _rows(session, Shortage, number, [stated["shortage"]], fields)}


async def _account(session: AsyncSession, number: str, _: Stated, __: datetime) -> Facts:
    """The provisional account as it stands, and what is booked on it."""
    row = await provisional_account.find(session, number)
    state = {"state": row.state, "turn": row.turn, "locked_by": row.locked_by} if row else None
    return {"account": state, "totals": await costs.totals(session, number)}


async def _documents(session: AsyncSession, number: str, stated: Stated, __: datetime) -> Facts:
    """The documents as the recall stops them."""
    fields = ("id", "keeper", "source", "kind", "document_no", "state", "lot_ids")
    return {"documents": await _rows(session, RecallDocument, number, stated["documents"], fields)}


async def _rows(
    session: AsyncSession, table: Any, number: str, ids: Sequence[int], fields: Sequence[str]
) -> list[Facts]:
    query = select(table).where(col(table.recall_number) == number, col(table.id).in_(ids)).order_by(col(table.id))
    found: Sequence[SQLModel] = (await session.exec(query)).all()
    return [{name: getattr(row, name) for name in fields} for row in found]


READERS: Final[Mapping[str, Reader]] = {
    "record_market_actions": _market_actions,
    "review_market_action": _justification,
    "record_evaluation": _earlier_evaluation,
    "approve_assessment": _proposal,
    "override_class": _proposal,
    "reject": _proposal,
    "reclassify": _proposal,
    "approve_strategy": _classes,
    "approve_notice": _notice,
    "review_notice_texts": _notice,
    "complete": _checklist,
    "approve_plan": _capa,
    "sign_off": _capa,
    "reopen": _capa,
    "approve_disposition": _dispositions,
    "reject_disposition": _dispositions,
    "submit_obligation": _obligation,
    "stop_obligation": _obligation,
    "sign_unaccounted": _unaccounted,
    "carry_over_holds": _holds,
    "approve_allocation": _allocation,
    "reject_allocation": _allocation,
    "abandon_order": _allocation,
    "settle_shortage": _shortage,
    "close_complaint": _complaint,
    "settle_sample": _sample,
    "release_documents": _documents,
    "cancel_documents": _documents,
    "lock_account": _account,
    "reopen_account": _account,
    "settle_account": _account,
}
"""Operation -> what is read for its signature besides what every signature names."""

__all__ = ["READERS", "refers_to"]
