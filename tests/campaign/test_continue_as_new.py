"""A campaign whose history grows too long goes on in a new run: nobody is told twice, nothing is reported twice."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.workflow_ids import campaign_id
from models.messages import CampaignReport
from tests.campaign.campaign_run import CampaignRun, campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import NUMBER, Person, World
from tests.support.clock import start_environment
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
        first_run = (await newest.handle.describe()).run_id
        reports = len(await run.until_reported(lambda report: report.not_notified == 0))
        while (await newest.handle.describe()).run_id == first_run:
            await newest.handle.signal("nudge")
        await newest.until(lambda progress: progress.outstanding == 4)
        assert len(await run.reports()) == reports, "nothing changed, so nothing is reported"
        await world.write("UPDATE consignee SET state = 'answered' WHERE id <> %s", ids[0])
        await newest.handle.signal("nudge")
        await run.until_reported(lambda report: report.outstanding == 1)
        assert len(hand.mail.accepted) == 4
        await newest.handle.signal("stop")
        assert CampaignReport.model_validate(await newest.handle.result()).outstanding == 1
