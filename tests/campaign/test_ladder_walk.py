"""Whom each ladder step concerns, and by which contact and channel: the one statement behind `advance`."""

import json
from datetime import timedelta

import pytest

from adapters.messaging.base import ErrorKind, SendError
from db.repositories.campaign import CampaignError
from db.repositories.campaign_walks import slack
from domain.ladder import ContactRule, Ladder, LadderStep, StepKind
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db


async def sent(hand: Hand, day: float = 0) -> None:
    """Take what is due at `day` and hand everything over."""
    now = T0 + day * DAY
    await hand.advance(now)
    await hand.send("email", now)
    await hand.send("sms", now)


def taken(world: World, consignee: int) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["channel"], row["address"]) for row in world.deliveries(consignee)]


async def test_every_open_consignee_gets_its_first_notice_in_its_language(hand: Hand, world: World) -> None:
    nairobi = world.consignee("Nairobi", Person("a@n.example"))
    wuhan = world.consignee("Wuhan", Person("b@w.example"), language="zh-CN")
    lima = world.consignee("Lima", Person("c@l.example"), language="es")
    paris = world.consignee("Paris", Person("d@p.example"), language="fr")
    done = await hand.advance()
    assert done.written == {"initial": 4}
    languages = [world.deliveries(each)[0]["language"] for each in (nairobi, wuhan, lima, paris)]
    assert languages == ["en", "zh-CN", "es", "en"], "no French templates: the notice goes out in English"
    assert await hand.advance() == type(done)({}, 0, 0), "a repeat takes nothing twice"


