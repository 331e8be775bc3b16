"""Bounces taken in: attributed by their address alone, applied once, and never by anybody else's word."""

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.return_path import ReturnKind
from tests.campaign.world import NUMBER, T0, Person
from tests.mailbox import samples
from tests.mailbox.conftest import MINUTE, PATH, Office, Sent

pytestmark = pytest.mark.db
STORES = "stores@hospital.example"


def bounce(sent: Sent, status: str = "5.1.1", action: str = "failed", to: str | None = None, **more: str) -> bytes:
    given = {"recipient": STORES, "diagnostic": "550", "original": sent.message_id} | more
    return samples.report(to or sent.bounce_to, action=action, status=status, **given)


def delivery(office: Office, sent: Sent) -> tuple[str, str | None, str | None]:
    row = office.world.rows("SELECT state, error_kind, error_code FROM delivery WHERE id = %s", sent.delivery)[0]
    return row["state"], row["error_kind"], row["error_code"]


async def test_a_hard_bounce_ends_the_address_and_the_campaign_takes_the_next_way_at_once(office: Office) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent))
    assert (await office.collect()).taken == 1
    assert delivery(office, sent) == ("failed", "permanent_contact", "dsn:5.1.1")
    assert office.nudges == [(f"recall:{NUMBER}:campaign:1", "nudge", ())]
    assert (await office.hand.advance(T0 + MINUTE)).written == {"initial": 1}
    assert [row["channel"] for row in office.world.deliveries()] == ["email", "sms"]
    assert office.mails() == [("report", "system", "dead")]
    assert {"delivery.reported", "contact.bounce_reported", "mail.received", "evidence.linked"} <= set(
        office.world.actions()
    )


async def test_one_report_that_the_recipient_could_have_forged_condemns_no_address_for_other_recalls(
    office: Office,
) -> None:
    sent = await office.sent()
    for number in ("one", "two"):
        office.arrives(bounce(sent, number=number))
    await office.collect()
    assert office.world.one("SELECT status FROM contact") == "unverified"
    assert "contact.bounced" not in office.world.actions()
    await office.hand.advance(T0 + MINUTE)
    await office.hand.advance(T0 + 200 * 60 * MINUTE)
    channels = [row["channel"] for row in office.world.deliveries()]
    assert channels[0] == "email"
    assert "email" not in channels[1:], "this campaign does not use the address again"


async def test_a_second_report_from_another_campaign_ends_the_address_for_good(office: Office) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, number="first"))
    await office.collect()
    later = uuid4()
    office.world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT recall_number, 2, notice_id, started_at FROM campaign"
    )
    office.world.run(
        "INSERT INTO delivery SELECT (jsonb_populate_record(d, jsonb_build_object('id', CAST(%s AS text),"
        " 'campaign_id', (SELECT id FROM campaign WHERE sequence = 2), 'state', 'submitted', 'error_kind', NULL,"
        " 'error_code', NULL, 'provider_id', NULL))).* FROM delivery d",
        later,
    )
    office.arrives(bounce(Sent(sent.consignee, later), number="second"))
    await office.collect()
    assert office.world.one("SELECT status FROM contact") == "bounced"
    assert office.world.actions().count("contact.bounced") == 1


async def test_the_raw_mail_is_kept_as_evidence_of_its_recall(office: Office) -> None:
    sent = await office.sent()
    raw = bounce(sent)
    office.arrives(raw)
    await office.collect()
    row = office.world.rows("SELECT * FROM returned_mail")[0]
    file = office.world.rows("SELECT * FROM evidence WHERE id = %s", row["evidence_id"])[0]
    assert (file["recall_number"], file["content_type"], file["size"]) == (NUMBER, "message/rfc822", len(raw))
    kept = list((office.folder / "evidence").rglob(file["sha256"]))
    assert [path.read_bytes() for path in kept] == [raw]
    assert (row["delivery_id"], row["whole"], row["status"]) == (sent.delivery, True, "5.1.1")


@pytest.mark.parametrize(
    ("action", "status", "outcome"), [("delayed", "4.4.1", "delayed"), ("relayed", "2.0.0", "handed_on")]
)
async def test_what_is_only_delayed_or_passed_on_changes_nothing(
    office: Office, action: str, status: str, outcome: str
) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, status, action))
    await office.collect()
    assert delivery(office, sent) == ("submitted", None, None)
    assert office.world.one("SELECT status FROM contact") == "unverified"
    assert (office.nudges, office.mails()) == ([], [("report", "system", outcome)])
    assert office.world.one("SELECT status FROM delivery_event") == outcome


@pytest.mark.parametrize("status", ["5.2.2", "5.7.1", "4.4.7"])
async def test_a_mailbox_that_is_full_or_strict_costs_this_message_and_not_the_address(
    office: Office, status: str
) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, status))
    await office.collect()
    assert delivery(office, sent) == ("failed", "undelivered", f"dsn:{status}")
    assert office.world.one("SELECT status FROM contact") == "unverified"
    assert len(office.nudges) == 1


async def test_a_storm_of_bounces_is_one_nudge_of_its_campaign(office: Office) -> None:
    office.world.many(12)
    await office.hand.advance()
    await office.hand.send("email")
    sent = [Sent(row["consignee_id"], row["id"]) for row in office.world.deliveries() if row["state"] == "submitted"]
    for number, each in enumerate(sent):
        office.arrives(bounce(each, "5.2.2", number=f"storm-{number}"))
    assert (await office.collect()).taken == len(sent) > 5
    assert office.nudges == [(f"recall:{NUMBER}:campaign:1", "nudge", ())]


