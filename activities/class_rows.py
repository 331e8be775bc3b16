"""Class decisions as rows: what the decision table proposes, what people decide, and what follows from all in force."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import ApplicationError

from activities.limits import NOTIFY, DeadlineWriter
from activities.policies import PolicyStore
from db.repositories import assessment, market_actions, recalls, recalls_read
from db.repositories.market_actions import LeftControl
from db.rows import uuid_of
from domain.hazard import DeviceFlags, HazardEvaluation
from domain.levels import MarketAction, RecallClass, strictest
from domain.limits import Clock
from domain.policy import Policy, common_ladder
from domain.policy_levels import level_fault
from models.master import Product
from models.messages import ClassFacts, ClassOverride, DecisionFigures, Gate, RecallRef, RecordDecision
from models.recall import ClassDecision, HazardEvaluationRecord, Recall

DECIDED: Final = ("approved", "overridden")
"""Kinds of decisions taken by our own approvers."""
_SYSTEM: Final = "system"
_SHOWN: Final = 10
"""Lines under a law whose three classes a workflow shows; the API shows all."""


def flags_of(products: Sequence[Product]) -> DeviceFlags:
    """Device flags of a product line: what holds for one of its products holds for the line."""
    classes = sorted({product.device_class for product in products if product.device_class})
    highest = [each for each in classes if DeviceFlags(device_class=each).highest_class]
    return DeviceFlags(
        implantable=any(product.implantable for product in products),
        life_supporting=any(product.life_supporting for product in products),
        sterile=any(product.sterile for product in products),
        device_class=next(iter(highest or reversed(classes)), ""),
    )


async def figures_in_force(session: AsyncSession, store: PolicyStore, recall: Recall, now: datetime) -> DecisionFigures:
    """Record the deadlines of the classes in force (never later than they were) and say what follows from them.

    Raises:
        ApplicationError: `InvalidInput` when no class is decided.
    """
    policies = {policy.id: policy for policy in await recalls.pinned(session, recall.number)}
    rows = await assessment.classes_in_force(session, recall.number)
    shown = class_facts(await recalls_read.class_decisions(session, recall.number), rows)
    levels = [(policies[row.jurisdiction], row.level) for row in rows]
    await DeadlineWriter(session, store, recall, now).put()
    notify_due = await recalls.earliest_deadline(session, recall.number, NOTIFY)
    worst = strictest(RecallClass(row.recall_class) for row in rows)
    if worst is None or notify_due is None:
        raise ApplicationError("no class was decided", type="InvalidInput", non_retryable=True)
    return DecisionFigures(
        recall_class=worst.value,
        ladder=common_ladder(levels),
        gates=_gates(policies, rows),
        notify_due_at=notify_due,
        decided_at=(await recalls.clocks(session, recall.number))["decision"],
        records_owed=records_owed(policies, rows, await market_actions.justified(session, recall.number)),
        classes=shown[:_SHOWN],
        classes_more=max(0, len(shown) - _SHOWN),
    )


def class_facts(rows: Sequence[ClassDecision], in_force: Sequence[ClassDecision]) -> tuple[ClassFacts, ...]:
    """Our class, the approver's and the authority's of each line and law that has a class in force."""
    newest: dict[tuple[str, str, str], str] = {}
    for row in sorted(rows, key=lambda row: (row.decided_at, row.id or 0)):
        kind = "decided" if row.kind in DECIDED else row.kind
        newest[row.product_line, row.jurisdiction, kind] = row.local_term
    return tuple(
        ClassFacts(
            product_line=row.product_line,
            jurisdiction=row.jurisdiction,
            market_action=row.market_action,
            proposed=newest.get((row.product_line, row.jurisdiction, "proposed")),
            decided=newest.get((row.product_line, row.jurisdiction, "decided")),
            authority=newest.get((row.product_line, row.jurisdiction, "authority")),
        )
        for row in in_force
    )


def proposed_row(
    policy: Policy,
    evaluation: HazardEvaluationRecord,
    flags: DeviceFlags,
    ref: RecallRef,
    *,
    action: str,
    left: LeftControl,
) -> ClassDecision:
    """What the policy's decision table proposes for one product line, with every rule that fired.

    A market action the trace contradicts is a question to the approver like any other. The proposal's id is given when
    all its rows are there (`proposals.number_rows`).
    """
    found = policy.propose(HazardEvaluation.model_validate(evaluation.body["evaluation"]), flags)
    reasons: list[dict[str, Any]] = [rule.model_dump(mode="json") for rule in found.fired]
    if found.floor:
        reasons.append({"id": "floor", "reason": found.floor, "decided": True})
    questions = (*found.review, *action_contradictions(MarketAction(action), left))
    reasons += [{"id": "review", "reason": question, "decided": False} for question in questions]
    return ClassDecision(
        recall_number=ref.number,
        product_line=evaluation.product_line,
        jurisdiction=policy.id,
        kind="proposed",
        proposal_id=0,
        recall_class=found.recall_class.value,
        level=found.level,
        local_term=policy.level(found.level).term,
        market_action=action,
        reasons=reasons,
        decided_by=_SYSTEM,
        decided_at=ref.now,
    )


def action_contradictions(action: MarketAction, left: LeftControl) -> tuple[str, ...]:
    """What the trace says against a market action.

    A stock recovery is of product that has not left the firm's control (21 CFR 7.3(k), 806.2(m)).
    """
    if action is MarketAction.STOCK_RECOVERY and left:
        found = f"{left.quantity.normalize():f} units at {left.consignees} consignees outside the firm's control"
        return (f"a stock recovery is stated, but the trace shows {found}",)
    return ()


def records_owed(
    policies: Mapping[str, Policy], rows: Sequence[ClassDecision], justified: Collection[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """(product line, jurisdiction) whose level is recorded instead of reported and has no accepted justification."""
    return tuple(
        (row.product_line, row.jurisdiction)
        for row in rows
        if (row.product_line, row.jurisdiction) not in justified
        and _recorded_instead(policies[row.jurisdiction], row.level)
    )


def _recorded_instead(policy: Policy, level: str) -> bool:
    """Whether the law wants a record instead of the report of the action; reports of an incident are another matter."""
    of_incidents = {
        owed.id
        for rules in policy.levels.values()
        for owed in rules.obligations
        if owed.runs_from in (Clock.AWARENESS, Clock.HARM_AWARENESS)
    }
    return any(owed.record_instead and owed.id not in of_incidents for owed in policy.obligations_for(level))


def decided_row(
    proposed: ClassDecision, override: ClassOverride | None, policy: Policy, record: RecordDecision
) -> ClassDecision:
    """The approver's decision on one proposed class.

    Raises:
        ApplicationError: `InvalidInput` when the level named does not cover the class, or the recall has moved since
            the proposal to a version of the policy without its level.
    """
    recall_class = RecallClass(override.recall_class if override else proposed.recall_class)
    level = level_of(policy, recall_class, override.level) if override else proposed.level
    if override and override.level is None and recall_class == proposed.recall_class:
        level = proposed.level
    if level not in policy.levels:
        where = f"{proposed.product_line} under {policy.id}"
        raise ApplicationError(
            f"overrides: {where} is proposed at level {level}, which version {policy.version} of the policy does not "
            f"have; name one of {', '.join(policy.levels)} or evaluate the hazard again",
            type="InvalidInput",
            non_retryable=True,
        )
    changed = (recall_class, level) != (proposed.recall_class, proposed.level)
    reason = [{"id": "override", "reason": record.decision.get("reason"), "decided": True}]
    return ClassDecision(
        recall_number=proposed.recall_number,
        product_line=proposed.product_line,
        jurisdiction=proposed.jurisdiction,
        kind="overridden" if changed else "approved",
        proposal_id=proposed.proposal_id,
        recall_class=recall_class.value,
        level=level,
        local_term=policy.level(level).term,
        market_action=proposed.market_action,
        reasons=reason if changed else proposed.reasons,
        decided_by=record.decision["actor"]["principal"],
        decided_at=record.now,
        signature_id=uuid_of(record.decision["actor"].get("signature")),
    )


def level_of(policy: Policy, recall_class: RecallClass, named: str | None) -> str:
    """The jurisdiction's level as `named`, or the policy's reading of the class.

    Raises:
        ApplicationError: `InvalidInput` when the level named does not cover the class.
    """
    if named is None:
        return policy.level_for(recall_class)
    fault = level_fault(policy, recall_class, named)
    if fault is not None:
        raise ApplicationError(fault, type="InvalidInput", non_retryable=True)
    return named


def _gates(policies: dict[str, Policy], rows: Sequence[ClassDecision]) -> tuple[Gate, ...]:
    found: dict[str, Gate] = {}
    for row in rows:
        for gate in policies[row.jurisdiction].gates_for(MarketAction(row.market_action), row.level):
            key = f"{row.jurisdiction}:{gate.id}"
            found[key] = Gate(key=key, title=gate.title, waivable=gate.waivable, source=gate.source or gate.basis.value)
    return tuple(found[key] for key in sorted(found))


def short_row(row: ClassDecision) -> dict[str, str]:
    """A decision as the audit names it."""
    return {
        "product_line": row.product_line,
        "jurisdiction": row.jurisdiction,
        "class": row.recall_class,
        "level": row.level,
        "kind": row.kind,
        "market_action": row.market_action,
    }


__all__ = [
    "DECIDED",
    "action_contradictions",
    "class_facts",
    "decided_row",
    "figures_in_force",
    "flags_of",
    "level_of",
    "proposed_row",
    "records_owed",
    "short_row",
]
