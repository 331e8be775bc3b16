"""Market actions of a recall: decided per product line and jurisdiction, and the review of what is not reported.

A changed action makes the hazard of its line be evaluated anew, because the proposal rests on both. A justification
is a task for the designated person until it is accepted; one that is owed and not written is a task as well, and a
recall with an open task is never completed.
"""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.roles import Role
    from models.messages import (
        DecisionFigures,
        DecisionReceipt,
        MarketActionFor,
        RecordMarketActions,
        ReviewMarketAction,
        market_key,
    )
    from workflows import recall_rules_market as rules
    from workflows.recall_campaigns import RecallCampaigns

_KEY = 120
"""Characters of a task's key."""


class RecallMarket(RecallCampaigns):
    """Updates about market actions."""

    @workflow.update
    async def record_market_actions(self, decision: RecordMarketActions) -> DecisionReceipt:
        """What is done on each market with each product line."""
        async with self._lock:
            rules.check_market_actions(self._state, self._start.jurisdictions, decision)
            await self._record("record_market_actions", "record_market_actions", decision, None)
            changed = [each for each in decision.actions if self._take_action(each, decision.actor.principal)]
            for each in decision.actions:
                await self._follow_justification(each)
            await self._evaluate_anew(changed)
            stated = ", ".join(f"{each.product_line} {each.jurisdiction} {each.action}" for each in decision.actions)
            return self._receipt(f"market actions: {stated}")

    @record_market_actions.validator
    def _validate_market_actions(self, decision: RecordMarketActions) -> None:
        rules.check_market_actions(self._state, self._start.jurisdictions, decision)

    @workflow.update
    async def review_market_action(self, decision: ReviewMarketAction) -> DecisionReceipt:
        """The designated person accepts a justification for not reporting, or sends it back."""
        async with self._lock:
            rules.check_action_review(self._state, decision)
            key = market_key(decision.product_line, decision.jurisdiction)
            task = self._review_key(key)
            await self._record("record_market_action_review", "review_market_action", decision, None, task_key=task)
            self._state.justified[key] = decision.outcome
            self._settled(task)
            if decision.outcome == "sent_back":
                await self._ask_for_justification(decision.product_line, decision.jurisdiction)
            await self._project()
            return self._receipt(f"justification {decision.outcome.replace('_', ' ')}: {key}")

    @review_market_action.validator
    def _validate_action_review(self, decision: ReviewMarketAction) -> None:
        rules.check_action_review(self._state, decision)

    # ------------------------------------------------------------------ helpers

    def _take_action(self, each: MarketActionFor, by: str) -> bool:
        """Remember an action; whether another one was in force before."""
        state = self._state
        before = state.market_actions.get(each.key)
        state.market_actions[each.key] = each.action
        if each.justification is not None:
            state.justified[each.key], state.justified_by[each.key] = rules.UNREVIEWED, by
        elif each.key in state.justified:
            del state.justified[each.key], state.justified_by[each.key]
        return before not in (None, each.action)

    async def _follow_justification(self, each: MarketActionFor) -> None:
        """What a new word on a market means for its tasks: the earlier ones are over, a justification is reviewed."""
        self._settled(self._justify_key(each.key), self._review_key(each.key))
        if each.justification is None:
            return
        self._state.justifications[each.key] = self._state.justifications.get(each.key, 0) + 1
        what = f"Review why {each.action} is not reported: {each.product_line} under {each.jurisdiction}"
        await self._open_task(self._review_key(each.key), "approval", what, Role.HEAD_OF_REGULATORY)

    def _review_key(self, key: str) -> str:
        return f"review:{self._state.justifications.get(key, 0)}:{key}"[:_KEY]

    def _justify_key(self, key: str) -> str:
        return f"justify:{self._state.justifications.get(key, 0)}:{key}"[:_KEY]

    async def _ask_for_justification(self, line: str, jurisdiction: str) -> None:
        """A task of regulatory affairs to write the record of 21 CFR 806.20."""
        what = f"Justify why nothing is reported (21 CFR 806.20): {line} under {jurisdiction}"
        await self._open_task(self._justify_key(market_key(line, jurisdiction)), "approval", what, Role.REGULATORY)

    async def _ask_for_records(self, figures: DecisionFigures) -> None:
        """A class that is recorded instead of reported owes its justification too."""
        for line, jurisdiction in figures.records_owed:
            if market_key(line, jurisdiction) not in self._state.justified:
                await self._ask_for_justification(line, jurisdiction)

    async def _end_tasks_of(self, gone: Sequence[str]) -> None:
        """Tasks about product lines that left the scope end, or no decision ever would: their lines are refused.

        A justification nobody accepted goes with them, so that the action is decided anew if a line comes back.
        """
        state = self._state
        for line in gone:
            await self._end_task(self._evaluation_key(line))
            for key in (market_key(line, each) for each in self._start.jurisdictions):
                asked = [await self._end_task(task) for task in (self._justify_key(key), self._review_key(key))]
                if any(asked):
                    state.justifications[key] = state.justifications.get(key, 0) + 1
                if state.justified.get(key, rules.ACCEPTED) != rules.ACCEPTED:
                    del state.justified[key], state.justified_by[key], state.market_actions[key]

    async def _end_task(self, key: str) -> bool:
        if not (self._timers.watches(key) or key in self._opening):
            return False
        await self._close_task(key, "its product line left the scope", "The product line left the scope")
        return True

    async def _evaluate_anew(self, changed: list[MarketActionFor]) -> None:
        state = self._state
        for line in dict.fromkeys(each.product_line for each in changed):
            if line in state.assessors and line not in state.missing_lines():
                state.evaluations[line] = state.evaluations.get(line, 1) + 1
                state.reopened.append(line)
        await self._open_evaluations()
        await self._project()


__all__ = ["RecallMarket"]
