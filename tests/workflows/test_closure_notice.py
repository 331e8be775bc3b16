"""Whoever was told of a recall is told of its end, where somebody asks for it: released like any notice, sent once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.phases import Phase
from models.messages import AnnounceClosure, ApproveNotice, ObligationsReport, StepLimit
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, QUINN, REGI, RecallRun, actor
from tests.workflows.test_recall_closing import answer, complete, completed, report, to_resolution
from tests.workflows.test_recall_workflow import refused

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
TELL = AnnounceClosure(actor=REGI)
NEVER = datetime.max.replace(tzinfo=UTC)


async def terminated(run: RecallRun, env: WorkflowEnvironment) -> None:
    """Completed, the end is to be told, and the only authority has answered."""
    await completed(run, env)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    await run.decide("announce_closure", TELL)
    await run.decide("record_authority_answer", answer("terminated"))


async def told_of_the_end(run: RecallRun, env: WorkflowEnvironment) -> None:
    """From the draft to the end of the workflow."""
    state = await run.until(
        lambda state: state.waiting_for == "the approver's release of the notice that the recall has ended"
    )
    assert (state.phase, state.notice.kind) == (Phase.TERMINATED, "closure")
    release = ApproveNotice(actor=actor("quinn", "approver"), notice_id=state.notice.notice_id, sha256="a" * 64)
    assert await refused(run.decide("approve_notice", release)) == "FourEyes"
    await run.decide("approve_notice", release.model_copy(update={"actor": ADA}))
    await run.until(lambda state: state.waiting_for == "the notice of the end to reach everybody who was told")
    await report(run, env, 2)
    assert await run.handle.result() == "terminated"


async def test_who_may_say_so_and_when(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    assert await refused(run.decide("announce_closure", TELL)) == "WrongPhase"
    await run.until(lambda state: state.waiting_for == "two signatures under the completion")
    fakes.reports_open = 1
    await complete(run, "quality", QUINN)
    await complete(run, "regulatory", REGI)
    await run.until(lambda state: state.phase == Phase.COMPLETED)
    assert await refused(run.decide("announce_closure", AnnounceClosure(actor=ADA))) == "NotPermitted"
    nobody = AnnounceClosure(actor=REGI, wanted=False, reason="r")
    await run.decide("announce_closure", nobody)
    assert await refused(run.decide("announce_closure", nobody)) == "AlreadyDecided"
    await run.decide("announce_closure", TELL)
    assert await refused(run.decide("announce_closure", TELL)) == "AlreadyDecided"
    assert await refused(run.decide("announce_closure", AnnounceClosure(actor=REGI, wanted=False))) == "ReasonRequired"
    await run.decide("announce_closure", nobody)
    assert fakes.names().count("record_closure_notice") == 3
    fakes.reports_open = 0
    await run.handle.signal("obligations_progress", ObligationsReport(open=0))
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    assert "closure_notice" not in fakes.tasks, "it was said before anybody had to be asked"


def closed(fakes: FakeRecallActivities) -> set[tuple[str, str]]:
    """What the workflow said of the question's task, however often an activity was carried out. Other tasks are
    opened and closed beside it on a machine slow enough."""
    said = {(call.key, call.outcome) for name, call in fakes.calls if name == "close_task"}
    return {(key, outcome) for key, outcome in said if key.startswith("closure_notice")}


async def test_somebody_is_asked_whether_the_end_is_told_until_it_is_said(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    limit = StepLimit(step="authority_answer", limit=timedelta(days=30), remind=timedelta(days=20))
    fakes.more_limits = (limit,)
    run = await start()
    await completed(run, temporal)
    await run.until(lambda _: "closure_notice" in fakes.tasks)
    asked = fakes.tasks["closure_notice"]
    assert (asked.step, asked.role) == ("closure_notice", "regulatory")
    assert asked.due_at is not None
    assert asked.remind_at is not None
    assert abs(asked.due_at - (fakes.tasks["authority:us-fda"].due_at or NEVER)) < timedelta(minutes=1)
    await run.decide("announce_closure", AnnounceClosure(actor=REGI, wanted=False, reason="told by telephone"))
    (record,) = [call for name, call in fakes.calls if name == "record_closure_notice"]
    assert record.task_key == "closure_notice"
    await run.decide("record_authority_answer", answer("terminated"))
    assert await run.handle.result() == "terminated"
    assert closed(fakes) == set(), "the answer itself closes the task"


async def test_a_question_that_nobody_answered_before_the_end_lapses_on_record(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda _: "closure_notice" in fakes.tasks)
    await run.decide("record_authority_answer", answer("terminated"))
    assert await run.handle.result() == "terminated"
    assert closed(fakes) == {("closure_notice", "lapsed")}


async def test_a_reopened_recall_asks_again(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    await run.decide("announce_closure", AnnounceClosure(actor=REGI, wanted=False, reason="told by telephone"))
    await run.decide("record_authority_answer", answer("more_ordered"))
    await run.until(lambda state: state.waiting_for == "two signatures under the completion")
    await complete(run, "quality", QUINN)
    await complete(run, "regulatory", REGI)
    await run.until(lambda _: "closure_notice:2" in fakes.tasks)


async def test_what_was_taken_back_is_not_told_and_nobody_is_told_unasked(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    await run.decide("announce_closure", TELL)
    await run.decide("announce_closure", AnnounceClosure(actor=REGI, wanted=False, reason="told on a visit"))
    await run.decide("record_authority_answer", answer("terminated"))
    assert await run.handle.result() == "terminated"
    assert fakes.names().count("draft_notice") == 1


class TestReplayedFromHistoryAtEveryTask:
    """Without a workflow cache every task replays, which exposes nondeterminism at once."""

    @pytest.fixture
    def cached_workflows(self) -> int:
        return 0

    async def test_the_end_is_told_by_a_released_notice_and_the_recall_waits_until_it_is_out(
        self, start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
    ) -> None:
        run = await start()
        await terminated(run, temporal)
        await told_of_the_end(run, temporal)
        (create,) = [call for name, call in fakes.calls if name == "create_campaign" and call.kind == "closure"]
        assert create.sequence == 2
        assert fakes.names().count("draft_notice") == 2
        assert await run.history_length() < 600, "the whole recall"
