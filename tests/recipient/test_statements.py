"""Returned and destroyed units, patients, and figures kept against our records, stated on the page."""

import httpx
import pytest

from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


async def to_the_figures(recipient: Recipient, lots: list[int], **figures: str) -> httpx.Response:
    """As far as the figures of every lot."""
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    given = {"on_hand": "0", "held": "0", "used": "0", "passed_on": "0"} | figures
    recipient.fields |= {f"{name}-{lot}": value for lot in lots for name, value in given.items()}
    return await recipient.send("lots")


async def finish(recipient: Recipient) -> httpx.Response:
    return await recipient.send("person", responder_name="Grace", responder_role="Head of stores")


async def test_returned_and_destroyed_units_are_stated_as_such(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await to_the_figures(recipient, world.lot_ids, on_hand="3", held="3", returned="5", destroyed="2")
    await finish(recipient)
    lines = world.rows("SELECT on_hand, used, returned, destroyed FROM reply_line")
    assert [tuple(map(int, line.values())) for line in lines] == [(3, 0, 5, 2)]
    assert replies(world)[-1]["findings"] == [], "ten of ten are accounted for"


async def test_an_empty_box_says_nothing_about_returned_units(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await to_the_figures(recipient, world.lot_ids, on_hand="10", held="10")
    await finish(recipient)
    assert world.rows("SELECT DISTINCT returned, destroyed FROM reply_line") == [{"returned": None, "destroyed": None}]


async def test_units_counted_back_at_our_dock_are_not_held_against_whoever_states_them(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    world.run("UPDATE consignee_lot SET returned = 4")
    recipient = Recipient(http, consignee)
    page = await to_the_figures(recipient, world.lot_ids, on_hand="6", held="6", returned="4")
    assert page.status_code == 200, "6 here and the 4 we counted are the 10 we shipped"
    await finish(recipient)
    assert replies(world)[-1]["findings"] == []
    again = await Recipient(http, consignee).open(correct="1")
    assert again.status_code == 200
    over = await to_the_figures(Recipient(http, consignee), world.lot_ids, on_hand="6", held="6", returned="5")
    assert over.status_code == 422


async def test_figures_kept_against_our_records_need_a_reason_and_open_a_query(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    asked = await to_the_figures(recipient, world.lot_ids, on_hand="11", held="11")
    assert asked.status_code == 422
    assert 'name="confirm_reason"' in asked.text
    unexplained = await recipient.send("lots", confirm_quantities="yes")
    assert unexplained.status_code == 422
    assert 'href="#confirm_reason"' in unexplained.text
    kept = await recipient.send("lots", confirm_reason="one more came from our other site")
    assert kept.status_code == 200
    thanks = await finish(recipient)
    assert "do not fit what we delivered" in thanks.text
    assert "do not fit what we delivered" in (await recipient.open()).text
    stated = replies(world)[-1]
    assert "one more came from our other site" in stated["free_text"]
    assert {finding["kind"] for finding in stated["findings"]} == {"more_than_shipped"}
    assert world.one("SELECT state FROM consignee") == "acknowledged", "unanswered until settled"
    assert world.one("SELECT count(*) FROM consignee_case WHERE reason = 'statement' AND state = 'open'") == 1
    assert world.one("SELECT count(*) FROM task WHERE key LIKE 'query:%%'") == 1


async def test_a_hospital_that_used_units_is_asked_for_counts_of_patients(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), kind="hospital"))
    page = await to_the_figures(recipient, world.lot_ids, used="10")
    assert 'name="patients_exposed"' in page.text
    wrong = {"exposed": "9", "contacted": "12", "monitored": "x", "replaced": "0"}
    refused = await recipient.send("person", **{f"patients_{name}": value for name, value in wrong.items()})
    assert refused.status_code == 422
    assert 'href="#patients_monitored"' in refused.text
    right = {"exposed": "9", "contacted": "9", "monitored": "2", "replaced": "0", "final": "yes"}
    recipient.fields |= {f"patients_{name}": value for name, value in right.items()}
    await finish(recipient)
    (row,) = world.rows("SELECT * FROM patient_follow_up")
    assert (row["exposed"], row["contacted"], row["monitored"], row["replaced"], row["final"]) == (9, 9, 2, 0, True)
    assert (row["channel"], row["stated_by"]) == ("page", "Grace")
    assert world.one("SELECT count(*) FROM consignee_case WHERE reason = 'patients' AND state = 'open'") == 0


async def test_counts_of_patients_may_wait_and_are_asked_of_nobody_else(http: httpx.AsyncClient, world: World) -> None:
    hospital = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), kind="hospital"))
    await to_the_figures(hospital, world.lot_ids, used="10")
    await finish(hospital)
    dealer = Recipient(http, world.consignee("Dealer", Person(email="b@dealer.example"), kind="distributor"))
    page = await to_the_figures(dealer, world.lot_ids, used="10")
    assert 'name="patients_exposed"' not in page.text
    await dealer.send("person", responder_name="B", responder_role="C", patients_exposed="3")
    assert world.one("SELECT count(*) FROM patient_follow_up") == 0
