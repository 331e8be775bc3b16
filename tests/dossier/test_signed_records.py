"""A signature stands under the record and the operation it was given for, and the record is what was signed.

Each forgery is made behind the product's back; `recall audit verify` and the dossier's own verifier both find it.
"""

import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from db.engine import SessionFactory
from db.repositories import allocations, audit, disposition_decisions, shortages
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.signatures import Signer, make
from db.repositories.signed_content import refers_to
from dossier.verify import verify
from models.disposition import Allocation, Disposition, Shortage
from tests.activities.conftest import NOW, NUMBER
from tests.api.test_token_commands import call
from tests.dossier.conftest import World
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow

DESTROY = "UPDATE disposition SET {} WHERE sequence = 1"
FORGERIES = {
    "destroyed becomes released": DESTROY.format("kind = 'release'"),
    "ten become 999": DESTROY.format("quantity = 999"),
    "ten become three that nobody has carried out": DESTROY.format("quantity = 3"),
    "another lot": DESTROY.format("lot_id = (SELECT max(id) FROM lot)"),
    "another place": DESTROY.format("location_id = (SELECT max(id) FROM location)"),
    "another proposer": DESTROY.format("proposed_by = 'mallory'"),
    "rejected instead of approved": DESTROY.format("state = 'rejected'"),
    "decided by nobody": DESTROY.format("decided_by = NULL, signature_id = NULL"),
    "another sequence": DESTROY.format("sequence = 7"),
    "a signed disposition taken away": "DELETE FROM disposition WHERE sequence = 1",
    "the signature used again": "UPDATE disposition SET state = 'approved', decided_by = 'dora', signature_id ="
    " (SELECT signature_id FROM disposition WHERE sequence = 1) WHERE sequence = 2",
    "the rejection's signature under the approved one": DESTROY.format(
        "signature_id = (SELECT signature_id FROM disposition WHERE sequence = 3)"
    ),
    "more time for a task under a notice": "UPDATE notice SET approved_by = 'dora', signature_id ="
    " (SELECT id FROM signature WHERE operation = 'extend_deadline')",
    "more time for a task under an allocation": "UPDATE allocation SET signature_id ="
    " (SELECT id FROM signature WHERE operation = 'extend_deadline')",
    "a disposition's signature under an allocation": "UPDATE allocation SET signature_id ="
    " (SELECT signature_id FROM disposition WHERE sequence = 1)",
    "more units allocated": "UPDATE allocation SET quantity = 500",
    "allocated to another shortage": "UPDATE allocation SET shortage_id = (SELECT max(id) FROM shortage)",
    "the settled shortage is larger": "UPDATE shortage SET quantity = 500 WHERE settled_by IS NOT NULL",
    "another shortage settled": "UPDATE shortage SET settled_by = 'dora', signature_id = (SELECT signature_id FROM"
    " shortage WHERE signature_id IS NOT NULL) WHERE signature_id IS NULL",
    "another class than the approved one": "UPDATE class_decision SET recall_class ="
    " CASE recall_class WHEN 'I' THEN 'III' ELSE 'I' END WHERE kind = 'approved'",
    "another market action with the class": "UPDATE class_decision SET market_action = 'none' WHERE kind = 'approved'",
    "another market action": "UPDATE market_action SET action = 'none'",
}

TABLES = ("disposition", "allocation", "shortage", "notice", "class_decision", "market_action")


async def signature(sessions: SessionFactory, operation: str, meaning: str, **stated: Any) -> str:
    """Dora's, made as the API makes it."""
    signer = Signer("dora", "Dora Weiss", "approver", "tests", meaning, 1, UUID(int=1))
    async with sessions.begin() as session:
        refers = await refers_to(session, NUMBER, operation, stated, NOW)
        row = await make(session, signer, number=NUMBER, operation=operation, stated=stated, refers_to=refers, at=NOW)
    return str(row.id)


def dora(signed: str) -> Who:
    return Who("dora", "approver", NOW + timedelta(hours=5), signed, signed)


async def proposed(world: World, postgres: PostgresForTests) -> tuple[int, int]:
    """Three dispositions at one place, two shortages, an allocation for the first; ids of allocation and shortage."""
    with psycopg.connect(postgres.admin_url) as admin:
        query = "SELECT id FROM consignee WHERE recall_number = %s ORDER BY id"
        consignees = [row[0] for row in admin.execute(query, [NUMBER])]
        places = [row[0] for row in admin.execute("SELECT id FROM location ORDER BY id")]
    async with world.sessions.begin() as session:
        session.add_all(_disposition(sequence, world.case.lots["first"], places[0]) for sequence in (1, 2, 3))
        first, second = (_shortage(consignee, world.case.lots["kit"]) for consignee in consignees[:2])
        session.add_all((first, second))
        await session.flush()
        given = Allocation(
            recall_number=NUMBER,
            shortage_id=first.id or 0,
            lot_id=world.case.lots["other"],
            location_id=places[0],
            quantity=Decimal(5),
            state="proposed",
            proposed_at=NOW,
        )
        session.add(given)
        await session.flush()
        return given.id or 0, first.id or 0


