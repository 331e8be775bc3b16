"""Acknowledged is not done: each stage of an answer is asked for by itself, and nobody for what it has done."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from db.engine import SessionFactory
from db.repositories import case_turn, documented, stages
from db.repositories.cases import By
from db.repositories.documented import Account
from domain.attempts import DocumentedKind
from models.case import ActionHow
from models.messages import CaseTurn
from tests.campaign.answers import answer, stated
from tests.campaign.conftest import Hand
from tests.campaign.locks import CHAIN, beside
from tests.campaign.staged import HOUR, STAGED
from tests.campaign.world import DAY, NUMBER, T0, Person, World
from workflows.campaign_texts import summary_of_wait

pytestmark = pytest.mark.db
ONE_LOT = ("10",)


def kinds(world: World, consignee: int) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["channel"], row["state"]) for row in world.deliveries(consignee)]


@pytest.fixture(autouse=True)
def in_scope(world: World) -> None:
    """Both lots are in the scope in force."""
    world.run(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot",
        NUMBER,
    )


def stage(world: World, consignee: int) -> tuple[str, bool]:
    row = world.one("SELECT state, action_done_at IS NOT NULL AS done FROM consignee WHERE id = %s", consignee)
    return row["state"], row["done"]


async def look(hand: Hand, now: datetime) -> None:
    """What the workflow does at `now`: look, then send."""
    await hand.advance(now, STAGED)
    await hand.send("email", now)
    await hand.send("sms", now)


async def told(hand: Hand, world: World, name: str = "One") -> int:
    one = world.consignee(name, Person(f"{name}@x.example", "+254700000001"), lots=ONE_LOT)
    await look(hand, T0)
    return one


async def test_after_the_acknowledgement_its_reminders_stop_and_the_quantities_are_asked_for(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await hand.advance(T0 + DAY, STAGED)  # the reminder is written and waits to be sent
    await answer(db, one, at=T0 + DAY)
    assert kinds(world, one)[-1] == ("reminder", "email", "cancelled")
    assert (await hand.advance(T0 + 2 * DAY - HOUR, STAGED)).written == {}, "the stage has its own deadline"
    progress = await hand.progress(T0 + 2 * DAY - HOUR, STAGED)
    assert (progress.next_kind, progress.next_count, progress.stages) == ("quantities", 1, {"acknowledged": 1})
    assert progress.next_due_at == T0 + 2 * DAY
    name = summary_of_wait(progress, progress.next_due_at, {})
    assert name == "Ask 1 consignees for the quantities they owe, due 2026-11-23 12:00 UTC"
    await look(hand, T0 + 2 * DAY)
    assert kinds(world, one)[-1] == ("quantities", "email", "submitted")
    await look(hand, T0 + 3 * DAY)
    assert kinds(world, one)[-1] == ("quantities", "sms", "submitted"), "the escalation takes the other channel"
    done = await hand.advance(T0 + 4 * DAY, STAGED)
    assert (done.written, done.called, done.cases) == ({}, 1, 1)
    assert world.one("SELECT reason, subject FROM consignee_case") == {"reason": "silence", "subject": "quantities"}
    assert "stated no quantities" in world.one("SELECT what FROM task")
    assert (await hand.advance(T0 + 30 * DAY, STAGED)).called == 0, "people have it now"


async def test_whoever_states_quantities_is_asked_to_set_the_rest_aside_and_then_left_alone(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=4), at=T0 + HOUR)
    assert stage(world, one) == ("answered", False)
    await look(hand, T0 + 2 * DAY)
    assert [kind for kind, *_ in kinds(world, one)] == ["initial"], "neither a reminder nor the quantities"
    await look(hand, T0 + 3 * DAY + HOUR)
    assert kinds(world, one)[-1] == ("action", "email", "submitted")
    await hand.advance(T0 + 6 * DAY + 2 * HOUR, STAGED)
    assert kinds(world, one)[-1] == ("action", "sms", "pending")
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=10), at=T0 + 7 * DAY)
    assert (stage(world, one), kinds(world, one)[-1][2]) == (("answered", True), "cancelled")
    before = len(world.deliveries(one))
    for days in range(7, 40):
        await look(hand, T0 + days * DAY)
    assert len(world.deliveries(one)) == before
    assert world.rows("SELECT 1 FROM task") == []
    assert (await hand.progress(T0 + 40 * DAY, STAGED)).stages == {"action_done": 1}


async def test_everything_set_aside_at_once_is_done_at_once(hand: Hand, db: SessionFactory, world: World) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=6, used=4))
    assert stage(world, one) == ("answered", True)


async def test_goods_that_leave_end_the_chase_for_what_was_not_set_aside(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=4), at=T0 + HOUR)
    world.run(
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, quantity, delivered, occurred_at,"
        " source_system, source_id) SELECT 'return', lot.product_id, lot.id, l.id, 10, true, %s, 'test', 'back'"
        " FROM lot, location l WHERE lot.id = %s AND l.code = 'L-One'",
        T0 + DAY, world.lot_ids[0],
    )  # fmt: skip
    await look(hand, T0 + 2 * DAY)
    assert stage(world, one) == ("answered", True)
    assert "consignee.action_done" in world.actions()


async def test_its_word_that_it_has_acted_ends_calls_until_a_later_statement(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=4), at=T0 + HOUR)
    for days in (4, 7, 10):
        await look(hand, T0 + days * DAY)
    assert world.one("SELECT subject FROM consignee_case WHERE state = 'open'") == "action"
    turn = CaseTurn(number=NUMBER, consignee_id=one, now=T0 + 10 * DAY)
    async with db.begin() as session:
        found = await case_turn.look(session, turn)
    assert found.keys == (f"call:{one}",), "it has answered, and is called about what is not set aside"
    word = stages.NewAction(
        NUMBER, one, ActionHow.corrected, "phone", T0 + 10 * DAY, "Ann Other", None, "form-action-1"
    )
    by = By("quinn", "qa", T0 + 10 * DAY)
    async with db.begin() as session:
        first = await stages.confirm(session, word, by)
    async with db.begin() as session:
        assert (await stages.confirm(session, word, by)).id == first.id, "repeated after a crash"
    assert stage(world, one) == ("answered", True)
    assert world.one("SELECT state, outcome FROM task") == {"state": "done", "outcome": "the action was done"}
    assert world.one("SELECT state FROM consignee_case") == "closed"
    again = stages.NewAction(NUMBER, one, ActionHow.corrected, "phone", T0, None, None, "form-action-2")
    with pytest.raises(stages.ActionNotOwed, match="nothing is left"):
        async with db.begin() as session:
            await stages.confirm(session, again, by)
    await answer(db, one, stated(world.lot_ids[0], on_hand=9, used=1, held=4), at=T0 + 11 * DAY)
    assert stage(world, one) == ("answered", False), "the latest statement counts"


async def test_its_word_takes_the_chain_after_the_messages_it_makes_needless(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=4), at=T0 + HOUR)
    await hand.advance(T0 + 4 * DAY, STAGED)
    assert kinds(world, one)[-1][2] == "pending"
    word = stages.NewAction(NUMBER, one, ActionHow.corrected, "phone", T0 + 4 * DAY, None, None, "form-action-4")

    async def confirm() -> None:
        async with db.begin() as session:
            await stages.confirm(session, word, By("quinn", "qa", T0 + 4 * DAY))

    # Its sender writes at this moment what became of the message.
    await beside(world, "SELECT FROM delivery WHERE state = 'pending' FOR UPDATE", CHAIN, confirm())
    assert kinds(world, one)[-1][2] == "cancelled"


async def test_no_word_is_taken_before_the_quantities(hand: Hand, db: SessionFactory, world: World) -> None:
    one = await told(hand, world)
    word = stages.NewAction(NUMBER, one, ActionHow.returned, "phone", T0, None, None, "form-action-3")
    with pytest.raises(stages.ActionNotOwed, match="its quantities come first"):
        async with db.begin() as session:
            await stages.confirm(session, word, By("quinn", "qa", T0))


async def test_an_answer_taken_back_is_asked_for_anew_from_the_first_step(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("one@x.example", "+254700000001"), lots=("10", "5"))
    await look(hand, T0)
    await answer(db, one, at=T0 + HOUR)
    await look(hand, T0 + DAY + HOUR)
    assert kinds(world, one)[-1][0] == "quantities"
    first, second = world.lot_ids
    await answer(db, one, stated(first, on_hand=10), stated(second, on_hand=5), at=T0 + 2 * DAY)
    assert stage(world, one) == ("answered", True)
    await answer(db, one, stated(first, on_hand=10), at=T0 + 5 * DAY)
    assert stage(world, one) == ("acknowledged", False)
    await look(hand, T0 + 5 * DAY + HOUR)
    assert len(world.deliveries(one)) == 2, "counted from when it was taken back"
    await look(hand, T0 + 6 * DAY)
    assert [row["kind"] for row in world.deliveries(one)].count("quantities") == 2


async def test_a_questioned_statement_is_asked_about_by_a_person_not_chased(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=99), at=T0 + HOUR)
    assert stage(world, one) == ("acknowledged", False)
    for days in range(1, 9):
        await look(hand, T0 + days * DAY)
    assert [kind for kind, *_ in kinds(world, one)] == ["initial"]
    assert (await hand.progress(T0 + 9 * DAY, STAGED)).next_due_at is None


async def test_many_answers_one_after_the_other_are_few_looks(hand: Hand, db: SessionFactory, world: World) -> None:
    ids = [world.consignee(f"C{number}", Person(f"c{number}@x.example"), lots=ONE_LOT) for number in range(12)]
    await look(hand, T0)
    for minute, each in enumerate(ids):
        await answer(db, each, at=T0 + timedelta(minutes=10 * minute + 1))
    due = (await hand.progress(T0 + 2 * HOUR, STAGED)).next_due_at
    assert due == T0 + DAY + 3 * HOUR, "an eighth of the wait apart, never early"
    assert (await hand.advance(due, STAGED)).written == {"quantities": 12}


async def test_whoever_owes_the_action_may_be_documented_and_then_is_left_alone(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = await told(hand, world)
    await answer(db, one, stated(world.lot_ids[0], on_hand=10, held=4), at=T0 + HOUR)
    gone = Account(NUMBER, one, DocumentedKind.REFUSED, "It will not set them aside.", None, (), "form-doc-1")
    with pytest.raises(documented.NotDocumentable, match="rule for documenting"):
        async with db.begin() as session:
            await documented.document(session, gone, By("quinn", "qa", T0 + DAY))
    world.run(
        "INSERT INTO contact_attempt (recall_number, consignee_id, channel, live, person, number, outcome, at,"
        " entered_by, recorded_at) VALUES (%s,%s,'phone',true,'Ann','+2547','refused',%s,'quinn',%s)",
        NUMBER, one, T0 + DAY, T0 + DAY,
    )  # fmt: skip
    file = uuid4()
    world.run(
        "INSERT INTO evidence (id, file_name, content_type, size, sha256, uploaded_by, uploaded_at)"
        " VALUES (%s, 'letter.pdf', 'application/pdf', 1, %s, 'quinn', %s)",
        file, "0" * 64, T0,
    )  # fmt: skip
    await hand.advance(T0 + 4 * DAY, STAGED)
    assert kinds(world, one)[-1][2] == "pending"

    async def document() -> None:
        async with db.begin() as session:
            word = replace(gone, evidence_ids=(file,))
            await documented.document(session, word, By("quinn", "qa", T0 + 4 * DAY))

    # Its sender writes at this moment what became of the message.
    await beside(world, "SELECT FROM delivery WHERE state = 'pending' FOR UPDATE", CHAIN, document())
    await look(hand, T0 + 6 * DAY)
    told_of = [(kind, state) for kind, _, state in kinds(world, one)]
    assert told_of == [("initial", "submitted"), ("action", "cancelled")]
