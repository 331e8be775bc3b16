"""What a recall's workflow remembers: small, serialisable, carried over continue-as-new as one value."""

from pydantic import AwareDatetime, BaseModel, Field

from domain.phases import Phase, is_final
from models.messages import (
    CampaignReport,
    DecisionFigures,
    HoldFigures,
    NoticeDraft,
    PolicyFigures,
    Proposal,
    ScopeFigures,
    Snapshot,
    StepLimit,
    Strategy,
    TaskClock,
)


class RecallState(BaseModel):
    """Everything that decides control flow; records themselves live in Postgres."""

    phase: Phase = Phase.INTAKE
    figures: PolicyFigures | None = None
    scope: ScopeFigures | None = None
    holds: HoldFigures = HoldFigures()
    holds_requested: bool = False
    assessors: dict[str, str] = Field(default_factory=dict)
    """Product line -> who signed its latest hazard evaluation."""
    proposal: Proposal | None = None
    decided: DecisionFigures | None = None
    strategy: Strategy | None = None
    strategy_signers: dict[str, str] = Field(default_factory=dict)
    gates_done: dict[str, str] = Field(default_factory=dict)
    notice: NoticeDraft | None = None
    notice_approved: bool = False
    campaign: CampaignReport | None = None
    campaign_started: bool = False
    obligations_started: bool = False
    notice_limit_met: bool = False
    ended_reason: str | None = None
    tasks: list[TaskClock] = Field(default_factory=list)
    """Open tasks and their instants as a continued run finds them; the running timers are in `RecallCore`."""
    overdue: list[str] = Field(default_factory=list)
    uncovered: list[str] = Field(default_factory=list)
    """Product lines that records showed only after the class was decided; each has a task."""
    hold_tasks: int = 0
    hold_task: str | None = None
    """Key of the open task to confirm holds, if there is one."""
    waiting_for: str | None = None
    next_deadline_at: AwareDatetime | None = None
    next_deadline_name: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the recall has reached a phase it never leaves."""
        return is_final(self.phase)

    def limit(self, step: str) -> StepLimit | None:
        """What a person has for `step`; None where the policy sets nothing."""
        limits = self.figures.step_limits if self.figures else ()
        return next((each for each in limits if each.step == step), None)

    def missing_lines(self) -> tuple[str, ...]:
        """Product lines still without a hazard evaluation."""
        lines = self.scope.product_lines if self.scope else ()
        return tuple(line.key for line in lines if line.key not in self.assessors)

    def open_gates(self) -> tuple[str, ...]:
        """Keys of the gates neither passed nor waived."""
        gates = self.decided.gates if self.decided else ()
        return tuple(gate.key for gate in gates if gate.key not in self.gates_done)

    def response_percent(self) -> int | None:
        """Share of consignees that answered, rounded down: 100 only when all did."""
        if self.campaign is None or self.campaign.consignees == 0:
            return None
        answered = self.campaign.consignees - self.campaign.outstanding
        return 100 * answered // self.campaign.consignees

    def snapshot(self, number: str) -> Snapshot:
        """The query's answer."""
        return Snapshot(
            number=number,
            phase=self.phase,
            recall_class=self.decided.recall_class if self.decided else None,
            scope=self.scope,
            holds=self.holds,
            proposal=self.proposal,
            strategy_signed_as=tuple(sorted(self.strategy_signers)),
            gates_open=self.open_gates(),
            notice=self.notice,
            outstanding=self.campaign.outstanding if self.campaign else None,
            response_percent=self.response_percent(),
            waiting_for=self.waiting_for,
            next_deadline_at=self.next_deadline_at,
            next_deadline_name=self.next_deadline_name,
            overdue=bool(self.overdue),
            policies=self.figures.policies if self.figures else (),
        )