async def test_a_look_that_takes_long_ends_and_says_that_mail_is_left(office: Office) -> None:
    sent = await office.sent()
    office.reconfigure(longest_look=timedelta(0))
    office.arrives(bounce(sent, number="one"))
    office.arrives(bounce(sent, number="two"))
    looks = [await office.collect() for _ in range(3)]
    assert [(look.taken, look.more) for look in looks] == [(1, True), (1, False), (0, False)]


async def test_a_dead_address_behind_the_one_we_wrote_to_does_not_condemn_the_list(office: Office) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, recipient="left@elsewhere.example", original_recipient="ann@elsewhere.example"))
    await office.collect()
    assert delivery(office, sent)[:2] == ("failed", "undelivered")
    assert office.world.one("SELECT status FROM contact") == "unverified"


async def test_in_any_order_and_however_often_the_worst_report_counts_once(office: Office) -> None:
    sent = await office.sent()
    hard, soft = bounce(sent, number="hard"), bounce(sent, "4.4.1", "delayed", number="soft")
    office.arrives(hard)
    office.arrives(soft)
    office.arrives(hard)
    await office.collect()
    office.arrives(hard)
    office.arrives(bounce(sent, number="another-hard-one"))
    await office.collect()
    assert delivery(office, sent)[0] == "failed"
    assert len(office.nudges) == 1
    assert sorted(office.mails()) == [("report", "system", "dead")] * 2 + [("report", "system", "delayed")]
    assert office.world.one("SELECT count(*) FROM inbound_message") == 3
    assert office.world.actions().count("contact.bounce_reported") == 1


async def test_after_a_report_of_delivery_a_late_failure_takes_nothing_back(office: Office) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, "2.0.0", "delivered", number="good"))
    await office.collect()
    office.arrives(bounce(sent, number="bad"))
    await office.collect()
    assert delivery(office, sent)[0] == "delivered"
    assert office.world.one("SELECT status FROM contact") == "unverified"


@pytest.mark.parametrize("to", ["recall@firm.example", "bounces@firm.example", "the answer address"])
async def test_a_report_that_was_not_sent_to_the_return_path_is_kept_and_believed_by_nobody(
    office: Office, to: str
) -> None:
    sent = await office.sent()
    office.arrives(bounce(sent, to=sent.answer_to if to == "the answer address" else to))
    await office.collect()
    assert delivery(office, sent)[0] == "submitted"
    assert office.mails() == [("report", "system", "unproven_report")]
    assert office.world.one("SELECT count(*) FROM delivery_event") == 0


async def test_a_forged_token_is_refused_and_the_refusal_recorded(office: Office) -> None:
    sent = await office.sent()
    forged = sent.bounce_to.replace("+", "+aa", 1).replace("aa", "aaaa"[:2], 1)
    office.arrives(bounce(sent, to=forged))
    await office.collect()
    assert delivery(office, sent)[0] == "submitted"
    assert office.mails() == [("report", "forged", "forged_token")]
    assert office.world.one("SELECT kind FROM refused_access") == "mail_token"
    assert office.world.one("SELECT status FROM contact") == "unverified"
    assert "access.refused" in office.world.actions()


async def test_a_good_token_for_a_delivery_nobody_knows_is_kept(office: Office) -> None:
    nobody = Sent(0, uuid4())
    office.arrives(bounce(nobody))
    await office.collect()
    assert office.mails() == [("report", "system", "no_delivery")]


async def test_a_bounce_faster_than_our_own_commit_also_says_that_it_was_sent(office: Office) -> None:
    consignee = office.world.consignee("One", Person(STORES))
    await office.hand.advance()
    row = office.world.deliveries(consignee)[0]
    office.world.run("UPDATE delivery SET state = 'submitting', attempt = 1 WHERE id = %s", row["id"])
    sent = Sent(consignee, row["id"])
    office.arrives(bounce(sent, "5.2.2"))
    await office.collect()
    assert delivery(office, sent)[0] == "failed"
    assert office.world.one("SELECT first_notified_at IS NOT NULL FROM consignee")


async def test_a_bounce_of_a_message_to_our_own_people_is_told(office: Office) -> None:
    staff_mail = Sent(0, uuid4())
    office.world.run(
        "INSERT INTO staff_message (recall_number, principal, kind, channel, dedupe, state, provider_id, created_at)"
        " VALUES (%s, 'qa', 'page', 'email', 'x', 'sent', %s, %s)",
        NUMBER,
        staff_mail.message_id,
        T0,
    )
    office.arrives(bounce(staff_mail))
    await office.collect()
    assert office.mails() == [("report", "system", "staff_bounce")]
    assert office.world.rows("SELECT state, error FROM staff_message") == [{"state": "failed", "error": "dsn:5.1.1"}]
    assert "staff_message.bounced" in office.world.actions()


@pytest.mark.parametrize("make", [samples.exchange, samples.exim])
async def test_other_mail_systems_end_the_address_as_well(office: Office, make: object) -> None:
    sent = await office.sent()
    office.arrives(make(sent.bounce_to, STORES, original=sent.message_id))  # type: ignore[operator]
    await office.collect()
    assert delivery(office, sent)[:2] == ("failed", "permanent_contact")


async def test_prose_in_the_mailbox_of_a_chinese_provider_is_read(office: Office) -> None:
    sent = await office.sent()
    office.arrives(samples.coremail(PATH.address(sent.delivery, ReturnKind.BOUNCE), STORES))
    await office.collect()
    assert delivery(office, sent)[:2] == ("failed", "permanent_contact")
