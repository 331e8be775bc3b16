"""Harm in a message that belongs to no recall we can name pages somebody, and is a task until it is settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from activities.staff_rendering import LANGUAGES, StaffRenderer
from db.repositories.staff_messages import Pending
from domain.channels import Channel
from models.recall import Recall
from models.staff import MessageKind, Staff, StaffMessage
from models.task import Task
from tests.api.test_harm import api, http, on_call, pages, world
from tests.api.test_webhooks import INBOUND, send, sms
from tests.campaign.world import NUMBER, World
from tests.support.api import Callers

__all__ = ["api", "http", "world"]

pytestmark = pytest.mark.db
STRANGER = "+8613800000000"
HARM = "patient injured by your set"


def tasks(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT * FROM task WHERE starts_with(key, 'on_call:message:') ORDER BY id")


async def test_it_pages_whoever_is_on_call_and_opens_a_task_with_the_time_of_a_complaint(
    http: httpx.AsyncClient,
    world: World,
) -> None:
    on_call(world)
    message = sms(HARM, sender=STRANGER)
    for _ in range(2):
        assert (await send(http, INBOUND, message)).status_code == 200
    (task,) = tasks(world)
    assert (task["recall_number"], task["step"], task["state"]) == (NUMBER, "complaint", "offered")
    limit = world.one("SELECT body -> 'tasks' -> 'complaint' FROM pinned_policy")
    assert task["role"] == limit["role"]
    assert task["remind_at"] < task["due_at"] <= datetime.now(UTC) + timedelta(days=1)
    assert HARM not in task["what"]
    assert STRANGER not in task["what"]
    assert pages(world) == [("Hanna", "email", "pending"), ("Hanna", "sms", "pending")]
    assert world.one("SELECT count(*) FROM complaint") == 0
    event = world.one("SELECT data FROM audit_event WHERE action = 'harm.unassigned'")
    assert (event["task_of"], event["paged"]) == (NUMBER, ["Hanna"])


async def test_of_a_flood_every_message_is_a_task_and_the_first_few_page(http: httpx.AsyncClient, world: World) -> None:
    on_call(world, email=None)
    for _ in range(7):
        await send(http, INBOUND, sms(HARM, sender=STRANGER))
    assert (len(tasks(world)), len(pages(world))) == (7, 5)
    # Whoever was paged has looked: the next one is news again.
    world.run("UPDATE task SET state = 'done', done_at = now(), done_by = 'Hanna', outcome = 'called'")
    await send(http, INBOUND, sms(HARM, sender=STRANGER))
    assert len(pages(world)) == 6


async def test_what_means_no_harm_pages_nobody(http: httpx.AsyncClient, world: World) -> None:
    on_call(world)
    await send(http, INBOUND, sms("who are you?", sender=STRANGER))
    assert (tasks(world), pages(world)) == ([], [])


async def test_the_newest_running_recall_lends_its_people_and_a_drill_never_does(
    http: httpx.AsyncClient,
    world: World,
) -> None:
    on_call(world)
    for number, change in (
        ("RC-2026-000013", {}),
        ("RC-2026-000014", {"phase": "terminated"}),
        ("RD-2026-000001", {"drill": True}),
    ):
        world.run(
            "INSERT INTO recall SELECT (jsonb_populate_record(r, %s)).* FROM recall r WHERE number = %s",
            *(_json(change | {"number": number, "created_at": f"2026-11-21T12:00:1{number[-1]}Z"}), NUMBER),
        )
    await send(http, INBOUND, sms(HARM, sender=STRANGER))
    assert [task["recall_number"] for task in tasks(world)] == ["RC-2026-000013"]
    assert {state for _, _, state in pages(world)} == {"pending"}


def _json(values: dict[str, Any]) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(values)


async def test_with_nobody_on_call_it_goes_to_the_head_of_quality(
    http: httpx.AsyncClient,
    world: World,
) -> None:
    on_call(world, on_call=False)
    await send(http, INBOUND, sms(HARM, sender=STRANGER))
    assert [task["role"] for task in tasks(world)] == ["head_of_quality"]


async def test_where_no_recall_runs_the_message_pages_waits_for_a_reader_and_is_on_record(
    api: Callers, world: World
) -> None:
    on_call(world)
    world.run("UPDATE recall SET phase = 'terminated'")
    await send(api.client, INBOUND, sms(HARM, sender=STRANGER))
    assert (tasks(world), pages(world)) == ([], [])
    (item,) = (await api.get("/v1/unplaced-messages", settled=False)).json()["items"]
    assert item["speaks_of_harm"] is True
    event = world.one("SELECT data FROM audit_event WHERE action = 'harm.unassigned'")
    assert (event["task_of"], event["paged"]) == (None, ["Hanna"])


async def test_settling_the_message_ends_the_task(api: Callers, world: World) -> None:
    on_call(world)
    await send(api.client, INBOUND, sms(HARM, sender=STRANGER))
    (item,) = (await api.get("/v1/unplaced-messages", settled=False)).json()["items"]
    body = {"how": "recorded", "note": "Complaint 1.", "recall_number": NUMBER}
    answer = await api.post(f"/v1/unplaced-messages/{item['id']}/settle", body)
    assert answer.status_code == 200, answer.text
    (task,) = tasks(world)
    assert (task["state"], task["done_by"], task["outcome"]) == (
        "done",
        answer.json()["settled"]["by"],
        "the message was settled",
    )
    assert world.actions()[-2:] == ["task.closed", "message.settled"]


@pytest.mark.unit
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_the_page_says_what_to_do_in_every_language(channel: Channel, language: str) -> None:
    due = datetime(2026, 11, 23, 9, tzinfo=UTC)
    task: dict[str, Any] = {"id": 7, "what": "Harm was reported", "step": "complaint", "role": "qa", "due_at": due}
    recall: dict[str, Any] = {"number": NUMBER, "title": "Kits"}
    nothing: dict[str, Any] = {}
    text = StaffRenderer().render(
        MessageKind.page,
        channel,
        Pending(
            message=StaffMessage(**nothing),
            person=Staff(principal="hanna", name="Hanna", roles=[], language=language),
            recall=Recall(**recall),
            task=Task(**task),
            complaint=None,
        ),
    )
    said = f"{text.subject} {text.body}"
    assert ("unknown" if language == "en" else "身份不明") in said
    assert "2026-11-23 09:00 UTC" in said
    assert text.subject or channel is Channel.SMS
