"""Same-named stand-ins of the activities that change and close a recall, with answers from a script."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.checklist import ChecklistItem
from models.messages import (
    AmendScope,
    CancelFigures,
    ChecklistFigures,
    ClosingFigures,
    ComplaintFigures,
    CompletionRecord,
    DecisionFigures,
    EffectivenessFigures,
    EffectivenessTurn,
    EndRecall,
    ProductLine,
    RecallRef,
    RecordDecision,
    ScopeChange,
    ScopeFigures,
    TaskExtended,
)


class FakeClosingActivities(ABC):
    """Part of `FakeRecallActivities`."""

    lines: tuple[str, ...]
    consignees: int
    stages: dict[str, int]

    def _set_up_closing(self) -> None:
        self.open_items: tuple[ChecklistItem, ...] = ()
        self.reports_open = 0
        self.passed: bool | None = True
        self.checks_pending = 0
        self.rounds = 1
        self.told = 0
        self.harmed: tuple[str, ...] = ()
        self.change: dict[str, Any] = {}
        """Fields of the next `ScopeChange`."""
        self.scope_fault: str | None = None
        self.first_class: Literal["I", "II", "III"] = "I"
        self.next_class: Literal["I", "II", "III"] = "I"
        self.new_gates: tuple[Any, ...] = ()
        self.gates_left: tuple[str, ...] = ()
        """Keys of the gates that the next class does not ask for."""
        self.extended = TaskExtended(outcome="moved")

    @abstractmethod
    def _note(self, name: str, argument: Any) -> None:
        """Remember a call."""

    @abstractmethod
    def _figures(self, record: RecordDecision) -> DecisionFigures:
        """What a decision on the class leads to."""

    @activity.defn
    async def amend_scope(self, request: AmendScope) -> ScopeChange:
        self._note("amend_scope", request)
        if self.scope_fault:
            raise ApplicationError(self.scope_fault, type="InvalidInput", non_retryable=True)
        figures = ScopeFigures(
            scope_version=request.scope_version,
            lots=4,
            consignees=self.consignees,
            quantity="160",
            gaps=1,
            countries=("US",),
            product_lines=tuple(ProductLine(key=line) for line in self.lines),
        )
        return ScopeChange(scope_version=request.scope_version, change=request.change, figures=figures, **self.change)

    @activity.defn
    async def record_reclassification(self, record: RecordDecision) -> DecisionFigures:
        self._note("record_reclassification", record)
        self.stages.pop(record.task_key or "", None)
        figures = self._figures(record)
        gates = [gate for gate in (*figures.gates, *self.new_gates) if gate.key not in self.gates_left]
        return figures.model_copy(update={"recall_class": self.next_class, "gates": tuple(gates)})

    @activity.defn
    async def record_completion(self, record: RecordDecision) -> CompletionRecord:
        self._note("record_completion", record)
        if not self.open_items:
            self.stages.pop(record.task_key or "", None)
        return CompletionRecord(open=self.open_items)

    @activity.defn
    async def record_authority_answer(self, record: RecordDecision) -> None:
        self._note("record_authority_answer", record)
        self.stages.pop(record.task_key or "", None)

    @activity.defn
    async def record_reopening(self, record: RecordDecision) -> None:
        self._note("record_reopening", record)

    @activity.defn
    async def record_closure_notice(self, record: RecordDecision) -> None:
        self._note("record_closure_notice", record)

    @activity.defn
    async def record_cancellation(self, end: EndRecall) -> CancelFigures:
        self._note("record_cancellation", end)
        self.stages.clear()
        return CancelFigures(told=self.told)

    @activity.defn
    async def end_claims(self, ref: RecallRef) -> int:
        self._note("end_claims", ref)
        return 0

    @activity.defn
    async def stop_cases(self, ref: RecallRef) -> int:
        self._note("stop_cases", ref)
        return 0

    @activity.defn
    async def read_closing(self, ref: RecallRef) -> ClosingFigures:
        self._note("read_closing", ref)
        return ClosingFigures(obligations_open=self.reports_open)

    @activity.defn
    async def read_checklist(self, ref: RecallRef) -> ChecklistFigures:
        self._note("read_checklist", ref)
        return ChecklistFigures(open=self.open_items)

    @activity.defn
    async def effectiveness_turn(self, turn: EffectivenessTurn) -> EffectivenessFigures:
        self._note("effectiveness_turn", turn)
        return EffectivenessFigures(
            sequence=self.rounds, level="A", sample_size=2, pending=self.checks_pending, passed=self.passed
        )

    @activity.defn
    async def take_up_complaints(self, ref: RecallRef) -> ComplaintFigures:
        self._note("take_up_complaints", ref)
        lines, self.harmed = self.harmed, ()
        return ComplaintFigures(lines=lines, taken_up=len(lines), open=len(lines))

    @activity.defn
    async def write_deadlines(self, ref: RecallRef) -> None:
        self._note("write_deadlines", ref)

    @activity.defn
    async def extend_task(self, record: RecordDecision) -> TaskExtended:
        self._note("extend_task", record)
        return self.extended

    def closing(self) -> list[Any]:
        """The activities to register."""
        return [
            self.amend_scope, self.record_reclassification, self.record_completion, self.record_authority_answer,
            self.record_reopening, self.record_cancellation, self.end_claims, self.stop_cases, self.read_closing,
            self.read_checklist, self.effectiveness_turn, self.take_up_complaints, self.write_deadlines,
            self.extend_task, self.record_closure_notice,
        ]  # fmt: skip
