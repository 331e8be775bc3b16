"""The recipient page of a recall that changed: what changed, all lots again, and nothing where nothing is left."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from db.engine import SessionFactory
from tests.api.conftest import unreachable_client
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import NUMBER, T0, Person, World, build
from tests.support.api import serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification with two lots, and a third that is not in its scope yet."""
    return build(clean_db.admin_url, lots=("A1", "B2", "C3"))


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API without Temporal."""
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client


def amended(world: World, consignee: int, *, added: bool = False, removed: bool = False, classes: Any = None) -> None:
    """What the amended notice of scope version 2 leaves behind; C3 came in, A1 went out, as asked."""
    facts = json.dumps({"since": 1, "lots_added": [], "lots_removed": [], "class": classes, "whole": False})
    world.run(
        "INSERT INTO scope_version (recall_number, version, change, criteria, decided_by, decided_at)"
        " VALUES (%s, 2, 'expand', '{\"parts\": []}', 'ada', %s)",
        NUMBER,
        T0,
    )
    if added:
        world.run(
            "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated, scope_version)"
            " VALUES (%s, %s, 5, 0, false, 2)",
            consignee,
            world.lot_ids[2],
        )
        world.run("UPDATE consignee SET state = 'open', step = 0, campaign_sequence = 2 WHERE id = %s", consignee)
    if removed:
        world.run("UPDATE consignee_lot SET withdrawn_in = 2 WHERE lot_id = %s", world.lot_ids[0])
    world.run(
        "INSERT INTO notice (recall_number, version, kind, scope_version, change, sha256, drafted_by, drafted_at)"
        " VALUES (%s, 2, 'amendment', 2, %s, %s, 'system', %s)",
        NUMBER,
        facts,
        "0" * 64,
        T0,
    )
    world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT %s, 2, id, %s FROM notice WHERE version = 2",
        NUMBER,
        T0,
    )


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


async def test_after_an_expansion_all_lots_are_asked_again_with_the_earlier_figures_proposed(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    await Recipient(http, consignee).answer(world.lot_ids[:2])
    amended(world, consignee, added=True)
    recipient = Recipient(http, consignee)
    page = await recipient.open()
    assert "Now also affected: C3" in page.text
    assert "also for those you have answered for before" in page.text
    first, second, third = world.lot_ids
    proposed = hidden(page.text)
    assert (proposed[f"on_hand-{first}"], proposed[f"on_hand-{second}"]) == ("10", "10")
    assert f"on_hand-{third}" not in proposed, "nobody has said anything of the new lot"
    assert "acknowledged" not in proposed, "the amended notice is to be acknowledged, too"
    recipient.fields |= {name: value for name, value in proposed.items() if name not in ("step", "lang")}
    await recipient.send("acknowledge", acknowledged="yes")
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    await recipient.send("affected", affected="yes")
    missing = await recipient.send("lots")
    assert missing.status_code == 422
    assert "Lot C3" in missing.text
    given = {"on_hand": "5", "held": "5", "used": "0", "passed_on": "0"}
    recipient.fields |= {f"{name}-{third}": value for name, value in given.items()}
    await recipient.send("lots")
    done = await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert done.status_code == 200
    assert world.one("SELECT state FROM consignee") == "answered"
    last = replies(world)[-1]
    stated = world.rows("SELECT lot_id FROM reply_line WHERE reply_id = %s ORDER BY lot_id", last["id"])
    assert [row["lot_id"] for row in stated] == sorted(world.lot_ids)


async def test_none_of_these_lots_is_not_proposed_for_a_list_that_has_grown(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    recipient = Recipient(http, consignee)
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert replies(world)[-1]["affected"] is False
    amended(world, consignee, added=True)
    assert "affected" not in hidden((await Recipient(http, consignee).open()).text)


@pytest.mark.parametrize("resumed", [False, True])
async def test_none_of_these_lots_said_of_a_shorter_list_is_asked_again_and_states_nothing(
    http: httpx.AsyncClient, world: World, resumed: bool
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    recipient = Recipient(http, consignee)
    await recipient.open()
    asked = await recipient.send("acknowledge", acknowledged="yes")
    recipient.fields |= hidden(asked.text)
    last = await recipient.send("affected", affected="no")
    assert 'name="responder_name"' in last.text
    amended(world, consignee, added=True)
    if resumed:  # by another browser, after the amended notice was acknowledged
        recipient = Recipient(http, consignee)
        recipient.fields = hidden((await recipient.open()).text)
        recipient.fields = hidden((await recipient.send("acknowledge", acknowledged="yes")).text)
    else:
        recipient.fields = hidden(last.text)
    again = await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert "Lot C3" in again.text
    assert 'name="affected"' in again.text
    assert "checked" not in again.text.split("<fieldset")[1].split("</fieldset>")[0]
    assert [reply["kind"] for reply in replies(world) if reply["kind"] == "statement"] == []
    recipient.fields = hidden(again.text)
    recipient.fields = hidden((await recipient.send("affected", affected="no")).text)
    done = await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert done.status_code == 200
    assert replies(world)[-1]["affected"] is False
    assert world.one("SELECT count(*) FROM reply_line") == 3


def without_tokens(page: httpx.Response) -> str:
    """The page without its links and hidden values: a random token may hold any two letters."""
    return re.sub(r'(href|action|value)="[^"]*"', "", page.text)


async def test_a_lot_that_was_added_is_not_shown_before_its_notice_was_approved(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10",))
    amended(world, consignee, added=True)
    world.run("DELETE FROM campaign WHERE sequence = 2")
    recipient = Recipient(http, consignee)
    assert "C3" not in without_tokens(await recipient.open())
    asked = await recipient.send("acknowledge", acknowledged="yes")
    assert "A1" in asked.text
    assert "C3" not in without_tokens(asked)


async def test_whoever_has_fewer_lots_sees_so_and_its_answer_still_stands(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    await Recipient(http, consignee).answer(world.lot_ids[:2])
    amended(world, consignee, removed=True, classes=["III", "I"])
    page = await Recipient(http, consignee).open()
    assert "No longer affected: A1" in page.text
    assert "from Class III to Class I" in page.text
    assert "Thank you" in page.text
    correcting = await Recipient(http, consignee).open(correct="1")
    assert f"on_hand-{world.lot_ids[0]}" not in correcting.text
    assert hidden(correcting.text)[f"on_hand-{world.lot_ids[1]}"] == "10"


async def test_whoever_joined_by_the_amended_notice_is_told_of_no_change(http: httpx.AsyncClient, world: World) -> None:
    consignee = world.consignee("New", Person(email="a@new.example"), lots=())
    amended(world, consignee, added=True)
    page = await Recipient(http, consignee).open()
    assert "What has changed" not in page.text


@pytest.mark.parametrize("phase", ["notification", "cancelled"])
async def test_a_withdrawn_recipient_is_asked_nothing_and_nothing_it_posts_counts(
    http: httpx.AsyncClient, world: World, phase: str
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    before = Recipient(http, consignee)
    await before.open()
    world.run("UPDATE consignee SET state = 'withdrawn'")
    world.run("UPDATE recall SET phase = %s", phase)
    page = await Recipient(http, consignee).open()
    assert page.status_code == 200
    assert "No longer under recall" in page.text
    assert "<form" not in page.text
    assert "A1" in page.text
    posted = await before.send("acknowledge", acknowledged="yes")
    assert "No longer under recall" in posted.text
    assert replies(world) == []
    assert world.one("SELECT state FROM consignee") == "withdrawn"
