"""Receivers that a recipient names as people write them: odd telephones, one site in two blocks."""

import httpx
import pytest

from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


async def passes_on(
    recipient: Recipient, world: World, *receivers: dict[str, str], passed_on: str = "4", remark: str = ""
) -> httpx.Response:
    """Four units of the first lot went on; everything else is there."""
    first, second = world.lot_ids
    figures = {first: {"on_hand": "6", "held": "6", "used": "0", "passed_on": passed_on}}
    figures[second] = {"on_hand": "10", "held": "10", "used": "0", "passed_on": "0"}
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    recipient.fields |= {f"{name}-{lot}": value for lot, of in figures.items() for name, value in of.items()}
    await recipient.send("lots")
    for place, receiver in enumerate(receivers):
        recipient.fields |= {f"to-{place}-{name}": value for name, value in ({"lot": str(first)} | receiver).items()}
    await recipient.send("passed_on")
    return await recipient.send("person", responder_name="Grace", responder_role="Stores", remark=remark)


@pytest.mark.parametrize(
    ("country", "phone"), [("DE", "0211 1234567 12345"), ("DE", "0-1234"), ("GB", "12 34"), ("JP", "1234567890123456")]
)
async def test_a_telephone_nobody_can_dial_is_kept_as_it_was_written_and_costs_no_answer(
    http: httpx.AsyncClient, world: World, country: str, phone: str
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10")))
    world.run("UPDATE partner SET country = %s", country)
    done = await passes_on(recipient, world, {"quantity": "4", "name": "Small Clinic", "phone": phone})
    assert done.status_code == 200
    assert replies(world)[-1]["free_text"] == f"Telephone of Small Clinic as given: {phone}"
    assert world.one("SELECT count(*) FROM consignee WHERE tier = 2") == 1


async def test_one_site_named_in_two_blocks_got_what_both_of_them_say(http: httpx.AsyncClient, world: World) -> None:
    clinic = world.consignee("Small Clinic", Person(email="stores@clinic.example"), lots=("1",))
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10")))
    site = {"email": "stores@clinic.example"}
    ward, desk = {"quantity": "3", "name": "Small Clinic"}, {"quantity": "1", "name": "small clinic, desk"}
    new = {"quantity": "2", "email": "new@hospice.example"}
    assert (await passes_on(recipient, world, ward | site, desk | site)).status_code == 200
    (got,) = world.rows("SELECT consignee_id, lot_id, quantity FROM passed_on")
    assert (got["consignee_id"], got["lot_id"], int(got["quantity"])) == (clinic, world.lot_ids[0], 4)
    other = Recipient(http, world.consignee("Grace", Person(email="a@grace.example"), lots=("10", "10")))
    await passes_on(other, world, new | {"name": "Hospice"}, new | {"name": "hospice"})
    (known,) = world.rows("SELECT p.quantity FROM passed_on p JOIN consignee c ON c.id = p.consignee_id WHERE tier = 2")
    assert int(known["quantity"]) == 4
    assert (
        int(world.one("SELECT l.shipped FROM consignee_lot l JOIN consignee c ON c.id = consignee_id WHERE tier = 2"))
        == 4
    )


async def test_an_absurd_figure_of_one_site_keeps_no_other_from_answering(
    http: httpx.AsyncClient, world: World
) -> None:
    clinic = world.consignee("Small Clinic", Person(email="stores@clinic.example"), lots=("10", "10"))
    sender, most = (
        Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))),
        "9" * 12,
    )
    first = world.lot_ids[0]
    sender.fields |= {"confirm_quantities": "yes", "confirm_reason": "counted"}
    site = {"name": "Small Clinic", "email": "stores@clinic.example", "quantity": most}
    done = await passes_on(sender, world, site, passed_on=most)
    assert done.status_code == 200
    assert int(world.one("SELECT quantity FROM passed_on")) == int(most)
    own = Recipient(http, clinic)
    assert (await own.answer(world.lot_ids)).status_code == 200
    assert world.one("SELECT state FROM consignee WHERE id = %s", clinic) == "answered"
    assert int(world.one("SELECT on_hand FROM reply_line WHERE lot_id = %s ORDER BY id DESC LIMIT 1", first)) == 10


async def test_a_long_remark_crowds_out_no_telephone_and_harm_at_its_end_is_a_report(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10")))
    receiver = {"quantity": "4", "name": "Small Clinic", "phone": "555 01"}
    remark = "They are at dock 3. " * 98 + "A patient was injured."
    assert 1950 < len(remark) <= 2000
    assert (await passes_on(recipient, world, receiver, remark=remark)).status_code == 200
    kept = replies(world)[-1]["free_text"]
    assert len(kept) <= 2000
    assert kept.startswith("Telephone of Small Clinic as given: 555 01\nThey are at dock 3.")
    assert kept.endswith(" [...]")
    assert world.one("SELECT description FROM complaint") == remark