async def test_a_silent_consignee_climbs_the_ladder_step_by_step(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001"), Person("b@x.example"))
    for day in (0, 1, 2, 3):
        await sent(hand, day + 0.001 * day)
    assert taken(world, one) == [
        ("initial", "email", "a@x.example"),
        ("reminder", "email", "a@x.example"),
        ("escalation", "email", "b@x.example"),
        ("escalation", "sms", "+254700000001"),
    ]
    done = await hand.advance(T0 + 4.1 * DAY)
    assert (done.called, done.written) == (1, {})
    task = world.one("SELECT key, role, consignee_id, due_at FROM task")
    assert task == {"key": f"call:{one}", "role": "qa", "consignee_id": one, "due_at": T0 + 5.1 * DAY}
    assert (await hand.progress(T0 + 5 * DAY)).next_due_at is None


async def test_a_policy_that_orders_the_channels_for_a_class_is_heard_before_the_recipients_own_order(
    hand: Hand, world: World
) -> None:
    # In the world every contact with a number and an address prefers e-mail.
    ours = {"order": ["email", "sms"], "by_class": {"I": ["sms", "email"]}}
    world.run(
        "UPDATE pinned_policy SET body = jsonb_set(body, '{channels}', (body -> 'channels') || %s::jsonb)"
        " WHERE recall_number = %s",
        json.dumps(ours), NUMBER,
    )  # fmt: skip
    undecided = world.consignee("Undecided", Person("a@x.example", "+254700000001"))
    await hand.advance()
    world.run("UPDATE recall SET recall_class = 'II' WHERE number = %s", NUMBER)
    milder = world.consignee("Milder", Person("b@x.example", "+254700000002"))
    await hand.advance()
    world.run("UPDATE recall SET recall_class = 'I' WHERE number = %s", NUMBER)
    gravest = world.consignee("Gravest", Person("c@x.example", "+254700000003"), Person("d@x.example"))
    await hand.advance()
    chosen = [taken(world, each)[0][1:] for each in (undecided, milder, gravest)]
    assert chosen == [("email", "a@x.example"), ("email", "b@x.example"), ("sms", "+254700000003")]


async def test_nothing_is_due_before_its_time(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await sent(hand)
    early = T0 + DAY - 2 * slack(DAY)
    assert (await hand.advance(early)).written == {}
    progress = await hand.progress(early)
    assert (progress.next_kind, progress.next_round, progress.next_count) == ("reminder", 2, 1)
    assert progress.next_due_at is not None
    assert abs(progress.next_due_at - (T0 + DAY)) < timedelta(seconds=30)


async def test_a_consignee_that_answered_is_never_chased_and_its_waiting_message_is_cancelled(
    hand: Hand, world: World
) -> None:
    answered = world.consignee("Answered", Person("a@x.example"))
    silent = world.consignee("Silent", Person("b@x.example"))
    await hand.advance()
    world.run("UPDATE consignee SET state = 'acknowledged' WHERE id = %s", answered)
    assert (await hand.advance()).cancelled == 1
    await hand.send("email")
    assert [message.to for message in hand.mail.accepted] == ["b@x.example"]
    await sent(hand, 1.01)
    assert [row["state"] for row in world.deliveries(answered)] == ["cancelled"]
    assert len(world.deliveries(silent)) == 2


async def test_a_consignee_that_answers_between_claim_and_round_is_not_sent_to(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance()
    world.run("UPDATE consignee SET state = 'answered'")
    result = await hand.send("email")
    assert (result.claimed, hand.mail.accepted) == (0, [])


async def test_a_bounce_brings_the_next_contact_at_once(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("bounce@x.example"), Person("b@x.example"))
    await hand.advance()
    hand.mail.refusals["bounce@x.example"] = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550/5.1.1", "unknown")
    assert (await hand.send("email")).failed == 1
    assert world.one("SELECT status FROM contact WHERE email = 'bounce@x.example'") == "bounced"
    later = T0 + timedelta(minutes=5)
    assert (await hand.advance(later)).written == {"initial": 1}
    await hand.send("email", later)
    assert taken(world, one)[-1] == ("initial", "email", "b@x.example")
    consignee = world.one("SELECT step, next_step_at, first_notified_at FROM consignee")
    assert consignee["step"] == 1
    assert consignee["next_step_at"] >= later + DAY, "the time to answer starts with the notice that arrived"


@pytest.mark.parametrize("code", ["smtp:552", "smtp:552/5.2.2", "smtp:550/5.2.2", "smtp:554/5.2.3"])
async def test_a_full_mailbox_brings_the_next_contact_at_once_and_is_no_dead_address(
    hand: Hand, world: World, code: str
) -> None:
    one = world.consignee("One", Person("full@x.example"), Person("b@x.example"))
    await hand.advance()
    hand.mail.refusals["full@x.example"] = SendError(ErrorKind.PERMANENT_CONTACT, code, "the mailbox is full")
    await hand.send("email")
    await sent(hand, 0.01)
    assert taken(world, one)[-1] == ("initial", "email", "b@x.example")
    assert world.rows("SELECT DISTINCT status FROM contact") == [{"status": "unverified"}]


async def test_without_any_address_left_a_person_is_asked_to_call(hand: Hand, world: World) -> None:
    unreachable = world.consignee("Nobody")
    left = world.consignee("Left", Person("a@x.example", status="left"))
    out = world.consignee("Out", Person(phone="+254700000001", opted_out=True))
    done = await hand.advance()
    assert (done.called, done.written) == (3, {})
    assert (await hand.advance()).called == 0, "one call task per consignee"
    world.run("UPDATE contact SET status = 'verified' WHERE email = 'a@x.example'")
    assert (await hand.advance()).written == {"initial": 1}, "a repaired address is used without further ado"
    assert [len(world.deliveries(each)) for each in (unreachable, left, out)] == [0, 1, 0]


async def test_an_sms_opt_out_moves_the_notice_to_the_next_channel(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email"), opted_out=True))
    await hand.advance()
    assert taken(world, one) == [("initial", "email", "a@x.example")]


async def test_a_channel_the_strategy_excludes_is_not_used(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email")))
    await hand.advance(channels=("email",))
    assert taken(world, one) == [("initial", "email", "a@x.example")]


async def test_a_consignee_added_by_a_reply_gets_its_first_notice_on_the_next_walk(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await sent(hand)
    late = world.consignee("Late", Person("b@x.example"))
    assert (await hand.progress(T0 + DAY / 2)).not_notified == 1
    assert (await hand.advance(T0 + DAY / 2)).written == {"initial": 1}
    assert taken(world, late) == [("initial", "email", "b@x.example")]


async def test_the_next_step_waits_until_the_message_before_it_has_gone_out(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    assert (await hand.advance(T0 + 3 * DAY)).written == {}, "the first notice is still waiting to be sent"
    await hand.send("email", T0 + 3 * DAY)
    after = world.one("SELECT first_notified_at, next_step_at FROM consignee WHERE id = %s", one)
    assert after["first_notified_at"] - (T0 + 3 * DAY) < timedelta(seconds=30)
    assert after["next_step_at"] - after["first_notified_at"] == DAY


async def test_a_faster_pace_shortens_every_step(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance(pace=86400.0)
    await hand.send("email")
    progress = await hand.progress(T0 + timedelta(milliseconds=1))
    assert progress.next_due_at is not None
    assert progress.next_due_at - T0 < timedelta(seconds=20)


async def test_a_notice_without_a_needed_body_is_refused_by_name(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    world.run("DELETE FROM notice_body WHERE kind = 'reminder' AND channel = 'sms'")
    with pytest.raises(CampaignError, match="no body for reminder/sms"):
        await hand.advance()


async def test_a_rule_of_the_same_contact_goes_on_with_the_one_that_worked(hand: Hand, world: World) -> None:
    ladder = Ladder(
        steps=(
            LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
            LadderStep(kind=StepKind.ESCALATION, after=DAY, contact=ContactRule.NEXT_CONTACT),
            LadderStep(kind=StepKind.ESCALATION, after=DAY, contact=ContactRule.SAME),
        )
    )
    one = world.consignee("One", Person("a@x.example"), Person("b@x.example"))
    for day in (0, 1.01, 2.02):
        await hand.advance(T0 + day * DAY, ladder)
        await hand.send("email", T0 + day * DAY)
    assert [row["address"] for row in world.deliveries(one)] == ["a@x.example", "b@x.example", "b@x.example"]


async def test_progress_counts_who_is_outstanding_and_who_only_owes_quantities(hand: Hand, world: World) -> None:
    ids = [world.consignee(f"C{n}", Person(f"c{n}@x.example")) for n in range(4)]
    for consignee, state in zip(ids, ("open", "acknowledged", "answered", "documented"), strict=True):
        world.run("UPDATE consignee SET state = %s WHERE id = %s", state, consignee)
    progress = await hand.progress()
    assert (progress.consignees, progress.answered, progress.outstanding, progress.stated) == (4, 3, 1, 2)
    assert progress.not_notified == 1


async def test_silence_and_an_address_that_is_gone_become_cases_of_their_own_reason(hand: Hand, world: World) -> None:
    silent, gone = world.consignee("Silent", Person("a@x.example")), world.consignee("Gone")
    for day in (0, 1, 2, 3, 4):
        await sent(hand, day + 0.001 * day)
    cases = world.rows("SELECT consignee_id, reason, state, workflow_started_at FROM consignee_case ORDER BY id")
    assert [(row["consignee_id"], row["reason"], row["state"]) for row in cases] == [
        (gone, "bounce", "open"),
        (silent, "silence", "open"),
    ]
    progress = await hand.progress(T0 + 5 * DAY)
    assert progress.cases_to_start == 2
    task = world.rows("SELECT owner, step, stand_in, remind_at, escalate_at FROM task WHERE consignee_id = %s", silent)[
        0
    ]
    assert (task["owner"], task["step"]) == (f"recall:{NUMBER}:case:{silent}", "phone_call")
    assert task["stand_in"] == "regulatory"
    assert task["remind_at"] < task["escalate_at"]


async def test_a_second_silence_is_a_second_case_with_a_second_call(hand: Hand, world: World) -> None:
    one = world.consignee("Nobody")
    await hand.advance()
    world.run("UPDATE consignee_case SET state = 'closed', closed_at = now()")
    world.run("UPDATE task SET state = 'done'")
    assert (await hand.advance(T0 + DAY)).cases == 1
    assert [row["key"] for row in world.rows("SELECT key FROM task ORDER BY id")] == [f"call:{one}", f"call:{one}:2"]
    assert world.one("SELECT count(*) FROM consignee_case") == 2


async def test_whoever_acknowledges_and_owes_quantities_is_called_after_the_time_of_a_silent_one(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await sent(hand)
    world.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = %s WHERE id = %s", T0 + DAY / 2, one)
    progress = await hand.progress(T0 + DAY)
    assert (progress.next_kind, progress.next_due_at) == ("quantities", T0 + 4.5 * DAY)
    assert (await hand.advance(T0 + 4.4 * DAY)).cases == 0
    assert (await hand.advance(T0 + 4.6 * DAY)).cases == 1
    assert (await hand.advance(T0 + 4.7 * DAY)).cases == 0
    case = world.one("SELECT reason, subject FROM consignee_case")
    assert case == {"reason": "silence", "subject": "quantities"}
    assert "stated no quantities" in world.one("SELECT what FROM task")
    assert (await hand.progress(T0 + 5 * DAY)).next_kind is None


async def test_whoever_has_an_open_query_is_not_called_for_quantities_as_well(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    world.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = %s WHERE id = %s", T0, one)
    world.run(
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, subject, state, opened_at)"
        " VALUES (%s,%s,'statement','reply:1','open',%s)",
        NUMBER, one, T0,
    )  # fmt: skip
    assert (await hand.advance(T0 + 9 * DAY)).cases == 0
