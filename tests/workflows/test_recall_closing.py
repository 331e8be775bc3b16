"""From resolution to terminated and back: completion, authorities, reopening, cancellation, more time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from domain.checklist import ChecklistItem
from domain.phases import Phase
from models.messages import (
    Actor,
    ApproveNotice,
    CampaignReport,
    CancelRecall,
    Complete,
    ExtendDeadline,
    Gate,
    ObligationsReport,
    RecordAuthorityAnswer,
    Reopen,
    TaskExtended,
)
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, QUINN, REGI, RecallRun, actor
from tests.workflows.test_recall_workflow import refused

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
OPEN = (ChecklistItem(key="holds", ok=False, title="Every hold request is confirmed", open=("hold 7",), total=1),)
ZOE = actor("zoe", "qa")


async def report(run: RecallRun, env: WorkflowEnvironment, sequence: int = 1, **fields: Any) -> None:
    """A campaign tells the recall where it stands; nobody is outstanding unless the fields say so."""
    given: dict[str, Any] = {"campaign_id": 10 + sequence, "consignees": 2, "outstanding": 0, "next_due_at": None}
    given |= {"sequence": sequence, "finished": True, "first_sent_at": datetime.now(UTC)}
    campaign = env.client.get_workflow_handle(f"{run.handle.id}:campaign:{sequence}")
    while True:
        try:
            return await campaign.signal("report", CampaignReport.model_validate(given | fields))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # It is about to be started.
            await run.handle.query("snapshot")


async def to_resolution(run: RecallRun, env: WorkflowEnvironment) -> None:
    """Everybody answered, the effectiveness level is met."""
    await run.to_campaign()
    await run.until(lambda state: "campaign" not in (state.waiting_for or "") and "CAPA 1" in state.children)
    await report(run, env)
    await run.until(lambda state: state.phase == Phase.RESOLUTION)


async def complete(run: RecallRun, capacity: str, who: Actor) -> Any:
    return await run.decide("complete", Complete.model_validate({"actor": who, "capacity": capacity}))


async def completed(run: RecallRun, env: WorkflowEnvironment) -> None:
    """Signed by both."""
    await to_resolution(run, env)
    await run.until(lambda state: state.waiting_for == "two signatures under the completion")
    await complete(run, "quality", QUINN)
    await complete(run, "regulatory", REGI)


def answer(kind: str, **rest: Any) -> RecordAuthorityAnswer:
    given = {"actor": REGI, "jurisdiction": "us-fda", "answer": kind, "reference": "FDA letter 1", "reason": "r"}
    return RecordAuthorityAnswer.model_validate(given | rest)


async def told(env: WorkflowEnvironment, run: RecallRun, child: str) -> list[str]:
    found: list[str] = await env.client.get_workflow_handle(f"{run.handle.id}:{child}").query("told")
    return found


async def running(env: WorkflowEnvironment, run: RecallRun, child: str) -> bool:
    found = await env.client.get_workflow_handle(f"{run.handle.id}:{child}").describe()
    return found.status is WorkflowExecutionStatus.RUNNING


async def test_a_recall_goes_from_resolution_to_terminated_and_only_its_capa_lives_on(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    state = await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    assert state.jurisdictions_open == ("us-fda",)
    assert fakes.tasks["authority:us-fda"].role == "regulatory"
    receipt = await run.decide("record_authority_answer", answer("terminated"))
    assert receipt.phase == Phase.TERMINATED
    assert await run.handle.result() == "terminated"
    names = fakes.names()
    assert names.index("end_claims") < names.index("stop_cases")
    assert names.count("record_completion") == 2
    assert [await running(temporal, run, child) for child in ("capa:1", "disposition", "obligations")] == [
        True,
        False,
        False,
    ]
    assert await run.history_length() < 600, "the whole recall"


async def test_completion_is_refused_with_the_list_of_what_is_open_and_signs_nothing(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.open_items = OPEN
    run = await start()
    await to_resolution(run, temporal)
    state = await run.until(lambda state: state.checklist_open)
    assert list(state.checklist_open) == ["holds"]
    assert await refused(complete(run, "quality", QUINN)) == "NotComplete"
    assert not any(key.startswith("completion:") for key in fakes.tasks)
    fakes.open_items = ()
    await run.handle.signal("record_moved", "checklist")
    while "completion:regulatory" not in fakes.tasks:
        await run.handle.query("snapshot")
    await complete(run, "quality", QUINN)
    assert (await run.until(lambda state: state.completion_signed_as)).phase == Phase.RESOLUTION


async def test_a_level_that_was_met_is_checked_again_when_the_checklist_says_so(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    await run.until(lambda state: state.waiting_for == "two signatures under the completion")
    turns = fakes.names().count("effectiveness_turn")
    title = "The effectiveness level of the strategy is met"
    fakes.open_items = (ChecklistItem(key="effectiveness", ok=False, title=title, open=("round 1",), total=1),)
    fakes.rounds, fakes.passed = 2, None
    await run.handle.signal("record_moved", "checklist")
    state = await run.until(lambda state: state.effectiveness.sequence == 2)
    assert state.effectiveness.passed is None
    assert fakes.names().count("effectiveness_turn") > turns


async def test_completion_is_signed_by_two_persons_in_their_own_capacity_and_only_once(
    start: Start, temporal: WorkflowEnvironment
) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(complete(run, "quality", QUINN)) == "WrongPhase"
    await to_resolution(run, temporal)
    both = actor("olaf", "qa", "regulatory")
    assert await refused(complete(run, "regulatory", QUINN)) == "NotPermitted"
    await complete(run, "quality", both)
    assert await refused(complete(run, "regulatory", both)) == "FourEyes"
    assert await refused(complete(run, "quality", QUINN)) == "AlreadyDecided"
    await complete(run, "regulatory", REGI)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)


async def test_a_signature_that_comes_while_its_task_is_written_leaves_no_task_behind(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run, written = await start(), asyncio.Event()
    fakes.slow_tasks["completion:quality"] = written
    await to_resolution(run, temporal)
    while not any(name == "open_task" and task.key == "completion:quality" for name, task in fakes.calls):
        await run.handle.query("snapshot")
    await complete(run, "quality", QUINN)
    written.set()
    await complete(run, "regulatory", REGI)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    assert not [key for key in fakes.stages if key.startswith("completion:")]


async def test_the_authorities_are_asked_only_after_the_final_reports_are_in(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.reports_open = 2
    run = await start()
    await completed(run, temporal)
    state = await run.until(lambda state: state.waiting_for == "the final reports to the authorities")
    assert state.phase == Phase.COMPLETED
    names = fakes.names()
    assert "write_deadlines" in names[names.index("record_completion") :], "what runs from the completion is recorded"
    while "nudge" not in await told(temporal, run, "obligations"):
        pass
    assert await refused(run.decide("record_authority_answer", answer("terminated"))) == "WrongPhase"
    fakes.reports_open = 0
    await run.handle.signal("obligations_progress", ObligationsReport(open=0))
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)


async def test_an_answer_names_a_jurisdiction_of_the_recall_its_letter_or_its_reason(
    start: Start, temporal: WorkflowEnvironment
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    wrong = {
        "NotPermitted": answer("terminated", actor=QUINN),
        "InvalidInput": answer("terminated", jurisdiction="cn-nmpa"),
        "ReasonRequired": answer("no_authority", reason=" "),
    }
    for kind, decision in wrong.items():
        assert await refused(run.decide("record_authority_answer", decision)) == kind
    assert await refused(run.decide("record_authority_answer", answer("terminated", reference=None))) == "InvalidInput"
    await run.decide("record_authority_answer", answer("no_authority", reference=None))
    assert await run.handle.result() == "terminated"


async def test_an_order_of_more_takes_the_recall_back_and_voids_its_signatures(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    receipt = await run.decide("record_authority_answer", answer("more_ordered"))
    assert receipt.phase == Phase.RESOLUTION
    state = await run.until(lambda state: state.waiting_for == "two signatures under the completion")
    assert not state.completion_signed_as
    while "completion:quality:2" not in fakes.tasks:
        await run.handle.query("snapshot")
    await complete(run, "quality", QUINN)
    await complete(run, "regulatory", REGI)
    last = [call for name, call in fakes.calls if name == "record_completion"][-1]
    assert (last.round, last.task_key) == (2, "completion:regulatory:2")
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    await run.decide("record_authority_answer", answer("terminated"))
    assert await run.handle.result() == "terminated"


async def test_quality_reopens_with_a_reason_and_answers_given_are_void(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.reports_open = 1
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.COMPLETED)
    assert await refused(run.decide("reopen", Reopen(actor=QUINN))) == "ReasonRequired"
    assert await refused(run.decide("reopen", Reopen(actor=REGI, reason="x"))) == "NotPermitted"
    await run.decide("reopen", Reopen(actor=ZOE, reason="a pallet was found"))
    state = await run.until(lambda state: state.phase == Phase.RESOLUTION)
    assert (state.completion_signed_as, state.authority_answers) == ((), {})
    assert fakes.names().count("record_reopening") == 1


async def test_a_recall_cancelled_before_anybody_was_told_ends_at_once(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    cancel = CancelRecall(actor=ADA, reason="the lot was never made")
    assert await refused(run.decide("cancel", cancel.model_copy(update={"reason": None}))) == "ReasonRequired"
    starter = CancelRecall(actor=actor("quinn", "approver"), reason="x")
    assert await refused(run.decide("cancel", starter)) == "FourEyes"
    assert await refused(run.decide("cancel", CancelRecall(actor=QUINN, reason="x"))) == "NotPermitted"
    await run.decide("cancel", cancel)
    assert await run.handle.result() == "cancelled"
    assert "draft_notice" not in fakes.names()
    last = fakes.projections[-1]
    assert (last.phase, last.waiting_for, last.ended_reason) == (Phase.CANCELLED, None, "the lot was never made")


async def test_an_intake_that_waits_for_its_data_can_be_cancelled(start: Start, fakes: FakeRecallActivities) -> None:
    fakes.endless_trace = True
    run = await start()
    while "resolve_scope" not in fakes.names():
        await run.handle.query("snapshot")
    await run.decide("cancel", CancelRecall(actor=ADA, reason="a typing error"))
    assert await run.handle.result() == "cancelled"
    assert "request_holds" not in fakes.names()


async def test_whoever_was_told_of_a_cancelled_recall_gets_a_released_retraction(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.told = 2
    run = await start()
    await run.to_campaign()
    await report(run, temporal, outstanding=1, finished=False)
    assert fakes.decided is not None
    gate = Gate(key="us-fda:harm_told", title="Tell the authority of the harm", waivable=False, source="test")
    fakes.decided_change = {"gates": (*fakes.decided.gates, gate)}
    await run.handle.signal("record_moved", "facts")
    await run.until(lambda state: state.gates_open == ("us-fda:harm_told",))
    await run.decide("cancel", CancelRecall(actor=ADA, reason="the complaint was about another product"))
    state = await run.until(lambda state: state.waiting_for == "the approver's release of the retraction")
    assert (state.phase, state.notice.kind) == (Phase.CANCELLED, "retraction")
    assert not await running(temporal, run, "campaign:1")
    assert await refused(run.decide("reopen", Reopen(actor=ZOE, reason="x"))) == "RecallClosed"
    starter = ApproveNotice(actor=actor("quinn", "approver"), notice_id=state.notice.notice_id, sha256="a" * 64)
    assert await refused(run.decide("approve_notice", starter)) == "FourEyes"
    await run.decide("approve_notice", starter.model_copy(update={"actor": ADA}))
    await report(run, temporal, 2)
    assert await run.handle.result() == "cancelled"
    assert await running(temporal, run, "capa:1"), "what was found outlives the recall"


async def test_a_retraction_that_cannot_be_drafted_is_tried_again_after_a_pause(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.told = 2
    run = await start()
    await run.to_campaign()
    drafts = fakes.names().count("draft_notice")
    fakes.draft_faults = 1_000_000
    await run.decide("cancel", CancelRecall(actor=ADA, reason="the complaint was about another product"))
    await run.until(lambda state: "cannot be drafted" in (state.waiting_for or ""))
    for _ in range(20):
        await run.handle.query("snapshot")
    assert fakes.names().count("draft_notice") == drafts + 1, "the ended recall does not try in a loop"


async def test_more_time_moves_a_task_and_tells_the_workflow_that_runs_its_timers(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: "CAPA 1" in state.children)
    later = ExtendDeadline(actor=ADA, reason="ill", key="capa:1:cause", due_at=datetime.now(UTC) + timedelta(days=3))
    assert await refused(run.decide("extend_deadline", later.model_copy(update={"reason": ""}))) == "ReasonRequired"
    past = later.model_copy(update={"due_at": datetime(2026, 1, 1, tzinfo=UTC)})
    assert await refused(run.decide("extend_deadline", past)) == "InvalidInput"
    beyond = later.model_copy(update={"due_at": datetime(9999, 1, 1, tzinfo=UTC)})
    assert await refused(run.decide("extend_deadline", beyond)) == "InvalidInput", "no calendar could record it"
    for outcome, kind in (("unknown", "UnknownTask"), ("legal", "LegalLimit"), ("not_later", "InvalidInput")):
        fakes.extended = TaskExtended.model_validate({"outcome": outcome})
        assert await refused(run.decide("extend_deadline", later)) == kind
    fakes.extended = TaskExtended(outcome="moved", owner=f"{run.handle.id}:capa:1", due_at=later.due_at)
    await run.decide("extend_deadline", later)
    assert "task_moved capa:1:cause" in await told(temporal, run, "capa:1")


class TestReplayedFromHistoryAtEveryTask:
    """Without a workflow cache every task replays, which exposes nondeterminism at once."""

    @pytest.fixture
    def cached_workflows(self) -> int:
        return 0

    async def test_the_way_to_the_end_replays(
        self, start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
    ) -> None:
        run = await start()
        await completed(run, temporal)
        await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
        await run.decide("reopen", Reopen(actor=ZOE, reason="a pallet was found"))
        await run.until(lambda state: state.waiting_for == "two signatures under the completion")
        await complete(run, "quality", QUINN)
        await complete(run, "regulatory", REGI)
        await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
        await run.decide("record_authority_answer", answer("terminated"))
        assert await run.handle.result() == "terminated"
