"""The page of who pays: its answer is kept and thanked for, and the place's own page still asks the place."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from domain.links import make_link_token
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import NUMBER, T0, Person, World
from tests.support.api import LINK_SECRET

pytestmark = pytest.mark.db


class Payer(Recipient):
    """Somebody with the link of a copy."""

    def __init__(self, http: httpx.AsyncClient, consignee: int, delivery: UUID) -> None:
        until = datetime.now(UTC) + timedelta(days=30)
        token = make_link_token(
            LINK_SECRET, recall_no=NUMBER, consignee_id=consignee, delivery_id=delivery, expires_at=until
        )
        self.http, self.url, self.fields = http, f"/r/{token}", {}


def copied(http: httpx.AsyncClient, world: World) -> tuple[Recipient, Payer]:
    """A place whose own notice waits while the copy has gone out; both with their links."""
    one, copy = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10")), uuid4()
    world.run(
        "INSERT INTO contact (partner_id, position, name, role, party, email, channels, status)"
        " SELECT partner_id, 9, 'Accounts', 'accounts', 'bill_to', 'pay@x.example', '{email}', 'verified'"
        " FROM consignee"
    )
    world.run(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
        " priority, state, attempt, ambiguous, created_at) SELECT %s, %s, %s, id, 0, -2, 'initial', 'email', 'en', 1,"
        " 'submitted', 1, false, %s FROM contact WHERE party = 'bill_to'",
        *(copy, world.campaign_id, one, T0),
    )
    return Recipient(http, one), Payer(http, one, copy)


async def test_who_pays_is_thanked_and_can_correct_itself_while_the_place_is_still_asked(
    http: httpx.AsyncClient, world: World
) -> None:
    place, payer = copied(http, world)
    done = await payer.answer(world.lot_ids)
    stated = replies(world)[-1]["id"]
    assert f"{NUMBER}/{stated}" in done.text
    assert world.one("SELECT state FROM consignee") == "open"
    assert f"{NUMBER}/{stated}" in (await payer.send("person")).text, "a double click"
    again = await payer.open()
    assert f"{NUMBER}/{stated}" in again.text
    assert 'name="acknowledged"' not in again.text, "it is not asked again for what it has said"
    assert 'name="acknowledged"' in (await place.open()).text
    await payer.open(correct="1")
    await payer.send("acknowledge", acknowledged="yes")
    payer.fields |= {f"{name}-{lot}": "4" for lot in world.lot_ids for name in ("on_hand", "held")}
    assert (await payer.send("person")).status_code == 200
    assert len([reply for reply in replies(world) if reply["kind"] == "statement"]) == 2
    await place.answer(world.lot_ids)
    assert world.one("SELECT state FROM consignee") == "answered"
