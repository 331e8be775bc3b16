"""A site that a consignee passed product on to is the one it means, though one person may stand for twenty."""

from decimal import Decimal
from typing import Any

import pytest

from db.engine import SessionFactory
from db.repositories.onward import PassedOnToItself
from models.replies import PassedOnLot, PassedOnTo, RecordedReply
from tests.campaign.answers import answer, stated
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db
SHARED = Person("safety@group.example", phone="+254700000001")


class Group:
    """Twenty sites of one person; the first one answers."""

    def __init__(self, db: SessionFactory, world: World) -> None:
        self.db, self.world = db, world
        self.sites = [world.consignee(f"Site {number}", SHARED) for number in range(1, 21)]

    async def passes_on(self, *names: str, **contact: Any) -> RecordedReply:
        lot, each = self.world.lot_ids[0], Decimal(1)
        contact = contact or {"email": "Safety@group.example"}
        to = tuple(
            PassedOnTo(name=name, kind="hospital", lots=(PassedOnLot(lot_id=lot, quantity=each),), **contact)
            for name in names
        )
        return await answer(
            self.db, self.sites[0], stated(lot, on_hand=10 - len(names), passed_on=len(names)), passed_on=to
        )

    def received(self) -> dict[str, int]:
        rows = self.world.rows(
            "SELECT partner.name, sum(p.quantity) AS units FROM passed_on p JOIN consignee c ON c.id = p.consignee_id"
            " JOIN partner ON partner.id = c.partner_id WHERE p.reply_id = (SELECT max(id) FROM reply) GROUP BY 1"
        )
        return {row["name"]: int(row["units"]) for row in rows}


@pytest.fixture
def group(db: SessionFactory, world: World) -> Group:
    return Group(db, world)


async def test_of_several_sites_with_one_address_the_named_one_gets_the_lot(group: Group) -> None:
    done = await group.passes_on("site  7", "Ｓｉｔｅ 12")
    assert group.received() == {"Site 7": 1, "Site 12": 1}
    assert done.consignee_state == "answered"
    assert group.world.one("SELECT count(*) FROM partner") == 20
    assert group.world.one("SELECT count(*) FROM task") == 0
    assert (await group.passes_on("Site 7", phone=SHARED.phone)).consignee_state == "answered"
    assert group.received() == {"Site 7": 1}


async def test_a_name_that_none_of_them_has_is_taken_as_said_and_a_person_finds_out(group: Group) -> None:
    done = await group.passes_on("Ward for children")
    (joined,) = done.new_consignees
    assert joined not in group.sites
    assert group.received() == {"Ward for children": 1}
    assert done.nudge_due
    task = group.world.one("SELECT key, consignee_id, what FROM task")
    assert (task["key"], task["consignee_id"]) == (f"help:{done.reply_id}", group.sites[0])
    assert "Site 1 which sites it means" in task["what"]
    assert "Ward for children" in task["what"]
    assert group.world.one("SELECT reason FROM consignee_case") == "help"
    again = await group.passes_on("Ward for children")
    assert (again.new_consignees, group.received()) == ((), {"Ward for children": 1})
    assert group.world.one("SELECT count(*) FROM task") == 1, "known by name from then on"


async def test_a_site_that_names_itself_is_told_so_and_the_others_of_its_person_are_not_taken_for_it(
    group: Group,
) -> None:
    with pytest.raises(PassedOnToItself):
        await group.passes_on("SITE 1")
    assert (await group.passes_on("Site 2")).consignee_state == "answered"


async def test_whoever_has_left_a_site_does_not_stand_for_it(group: Group) -> None:
    group.world.run(
        "UPDATE contact SET status = 'left' WHERE partner_id <> (SELECT partner_id FROM consignee WHERE id = %s)",
        group.sites[4],
    )
    await group.passes_on("Whatever it is called")
    assert group.received() == {"Site 5": 1}, "the only one left with this address"


async def test_two_new_sites_of_one_address_are_two(group: Group) -> None:
    await group.passes_on("Clinic North", "Clinic South", email="clinics@other.example")
    assert group.received() == {"Clinic North": 1, "Clinic South": 1}
    await group.passes_on("Clinic South", email="clinics@other.example")
    assert group.received() == {"Clinic South": 1}
