"""The last notice of a recall: that it was wrong, or, where somebody asks for it, that it has ended.

Both are drafted when the recall is over, released by an approver like any notice, and brought out by a campaign that
chases nobody. The recall's workflow ends when every message is with a provider or refused for good.
"""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import AnnounceClosure, DecisionReceipt, NoticeAs
    from workflows import recall_rules_closing as rules
    from workflows.recall_policies import RecallPolicies
    from workflows.recall_state import NoticeJob

QUESTION: Final = "closure_notice"
"""Key and step of the task that asks whether the end is told."""
_ASKED: Final = "ask-about-the-end"
_LAST: Final[dict[Phase, NoticeAs]] = {Phase.CANCELLED: "retraction", Phase.TERMINATED: "closure"}


class RecallLastWord(RecallPolicies):
    """Whether the end is told, and telling it."""

    @workflow.update
    async def announce_closure(self, decision: AnnounceClosure) -> DecisionReceipt:
        """Say, before the authorities have answered, whether everybody told is to be told of the end."""
        async with self._lock:
            state = self._state
            rules.check_announcement(state, decision)
            key = self._closing_key(QUESTION)
            await self._record("record_closure_notice", "announce_closure", decision, None, task_key=key)
            self._settled(key)
            state.closure_wanted, state.closure_said = decision.wanted, True
            await self._project()
            if not decision.wanted:
                return self._receipt("nobody will be told that the recall has ended")
            return self._receipt("a notice that the recall has ended is drafted for release once it is terminated")

    @announce_closure.validator
    def _validate_announcement(self, decision: AnnounceClosure) -> None:
        rules.check_announcement(self._state, decision)

    async def _ask_about_the_end(self) -> None:
        """Somebody is to say whether the end is told, with the time that the authorities' answers have."""
        state = self._state
        # Recalls that had come this far before the question was there go on without it.
        if state.campaigns_started and not state.closure_said and workflow.patched(_ASKED):
            limit = state.limit("authority_answer")
            what = "Say whether everybody told is to be told that the recall has ended"
            await self._open_task(self._closing_key(QUESTION), QUESTION, what, Role.REGULATORY, limit=limit)

    async def _nobody_asked(self) -> None:
        """The recall is terminated before anybody said that the end is told: the question lapses, on record."""
        key = self._closing_key(QUESTION)
        if self._timers.watches(key):
            await self._close_task(key, "lapsed", "Nobody said that the end is to be told")

    def _closing_key(self, name: str) -> str:
        """A reopened recall is completed again, by tasks of its own."""
        return name if self._state.completion == 1 else f"{name}:{self._state.completion}"

    async def _last_word(self) -> None:
        """Tell whoever was told, where there is something left to say."""
        state = self._state
        if state.phase is Phase.CANCELLED and state.told and not state.retracted:
            await self._bring_out_last(begun=state.retracting)
            state.retracted = True
        elif state.phase is Phase.TERMINATED and state.closure_wanted and not state.announced:
            await self._bring_out_last(begun=state.announcing)
            state.announced = True

    async def _bring_out_last(self, *, begun: bool) -> None:
        """One notice, drafted, released and with the providers; a later run of the workflow only waits for it."""
        state = self._state
        kind = _LAST[state.phase]
        if not begun:
            state.notices = [NoticeJob(kind=kind, scope_version=state.scope_version)]
            while state.notices:
                await self._next_notice()
            state.retracting, state.announcing = kind == "retraction", kind == "closure"
        await self._project()
        await self._wait(self._last_is_sent)

    def _last_is_sent(self) -> bool:
        report = self._state.campaigns.get(self._state.campaigns_started)
        return report is not None and report.finished


__all__ = ["QUESTION", "RecallLastWord"]
