"""Messages, contacts, consignees, the audit chain: everybody takes locks in this order, so nobody waits for ever."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import campaign, campaign_pauses, deliveries, merging, unsent
from db.repositories.deliveries import OPT_OUT_CODE, Outcome
from db.repositories.inbound_texts import InboundText, take_in
from db.repositories.opt_outs import record_opt_out
from models.messages import Actor, EndCampaign, RecordCampaignDecision
from tests.campaign.answers import answer, stated
from tests.campaign.conftest import Hand
from tests.campaign.locks import CHAIN, beside
from tests.campaign.merged import pays
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db


async def test_a_look_that_settles_one_place_and_copies_to_another_takes_the_chain_last(
    hand: Hand, world: World
) -> None:
    world.run(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot",
        NUMBER,
    )
    done = world.consignee("Done", Person("done@x.example"))
    told = world.consignee("Told", Person("told@x.example"))
    await hand.advance()
    await hand.send()
    await answer(hand.sessions, done, stated(world.lot_ids[0], on_hand=10, held=0), at=T0)
    # Nothing is left to do there now: the next look finds it. Whoever pays for the other is entered only now.
    world.run("UPDATE reply_line SET held = on_hand")
    pays(world, told, Person("accounts@group.example"))
    # It answers at this moment.
    answering = f"SELECT FROM consignee WHERE id = {told} FOR UPDATE"
    await beside(world, answering, CHAIN, hand.advance(T0 + DAY / 2))
    assert "consignee.action_done" in world.actions()
    assert [row["address"] for row in world.deliveries(told)] == ["accounts@group.example", "told@x.example"]


async def test_a_look_that_gives_messages_their_hours_passes_over_what_a_sender_takes(hand: Hand, world: World) -> None:
    for name in ("One", "Two"):
        world.consignee(name, Person(phone="+254700000001"))
    await hand.advance()
    world.consignee("Three", Person(phone="+254700000001"))
    with psycopg.connect(world.url) as sender:
        # It goes on to what the message carries, which the look has put together with a further one.
        sender.execute("SELECT FROM delivery WHERE leads FOR UPDATE")
        async with asyncio.timeout(5):
            await hand.advance(T0 + DAY / 2, priority=3)
    assert world.rows("SELECT leads FROM delivery WHERE window_ends IS NULL") == [{"leads": True}]
    await hand.advance(T0 + DAY / 2, priority=3)
    assert world.one("SELECT count(*) FROM delivery WHERE window_ends IS NULL") == 0


@pytest.mark.parametrize("carried", [False, True])
async def test_a_stop_and_the_refusal_of_a_text_under_way_do_not_wait_for_each_other(
    hand: Hand, world: World, carried: bool
) -> None:
    for name in ("One", "Two"):
        world.consignee(name, Person(phone="+254700000001"))
    await hand.advance()

    async def stop() -> None:
        async with hand.sessions.begin() as session:
            await record_opt_out(session, "+254700000001", at=T0)

    # The sender writes that the provider refused it, and then what it knows of the number.
    refused = f"SELECT FROM delivery WHERE leads = {not carried} FOR UPDATE"
    contact = "SELECT FROM contact FOR UPDATE"
    await beside(world, refused, contact, stop())
    assert {row["state"] for row in world.deliveries()} == {"failed"}
    assert world.one("SELECT count(*) FROM contact WHERE sms_opted_out_at IS NOT NULL") == 2


async def test_a_refusal_by_opt_out_takes_all_messages_to_the_number_in_their_order(hand: Hand, world: World) -> None:
    for name in ("One", "Two"):
        world.consignee(name, Person(phone="+254700000001"))
    await hand.advance()
    world.run("UPDATE delivery SET carried_by = NULL, leads = false, state = 'submitting', attempt = 1")
    of_another_group, refused = _in_turn(world, "state = 'submitting'")
    outcome = Outcome(UUID(refused), 1, "failed", T0, error_kind="permanent_contact", error_code=OPT_OUT_CODE)

    async def record() -> None:
        async with hand.sessions.begin() as session:
            await deliveries.record(session, [outcome], **_GROUP | {"channel": "sms"})

    # Its owner's STOP comes in at this moment.
    first, then = (f"SELECT FROM delivery WHERE id = '{each}' FOR UPDATE" for each in (of_another_group, refused))
    await beside(world, first, then, record())
    assert {row["state"] for row in world.deliveries()} == {"failed"}


async def test_a_group_with_a_refusal_by_opt_out_takes_the_chain_after_its_consignees(hand: Hand, world: World) -> None:
    stopped = world.consignee("Stopped", Person(phone="+254700000001"))
    told = world.consignee("Told", Person(phone="+254700000002"))
    await hand.advance()
    async with hand.sessions.begin() as session:
        rows = await deliveries.claim(
            session, campaign_id=world.campaign_id, channel="sms", now=T0, lease_until=T0 + DAY, limit=10
        )
    group = [
        Outcome(row.id, row.attempt, "failed", T0, error_kind="permanent_contact", error_code=OPT_OUT_CODE)
        if row.consignee_id == stopped
        else Outcome(row.id, row.attempt, "submitted", T0, provider_id="SM1")
        for row in rows
    ]

    async def record() -> None:
        async with hand.sessions.begin() as session:
            await deliveries.record(session, group, number=NUMBER, campaign_id=world.campaign_id, channel="sms", now=T0)

    answering = f"SELECT FROM consignee WHERE id = {told} FOR UPDATE"
    await beside(world, answering, CHAIN, record())
    assert [row["state"] for row in world.deliveries(stopped)] == ["failed"]
    assert [row["state"] for row in world.deliveries(told)] == ["submitted"]
    assert "contact.sms_opted_out" in world.actions()


async def test_a_yes_that_allows_texts_again_and_answers_takes_the_chain_after_its_consignee(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    async with hand.sessions.begin() as session:
        await record_opt_out(session, "+254700000001", at=T0)

    async def yes() -> None:
        async with hand.sessions.begin() as session:
            await take_in(session, InboundText(f"SM{'0' * 32}", "+254700000001", "YES", T0), opt_out=False)

    # It answers on the page as well, at this moment.
    await beside(world, f"SELECT FROM consignee WHERE id = {one} FOR UPDATE", CHAIN, yes())
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert world.one("SELECT count(*) FROM contact WHERE sms_opted_out_at IS NULL") == 1
    assert "contact.sms_allowed" in world.actions()


async def test_an_abort_takes_the_chain_after_the_messages_it_cancels(hand: Hand, world: World) -> None:
    world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    abort = RecordCampaignDecision(
        number=NUMBER, sequence=1, campaign_id=world.campaign_id, operation="abort_campaign",
        actor=Actor(principal="Ada", roles=("approver",)), reason="the wrong product", now=T0,
    )  # fmt: skip

    async def record() -> None:
        async with hand.sessions.begin() as session:
            await campaign_pauses.record(session, abort)

    # Its sender writes at this moment what became of it.
    await beside(world, "SELECT FROM delivery FOR UPDATE", CHAIN, record())
    assert {row["state"] for row in world.deliveries()} == {"cancelled"}
    assert "campaign.aborted" in world.actions()


Held = list[deliveries.Claimed]
_GROUP: dict[str, Any] = {"number": NUMBER, "campaign_id": 1, "channel": "email", "now": T0}
_OF_GROUPS: dict[str, Callable[[AsyncSession, Held], Any]] = {
    "renew": lambda s, held: deliveries.renew(s, [(row.id, row.attempt) for row in held], now=T0, lease_until=T0),
    "record": lambda s, held: deliveries.record(
        s, [Outcome(row.id, row.attempt, "submitted", T0, provider_id=str(row.id)) for row in held], **_GROUP
    ),
    "end": lambda s, _: campaign.end(s, EndCampaign(number=NUMBER, campaign_id=1, reason="closed", now=T0)),
}
_OF_WAITING: dict[str, Callable[[AsyncSession, list[int]], Any]] = {
    "an answer": lambda s, consignees: unsent.cancel(s, consignees, T0),
    "the end": lambda s, _: campaign.end(s, EndCampaign(number=NUMBER, campaign_id=1, reason="closed", now=T0)),
}


@pytest.mark.parametrize("act", _OF_GROUPS.values(), ids=_OF_GROUPS.keys())
async def test_who_writes_what_senders_hold_takes_it_in_its_order(
    hand: Hand, world: World, act: Callable[[AsyncSession, Held], Any]
) -> None:
    world.many(40)
    await hand.advance()
    async with hand.sessions.begin() as session:
        held = await deliveries.claim(
            session, campaign_id=world.campaign_id, channel="email", now=T0, lease_until=T0 + DAY, limit=50
        )
    assert len(held) == 30
    _first_lies_last(world, "state = 'submitting'")

    async def write() -> None:
        async with hand.sessions.begin() as session:
            await act(session, sorted(held, key=lambda row: row.id, reverse=True))

    await _in_order(world, write, "state = 'submitting'")


@pytest.mark.parametrize("act", _OF_WAITING.values(), ids=_OF_WAITING.keys())
async def test_who_cancels_what_waits_takes_it_in_its_order(
    hand: Hand, world: World, act: Callable[[AsyncSession, list[int]], Any]
) -> None:
    for name in ("One", "Two", "Three"):
        world.consignee(name, Person("group@x.example"), Person("group@x.example"))
    await hand.advance()
    world.run("UPDATE delivery SET consignee_id = (SELECT min(id) FROM consignee)")
    _first_lies_last(world, "state = 'pending'")

    async def write() -> None:
        async with hand.sessions.begin() as session:
            await act(session, [row["id"] for row in world.rows("SELECT id FROM consignee ORDER BY id DESC")])

    # The message speaks of the other two.
    assert world.one("SELECT count(*) FROM delivery WHERE carried_by IS NOT NULL") == 2
    await _in_order(world, write, "state = 'pending'")


@pytest.mark.parametrize("act", [merging.take_along, merging.follow])
async def test_what_a_message_carries_is_taken_in_its_order(
    hand: Hand, world: World, act: Callable[[AsyncSession, Any], Any]
) -> None:
    for name in ("One", "Two", "Three", "Four"):
        world.consignee(name, Person("group@x.example"))
    await hand.advance()
    lead = world.one("SELECT id FROM delivery WHERE leads")
    world.run("UPDATE delivery SET attempt = 1")
    _first_lies_last(world, "carried_by IS NOT NULL")

    async def write() -> None:
        async with hand.sessions.begin() as session:
            await act(session, [lead])

    await _in_order(world, write, "carried_by IS NOT NULL")


def _in_turn(world: World, concerned: str) -> list[str]:
    order = f"SELECT id FROM delivery WHERE {concerned} ORDER BY carried_by NULLS FIRST, id"  # noqa: S608 - a constant
    return [str(row["id"]) for row in world.rows(order)]


def _first_lies_last(world: World, concerned: str) -> None:
    """So that whoever takes the messages as they lie in the table comes to the first one last."""
    world.run("UPDATE delivery SET priority = priority WHERE id = %s", _in_turn(world, concerned)[0])


async def _in_order(world: World, write: Callable[[], Any], concerned: str) -> None:
    """Who waits for the first of the messages has none of the others yet."""
    first, *others = _in_turn(world, concerned)
    assert len(others) > 1
    listed = ", ".join(f"'{each}'" for each in others)
    await beside(
        world,
        f"SELECT FROM delivery WHERE id = '{first}' FOR UPDATE",
        f"SELECT FROM delivery WHERE id IN ({listed}) FOR UPDATE",
        write(),
    )
