"""Campaigns over HTTP: paused, resumed and aborted once per key, by the right people, and shown as they stand."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from db.engine import SessionFactory
from domain.roles import Role
from tests.campaign.campaign_run import CampaignRun, campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import NUMBER, Person, build
from tests.support.api import Callers
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
URL = f"/v1/recalls/{NUMBER}/campaigns"
WHY = {"reason": "the notice names a wrong lot"}


@pytest.fixture
def hand(api: Callers, db: SessionFactory, postgres: PostgresForTests) -> Hand:
    return Hand(db, build(postgres.admin_url))


@pytest_asyncio.fixture
async def running(temporal: WorkflowEnvironment, hand: Hand) -> AsyncIterator[CampaignRun]:
    """A campaign with two consignees told."""
    for name in ("a", "b"):
        hand.world.consignee(name, Person(f"{name}@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        yield run


async def test_pause_and_resume_are_carried_out_once_per_key_and_shown(api: Callers, running: CampaignRun) -> None:
    first = await api.post(f"{URL}/1/pause", WHY, key="pause-1")
    assert first.status_code == 200, first.text
    assert (first.json()["state"], first.json()["decision"]) == ("paused", "done")
    again = await api.post(f"{URL}/1/pause", WHY, key="pause-1")
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    (shown,) = (await api.get(URL)).json()
    assert (shown["state"], shown["paused_by"], shown["pause_reason"]) == ("paused", "Quinn", WHY["reason"])
    second = await api.post(f"{URL}/1/pause", WHY)
    assert (second.status_code, second.json()["type"]) == (409, "urn:recall:problem:already-decided")
    resumed = await api.post(f"{URL}/1/resume", WHY, Role.REGULATORY)
    assert resumed.json()["state"] == "running"
    assert (await api.get(URL)).json()[0]["state"] == "running"


async def test_a_campaign_says_how_many_messages_were_in_doubt_and_may_have_been_sent_twice(
    api: Callers, running: CampaignRun, hand: Hand
) -> None:
    (shown,) = (await api.get(URL)).json()
    assert (shown["doubtful"], shown["repeated_at_most"]) == (0, 0)
    world = hand.world
    world.consignee("by text", Person(phone="+254700000001"))
    await running.handle.signal("nudge")
    await running.until(lambda progress: progress.not_notified == 0 and progress.consignees == 3)
    # As after a crash of the sender: its lease is over, and nobody knows what became of them.
    for delivery in world.deliveries():
        world.run(
            "UPDATE delivery SET state = 'submitting', submitted_at = NULL, lease_until = created_at WHERE id = %s",
            delivery["id"],
        )
    await hand.send("email", datetime.now(UTC))
    await hand.send("sms", datetime.now(UTC))
    (shown,) = (await api.get(URL)).json()
    assert (shown["doubtful"], shown["repeated_at_most"]) == (3, 2)
    assert Counter(each.to for each in hand.mail.accepted) == {"a@x.example": 2, "b@x.example": 2}
    assert len(hand.sms.accepted) == 1, "its provider was asked"


async def test_an_abort_is_signed_by_another_person_and_lists_who_remains(api: Callers, running: CampaignRun) -> None:
    early = await api.post(f"{URL}/1/abort", WHY, Role.APPROVER)
    assert (early.status_code, early.json()["type"]) == (409, "urn:recall:problem:wrong-state")
    await api.post(f"{URL}/1/pause", WHY, Role.APPROVER)
    same = await api.post(f"{URL}/1/abort", WHY, Role.APPROVER)
    assert (same.status_code, same.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    aborted = await api.post(f"{URL}/1/abort", WHY, Role.HEAD_OF_QUALITY)
    assert aborted.status_code == 200, aborted.text
    assert aborted.json()["detail"] == "aborted: 0 consignees were never told, 2 owe an answer"
    page = (await api.get(f"{URL}/1/remainder", limit=1)).json()
    assert [each["told"] for each in page["items"]] == [True]
    rest = (await api.get(f"{URL}/1/remainder", limit=5, cursor=page["next_cursor"])).json()
    assert [each["partner_name"] for each in page["items"] + rest["items"]] == ["a", "b"]
    (shown,) = (await api.get(URL)).json()
    assert (shown["state"], shown["aborted_by"]) == ("aborted", "Hana")
    await running.handle.result()
    late = await api.post(f"{URL}/1/resume", WHY)
    assert (late.status_code, late.json()["type"]) == (409, "urn:recall:problem:recall-closed")


async def test_whoever_may_not_is_refused_and_an_unknown_campaign_is_not_found(
    api: Callers, running: CampaignRun
) -> None:
    assert (await api.post(f"{URL}/1/pause", WHY, Role.WAREHOUSE)).status_code == 403
    assert (await api.post(f"{URL}/1/abort", WHY, Role.QA)).status_code == 403
    assert (await api.post(f"{URL}/2/pause", WHY)).status_code == 404
    assert (await api.post(f"{URL}/1/pause", {"reason": " "})).status_code == 422
    assert (await api.get(f"{URL}/7/remainder")).status_code == 404
