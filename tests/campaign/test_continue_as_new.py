"""A campaign whose history grows too long goes on in a new run: nobody is told twice, nothing is reported twice."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from domain.workflow_ids import campaign_id
from models.messages import Actor, CampaignReport
from models.messages_pausing import AbortCampaign, PauseCampaign, ResumeCampaign
from tests.campaign.campaign_run import CampaignRun, campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import NUMBER, Person, World
from tests.support.clock import start_environment
from workflows.campaign import CampaignWorkflow
from workflows.search_attributes import ALL

pytestmark = [pytest.mark.db, pytest.mark.workflow]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A server that suggests continue-as-new after 60 events."""
    env = await start_environment(ALL, limit__historyCount__suggestContinueAsNew="60")
    yield env
    await env.shutdown()


async def test_counters_reports_and_deliveries_survive(temporal: WorkflowEnvironment, hand: Hand, world: World) -> None:
    ids = [world.consignee(f"C{number}", Person(f"c{number}@x.example")) for number in range(4)]
    async with campaign(temporal, hand) as run:
        await run.quiet()
        newest = CampaignRun(temporal, temporal.client.get_workflow_handle(campaign_id(NUMBER, 1)))
        reports = len(await run.until_reported(lambda report: report.not_notified == 0))
        await newest.into_a_new_run()
        await newest.until(lambda progress: progress.outstanding == 4)
        assert len(await run.reports()) == reports, "nothing changed, so nothing is reported"
        await world.write("UPDATE consignee SET state = 'answered' WHERE id <> %s", ids[0])
        await newest.handle.signal("nudge")
        await run.until_reported(lambda report: report.outstanding == 1)
        assert len(hand.mail.accepted) == 4
        await newest.handle.signal("stop")
        assert CampaignReport.model_validate(await newest.handle.result()).outstanding == 1


async def test_a_paused_campaign_stays_paused(temporal: WorkflowEnvironment, hand: Hand, world: World) -> None:
    world.consignee("C", Person("c@x.example"))
    quinn = Actor(principal="Quinn", roles=("qa",))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        newest = CampaignRun(temporal, temporal.client.get_workflow_handle(campaign_id(NUMBER, 1)))
        pause = PauseCampaign(actor=quinn, reason="a wrong lot")
        await newest.handle.execute_update(CampaignWorkflow.pause_campaign, pause)
        late = world.consignee("Late", Person("late@x.example"))
        await world.write("UPDATE consignee SET campaign_sequence = 1 WHERE id = %s", late)
        await newest.into_a_new_run()
        await newest.until(lambda progress: progress.pending == {"email": 1})
        assert len(hand.mail.accepted) == 1
        resume = ResumeCampaign(actor=quinn, reason="checked")
        await newest.handle.execute_update(CampaignWorkflow.resume_campaign, resume)
        await newest.until(lambda progress: not progress.pending and progress.not_notified == 0)
        assert [message.to for message in hand.mail.accepted] == ["c@x.example", "late@x.example"]


async def _has_looked_after(run: CampaignRun, events: int) -> bool:
    """Whether a look that began after so many events has come back and the workflow has gone on from it."""
    kinds = [
        "looked"
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        and event.activity_task_completed_event_attributes.scheduled_event_id > events
        else event.event_type
        for event in await run.events()
    ]
    return "looked" in kinds and EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in kinds[kinds.index("looked") :]


async def test_an_abort_that_is_being_recorded_when_the_run_ends_is_not_lost(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.consignee("C", Person("c@x.example"))
    quinn, ada = (Actor(principal=name, roles=(role,)) for name, role in (("Quinn", "qa"), ("Ada", "approver")))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        newest = CampaignRun(temporal, temporal.client.get_workflow_handle(campaign_id(NUMBER, 1)))
        pause = PauseCampaign(actor=quinn, reason="a wrong lot")
        await newest.handle.execute_update(CampaignWorkflow.pause_campaign, pause)
        async with await psycopg.AsyncConnection.connect(world.url) as holding:
            # The look does not need this lock, the abort does: so the run fills up while the abort is under way.
            await holding.execute("SELECT FROM campaign FOR NO KEY UPDATE")
            abort = AbortCampaign(actor=ada, reason="the wrong product")
            deciding = asyncio.create_task(newest.handle.execute_update(CampaignWorkflow.abort_campaign, abort))
            before = (await newest.handle.describe()).run_id
            while (await newest.handle.describe()).history_length < 90:
                await newest.handle.signal("nudge")
            while not await _has_looked_after(newest, 60):
                pass
            assert (await newest.handle.describe()).run_id == before, "it waits for the decision"
        assert (await deciding).state == "aborted"
        async with asyncio.timeout(20):
            await newest.handle.result()
        assert (await newest.handle.describe()).run_id == before, "nothing goes on in a new run"
