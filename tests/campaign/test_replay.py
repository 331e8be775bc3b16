"""Histories of campaigns that have run replay with the code of today; deleting one needs a stated reason."""

import os
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from plugin import recall_plugin, workflow_runner
from tests.campaign.campaign_run import campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, Person, World
from workflows.campaign import CampaignWorkflow

HISTORIES = Path(__file__).parent / "histories"
STORED = sorted(HISTORIES.glob("*.json"))


def test_there_are_histories_to_replay() -> None:
    assert STORED


@pytest.mark.workflow
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
async def test_a_stored_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json("recall:RC-2026-000012:campaign:1", path.read_text())  # noqa: ASYNC240
    replayer = Replayer(workflows=[CampaignWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    await replayer.replay_workflow(history)


@pytest.mark.db
@pytest.mark.workflow
@pytest.mark.skipif("RECORD_HISTORY" not in os.environ, reason="RECORD_HISTORY=name records a new history")
async def test_record_a_history(temporal: WorkflowEnvironment, hand: Hand, world: World) -> None:
    silent = world.consignee("Silent", Person("a@x.example", "+254700000001"), Person("b@x.example"))
    talker = world.consignee("Talker", Person("c@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'acknowledged' WHERE id = %s", talker)
        await run.handle.signal("nudge")
        for following in (3, 4, 5):
            await run.forward(DAY)
            await run.until_round(following)
        await run.forward(DAY)
        await run.until(lambda progress: progress.next_due_at is None)
        await world.write("UPDATE consignee SET state = 'documented' WHERE id = %s", silent)
        await run.handle.signal("nudge")
        await run.until(lambda progress: progress.outstanding == 0)
        await run.handle.signal("stop")
        await run.handle.result()
        history = (await run.handle.fetch_history()).to_json()
        unnamed = re.sub(r'"identity": ?"[^"]*"', '"identity": "test"', history)
        (HISTORIES / f"{os.environ['RECORD_HISTORY']}.json").write_text(unnamed + "\n")
