"""Market actions: the signed decision per product line and jurisdiction, and the review of its justification."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from db.engine import SessionFactory
from db.repositories import assessment, audit, market_actions, tasks
from domain.roles import Permission, acting_role
from models.assessment import MarketActionReview
from models.messages import RecordDecision, RecordMarketActions, ReviewMarketAction

STEP = "market_action"


class MarketActionActivities:
    """Records of market actions; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def record_market_actions(self, record: RecordDecision) -> None:
        """Store the actions with their justifications; later ones replace earlier ones, none is changed."""
        decision = RecordMarketActions.model_validate(record.decision)
        actor = decision.actor
        role = acting_role(actor.roles, Permission.DECIDE_MARKET_ACTION)
        rows = []
        for each in decision.actions:
            row = market_actions.record(
                record.number,
                each.product_line,
                each.jurisdiction,
                each.action,
                by=actor.principal,
                role=role,
                at=record.now,
            )
            row.justification, row.conclusions, row.follow_up = each.justification, each.conclusions, each.follow_up
            row.signature_id = actor.signature
            rows.append(row)
        async with self._sessions.begin() as session:
            if not await market_actions.add(session, rows):
                return
            for each in decision.actions:
                for kind in ("justify", "review"):
                    await tasks.close_numbered(
                        session,
                        record.number,
                        kind,
                        each.key,
                        outcome="decided anew",
                        done_by=actor.principal,
                        now=record.now,
                    )
            stated = [each.model_dump(mode="json", exclude_none=True) for each in decision.actions]
            sign_off = assessment.sign_off(
                record.number,
                STEP,
                "signed",
                actor=actor.principal,
                role=role,
                meaning="market action per product line and jurisdiction",
                at=record.now,
                reason=decision.reason,
                body={"actions": stated},
                signature=actor.signature,
            )
            await assessment.sign(session, sign_off)
            await audit.append(
                session,
                record.number,
                actor=actor.principal,
                role=role,
                action="market_action.decided",
                at=record.now,
                reason=decision.reason,
                data={"actions": stated},
                signature=actor.signature,
            )

    @activity.defn
    async def record_market_action_review(self, record: RecordDecision) -> None:
        """Store the designated person's word on the justification in force.

        Raises:
            ApplicationError: `InvalidInput` when there is no justification to review, `StaleProposal` when another
                one than the one read is in force.
        """
        decision = ReviewMarketAction.model_validate(record.decision)
        actor = decision.actor
        role = acting_role(actor.roles, Permission.REVIEW_NOT_REPORTED)
        line = (decision.product_line, decision.jurisdiction)
        async with self._sessions.begin() as session:
            found = [
                row
                for row in await market_actions.latest(session, record.number)
                if (row.product_line, row.jurisdiction) == line and row.justification is not None
            ]
            if not found:
                raise ApplicationError("there is no justification to review", type="InvalidInput", non_retryable=True)
            if found[0].id != decision.market_action_id:
                text = f"market action {decision.market_action_id} was replaced by {found[0].id}; read it again"
                raise ApplicationError(text, type="StaleProposal", non_retryable=True)
            row = MarketActionReview(
                recall_number=record.number,
                market_action_id=found[0].id or 0,
                outcome=decision.outcome,
                evaluation=decision.evaluation,
                reviewed_by=actor.principal,
                role=role,
                reviewed_at=record.now,
                signature_id=actor.signature,
            )
            if not await market_actions.add_review(session, row):
                return
            if record.task_key is not None:
                outcome, who = decision.outcome, actor.principal
                await tasks.close(session, record.number, record.task_key, outcome=outcome, done_by=who, now=record.now)
            sign_off = assessment.sign_off(
                record.number,
                f"{STEP}_review",
                "approved" if decision.outcome == "accepted" else "rejected",
                actor=actor.principal,
                role=role,
                meaning="review of the justification for not reporting (21 CFR 806.20(b)(4))",
                at=record.now,
                reason=decision.reason,
                body={"product_line": line[0], "jurisdiction": line[1], "evaluation": decision.evaluation},
                signature=actor.signature,
            )
            await assessment.sign(session, sign_off)
            await audit.append(
                session,
                record.number,
                actor=actor.principal,
                role=role,
                action=f"market_action.justification_{decision.outcome}",
                at=record.now,
                reason=decision.reason,
                data=sign_off.body | {"market_action": row.market_action_id},
                signature=actor.signature,
            )


__all__ = ["MarketActionActivities"]
