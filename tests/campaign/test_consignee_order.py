"""The recall before its consignees, and consignees by their ids: an answer waits for a new notice, never in a ring."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import campaign_targets, deliveries, effectiveness_sql, replies, stages, withdrawals
from db.repositories.campaign_targets import NewCampaign
from db.repositories.cases import By
from db.repositories.deliveries import Outcome
from db.repositories.provider_events import record_provider_event
from db.repositories.stages import NewAction
from models.case import ActionHow
from models.notice import Notice
from models.replies import PageReply
from tests.campaign.answers import answer, stated
from tests.campaign.conftest import Hand
from tests.campaign.locks import beside, held_up
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db
SYSTEM = By("system", "campaign", T0)
Act = Callable[[AsyncSession, World], Awaitable[Any]]


@pytest.fixture(autouse=True)
def in_scope(world: World) -> None:
    """The lots are in the scope in force."""
    world.run(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot",
        NUMBER,
    )


async def _claimed(hand: Hand, world: World) -> list[deliveries.Claimed]:
    async with hand.sessions.begin() as session:
        return await deliveries.claim(
            session, campaign_id=world.campaign_id, channel="email", now=T0, lease_until=T0 + DAY, limit=50
        )


async def _recorded(session: AsyncSession, world: World) -> None:
    group = [
        Outcome(row["id"], row["attempt"], "submitted", T0, provider_id=str(row["id"])) for row in world.deliveries()
    ]
    given: dict[str, Any] = {"number": NUMBER, "campaign_id": world.campaign_id, "channel": "email", "now": T0}
    await deliveries.record(session, group, **given)


async def _answered(session: AsyncSession, world: World) -> None:
    await replies.record_page_reply(
        session,
        PageReply(recall_number=NUMBER, consignee_id=world.one("SELECT id FROM consignee"), at=T0, form_id="form-one"),
    )


async def _acted(session: AsyncSession, world: World) -> None:
    done = NewAction(
        number=NUMBER, consignee_id=world.one("SELECT id FROM consignee"), how=next(iter(ActionHow)), channel="page",
        at=T0, stated_by=None, note=None, form_id="form-two",
    )  # fmt: skip
    await stages.confirm(session, done, SYSTEM)


async def _reported(session: AsyncSession, world: World) -> None:
    await record_provider_event(
        session, provider="smtp", provider_id="<1@x>", delivery_id=world.one("SELECT id FROM delivery"),
        status="delivered", error_code=None, at=T0,
    )  # fmt: skip


_OF_ONE: dict[str, Act] = {
    "an answer": _answered,
    "its word that it has acted": _acted,
    "the first messages handed over": _recorded,
    "a report about a message that nobody saw accepted": _reported,
}


@pytest.mark.parametrize("act", _OF_ONE.values(), ids=_OF_ONE.keys())
async def test_whoever_writes_of_a_consignee_takes_the_recall_first(hand: Hand, world: World, act: Act) -> None:
    world.consignee("One", Person("one@x.example"))
    await hand.advance()
    await _claimed(hand, world)
    if act is _acted:
        world.run("UPDATE consignee SET state = 'answered', answered_at = %s", T0)

    async def write() -> None:
        async with hand.sessions.begin() as session:
            await act(session, world)

    # A new campaign is given its consignees, or a lot leaves the scope.
    held = f"SELECT FROM recall WHERE number = '{NUMBER}' FOR UPDATE"
    await beside(world, held, "SELECT FROM consignee FOR UPDATE", write())


async def test_a_look_that_opens_cases_takes_the_recall_first(hand: Hand, world: World) -> None:
    told = world.consignee("Told", Person("told@x.example"))
    await hand.advance()
    world.consignee("Nowhere")
    world.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = %s WHERE id = %s", T0, told)
    held = f"SELECT FROM recall WHERE number = '{NUMBER}' FOR UPDATE"
    # A message waits for somebody who has acknowledged: the look cancels it.
    both = "WITH d AS MATERIALIZED (SELECT FROM delivery FOR UPDATE) SELECT FROM consignee, d FOR UPDATE OF consignee"
    await beside(world, held, both, hand.advance(T0 + DAY / 2))
    assert world.one("SELECT reason FROM consignee_case") == "bounce"
    assert [row["state"] for row in world.deliveries(told)] == ["cancelled"]


async def test_messages_of_a_campaign_under_way_are_recorded_whoever_holds_the_recall(hand: Hand, world: World) -> None:
    world.consignee("One", Person("one@x.example"))
    await hand.advance()
    await hand.send()
    world.consignee("Two", Person("two@x.example"))
    await hand.advance(T0 + DAY / 2)
    claimed = await _claimed(hand, world)
    group = [Outcome(row.id, row.attempt, "submitted", T0, provider_id="<2@x>") for row in claimed]
    async with hand.sessions.begin() as holding, asyncio.timeout(5):
        await holding.connection()
        await run(holding, "SELECT FROM recall FOR UPDATE", {})
        async with hand.sessions.begin() as session:
            given: dict[str, Any] = {"number": NUMBER, "campaign_id": world.campaign_id, "channel": "email"}
            assert await deliveries.record(session, group, now=T0, **given) == 1


async def _hand_over(session: AsyncSession, world: World, kind: str, change: dict[str, Any] | None) -> None:
    notice = Notice(id=world.notice_id, recall_number=NUMBER, version=2, kind=kind, scope_version=1, change=change)
    await campaign_targets.hand_over(session, NewCampaign(world.campaign_id, 2, notice, "I", ["email"]), T0)


async def _mark(session: AsyncSession, _: World) -> None:
    await stages.mark(session, NUMBER, SYSTEM)


async def _fail_checks(session: AsyncSession, world: World) -> None:
    sampled = world.one("SELECT id FROM effectiveness_round")
    await run(session, effectiveness_sql.REOPEN, {"round": sampled, "number": NUMBER, "now": T0})


async def _all_set_aside(hand: Hand, world: World) -> None:
    """Nothing is left to do, and no look has found it."""
    for row in world.rows("SELECT id FROM consignee"):
        await answer(hand.sessions, row["id"], stated(world.lot_ids[0], on_hand=10, held=0), at=T0)
    world.run("UPDATE reply_line SET held = on_hand")


def _all_checked(world: World) -> None:
    world.run("UPDATE consignee SET state = 'answered'")
    sampled = world.one(
        "INSERT INTO effectiveness_round (recall_number, sequence, level, percent, depth, seed, population,"
        " sample_size, drawn_at) VALUES (%s, 1, 'B', 100, 'consignee', '0', 6, 6, %s) RETURNING id",
        *(NUMBER, T0),
    )
    world.run(
        "INSERT INTO effectiveness_check (round_id, consignee_id, state, passed)"
        " SELECT %s, id, 'done', false FROM consignee",
        sampled,
    )


_OF_MANY: dict[str, Act] = {
    "a group of outcomes": _recorded,
    "the first notice": lambda s, world: _hand_over(s, world, "initial", None),
    "an amended notice": lambda s, world: _hand_over(s, world, "amendment", {"class": "I", "since": 1}),
    "a retraction": lambda s, _: withdrawals.withdraw_everybody(s, NUMBER, T0, by="qa"),
    "lots that leave the scope": lambda s, world: withdrawals.withdraw_lots(s, NUMBER, world.lot_ids, 2, T0, by="qa"),
    "failed checks": _fail_checks,
    "what is done": _mark,
}


@pytest.mark.parametrize("act", _OF_MANY.values(), ids=_OF_MANY.keys())
async def test_whoever_writes_of_several_consignees_takes_them_by_their_ids(hand: Hand, world: World, act: Act) -> None:
    everybody = [world.consignee(f"Site {place}", Person(f"one{place}@x.example")) for place in range(6)]
    await hand.advance()
    if act is _mark:
        await _all_set_aside(hand, world)
    if act is _fail_checks:
        _all_checked(world)
    await _claimed(hand, world)
    # Whoever takes them as they lie in the table, or by their partners, comes to the first one last.
    world.run(
        "WITH last AS (INSERT INTO partner (code, name, kind, country, language, time_zone)"
        " VALUES ('P-last', 'Last', 'hospital', 'KE', 'en', 'UTC') RETURNING id)"
        " UPDATE consignee SET partner_id = last.id FROM last WHERE consignee.id = %s",
        everybody[0],
    )

    async def write() -> None:
        async with hand.sessions.begin() as session:
            await act(session, world)

    first = f"SELECT FROM consignee WHERE id = {everybody[0]} FOR UPDATE"
    others = f"SELECT FROM consignee WHERE id > {everybody[0]} FOR UPDATE"
    await beside(world, first, others, write())


async def test_a_correction_under_way_is_not_taken_for_done(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("one@x.example"))
    await hand.advance()
    await _all_set_aside(hand, world)

    async def look() -> None:
        async with hand.sessions.begin() as session:
            await stages.settle(session, NUMBER, SYSTEM)

    async with hand.sessions.begin() as session:
        await replies.record_page_reply(
            session,
            PageReply(
                recall_number=NUMBER, consignee_id=one, at=T0 + DAY, form_id="form-corrected", affected=True,
                statements=(stated(world.lot_ids[0], on_hand=10, held=0),), responder_name="Ann Other",
                responder_role="stores",
            ),
        )  # fmt: skip
        by = (await run(session, "SELECT pg_backend_pid()", {})).scalar_one()
        looking = asyncio.ensure_future(look())
        await held_up(world, by, looking)
    await looking
    assert world.one("SELECT state, action_done_at FROM consignee") == {"state": "answered", "action_done_at": None}
    assert "consignee.action_done" not in world.actions()
