"""Harm told in a form that is not an answer any more: sent before, or open while there was nothing left to answer."""

import httpx
import pytest

from tests.api.test_harm import complaints
from tests.api.test_recipient_page import Recipient
from tests.campaign.world import NUMBER, Person, World

pytestmark = pytest.mark.db


@pytest.mark.parametrize(
    ("told", "severity", "description"),
    [
        ({"harm": "yes", "harm_severity": "serious", "harm_description": "Burn"}, "serious", "Burn"),
        ({"harm": "yes"}, "unknown", "(no description given)"),
        ({"remark": "A patient was injured by it"}, "unknown", "A patient was injured by it"),
    ],
)
async def test_harm_told_with_the_back_button_after_the_answer_was_sent_is_a_report_too(
    http: httpx.AsyncClient, world: World, told: dict[str, str], severity: str, description: str
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.answer(world.lot_ids)
    assert complaints(world) == []
    for _ in range(2):
        again = await recipient.send("person", **told)
        assert "safety staff have been alerted" in again.text
        assert f"{NUMBER}/" in again.text
    assert [(row["severity"], row["description"]) for row in complaints(world)] == [(severity, description)]
    assert len(world.rows("SELECT 1 FROM reply WHERE kind = 'statement'")) == 1


async def test_harm_in_a_form_that_was_open_while_its_lots_were_taken_out_is_a_report(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    world.run("UPDATE consignee SET state = 'withdrawn'")
    for _ in range(2):
        page = await recipient.send("person", responder_name="Grace", responder_role="Nurse", harm_severity="death")
        assert "safety staff have been alerted" in page.text
    assert [row["severity"] for row in complaints(world)] == ["death"]
    assert world.one("SELECT state FROM consignee") == "withdrawn"


async def test_a_remark_changed_after_the_answer_was_sent_is_said_not_to_be_recorded(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    recipient.fields["remark"] = "Fetch them at dock 3"
    await recipient.answer(world.lot_ids)
    assert "is not recorded" not in (await recipient.send("person")).text
    assert "is not recorded" in (await recipient.send("person", remark="Fetch them at dock 4")).text
    assert complaints(world) == []


RUNNING = "RC-2026-000013"


def beside(world: World) -> None:
    """Another recall that runs, with people who look."""
    world.run(
        "INSERT INTO recall SELECT (jsonb_populate_record(r, jsonb_build_object('number', %s::text))).* FROM recall r",
        RUNNING,
    )
    world.run(
        "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
        " SELECT %s, policy_id, version, sha256, body, pinned_at FROM pinned_policy",
        RUNNING,
    )


@pytest.mark.parametrize("told", [{"report_harm": "yes", "now_description": "Burn"}, {"harm_description": "Burn"}])
@pytest.mark.parametrize("known_there", [True, False])
async def test_harm_told_under_a_recall_that_was_taken_back_pages_people_who_still_look(
    http: httpx.AsyncClient, world: World, told: dict[str, str], known_there: bool
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.open()
    beside(world)
    if known_there:
        world.run(
            "INSERT INTO consignee (recall_number, partner_id, tier, state, step, campaign_sequence, added_at)"
            " SELECT %s, partner_id, 1, 'open', 1, 1, added_at FROM consignee",
            RUNNING,
        )
    world.run("UPDATE consignee SET state = 'withdrawn' WHERE recall_number = %s", NUMBER)
    world.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", NUMBER)
    for _ in range(2):
        page = await recipient.send("person", **told)
        assert page.status_code == 200
        assert "safety staff have been alerted" in page.text
    assert {row["recall_number"] for row in complaints(world)} == ({RUNNING} if known_there else set())
    (task,) = world.rows("SELECT recall_number, key FROM task WHERE key LIKE 'on_call:%%'")
    assert task["recall_number"] == RUNNING
    (message,) = world.rows("SELECT provider, outcome, body FROM inbound_message")
    assert (message["provider"], message["outcome"]) == ("page", "no_open_recall")
    assert message["body"].endswith("Burn")


async def test_a_death_told_without_a_word_under_a_recall_that_was_taken_back_reaches_its_reader_as_one(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.open()
    world.run("UPDATE consignee SET state = 'withdrawn'")
    world.run("UPDATE recall SET phase = 'cancelled'")
    await recipient.send("person", harm_severity="death")
    assert "outcome death: (no description given)" in world.one("SELECT body FROM inbound_message")


async def test_harm_told_in_a_drill_that_has_ended_stays_in_the_drill(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.open()
    beside(world)
    world.run("UPDATE consignee SET state = 'withdrawn'")
    world.run("UPDATE recall SET phase = 'cancelled', drill = true WHERE number = %s", NUMBER)
    page = await recipient.send("person", report_harm="yes", now_description="Burn")
    assert page.status_code == 200
    assert [row["recall_number"] for row in complaints(world)] == [NUMBER]
    assert {row["recall_number"] for row in world.rows("SELECT recall_number FROM task")} <= {NUMBER}
    assert world.rows("SELECT id FROM inbound_message") == []
