"""A CAPA from investigation to sign-off: its order, four eyes, evidence, the period of its effect, its reopening."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from db.engine import SessionFactory
from models.capa import CapaEntry, EntryKind
from models.evidence import EvidenceLink
from models.messages_capa import RecordInvestigation, ReopenCapa, SignOffCapa
from plugin import recall_plugin, workflow_runner
from tests.capa.capa_run import ADA, HELGA, PERIOD, QUINN, RAFAEL, SUNIL, WANDA, CapaRun
from tests.capa.conftest import next_number, start_capa, until_open, write_recall
from tests.support.clock import fast_forward
from workflows.capa import CapaWorkflow

pytestmark = pytest.mark.workflow


async def refused(attempt: Awaitable[object]) -> str:
    """Type of the refusal an update was answered with."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await attempt
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type or ""


async def skip_period(env: WorkflowEnvironment, run: CapaRun) -> None:
    assert await fast_forward(env, run.handle, timedelta(days=PERIOD, hours=1))


async def test_a_capa_goes_from_investigation_to_its_sign_off(run: CapaRun, temporal: WorkflowEnvironment) -> None:
    assert await run.open_tasks() == {"capa:1:investigation"}
    await run.investigate()
    assert await run.open_tasks() == {"capa:1:cause"}
    await run.find_cause()
    assert await run.open_tasks() == {"capa:1:plan"}
    await run.plan(owners=("wanda", "sunil"))
    assert await run.open_tasks() == {"capa:1:plan_approval"}
    await run.approve()
    assert await run.open_tasks() == {"capa:1:action:1", "capa:1:action:2"}
    tasks = await run.tasks()
    assert tasks["capa:1:action:2"].assignee == "sunil"
    assert tasks["capa:1:action:2"].evidence_required
    await run.act(WANDA, 1)
    assert await run.open_tasks() == {"capa:1:action:2"}
    receipt = await run.act(SUNIL, 2)
    assert receipt.state == "verification"
    assert await run.open_tasks() == set()
    await skip_period(temporal, run)
    assert await run.open_tasks() == {"capa:1:verification"}
    assert (await run.verify("2.5")).state == "effective"
    assert await run.open_tasks() == {"capa:1:sign_off"}
    assert (await run.sign_off()).state == "closed"
    report = await run.handle.result()
    assert report["closed"] is True
    assert report["effective"] is True
    assert await run.open_tasks() == set()
    capa = await run.record()
    assert (capa.closed_by, capa.verified_by, capa.plan_approved_by) == ("helga", "sunil", "ada")
    assert await run.audited() == [
        "capa.opened",
        "capa.investigated",
        "capa.cause_recorded",
        "capa.plan_written",
        "capa.plan_approved",
        "capa.action_completed",
        "capa.action_completed",
        "capa.verified",
        "capa.closed",
    ]
    assert (await run.handle.describe()).history_length < 400
    replayer = Replayer(workflows=[CapaWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    assert (await replayer.replay_workflow(await run.handle.fetch_history())).replay_failure is None


async def test_what_the_suspect_lots_have_in_common_is_on_the_record_at_once(run: CapaRun) -> None:
    findings = (await run.record()).trace_findings
    assert {
        "kind": "input_lot",
        "lots": 2,
        "of": 2,
        "lot": "R-7",
        "supplier_lot": "SUP-77",
        "lots_outside_scope": 1,
    }.items() <= next(each for each in findings if each["kind"] == "input_lot").items()
    assert {"kind": "supplier_lot", "lots": 2, "of": 2, "supplier_lot": "SUP-77"} in findings
    assert [each["lots"] for each in findings if each["kind"] == "manufacturing_site"] == [2]
    assert [each["document_no"] for each in findings if each["kind"] == "receipt"] == ["GRN-4711"]
    # The cap lot went into one of the two only.
    assert "C-1" not in {each.get("lot") for each in findings}


async def test_no_step_comes_before_the_one_it_rests_on(run: CapaRun) -> None:
    assert await refused(run.find_cause()) == "WrongState"
    assert await refused(run.plan()) == "WrongState"
    assert await refused(run.approve()) == "WrongState"
    assert await refused(run.act()) == "WrongState"
    assert await refused(run.verify("1")) == "WrongState"
    assert await refused(run.sign_off()) == "WrongState"


async def test_a_plan_is_approved_by_another_person_as_it_was_read(run: CapaRun) -> None:
    author = QUINN.model_copy(update={"roles": ("qa", "approver")})
    await run.investigate()
    await run.find_cause()
    await run.plan(author)
    assert await refused(run.approve(author)) == "FourEyes"
    assert await refused(run.approve(RAFAEL)) == "NotPermitted"
    await run.plan(author)
    assert await refused(run.approve(ADA, 1)) == "StaleProposal"
    await run.approve(ADA, 2)
    capa = await run.record()
    assert (capa.plan_version, capa.plan_approved_by) == (2, "ada")
    assert await run.open_tasks() == {"capa:1:action:2"}


async def test_an_action_needs_evidence_and_its_owner(run: CapaRun) -> None:
    await run.investigate()
    await run.find_cause()
    await run.plan(owners=("wanda",))
    await run.approve()
    assert await refused(run.act(WANDA, evidence=False)) == "EvidenceRequired"
    assert await refused(run.act(RAFAEL)) == "NotPermitted"
    assert await refused(run.act(WANDA, 7)) == "UnknownAction"
    await run.act(WANDA)
    assert await refused(run.act(WANDA)) == "AlreadyDecided"
    async with run.sessions() as session:
        linked = (await session.exec(select(EvidenceLink.subject))).all()
    assert linked == ["capa:1:action:1"]


async def test_the_effect_is_not_verified_before_its_period_is_over(
    run: CapaRun, temporal: WorkflowEnvironment
) -> None:
    await run.to_verification()
    assert await refused(run.verify("0")) == "TooEarly"
    await fast_forward(temporal, run.handle, timedelta(days=PERIOD - 1))
    assert await refused(run.verify("0")) == "TooEarly"
    await fast_forward(temporal, run.handle, timedelta(days=2))
    assert (await run.verify("0")).state == "effective"


async def test_a_failed_verification_leads_back_to_investigation_and_is_counted(
    run: CapaRun, temporal: WorkflowEnvironment
) -> None:
    await run.to_verification()
    await skip_period(temporal, run)
    receipt = await run.verify("2.500001")
    assert (receipt.state, receipt.waiting_for) == ("investigation", "the investigation")
    capa = await run.record()
    assert (capa.reopened, capa.effective, capa.cause_at, capa.plan_approved_at) == (1, False, None, None)
    assert await run.open_tasks() == {"capa:1:investigation:2"}
    await run.to_verification()
    await fast_forward(temporal, run.handle, timedelta(days=PERIOD, hours=1))
    await run.verify("1")
    await run.sign_off()
    async with run.sessions() as session:
        kinds = [entry.kind for entry in (await session.exec(select(CapaEntry))).all() if entry.applied_at]
    # Both passes stay readable.
    assert sorted(kinds) == sorted(2 * ["investigation", "cause", "plan", "action", "verification"])


async def test_it_is_signed_off_by_neither_verifier_nor_author_of_the_plan(
    run: CapaRun, temporal: WorkflowEnvironment
) -> None:
    await run.to_verification()
    await skip_period(temporal, run)
    await run.verify("1", SUNIL)
    for person in (QUINN, SUNIL):
        both: Any = person.model_copy(update={"roles": ("head_of_quality",)})
        assert await refused(run.decide("sign_off", SignOffCapa(actor=both))) == "FourEyes"
    assert await refused(run.sign_off(RAFAEL)) == "NotPermitted"
    await run.sign_off(HELGA)


async def test_a_verified_capa_can_be_reopened_with_a_reason_only(run: CapaRun, temporal: WorkflowEnvironment) -> None:
    await run.to_verification()
    await skip_period(temporal, run)
    await run.verify("1")
    assert await refused(run.decide("reopen", ReopenCapa(actor=QUINN, reason=" "))) == "ReasonRequired"
    receipt = await run.decide("reopen", ReopenCapa(actor=QUINN, reason="It cracked again."))
    assert receipt.state == "investigation"
    assert (await run.record()).reopened == 1
    assert await run.open_tasks() == {"capa:1:investigation:2"}


async def test_a_statement_of_somebody_else_or_of_another_kind_is_not_applied(run: CapaRun) -> None:
    foreign = await run.wrote(EntryKind.investigation, SUNIL, account="Mine.")
    other = await run.wrote(EntryKind.verification, QUINN, account="x", measured="1")
    for entry in (foreign, other):
        with pytest.raises(WorkflowUpdateFailedError):
            await run.decide("record_investigation", RecordInvestigation(actor=QUINN, entry=entry))
    assert (await run.record()).investigated_at is None
    assert await run.audited() == ["capa.opened"]


async def test_a_late_action_is_handed_over_like_any_task(run: CapaRun, temporal: WorkflowEnvironment) -> None:
    await run.investigate()
    await run.find_cause()
    await run.plan(owners=("wanda",))
    await run.approve()
    await fast_forward(temporal, run.handle, timedelta(days=22))
    task = (await run.tasks())["capa:1:action:1"]
    assert task.stage >= 2
    assert task.handed_over_at is not None


async def test_a_period_that_is_over_before_anybody_waits_for_it_still_asks_for_the_verification(
    temporal: WorkflowEnvironment, db: SessionFactory, worker: None
) -> None:
    """A day at the fastest pace lasts ten milliseconds: it ends while the last action is still being recorded."""
    number, fastest = next_number(), 10_000_000.0
    await write_recall(db, number, pace=fastest)
    run = CapaRun(db, await start_capa(temporal, number, pace=fastest), number)
    await until_open(run)
    await run.investigate()
    await run.find_cause()
    await run.plan(verify_after_days=1)
    await run.approve()
    await run.act()
    while "capa:1:verification" not in await run.tasks():  # noqa: ASYNC110 - the test's own timeout bounds it
        await asyncio.sleep(0.05)
    assert "capa:1:verification" in await run.tasks()
    await run.handle.terminate("test over")
