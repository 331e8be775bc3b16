"""Same-named stand-ins of the recall's activities, for tests of order, decisions and time alone.

They record every call and answer from a script; the real activities have tests of their own against Postgres.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.ladder import Ladder, LadderStep, StepKind
from domain.task_times import Stage, TaskTimes, due_stage, next_instant
from models.messages import (
    BeginIntake,
    BranchFigures,
    CloseTask,
    CreateCampaign,
    DecisionFigures,
    DraftNotice,
    EndRecall,
    Gate,
    HoldFigures,
    NoticeDraft,
    OpenTask,
    OwnTasks,
    PolicyFigures,
    ProductLine,
    Projection,
    Proposal,
    ProposedClass,
    RecallRef,
    RecallScopeRef,
    RecordDecision,
    ScopeFigures,
    SendStaffMessages,
    SignApproval,
    StaffSent,
    StepLimit,
    TaskClock,
    TaskClocks,
    TasksTurned,
    TaskTurn,
    TurnTasks,
    VoidApprovals,
)
from tests.support.closing_fakes import FakeClosingActivities

LADDER = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
        LadderStep(kind=StepKind.REMINDER, after=timedelta(hours=24)),
    )
)


class FakeRecallActivities(FakeClosingActivities):
    """What the recall workflow asked for, in order, and scripted answers."""

    def __init__(self) -> None:
        self._set_up_closing()
        self.calls: list[tuple[str, Any]] = []
        self.projections: list[Projection] = []
        self.tasks: dict[str, OpenTask] = {}
        self.stages: dict[str, int] = {}
        """How far each task has climbed; a key that is not here is done."""
        self.climbed: list[tuple[str, int]] = []
        self.channels: tuple[str, ...] = ()
        """Channels on which messages to staff are said to wait."""
        self.lines: tuple[str, ...] = ("Uni-Gold",)
        self.holds: list[HoldFigures] = [HoldFigures(requested=0, confirmed=4)]
        self.evaluated = 0
        self.consignees = 2
        self.records_arrived = False
        self.notify_within = timedelta(hours=24)
        self.records_owed: tuple[tuple[str, str], ...] = ()
        """(product line, jurisdiction) whose class is recorded instead of reported."""
        self.endless_trace = False
        """Whether the trace waits for data for ever."""
        self.draft_faults = 0
        """How many of the next drafts fail for good."""
        self.trace_faults = 0
        """How many of the next traces fail for good."""
        self.more_limits: tuple[StepLimit, ...] = ()
        """Times of further steps, from the policies."""
        self.branches: dict[str, Any] = {}
        """What the policies' figures say since a branch began or ended: extra tasks, limits, signers."""
        self.branches_moved = False
        self.assessment_signers: dict[str, tuple[str, ...]] = {}
        self.decided: DecisionFigures | None = None
        """The last decision's figures."""
        self.decided_change: dict[str, Any] = {}
        """What branches change of them."""
        self.slow_tasks: dict[str, asyncio.Event] = {}
        """Key -> what the writing of this task waits for."""
        self.slow: dict[str, asyncio.Event] = {}
        """Name of an activity -> what its answer waits for; those that say so look here."""

    def _note(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))

    async def _answers(self, name: str) -> None:
        if name in self.slow:
            await self.slow[name].wait()

    def names(self) -> list[str]:
        """Names of the activities in the order they were called."""
        return [name for name, _ in self.calls]

    @activity.defn
    async def begin_intake(self, begin: BeginIntake) -> PolicyFigures:
        self._note("begin_intake", begin)
        return self._policy_figures()

    def _policy_figures(self) -> PolicyFigures:
        steps = ("evaluation", "approval", "strategy", "gate", "notice_approval", "phone_call", "hold_confirmation")
        return PolicyFigures(
            policies=("us-fda@1",),
            step_limits=tuple(
                StepLimit(step=step, limit=timedelta(hours=24), role="medical", stand_in="qa")
                if step == "evaluation"
                else StepLimit(step=step, limit=timedelta(hours=24))
                for step in steps
            )
            + self.more_limits,
            hold_watch=timedelta(hours=24),
            hold_retry=timedelta(hours=4),
        )

    @activity.defn
    async def turn_branches(self, ref: RecallRef) -> BranchFigures:
        self._note("turn_branches", ref)
        await self._answers("turn_branches")
        moved, self.branches_moved = self.branches_moved, False
        changed = self.decided.model_copy(update=self.decided_change) if self.decided and self.decided_change else None
        figures = self._policy_figures().model_copy(update=self.branches)
        return BranchFigures(figures=figures, decided=changed, moved=moved)

    @activity.defn
    async def resolve_scope(self, ref: RecallScopeRef) -> ScopeFigures:
        self._note("resolve_scope", ref)
        if self.endless_trace:
            raise ApplicationError("nothing on record fits", type="UnknownScope")
        if self.trace_faults:
            self.trace_faults -= 1
            raise ApplicationError("the lot is gone", type="UnknownScope", non_retryable=True)
        self.records_arrived = False
        return ScopeFigures(
            scope_version=ref.scope_version,
            lots=3,
            consignees=self.consignees,
            quantity="120",
            gaps=1,
            countries=("US",),
            product_lines=tuple(ProductLine(key=line) for line in self.lines),
            branches_move=bool(self.branches),
        )

    @activity.defn
    async def request_holds(self, ref: RecallScopeRef) -> HoldFigures:
        self._note("request_holds", ref)
        return HoldFigures(requested=4)

    @activity.defn
    async def execute_holds(self, ref: RecallScopeRef) -> HoldFigures:
        self._note("execute_holds", ref)
        figures = self.holds.pop(0) if len(self.holds) > 1 else self.holds[0]
        return figures.model_copy(update={"records_arrived": self.records_arrived})

    @activity.defn
    async def record_evaluation(self, record: RecordDecision) -> None:
        self._note("record_evaluation", record)
        self.stages.pop(record.task_key or f"evaluation:{record.decision['product_line']}", None)
        self.evaluated += 1

    @activity.defn
    async def record_market_actions(self, record: RecordDecision) -> None:
        self._note("record_market_actions", record)
        for each in record.decision["actions"]:
            subject = f"{each['jurisdiction']}:{each['product_line']}"
            for key in list(self.stages):
                if key.startswith(("justify:", "review:")) and key.endswith(subject):
                    del self.stages[key]

    @activity.defn
    async def record_market_action_review(self, record: RecordDecision) -> None:
        self._note("record_market_action_review", record)
        self.stages.pop(record.task_key or "", None)

    @activity.defn
    async def propose_classes(self, ref: RecallRef) -> Proposal:
        self._note("propose_classes", ref)
        return Proposal(
            proposal_id=self.evaluated,
            classes=tuple(
                ProposedClass(product_line=line, jurisdiction="us-fda", recall_class="I", local_term="Class I")
                for line in self.lines
            ),
            geographic_scope="national",
            signers=self.assessment_signers,
        )

    @activity.defn
    async def record_class_decision(self, record: RecordDecision) -> DecisionFigures:
        self._note("record_class_decision", record)
        self.stages.pop(record.task_key or "assessment", None)
        return self._figures(record)

    def _figures(self, record: RecordDecision) -> DecisionFigures:
        self.decided = DecisionFigures(
            recall_class=self.first_class,
            ladder=LADDER,
            gates=(
                Gate(key="us-fda:fda_informed", title="FDA told", waivable=True, source="21 CFR 7.46(a)"),
                Gate(key="us-fda:firm", title="Not waivable", waivable=False, source="test"),
            ),
            notify_due_at=record.now + self.notify_within,
            decided_at=record.now,
            records_owed=self.records_owed,
        )
        return self.decided

    @activity.defn
    async def record_approval_signature(self, sign: SignApproval) -> None:
        self._note("record_approval_signature", sign)
        self.stages.pop(sign.task_key, None)

    @activity.defn
    async def void_approvals(self, void: VoidApprovals) -> None:
        self._note("void_approvals", void)

    @activity.defn
    async def record_rejection(self, end: EndRecall) -> HoldFigures:
        self._note("record_rejection", end)
        return HoldFigures()

    @activity.defn
    async def record_strategy(self, record: RecordDecision) -> None:
        self._note("record_strategy", record)
        self.stages.pop(f"strategy:{record.decision['capacity']}", None)

    @activity.defn
    async def record_gate(self, record: RecordDecision) -> None:
        self._note("record_gate", record)
        self.stages.pop(f"gate:{record.decision['gate']}", None)

    @activity.defn
    async def draft_notice(self, draft: DraftNotice) -> NoticeDraft:
        self._note("draft_notice", draft)
        await self._answers("draft_notice")
        if self.draft_faults:
            self.draft_faults -= 1
            raise ApplicationError("no affected product reached a consignee", type="InvalidInput", non_retryable=True)
        notice_id = 6 + draft.version
        return NoticeDraft(notice_id=notice_id, version=draft.version, sha256="a" * 64, bodies=12, kind=draft.kind)

    @activity.defn
    async def record_notice_approval(self, record: RecordDecision) -> None:
        self._note("record_notice_approval", record)
        await self._answers("record_notice_approval")
        self.stages.pop(record.task_key or "notice", None)

    @activity.defn
    async def create_campaign(self, create: CreateCampaign) -> int:
        self._note("create_campaign", create)
        return 10 + create.sequence

    @activity.defn
    async def meet_notice_limit(self, ref: RecallRef) -> None:
        self._note("meet_notice_limit", ref)

    @activity.defn
    async def open_task(self, task: OpenTask) -> None:
        self._note("open_task", task)
        if task.key in self.slow_tasks:
            await self.slow_tasks[task.key].wait()
        if task.key not in self.tasks:
            self.tasks[task.key], self.stages[task.key] = task, Stage.OFFERED

    @activity.defn
    async def close_task(self, close: CloseTask) -> None:
        self._note("close_task", close)
        self.stages.pop(close.key, None)

    @activity.defn
    async def task_clock(self, own: OwnTasks) -> TaskClocks:
        self._note("task_clock", own)
        mine = [task for task in self.tasks.values() if task.owner == own.owner and task.key in self.stages]
        return TaskClocks(
            channels=self.channels,
            clocks=tuple(
                TaskClock(
                    key=task.key,
                    what=task.what,
                    remind_at=task.remind_at,
                    due_at=task.due_at,
                    escalate_at=task.escalate_at,
                    stage=self.stages[task.key],
                )
                for task in mine
            ),
        )

    @activity.defn
    async def turn_tasks(self, turn: TurnTasks) -> TasksTurned:
        self._note("turn_tasks", turn)
        return TasksTurned(turns=tuple(self._turn(key, turn.now) for key in turn.keys), channels=("email",))

    def _turn(self, key: str, now: datetime) -> TaskTurn:
        if key not in self.stages:
            return TaskTurn(key=key, open=False)
        task = self.tasks[key]
        times = TaskTimes(task.remind_at, task.due_at, task.escalate_at)
        stage = due_stage(self.stages[key], times, now, stand_in=task.stand_in is not None)
        if stage != self.stages[key]:
            self.stages[key] = stage
            self.climbed.append((key, stage))
        return TaskTurn(key=key, open=True, next_at=next_instant(stage, times), stage=stage)

    @activity.defn
    async def send_staff_messages(self, request: SendStaffMessages) -> StaffSent:
        self._note("send_staff_messages", request)
        return StaffSent(sent=1)

    @activity.defn
    async def project(self, view: Projection) -> None:
        self._note("project", view)
        await self._answers("project")
        self.projections.append(view)

    def all(self) -> list[Any]:
        """The activities to register."""
        return [
            self.begin_intake, self.turn_branches, self.record_approval_signature, self.void_approvals,
            self.resolve_scope, self.request_holds, self.execute_holds,
            self.record_evaluation,
            self.propose_classes, self.record_class_decision, self.record_rejection, self.record_strategy,
            self.record_gate, self.draft_notice, self.record_notice_approval, self.create_campaign,
            self.record_market_actions, self.record_market_action_review,
            self.meet_notice_limit, self.open_task, self.close_task, self.task_clock,
            self.turn_tasks, self.send_staff_messages, self.project, *self.closing(),
        ]  # fmt: skip


def due(task: OpenTask) -> datetime:
    """A task's due time, which the test knows to be set."""
    assert task.due_at is not None
    return task.due_at
