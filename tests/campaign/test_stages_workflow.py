"""The campaign's workflow walks a consignee through every stage, and another from its silence up to the authority."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from db.engine import SessionFactory
from domain.workflow_ids import case_id
from tests.campaign.answers import answer, stated
from tests.campaign.campaign_run import CampaignRun, campaign
from tests.campaign.conftest import Hand
from tests.campaign.staged import HOUR, STAGED
from tests.campaign.world import DAY, NUMBER, Person, World
from tests.support.clock import fast_forward

pytestmark = [pytest.mark.db, pytest.mark.workflow]


@pytest.fixture(autouse=True)
def in_scope(world: World) -> None:
    world.run(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot",
        NUMBER,
    )


def sent(world: World, consignee: int) -> list[str]:
    return [row["kind"] for row in world.deliveries(consignee) if row["state"] in ("submitted", "delivered")]


def last_sent(world: World) -> datetime:
    """The virtual instant of the last message: answers are given a little after it."""
    found: datetime = world.one("SELECT max(submitted_at) FROM delivery")
    return found


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(seen):  # noqa: ASYNC110 - the record is what is waited for
            await asyncio.sleep(0.05)


async def told_of(run: CampaignRun, stage: str) -> None:
    """The workflow looks because it is told, and sees the consignee in that stage."""
    await run.handle.signal("nudge")
    await run.until(lambda progress: progress.stages == {stage: 1})


async def test_a_consignee_walks_through_every_stage_and_is_asked_only_for_the_next(
    temporal: WorkflowEnvironment, hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001"), lots=("10",))
    (lot, _) = world.lot_ids
    async with campaign(temporal, hand, ladder=STAGED) as run:
        await run.quiet()
        await answer(db, one, at=last_sent(world) + timedelta(seconds=1))
        await told_of(run, "acknowledged")
        await run.forward(DAY + 4 * HOUR)
        await until(lambda: sent(world, one) == ["initial", "quantities"])
        await answer(db, one, stated(lot, on_hand=10, held=4), at=last_sent(world) + timedelta(seconds=1))
        await told_of(run, "quantities_stated")
        await run.forward(4 * DAY)
        await until(lambda: sent(world, one) == ["initial", "quantities", "action"])
        await answer(db, one, stated(lot, on_hand=10, held=10), at=last_sent(world) + timedelta(seconds=1))
        await told_of(run, "action_done")
        await run.forward(7 * DAY)
        assert sent(world, one) == ["initial", "quantities", "action"], "nothing is sent to whoever is done"
        assert world.rows("SELECT 1 FROM task") == []
        metadata = str(await run.handle.query("__temporal_workflow_metadata"))
        assert "| Stages | action done 1 |" in metadata
        await run.assert_within_budget()
        await run.assert_replays()


async def test_silence_after_the_acknowledgement_climbs_to_the_account_manager_the_visit_and_the_authority(
    temporal: WorkflowEnvironment, hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001"), Person("b@x.example"), lots=("10",))
    world.run(
        "INSERT INTO staff (principal, name, roles, email, language, on_call)"
        " VALUES ('amara','Amara','{account_manager}',NULL,'en',false)"
    )
    world.run("UPDATE partner SET account_manager = 'amara' WHERE code = 'P-One'")

    def tasks() -> list[str]:
        return [row["kind"] for row in world.rows("SELECT split_part(key, ':', 1) AS kind FROM task ORDER BY id")]

    async with campaign(temporal, hand, ladder=STAGED) as run:
        await run.quiet()
        await answer(db, one, at=last_sent(world) + timedelta(seconds=1))
        await told_of(run, "acknowledged")
        for messages in (2, 3):
            await run.forward(DAY + 4 * HOUR)
            await until(lambda wanted=messages: len(sent(world, one)) == wanted)  # type: ignore[misc]
        await run.forward(DAY + 4 * HOUR)
        await until(lambda: world.rows("SELECT 1 FROM consignee_case WHERE workflow_started_at IS NOT NULL") != [])
        assert tasks() == ["call"]
        # The case's clock is still at the start of the test; its call is due a day after the campaign's.
        case = temporal.client.get_workflow_handle(case_id(NUMBER, str(one)))
        for days, expected in ((5, "manager"), (2, "visit"), (5, "report")):
            await fast_forward(temporal, case, timedelta(days=days, hours=2))
            await until(lambda wanted=expected: wanted in tasks())  # type: ignore[misc]
        assert tasks()[:4] == ["call", "manager", "visit", "report"]
        given = "SELECT data ->> 'key' FROM audit_event WHERE action = 'task.opened' AND data ->> 'assignee' = 'amara'"
        assert world.one(given) == f"manager:{one}", "hers until it was late"
        assert "it has acknowledged, but stated no quantities" in world.one(
            "SELECT what FROM task WHERE key = %s", f"report:{one}"
        )
        assert [row["position"] for row in world.deliveries(one)] == [1, 1, 2], "the escalation goes to the deputy"
        await run.assert_within_budget()
        await run.assert_replays()
