"""A recall workflow run against same-named activities and a scripted campaign."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.phases import Phase
from domain.workflow_ids import recall_id
from models.messages import (
    EMAIL_QUEUE,
    INVENTORY_QUEUE,
    RECALL_QUEUE,
    Actor,
    ApproveAssessment,
    ApproveNotice,
    ApproveStrategy,
    BeginIntake,
    CampaignInput,
    CampaignReport,
    CapaInput,
    DecisionReceipt,
    DispositionInput,
    ObligationsInput,
    PassGate,
    RecallInput,
    RecallRef,
    RecallScopeRef,
    RecordDecision,
    RecordEvaluation,
    Strategy,
    WaiveGate,
)
from plugin import workflow_runner
from tests.support.clock import real_time
from tests.support.recall_fakes import FakeRecallActivities
from workflows.recall import RecallWorkflow
from workflows.recall_state import RecallState

_numbers = count(1)
STRATEGY = Strategy(depth="user_facility", effectiveness_level="A", public_warning=False)


class Companion:
    """A workflow beside the recall that only notes what it is told.

    The doubles run outside the sandbox, which would import this module anew for each of them in each test.
    """

    def __init__(self) -> None:
        self._told: list[str] = []

    async def wait(self) -> None:
        await workflow.wait_condition(lambda: "stop" in self._told)

    @workflow.signal
    def nudge(self) -> None:
        self._told.append("nudge")

    @workflow.signal
    def task_moved(self, key: str) -> None:
        self._told.append(f"task_moved {key}")

    @workflow.signal
    def stop(self, _why: str = "") -> None:
        self._told.append("stop")

    @workflow.query
    def told(self) -> list[str]:
        return self._told


@workflow.defn(name="CapaWorkflow", sandboxed=False)
class ScriptedCapa(Companion):
    """Outlives its recall."""

    @workflow.run
    async def run(self, _start: CapaInput) -> None:
        await self.wait()


@workflow.defn(name="DispositionWorkflow", sandboxed=False)
class ScriptedDisposition(Companion):
    """Ends when the recall says so."""

    @workflow.run
    async def run(self, _start: DispositionInput) -> None:
        await self.wait()


@workflow.defn(name="ObligationsWorkflow", sandboxed=False)
class ScriptedObligations(Companion):
    """Ends when the recall says so."""

    @workflow.run
    async def run(self, _start: ObligationsInput) -> None:
        await self.wait()


SCRIPTED = (ScriptedCapa, ScriptedDisposition, ScriptedObligations)


@workflow.defn(name="CampaignWorkflow", sandboxed=False)
class ScriptedCampaign:
    """Waits for the test to say what it reports."""

    def __init__(self) -> None:
        self._reports: list[CampaignReport] = []
        self._done = False
        self._nudges = 0

    @workflow.run
    async def run(self, start: CampaignInput) -> None:
        recall = workflow.get_external_workflow_handle(recall_id(start.number))
        while not self._done:
            await workflow.wait_condition(lambda: bool(self._reports) or self._done)
            while self._reports:
                await recall.signal("campaign_progress", self._reports.pop(0))

    @workflow.signal
    def report(self, report: CampaignReport) -> None:
        self._reports.append(report)

    @workflow.signal
    def nudge(self) -> None:
        self._nudges += 1

    @workflow.query
    def nudges(self) -> int:
        return self._nudges

    @workflow.signal
    def stop(self, _why: str = "") -> None:
        self._done = True


def actor(principal: str, *roles: str) -> Actor:
    """A person with roles."""
    return Actor(principal=principal, roles=roles)


QUINN, ADA = actor("quinn", "qa"), actor("ada", "approver")
MIRA, REGI = actor("mira", "medical"), actor("regi", "regulatory")


async def at_strategy(fakes: FakeRecallActivities) -> RecallState:
    """A recall whose class was decided just now. Its obligations run already: a pending child would stop the clock."""
    now, number = datetime.now(UTC), "RC-2026-999999"
    record = RecordDecision(number=number, now=now, decision={}, operation="approve_assessment")
    return RecallState(
        phase=Phase.STRATEGY,
        figures=await fakes.begin_intake(BeginIntake(number=number, now=now)),
        scope=await fakes.resolve_scope(RecallScopeRef(number=number, now=now, scope_version=1)),
        holds_requested=True,
        assessors=dict.fromkeys(fakes.lines, "mira"),
        proposal=await fakes.propose_classes(RecallRef(number=number, now=now)),
        decided=await fakes.record_class_decision(record),
        decided_proposal=fakes.evaluated,
        classified=list(fakes.lines),
        children=["obligations"],
    )


class RecallRun:
    """One running recall and shortcuts to its decisions."""

    def __init__(self, handle: WorkflowHandle[Any, str], fakes: FakeRecallActivities, number: str) -> None:
        self.handle = handle
        self.fakes = fakes
        self.number = number

    async def decide(self, update: str, decision: Any, **options: Any) -> DecisionReceipt:
        receipt: DecisionReceipt = await self.handle.execute_update(
            update, decision, result_type=DecisionReceipt, **options
        )
        return receipt

    async def evaluate(self, line: str = "Uni-Gold", who: Actor = MIRA) -> DecisionReceipt:
        decision = RecordEvaluation(actor=who, product_line=line, evaluation={}, market_actions={"us-fda": "removal"})
        return await self.decide("record_evaluation", decision)

    async def approve(self, who: Actor = ADA, proposal: int = 1, **options: Any) -> DecisionReceipt:
        return await self.decide("approve_assessment", ApproveAssessment(actor=who, proposal_id=proposal), **options)

    async def sign(self, capacity: str, who: Actor, strategy: Strategy = STRATEGY) -> DecisionReceipt:
        decision = ApproveStrategy.model_validate({"actor": who, "capacity": capacity, "strategy": strategy})
        return await self.decide("approve_strategy", decision)

    async def to_strategy(self) -> None:
        await self.until(lambda state: state.phase == Phase.ASSESSMENT)
        await self.evaluate()
        await self.approve()

    async def to_gates(self) -> None:
        await self.to_strategy()
        await self.sign("quality", QUINN)
        await self.sign("regulatory", REGI)

    async def to_notice(self, *, from_gates: bool = False) -> None:
        if not from_gates:
            await self.to_gates()
        await self.decide("waive_gate", WaiveGate(actor=ADA, gate="us-fda:fda_informed", reason="urgent"))
        await self.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:firm", reference="call 12"))
        await self.until(lambda state: state.notice is not None)

    async def to_campaign(self, *, from_gates: bool = False) -> None:
        await self.to_notice(from_gates=from_gates)
        await self.decide("approve_notice", ApproveNotice(actor=ADA, notice_id=7, sha256="a" * 64))

    async def until(self, seen: Callable[[Any], bool]) -> Any:
        """Query until the snapshot shows what the test waits for (the test's own timeout bounds it)."""
        while True:
            snapshot = await self.handle.query(RecallWorkflow.snapshot)
            if seen(snapshot) and await self._at_rest():
                return snapshot
            # Without a cache every query is a replay; an unbroken row of them starves the workflow's own tasks.
            await asyncio.sleep(0.05)

    async def _at_rest(self) -> bool:
        """Whether what a query saw has also happened for an update.

        A query is replayed to the last event, an activity's answer among them. The workflow task that takes this answer
        up may still be to come; an update would join it, and updates are looked at before answers.
        """
        return not (await self.handle.describe()).raw_description.HasField("pending_workflow_task")

    async def history_length(self) -> int:
        return (await self.handle.describe()).history_length

    async def updates_in_history(self) -> int:
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        return sum([event.event_type == accepted async for event in self.handle.fetch_history_events()])


@pytest.fixture
def fakes() -> FakeRecallActivities:
    """Scripted activities of one test."""
    return FakeRecallActivities()


@pytest.fixture
def cached_workflows() -> int:
    """0 makes every workflow task replay from history and so exposes nondeterminism at once."""
    return 1000


@pytest_asyncio.fixture
async def start(
    temporal: WorkflowEnvironment, fakes: FakeRecallActivities, cached_workflows: int
) -> AsyncIterator[Callable[..., Any]]:
    """Starts recalls on workers of this test; whatever still runs afterwards is terminated."""
    handles: list[WorkflowHandle[Any, str]] = []
    async with AsyncExitStack() as stack:
        for queue in (RECALL_QUEUE, INVENTORY_QUEUE, EMAIL_QUEUE):
            worker = Worker(
                temporal.client,
                task_queue=queue,
                workflows=[RecallWorkflow, ScriptedCampaign, *SCRIPTED] if queue == RECALL_QUEUE else [],
                activities=fakes.all(),
                workflow_runner=workflow_runner(),
                max_cached_workflows=cached_workflows if queue == RECALL_QUEUE else 0,
            )
            await stack.enter_async_context(worker)

        async def begin(*, pace: float = 1.0, state: RecallState | None = None) -> RecallRun:
            number = f"RC-2026-{next(_numbers):06d}"
            given = RecallInput(
                number=number,
                started_by="quinn",
                created_at=datetime.now(UTC),
                jurisdictions=("us-fda",),
                pace=pace,
                carried=state.model_dump(mode="json") if state else None,
            )
            with real_time(temporal):
                handle = await temporal.client.start_workflow(
                    RecallWorkflow.run, given, id=recall_id(number), task_queue=RECALL_QUEUE
                )
            handles.append(handle)
            return RecallRun(handle, fakes, number)

        yield begin
        for handle in handles:
            await terminate(temporal, handle)


async def terminate(env: WorkflowEnvironment, handle: WorkflowHandle[Any, Any]) -> None:
    """End a recall and what runs beside it, whatever state they are in."""
    beside = ("campaign:1", "campaign:2", "campaign:3", "capa:1", "disposition", "obligations")
    for workflow_id in (handle.id, *(f"{handle.id}:{each}" for each in beside)):
        found = env.client.get_workflow_handle(workflow_id)
        with suppress(RPCError):  # closed already, or never started
            await found.terminate("test over")
