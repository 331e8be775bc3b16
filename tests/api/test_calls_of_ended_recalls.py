"""Calls that tell of a recall's end offer the keys of every call; what is pressed reaches people who still look."""

import httpx
import pytest

from api.links import TWILIO_KEY_PATH
from tests.api.test_calls import calling, http, post, sid, world
from tests.campaign.world import World

__all__ = ["http", "world"]
pytestmark = pytest.mark.db
ENDED = [("closure", "terminated"), ("initial", "terminated"), ("retraction", "cancelled")]


@pytest.mark.parametrize(("kind", "phase"), ENDED)
async def test_key_4_pages_somebody_though_nobody_looks_after_the_recall_any_more(
    http: httpx.AsyncClient, world: World, kind: str, phase: str
) -> None:
    delivery, call = calling(world, kind=kind), sid()
    world.run('INSERT INTO recall SELECT (jsonb_populate_record(r, \'{"number": "RC-2026-000013"}\')).* FROM recall r')
    world.run(
        "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
        " SELECT 'RC-2026-000013', policy_id, version, sha256, body, pinned_at FROM pinned_policy"
    )
    world.run("UPDATE recall SET phase = %s WHERE number <> 'RC-2026-000013'", phase)
    for _ in range(2):
        answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="4")
        assert "safety staff" in answer.text
    assert world.one("SELECT count(*) FROM complaint") == 0, "not under a recall that takes up none any more"
    (task,) = world.rows("SELECT recall_number, key FROM task")
    assert (task["recall_number"], task["key"].split(":")[0]) == ("RC-2026-000013", "on_call")


@pytest.mark.parametrize(("kind", "phase"), ENDED)
async def test_key_3_waits_among_the_messages_that_people_read(
    http: httpx.AsyncClient, world: World, kind: str, phase: str
) -> None:
    delivery, call = calling(world, kind=kind), sid()
    world.run("UPDATE recall SET phase = %s", phase)
    for _ in range(2):
        answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="3")
        assert "call you" in answer.text
    assert world.one("SELECT count(*) FROM task") == 0, "its case would be looked after by nobody"
    (message,) = world.rows("SELECT outcome, sender, body FROM inbound_message")
    assert tuple(message.values()) == ("no_open_recall", "+254700000001", "asked to be called back (key 3)")
