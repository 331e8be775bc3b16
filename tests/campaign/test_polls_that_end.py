"""A campaign that finds nothing to claim polls and tells nobody; what ends its polling is told at once."""

import asyncio
from collections import Counter

import pytest
from temporalio.testing import WorkflowEnvironment

from models.messages import Actor
from models.messages_pausing import PauseCampaign
from tests.campaign.test_send_window import Record, sending
from workflows import search_attributes as sa
from workflows.campaign import WINDOW, CampaignWorkflow

pytestmark = pytest.mark.workflow
QUINN = Actor(principal="Quinn", roles=("qa",))


async def test_a_pause_that_left_the_batches_under_way_nothing_to_claim_is_shown_at_once(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    record.left = Counter(email=WINDOW)
    async with sending(temporal, record) as handle:
        async with asyncio.timeout(30):
            await record.full.wait()
            pause = PauseCampaign(actor=QUINN, reason="a wrong lot")
            await handle.execute_update(CampaignWorkflow.pause_campaign, pause)
            record.mail_may_go.set()  # the record says paused before they claim anything
            shown = None
            while not shown:
                await asyncio.sleep(0.05)
                shown = (await handle.describe()).typed_search_attributes.get(sa.WAITING_FOR)
        assert shown == "paused by Quinn, to be resumed or aborted"
        await handle.terminate("the test is over")
