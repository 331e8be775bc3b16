"""Notices on their way: drafted, released and handed to a campaign one after another; what campaigns report back.

A recall has one queue of notices: the first one, an amendment for each change that concerns somebody who was told, a
retraction when it was wrong. Each waits until every product line has a class and every gate is settled, is drafted
from the record, released by an approver, and brought out by a campaign of its own. A change that comes before the
release takes the draft back; one that comes after it becomes the next notice.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.ladder import Ladder
    from domain.roles import Role
    from models.messages import CampaignInput, CreateCampaign, DraftNotice, NoticeDraft
    from workflows.deadline import wait_until
    from workflows.recall_companions import ON_THE_WAY
    from workflows.recall_holds import RecallHolds
    from workflows.recall_signers import notice_signers, notice_subject
    from workflows.recall_state import NoticeJob

PRIORITY: Final = {"I": 1, "II": 3, "III": 5}
"""Temporal and sending priority by recall class: 1 is served first."""


class RecallCampaigns(RecallHolds):
    """The queue of notices, and the campaigns that bring them out."""

    async def _bring_out_notices(self) -> None:
        """One notice after another, for the life of the recall."""
        state = self._state
        while not state.ended:
            await workflow.wait_condition(lambda: state.ended or (bool(state.notices) and state.phase in ON_THE_WAY))
            if not state.ended:
                await self._next_notice()

    async def _next_notice(self) -> None:
        """Bring out the head of the queue; what fails for good is shown, and tried again when something changed."""
        state = self._state
        job = state.notices[0]
        self._scope_moved = False
        try:
            await self._bring_out(job)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            await self._after_fault(error)
            return
        if state.notices and state.notices[0] is job:
            del state.notices[0]
        await self._project()

    async def _after_fault(self, error: FailureError) -> None:
        """What the record does not allow now may be put right: shown, and tried again when something changed."""
        state = self._state
        cause = error.cause or error
        state.notice_fault = str(cause)[:300]
        workflow.logger.error("the next notice could not be brought out; it is tried again")
        await self._project()
        if self._scope_moved and not workflow.patched(_NEWS):
            self._scope_moved = False
        pause = state.figures.hold_retry if state.figures else timedelta(hours=1)
        again = workflow.now() + max(self._paced(pause), _A_MINUTE)
        # A retraction is brought out by a recall that has ended: that alone is no news, and no reason not to wait.
        before = state.ended
        await wait_until(lambda: self._scope_moved or state.ended != before, again, "Try the next notice again")
        state.notice_fault = None

    async def _bring_out(self, job: NoticeJob) -> None:
        state = self._state
        while not job.released:
            await self._may_be_drafted()
            if job.kind == "initial":
                # Promise 1: the notice waits for the hold requests, never for their confirmation.
                await self._request_holds("Request holds everywhere before the notice")
            await self._draft(job)
            if job not in state.notices:
                return  # cancelled meanwhile
            key = self._notice_key()
            await self._open_task(key, "notice_approval", _APPROVE[job.kind], Role(notice_signers(state)[0]))
            await self._project()
            await workflow.wait_condition(lambda: job.stage != "drafted" or job not in state.notices)
            if job.released or job not in state.notices:
                break
            why = "the recall changed before the release"
            if not state.signed.get(notice_subject(state)):
                await self._close_task(key, f"replaced: {why}", "The draft is taken back")
            await self._void_approvals("notice", key, why)
        # A cancellation waits until the campaign runs, and so knows that it has to be stopped.
        async with self._lock:
            # A recall that was cancelled meanwhile has another queue: this notice is no longer in it.
            if state.notices and state.notices[0] is job:
                await self._start_campaign(job)

    @workflow.signal
    async def texts_corrected(self) -> None:
        """What people wrote was corrected: a draft that is not released is taken back and drafted again.

        Under the lock, so that a release that is being recorded is either whole or refused.
        """
        async with self._lock:
            notices = self._state.notices
            if notices and notices[0].stage == "drafted":
                notices[0].stage = "waiting"

    def _notice_key(self) -> str:
        """Task of the newest draft's release."""
        version = self._state.notice_version
        return f"notice:{version}" if version > 1 else "notice"

    async def _may_be_drafted(self) -> None:
        """A notice names classes and follows the authority's steps: both must be there for every product line."""
        state = self._state
        if state.ended:
            return
        if state.unclassified() or state.open_gates():
            await self._open_gate_tasks()
            await self._project()
            await workflow.wait_condition(lambda: state.ended or not (state.unclassified() or state.open_gates()))

    async def _draft(self, job: NoticeJob) -> None:
        state = self._state
        if state.notice_open():
            return  # the run before this one drafted it
        state.notice_version += 1
        job.scope_version, job.stage, state.notice = state.scope_version, "drafted", None
        draft = DraftNotice(
            number=self._start.number,
            now=workflow.now(),
            version=state.notice_version,
            kind=job.kind,
            scope_version=job.scope_version,
            class_change=job.class_change,
        )
        try:
            state.notice = await self._do("draft_notice", draft, NoticeDraft, f"Render the notice: {job.kind}")
        except FailureError:
            job.stage = "waiting"
            raise

    # ------------------------------------------------------------------ campaigns

    async def _start_campaign(self, job: NoticeJob) -> None:
        state, start, notice = self._state, self._start, self._state.notice
        assert notice is not None  # noqa: S101 - released just now
        sequence = state.campaigns_started + 1
        create = CreateCampaign(
            number=start.number, now=workflow.now(), notice_id=notice.notice_id, sequence=sequence, kind=job.kind
        )
        campaign_id = await self._do("create_campaign", create, int, f"Create the record of campaign {sequence}")
        await self._start_child(
            "CampaignWorkflow",
            self._campaign_input(sequence, campaign_id, notice.notice_id, job),
            workflow_ids.campaign_id(start.number, sequence),
            f"Notice {notice.version} of {start.number} · {job.kind} · class {self._decided().recall_class}",
        )
        state.campaigns_started = sequence
        # Those whom the new campaign has taken over are no longer the older ones'.
        for older in range(1, sequence):
            await self._nudge_campaign(older)
        state.effectiveness = None
        if job.kind not in ("retraction", "closure"):
            await self._start_companions()

    def _campaign_input(self, sequence: int, campaign_id: int, notice_id: int, job: NoticeJob) -> CampaignInput:
        state, start, decided = self._state, self._start, self._decided()
        # An amendment that leaves nobody with a lot was drafted as a retraction.
        retracted = "retraction" in (job.kind, state.notice.kind if state.notice else None)
        once = retracted or job.kind == "closure"
        return CampaignInput(
            number=start.number,
            sequence=sequence,
            campaign_id=campaign_id,
            notice_id=notice_id,
            # A retraction or the notice of the end asks for nothing, so nobody is chased for an answer to it.
            ladder=Ladder(steps=decided.ladder.steps[:1]) if once else decided.ladder,
            pace=start.pace,
            drill=start.drill,
            priority=PRIORITY[decided.recall_class],
            notify_due_at=decided.notify_due_at,
            channels=state.strategy.channels if state.strategy else ("email", "sms"),
            stay_open=not once,
            kind="retraction" if retracted else job.kind,
        )


_A_MINUTE: Final = timedelta(minutes=1)
_NEWS: Final = "news-since-the-notice-was-tried"
"""Patch: before it, what had changed until the fault was shown was forgotten."""
_APPROVE: Final = {
    "initial": "Approve the notice",
    "amendment": "Approve the amended notice",
    "retraction": "Approve the retraction",
    "closure": "Approve the notice that the recall has ended",
}

__all__ = ["PRIORITY", "RecallCampaigns"]
