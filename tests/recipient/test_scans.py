"""A code scanned on the page is told affected, not affected, or neither; it never loses what was filled in."""

import httpx
import pytest

from tests.api.test_recipient_page import Recipient
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db
GTIN = "05391516740012"


@pytest.fixture
async def recipient(http: httpx.AsyncClient, world: World) -> Recipient:
    """At the figures of lot A1; B2 of the same product is recalled, but was not delivered to it."""
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    world.run(
        "UPDATE product SET gtin = %s WHERE id = (SELECT product_id FROM lot WHERE id = %s)", GTIN, world.lot_ids[0]
    )
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    return recipient


async def told(recipient: Recipient, code: str, step: str = "lots") -> str:
    page = await recipient.http.post(recipient.url, data=recipient.fields | {"step": step, "code": code})
    assert page.status_code == 200
    return page.text


async def test_an_affected_lot_is_offered_for_filling_in(recipient: Recipient, world: World) -> None:
    recipient.fields |= {"affected": "yes", f"used-{world.lot_ids[0]}": "3"}
    page = await told(recipient, f"(01){GTIN}(10)A1(17)261231(21)S-7")
    assert "Lot A1 is affected. Set it aside." in page
    assert "Serial number S-7." in page
    assert f'href="#on_hand-{world.lot_ids[0]}"' in page
    assert f'name="used-{world.lot_ids[0]}" value="3"' in page


async def test_a_unit_without_a_lot_on_its_label_is_known_by_its_serial(recipient: Recipient, world: World) -> None:
    world.run("INSERT INTO serial (lot_id, number) VALUES (%s, 'S-7')", world.lot_ids[0])
    assert "Lot A1 is affected. Set it aside." in await told(recipient, f"(01){GTIN}(21)S-7")
    assert "names the product but no lot" in await told(recipient, f"(01){GTIN}(21)S-8")


async def test_an_affected_package_answers_whether_one_is_affected(recipient: Recipient) -> None:
    page = await told(recipient, f"01{GTIN}10A1", "affected")
    assert 'value="yes" checked' in page
    assert "<h1>Are you affected?</h1>" in page, "shown, not sent on"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (f"01{GTIN}10A117261231", "Lot A1 is affected"),
        ("a 1", "Lot A1 is affected"),
        (f"(01){GTIN}(10)Z9", "is not under this recall."),
        (f"01{GTIN}10Z917261231", "We cannot tell from this code where the lot number ends"),
        (f"(01){GTIN}", "names the product but no lot"),
        (
            "(01)00614141123452(10)A1",
            "We do not know the product of this code, but lot number A1 is under this recall.",
        ),
        ("01006141411234521726123110A-1", "but lot number A1 is under this recall. Set it aside and call us."),
        ("(01)00614141123452(10)Z9", "so we cannot tell whether it is under this recall"),
        ("(01)00614141123452", "names the product but no lot"),
        ("Z9", "Z9 is none of the lots listed for you"),
        ("(01)123", "This code cannot be read"),
        ("+H123ABC01/$$3261231A1U", "but lot number A1 is under this recall. Set it aside and call us."),
        ("+$$3261231A1L/", "but lot number A1 is under this recall. Set it aside and call us."),
        ("+H123ABC01/$Z96", "so we cannot tell whether it is under this recall"),
        ("+A123BJC5D6E71G", "names the product but no lot"),
        ("+H123ABC01/$$3A1", "This is an HIBC code"),
        ("+$$3A1", "This is an HIBC code"),
        ("=,000025", "This code cannot be read"),
    ],
)
async def test_each_code_gets_a_clear_answer(recipient: Recipient, code: str, words: str) -> None:
    assert words in await told(recipient, code)


async def test_an_affected_lot_we_did_not_list_is_never_called_unaffected(recipient: Recipient, world: World) -> None:
    world.run("UPDATE lot SET product_id = (SELECT product_id FROM lot WHERE id = %s)", world.lot_ids[0])
    world.run("INSERT INTO scope_lot SELECT recall.number, scope_version, %s, true, 0 FROM recall", world.lot_ids[1])
    assert "Lot B2 is affected, although by our records it was not delivered to you" in await told(
        recipient, f"(01){GTIN}(10)B2"
    )


async def test_a_product_that_we_know_is_not_under_the_recall_is_called_so(recipient: Recipient, world: World) -> None:
    world.run(
        "INSERT INTO product (code, name, gtin, unit_of_use, implantable, life_supporting, sterile)"
        " VALUES ('GLOVE', 'Glove', '00614141123452', 'pair', false, false, false)"
    )
    assert "a product that is not under this recall" in await told(recipient, "(01)00614141123452(10)A1")


async def test_a_lot_of_the_recall_in_a_package_of_unknown_code_is_set_aside_although_we_did_not_list_it(
    recipient: Recipient, world: World
) -> None:
    world.run("INSERT INTO scope_lot SELECT recall.number, scope_version, %s, true, 0 FROM recall", world.lot_ids[1])
    assert "lot number B2 is under this recall" in await told(recipient, "(01)00614141123452(10)B2")


async def test_a_scanner_that_presses_enter_does_not_send_the_step(recipient: Recipient, world: World) -> None:
    lot = world.lot_ids[0]
    recipient.fields |= {f"{name}-{lot}": "0" for name in ("on_hand", "held", "used", "passed_on")} | {
        "affected": "yes"
    }
    assert "<h1>How many units do you have?</h1>" in await told(recipient, "A1")
    assert "<h1>Who is answering?</h1>" in await told(recipient, " ")
