"""What a recall's workflow remembers: small, serialisable, carried over continue-as-new as one value."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from domain.phases import Phase, is_final
from models.messages import (
    CampaignReport,
    CapaReport,
    ClassName,
    DecisionFigures,
    DispositionReport,
    EffectivenessFigures,
    HoldFigures,
    NoticeAs,
    NoticeDraft,
    ObligationsReport,
    PolicyFigures,
    Proposal,
    ScopeFigures,
    StepLimit,
    Strategy,
    TaskClock,
)
from workflows.approval_rules import Signed

Child = Literal["capa", "disposition", "obligations"]
NoticeStage = Literal["waiting", "drafted", "released"]
"""Of a notice; `drafted` from the moment at which its draft begins to be written."""


class NoticeJob(BaseModel):
    """A notice that has to go out; they go one after another, in the order of the decisions that need them."""

    kind: NoticeAs
    scope_version: int
    class_change: tuple[ClassName, ClassName] | None = None
    stage: NoticeStage = "waiting"
    """A change before the release takes the draft back."""

    @property
    def released(self) -> bool:
        """Whether an approver released the draft."""
        return self.stage == "released"


class RecallState(BaseModel):
    """Everything that decides control flow; records themselves live in Postgres."""

    phase: Phase = Phase.INTAKE
    figures: PolicyFigures | None = None
    scope: ScopeFigures | None = None
    scope_version: int = 1
    holds: HoldFigures = HoldFigures()
    holds_requested: bool = False
    assessors: dict[str, str] = Field(default_factory=dict)
    """Product line -> who signed its latest hazard evaluation."""
    reopened: list[str] = Field(default_factory=list)
    """Product lines whose hazard must be evaluated again, because harm was reported."""
    market_actions: dict[str, str] = Field(default_factory=dict)
    """Jurisdiction and product line -> action in force on that market."""
    justified: dict[str, str] = Field(default_factory=dict)
    """The same key -> how the justification for not reporting stands: unreviewed, accepted, sent_back."""
    justified_by: dict[str, str] = Field(default_factory=dict)
    justifications: dict[str, int] = Field(default_factory=dict)
    """The same key -> justifications written so far; numbers the tasks about them."""
    complaints_open: int = 0
    evaluations: dict[str, int] = Field(default_factory=dict)
    """Product line -> evaluations asked for so far; numbers the task of the next one."""
    proposal: Proposal | None = None
    decided: DecisionFigures | None = None
    classified: list[str] = Field(default_factory=list)
    """Product lines the class in force speaks of."""
    decided_proposal: int | None = None
    """The proposal the class in force rests on; a newer one waits for the approver's word."""
    assessment_task: str = "assessment"
    """Key of the first signer's task while the class is decided for the first time; another one when signatures were
    void, because a task that is done is never opened again."""
    strategy: Strategy | None = None
    strategy_signers: dict[str, str] = Field(default_factory=dict)
    gates_done: dict[str, str] = Field(default_factory=dict)
    notices: list[NoticeJob] = Field(default_factory=list)
    notice: NoticeDraft | None = None
    """The newest draft, released or not."""
    notice_version: int = 0
    notice_fault: str | None = None
    """Why the next notice cannot be drafted; tried again when something changes."""
    campaigns: dict[int, CampaignReport] = Field(default_factory=dict)
    campaigns_started: int = 0
    communicated: list[int] = Field(default_factory=list)
    """Campaigns whose first message went out; each starts clocks."""
    notice_limit_met: bool = False
    effectiveness: EffectivenessFigures | None = None
    children: list[Child] = Field(default_factory=list)
    """Workflows started beside the recall."""
    capas: dict[int, CapaReport] = Field(default_factory=dict)
    disposition: DispositionReport | None = None
    obligations: ObligationsReport | None = None
    checklist: dict[str, int] | None = None
    """Open items of the completion checklist and how much is open in each, as last read."""
    completion: int = 1
    """The how-manieth completion is worked towards: one more after each reopening."""
    completion_signers: dict[str, str] = Field(default_factory=dict)
    reports_open: int | None = None
    """Reports a completed recall still owes, as last read."""
    answers: dict[str, str] = Field(default_factory=dict)
    """Jurisdiction -> its authority's answer to this completion."""
    ended_reason: str | None = None
    told: int = 0
    """Consignees that must be given the retraction of a cancelled recall."""
    retracting: bool = False
    """Whether the newest campaign brings out that retraction."""
    retracted: bool = False
    closure_wanted: bool = False
    """Whether everybody told is to be told of the end."""
    closure_said: bool = False
    """Whether somebody has said so, or that nobody is to be told."""
    announcing: bool = False
    """Whether the newest campaign tells them."""
    announced: bool = False
    tasks: list[TaskClock] = Field(default_factory=list)
    """Open tasks and their instants as a continued run finds them; the running timers are in `RecallCore`."""
    overdue: list[str] = Field(default_factory=list)
    signed: dict[str, list[Signed]] = Field(default_factory=dict)
    """What is signed (`assessment:{proposal}`, `notice:{id}:{hash}`) -> signatures before the last one."""
    extras: list[str] = Field(default_factory=list)
    """Keys of the extra tasks offered so far; each is offered once."""
    hold_tasks: int = 0
    hold_task: str | None = None
    """Key of the open task to confirm holds, if there is one."""
    hold_chases: dict[str, str] = Field(default_factory=dict)
    """Keeper that owes us confirmations -> key of its open task; without a name, whoever is to stop documents."""
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

    def lines(self) -> tuple[str, ...]:
        """Product lines in scope now."""
        return tuple(line.key for line in (self.scope.product_lines if self.scope else ()))

    def missing_lines(self) -> tuple[str, ...]:
        """Product lines still without a hazard evaluation, or with one that harm reopened."""
        return tuple(line for line in self.lines() if line not in self.assessors or line in self.reopened)

    def unclassified(self) -> tuple[str, ...]:
        """Product lines whose class nobody has decided: new ones since the decision."""
        return tuple(line for line in self.lines() if line not in self.classified)

    def open_gates(self) -> tuple[str, ...]:
        """Keys of the gates neither passed nor waived."""
        gates = self.decided.gates if self.decided else ()
        return tuple(gate.key for gate in gates if gate.key not in self.gates_done)

    def notice_open(self) -> bool:
        """Whether a draft waits for its release."""
        return bool(self.notices) and self.notices[0].stage == "drafted" and self.notice is not None

    def next_notice(self) -> NoticeStage | None:
        """How far the notice is that no campaign has yet."""
        return self.notices[0].stage if self.notices else None

    def proposal_open(self) -> bool:
        """Whether a proposal newer than the class in force waits for the approver."""
        return (
            self.decided is not None
            and self.proposal is not None
            and (self.proposal.proposal_id != self.decided_proposal)
        )

    # ------------------------------------------------------------------ campaigns

    @property
    def campaign_started(self) -> bool:
        """Whether any notice is on its way."""
        return self.campaigns_started > 0

    def all_reported(self) -> bool:
        """Whether every campaign has reported at least once."""
        return all(sequence in self.campaigns for sequence in range(1, self.campaigns_started + 1))

    def consignees(self) -> int:
        """Consignees of all campaigns; each belongs to the newest that concerns it."""
        return sum(report.consignees for report in self.campaigns.values())

    def outstanding(self) -> int | None:
        """Consignees nothing was heard of, over all campaigns; None before the first report."""
        return sum(report.outstanding for report in self.campaigns.values()) if self.campaigns else None

    def response_percent(self) -> int | None:
        """Share of consignees that answered, rounded down: 100 only when all did."""
        total = self.consignees()
        return 100 * (total - (self.outstanding() or 0)) // total if total else None

    def everybody_heard(self) -> bool:
        """Whether every notice is with a campaign, and every campaign has heard of everybody."""
        return not self.notices and self.campaign_started and self.all_reported() and self.outstanding() == 0

    def effective(self) -> bool:
        """Whether the effectiveness level of the strategy is met."""
        return self.effectiveness is not None and self.effectiveness.passed is True


__all__ = ["Child", "NoticeJob", "NoticeStage", "RecallState"]
