"""The sending protocol: what is claimed, sent, recorded, retried and stopped (design §6)."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError
from temporalio.testing import ActivityEnvironment

from activities.delivery_outcomes import SendingLimits
from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.factory import build_adapters
from domain.channels import Channel
from domain.links import read_link_token, read_status_callback
from models.messages import SendBatch
from settings import Settings
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.world import NUMBER, SECRET, T0, Lost, Person, World
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Catcher, Standin
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


def refuse(kind: ErrorKind, code: str = "smtp:451", *, maybe_sent: bool = False) -> SendError:
    return SendError(kind, code, "as told by the test", maybe_sent=maybe_sent)


async def test_a_sent_notice_is_recorded_with_all_that_follows(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    result = await hand.send()
    assert (result.claimed, result.submitted, result.ambiguous) == (1, 1, 0)
    (row,) = world.deliveries(one)
    assert (row["state"], row["attempt"], row["ambiguous"]) == ("submitted", 1, False)
    assert row["provider_id"] == f"<{row['id']}@firm.example>"
    clock = world.one("SELECT name, at, source FROM clock_start")
    assert (clock["name"], clock["source"]) == ("first_communication", f"campaign {world.campaign_id}, email")
    assert clock["at"] == row["submitted_at"]
    assert world.actions() == ["campaign.advanced", "clock.first_communication", "deliveries.recorded"]
    data = world.one("SELECT data FROM audit_event WHERE action = 'deliveries.recorded'")
    assert data["submitted"] == [str(row["id"])]
    assert "@x.example" not in str(data)


async def test_the_message_carries_the_recipients_own_lots_and_a_link_for_nobody_else(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"), lots=("1200", "40.5"))
    two = world.consignee("Two", Person(phone="+254700000001"), lots=("7",))
    await hand.advance()
    await hand.send("email")
    await hand.send("sms")
    (mail,), (sms,) = hand.mail.accepted, hand.sms.accepted
    assert "Lot A1" in mail.text
    assert "1200 test" in mail.text
    assert "40.5 test" in mail.text
    assert mail.html is not None
    assert "One" in mail.text
    claims = read_link_token(SECRET, mail.text.split("/r/")[1].split()[0], T0)
    assert (claims.recall_no, claims.consignee_id, claims.delivery_id) == (NUMBER, one, mail.delivery_id)
    assert "A1 (7)" in sms.text
    assert read_link_token(SECRET, sms.text.split("/r/")[1].split()[0], T0).consignee_id == two
    assert sms.status_callback is not None
    query = dict(part.split("=", 1) for part in sms.status_callback.split("?")[1].split("&"))
    assert read_status_callback(SECRET, query["n"], query["s"]) == sms.delivery_id


async def test_real_servers_receive_each_notice_once(
    hand: Hand, world: World, catcher: Catcher, standin: Standin
) -> None:
    for number in range(30):
        world.consignee(f"Mail {number}", Person(f"stores{number}@hospital.example"))
        world.consignee(f"Text {number}", Person(phone=f"+25470000{number:04d}"))
    world.consignee("Bounced", Person("bounce@hospital.example"))
    world.consignee("Landline", Person(phone="+15005550009"))
    settings = Settings.model_validate(
        {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": catcher.smtp_port,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_FROM": "+12025550100",
            "TWILIO_BASE_URL": standin.url,
        }
    )
    adapters = build_adapters(settings)
    await hand.advance()
    now = datetime.now(UTC)
    try:
        mailed = await hand.send("email", now, email=adapters[Channel.EMAIL])
        texted = await hand.send("sms", now, sms=adapters[Channel.SMS])
    finally:
        for adapter in adapters.values():
            await adapter.close()
    assert [(r.submitted, r.failed) for r in (mailed, texted)] == [(30, 1), (30, 1)]
    caught = await catcher.messages()
    assert sorted(str(message["to"]) for message in caught) == sorted(f"stores{n}@hospital.example" for n in range(30))
    assert {str(m["message_id"]) for m in caught} == {
        row["provider_id"] for row in world.deliveries() if row["channel"] == "email" and row["provider_id"]
    }
    answer = await standin.http.get(
        f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", params={"PageSize": 100}, auth=(ACCOUNT_SID, AUTH_TOKEN)
    )
    sids = {message["sid"] for message in answer.json()["messages"]}
    assert sids == {row["provider_id"] for row in world.deliveries() if row["channel"] == "sms" and row["provider_id"]}
    assert world.one("SELECT status FROM contact WHERE email LIKE 'bounce%'") == "bounced"


async def test_two_senders_at_once_never_send_one_delivery_twice(hand: Hand, world: World) -> None:
    world.many(300)
    await hand.advance()
    results = await asyncio.gather(*(hand.send("email") for _ in range(4)))
    counts = hand.mail.per_delivery()
    assert set(counts.values()) == {1}
    assert len(counts) == sum(result.submitted for result in results) == 225
    assert {row["attempt"] for row in world.deliveries() if row["channel"] == "email"} == {1}


async def test_a_batch_stops_at_its_limit(hand: Hand, world: World) -> None:
    world.many(40)
    await hand.advance()
    request = SendBatch(number=NUMBER, campaign_id=world.campaign_id, channel="email", limit=7, now=T0)
    result = await ActivityEnvironment().run(hand.activities().send_batch, request)
    assert (result.claimed, result.submitted) == (7, 7)


async def test_a_transient_error_is_tried_again_later_and_given_up_after_the_cap(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    hand.mail.refusals["a@x.example"] = refuse(ErrorKind.TRANSIENT)
    now, limits = T0, SendingLimits(attempts=3)
    waits = []
    for _ in range(2):
        assert (await hand.send("email", now, limits)).deferred == 1
        progress = await hand.progress(now)
        assert progress.next_kind == "retry"
        assert progress.next_due_at is not None
        waits.append(round((progress.next_due_at - now).total_seconds()))
        assert (await hand.send("email", now, limits)).claimed == 0, "not before its time"
        now = progress.next_due_at
    assert waits == [2, 4]
    assert (await hand.send("email", now, limits)).failed == 1
    (row,) = world.deliveries(one)
    assert (row["state"], row["error_kind"], row["error_code"]) == ("failed", "transient", "smtp:451")
    assert world.one("SELECT status FROM contact") == "unverified", "the address is not to blame"
    assert (await hand.advance(now)).called == 1


async def test_an_account_level_error_stops_the_batch_and_loses_nothing(hand: Hand, world: World) -> None:
    world.many(200)
    await hand.advance()
    first = world.one("SELECT id FROM delivery WHERE channel = 'email' ORDER BY id LIMIT 1")
    address = world.one(
        "SELECT email FROM contact JOIN delivery ON contact_id = contact.id WHERE delivery.id = %s", first
    )
    hand.mail.refusals[address] = refuse(ErrorKind.PERMANENT_CAMPAIGN, "smtp:535")
    result = await hand.send()
    assert result.campaign_stop == "smtp:535: as told by the test"
    assert result.submitted < 150
    states = world.rows("SELECT state, count(*) AS n FROM delivery WHERE channel = 'email' GROUP BY state ORDER BY 1")
    assert {row["state"] for row in states} <= {"pending", "submitted"}
    assert sum(row["n"] for row in states) == 150
    # A probe tries another delivery than the one that was refused.
    again = await hand.send()
    assert again.campaign_stop is None
    assert again.submitted + result.submitted == 149


async def test_a_channel_without_a_server_stops_the_campaign_with_a_clear_reason(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance()
    activities = hand.activities()
    activities._adapters = {}
    result = await hand.run(activities)
    assert result.campaign_stop is not None
    assert "no server or account is configured" in result.campaign_stop
    assert [row["state"] for row in world.deliveries()] == ["pending"]


async def test_a_drill_reaches_no_adapter_even_if_the_workflow_forgets_to_say_so(
    hand: Hand, world: World, clean_db: PostgresForTests
) -> None:
    world.run("UPDATE recall SET drill = true")
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    assert (await hand.send()).submitted == 1
    assert hand.mail.accepted == []
    assert world.deliveries(one)[0]["provider_id"].startswith("blocked:email:")


async def test_an_opt_out_known_only_to_the_provider_is_recorded_on_the_contact(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email")))
    await hand.advance()
    hand.sms.refusals["+254700000001"] = refuse(ErrorKind.PERMANENT_CONTACT, "twilio:21610")
    await hand.send("sms")
    assert world.one("SELECT sms_opted_out_at IS NOT NULL FROM contact")
    await hand.advance(T0 + timedelta(minutes=1))
    assert [row["channel"] for row in world.deliveries(one)] == ["sms", "email"]


async def test_a_worker_that_shuts_down_finishes_its_calls_and_puts_the_rest_back(hand: Hand, world: World) -> None:
    world.many(400)
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    environment = ActivityEnvironment()
    request = SendBatch(number=NUMBER, campaign_id=world.campaign_id, channel="email", now=T0)
    work = asyncio.ensure_future(environment.run(hand.activities().send_batch, request))
    await hand.mail.waiting.wait()
    environment.worker_shutdown()
    await asyncio.sleep(0)
    hand.mail.gate.set()
    result = await work
    assert 20 <= result.submitted < 100, "the calls under way are finished, no further group is begun"
    assert set(hand.mail.per_delivery().values()) == {1}
    states = {row["state"] for row in world.deliveries() if row["channel"] == "email"}
    assert states == {"submitted", "pending"}
    assert (await hand.send()).submitted + result.submitted == 300


async def test_a_cancelled_batch_records_what_it_sent(hand: Hand, world: World) -> None:
    world.many(100)
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    environment = ActivityEnvironment()
    request = SendBatch(number=NUMBER, campaign_id=world.campaign_id, channel="email", now=T0)
    work = asyncio.ensure_future(environment.run(hand.activities().send_batch, request))
    await hand.mail.waiting.wait()
    environment.cancel()
    await asyncio.sleep(0)
    hand.mail.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    sent = set(hand.mail.per_delivery())
    assert sent == {row["id"] for row in world.deliveries() if row["state"] == "submitted"}
    assert not [row for row in world.deliveries() if row["state"] == "submitting"]


# ---------------------------------------------------------------- the ambiguous window


async def killed_after_accept(hand: Hand, channel: str, at_message: int = 1) -> None:
    """Die between the provider's acceptance and our commit: the batch's process is simply not there any more."""
    provider = hand.mail if channel == "email" else hand.sms

    def die(message: object) -> None:
        if len(provider.accepted) == at_message:
            raise Lost

    provider.after_accept = die
    with pytest.raises(BaseExceptionGroup) as gone:
        await hand.send(channel)
    assert gone.group_contains(Lost)
    writers = [task for task in asyncio.all_tasks() if task.get_name().startswith("recording ")]
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)
    provider.after_accept = lambda message: None


def after_lease() -> datetime:
    return T0 + LIMITS.lease + timedelta(seconds=30)


async def test_an_sms_accepted_before_the_crash_is_found_and_not_sent_again(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    await killed_after_accept(hand, "sms")
    assert [row["state"] for row in world.deliveries(one)] == ["submitting"]
    assert (await hand.send("sms")).claimed == 0, "the lease protects a sender that is only slow"
    progress = await hand.progress()
    assert progress.next_kind == "retry"
    result = await hand.send("sms", after_lease())
    assert (result.ambiguous, result.submitted, result.resent) == (1, 1, 0)
    assert len(hand.sms.accepted) == 1
    (row,) = world.deliveries(one)
    assert (row["state"], row["ambiguous"], row["provider_id"]) == ("submitted", True, f"SM{1:032d}")


async def test_an_email_accepted_before_the_crash_is_sent_again_under_the_same_message_id(
    hand: Hand, world: World
) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance()
    await killed_after_accept(hand, "email")
    result = await hand.send("email", after_lease())
    assert (result.ambiguous, result.submitted, result.resent) == (1, 1, 1)
    first, second = hand.mail.accepted
    assert first.message_id == second.message_id
    assert first == second, "the very same message"


async def test_a_crash_in_mid_batch_loses_nothing_and_repeats_only_what_was_uncommitted(
    hand: Hand, world: World
) -> None:
    world.many(400)
    await hand.advance()
    await killed_after_accept(hand, "email", at_message=137)
    uncommitted = {row["id"] for row in world.deliveries() if row["state"] == "submitting"}
    accepted: set[UUID] = set(hand.mail.per_delivery())
    result = await hand.send("email", after_lease())
    assert result.submitted + len(accepted - uncommitted) == 300
    counts = hand.mail.per_delivery()
    assert len(counts) == 300
    assert max(counts.values()) <= 2
    assert {each for each, times in counts.items() if times > 1} <= uncommitted
    assert {row["state"] for row in world.deliveries() if row["channel"] == "email"} == {"submitted"}


async def test_an_answer_lost_on_the_way_is_looked_for_before_anything_is_sent(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()

    def lose(message: object) -> None:
        raise refuse(ErrorKind.TRANSIENT, "twilio:timeout", maybe_sent=True)

    hand.sms.after_accept = lose
    assert (await hand.send("sms")).deferred == 1
    assert world.deliveries(one)[0]["state"] == "submitting"
    hand.sms.after_accept = lambda message: None
    result = await hand.send("sms", T0 + timedelta(seconds=20))
    assert (result.submitted, hand.sms.asked, len(hand.sms.accepted)) == (1, 1, 1)


async def test_a_doubtful_message_to_somebody_who_has_answered_is_not_sent_again(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    await killed_after_accept(hand, "email")
    world.run("UPDATE consignee SET state = 'answered' WHERE id = %s", one)
    result = await hand.send("email", after_lease())
    assert (result.cancelled, len(hand.mail.accepted)) == (1, 1)
    assert world.deliveries(one)[0]["state"] == "cancelled"


async def test_the_result_of_a_sender_that_lost_its_lease_changes_nothing(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    slow = asyncio.ensure_future(hand.send("email"))
    await hand.mail.waiting.wait()
    # Meanwhile its lease has ended for everybody else, and the second attempt finds the address refused.
    second = type(hand.mail)(Channel.EMAIL)
    second.refusals["a@x.example"] = refuse(ErrorKind.PERMANENT_CONTACT, "smtp:550/5.1.1")
    assert (await hand.send("email", after_lease(), email=second)).failed == 1
    hand.mail.gate.set()
    await slow
    (row,) = world.deliveries(one)
    assert (row["state"], row["attempt"], row["error_code"]) == ("failed", 2, "smtp:550/5.1.1")


async def test_a_database_outage_of_a_moment_does_not_make_a_sent_notice_doubtful(
    hand: Hand, world: World, clean_db: PostgresForTests
) -> None:
    world.many(40)
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    work = asyncio.ensure_future(hand.send("email"))
    await hand.mail.waiting.wait()
    world.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'tests' AND pid <> pg_backend_pid()"
    )
    hand.mail.gate.set()
    with suppress(OperationalError):  # a claim that failed fails the batch, which Temporal repeats
        await work
    await hand.send("email")
    assert len(hand.mail.per_delivery()) == 30
    assert set(hand.mail.per_delivery().values()) == {1}
    assert {row["state"] for row in world.deliveries() if row["channel"] == "email"} == {"submitted"}