def _disposition(sequence: int, lot: int, place: int) -> Disposition:
    return Disposition(
        recall_number=NUMBER,
        sequence=sequence,
        kind="destroy",
        state="proposed",
        lot_id=lot,
        location_id=place,
        quantity=Decimal(10),
        done=Decimal(0),
        reason="Cannot be reworked",
        request=f"proposal-{sequence}",
        proposed_by="quinn",
        proposed_at=NOW,
    )


def _shortage(consignee: int, product: int) -> Shortage:
    return Shortage(
        recall_number=NUMBER,
        consignee_id=consignee,
        product_id=product,
        removed=Decimal(20),
        used=Decimal(5),
        quantity=Decimal(5),
        computed_at=NOW,
    )


async def decided(world: World, allocation: int, shortage: int) -> None:
    """The first disposition approved, the third rejected, the allocation rejected, the shortage settled, a task given
    more time; each signed."""
    sessions = world.sessions
    approval = await signature(sessions, "approve_disposition", "I approve", sequences=[1], reason=None)
    refusal = await signature(sessions, "reject_disposition", "I do not accept", sequences=[3], reason="Too early")
    kept = await signature(sessions, "reject_allocation", "Not supplied", allocation=allocation, reason="Recalled too")
    enough = await signature(sessions, "settle_shortage", "Nothing more", shortage=shortage, reason="Closed ward")
    time = await signature(sessions, "extend_deadline", "I give this task more time", key="assessment", reason="Ill")
    async with sessions.begin() as session:
        await disposition_decisions.approve(session, NUMBER, 1, dora(approval), roles=["approver"], reason=None)
        await disposition_decisions.reject(session, NUMBER, 3, dora(refusal), "Too early")
        await allocations.reject(session, NUMBER, allocation, dora(kept), "Recalled too")
        await shortages.settle(session, NUMBER, shortage, dora(enough), "Closed ward")
        act = {"actor": "dora", "role": "approver", "action": "task.extended", "signature": time}
        await audit.append(session, NUMBER, at=NOW, data={"key": "assessment"}, **act)


async def test_a_signature_is_found_under_another_record_another_operation_or_another_content(
    world: World, postgres: PostgresForTests
) -> None:
    await decided(world, *await proposed(world, postgres))
    assert (await faults(world, postgres)) == ([], True)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for what, statement in FORGERIES.items():
            for table in TABLES:
                admin.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
            assert admin.execute(statement).rowcount > 0, what
            found, holds = await faults(world, postgres)
            assert found, what
            assert not holds, what
            for table in TABLES:
                admin.execute(f"DELETE FROM {table}")  # noqa: S608 - names of this file
                admin.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608
                admin.execute(f"DROP TABLE kept_{table}")
    assert (await faults(world, postgres)) == ([], True)


async def test_what_may_change_after_the_signature_is_no_fault(world: World, postgres: PostgresForTests) -> None:
    await decided(world, *await proposed(world, postgres))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("UPDATE disposition SET done = 4 WHERE sequence = 1")
        admin.execute("UPDATE shortage SET quantity = 3, removed = 8")
    assert (await faults(world, postgres)) == ([], True), "carried out in part; a later look at the shortages"
    async with world.sessions.begin() as session:
        await disposition_decisions.withdraw(session, NUMBER, 1, Who("quinn", "qa", NOW), "Rest is reworked")
        await disposition_decisions.withdraw(session, NUMBER, 2, Who("quinn", "qa", NOW), "Not needed")
    assert (await faults(world, postgres)) == ([], True), "the rest of it withdrawn; one withdrawn undecided"


async def test_a_shortage_that_grew_since_it_was_signed_for_is_not_settled(
    world: World, postgres: PostgresForTests
) -> None:
    _, shortage = await proposed(world, postgres)
    signed = await signature(world.sessions, "settle_shortage", "Nothing more", shortage=shortage, reason="Closed ward")
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("UPDATE shortage SET quantity = 8 WHERE id = %s", [shortage])
    with pytest.raises(DisposalRefused, match="grown from 5 to 8 units since you signed"):
        async with world.sessions.begin() as session:
            await shortages.settle(session, NUMBER, shortage, dora(signed), "Closed ward")
    assert (await faults(world, postgres)) == ([], True), "the signature is an attempt without an act"


async def faults(world: World, postgres: PostgresForTests) -> tuple[list[str], bool]:
    """What `recall audit verify` finds of signatures, and whether the dossier's verifier finds them in order."""
    _, printed, _ = await call(postgres.app_url, "audit", "verify", NUMBER, "--json")
    results = {name: (ok, text) for ok, name, text in verify(io.BytesIO(await world.archive()))}
    return json.loads(printed)["signature_faults"], results["signatures"][0]
