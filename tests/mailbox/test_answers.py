"""People's answers by mail, from the mailbox into the record: counted, or a person's task, never dropped."""

import pytest

from tests.campaign.world import NUMBER, T0, Person
from tests.mailbox import samples
from tests.mailbox.conftest import MINUTE, Office, Sent

pytestmark = pytest.mark.db
STORES = "stores@hospital.example"


def mail(sent: Sent, text: str, sender: str = STORES, to: str | None = None, **more: str) -> bytes:
    given = {"original": sent.message_id} | more
    return samples.answer(to or sent.answer_to, sender, text, **given)  # type: ignore[arg-type]


def replies(office: Office) -> list[tuple[str, str, bool | None]]:
    rows = office.world.rows("SELECT channel, kind, affected FROM reply ORDER BY id")
    return [(row["channel"], row["kind"], row["affected"]) for row in rows]


def tasks(office: Office) -> list[str]:
    return [row["what"] for row in office.world.rows("SELECT what FROM task ORDER BY id")]


@pytest.mark.parametrize(("text", "affected"), [("1", True), ("2", False), ("Received", None), ("已收到", None)])
async def test_an_answer_acknowledges_the_notice_and_ends_the_chase(
    office: Office, text: str, affected: bool | None
) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, f"{text}\n\n> URGENT\n> somebody was harmed\n"))
    await office.collect()
    assert replies(office) == [("email", "acknowledgement", affected)]
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"
    assert office.mails() == [("person", "contact", "reply")]
    row = office.world.rows("SELECT delivery_id, free_text FROM reply")[0]
    assert (row["delivery_id"], row["free_text"]) == (sent.delivery, text)
    assert [name for name, _, _ in office.nudges] == [f"recall:{NUMBER}:campaign:1", f"recall:{NUMBER}:disposition"]
    assert tasks(office) == []


@pytest.mark.parametrize("to", ["recall@firm.example", "the answer address"])
async def test_it_is_matched_by_its_address_or_by_the_message_it_answers(office: Office, to: str) -> None:
    sent = await office.sent()
    one_proof = {"to": to} if to != "the answer address" else {"original": ""}
    office.arrives(mail(sent, "1", **one_proof))
    await office.collect()
    assert replies(office) == [("email", "acknowledgement", True)]


async def test_the_same_answer_on_two_ways_is_one(office: Office) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1"))
    office.arrives(b"Received: by mx2\n" + mail(sent, "1"))
    assert (await office.collect()).taken == 2
    office.arrives(mail(sent, "1"))
    await office.collect()
    assert len(replies(office)) == len(office.mails()) == 1
    assert await office.mailbox.list_new(10) == []


async def test_two_sites_that_answer_alike_without_message_ids_both_count(office: Office) -> None:
    first = await office.sent("One", Person(STORES))
    second = await office.sent("Two", Person("ward@clinic.example"))
    for sent, sender in ((first, STORES), (second, "ward@clinic.example")):
        lines = samples.answer(sent.answer_to, sender, "1").split(b"\n")
        office.arrives(b"\n".join(line for line in lines if not line.startswith((b"Message-ID:", b"Date:"))))
    await office.collect()
    assert replies(office) == [("email", "acknowledgement", True)] * 2


async def test_one_mail_to_two_notices_answers_both_though_it_is_delivered_once_or_twice(office: Office) -> None:
    first = await office.sent("One", Person(STORES))
    second = await office.sent("Two", Person(STORES))
    raw = samples.answer(f"{first.answer_to}, {second.answer_to}", STORES, "2")
    office.arrives(raw)
    office.arrives(
        b"Received: by mx2\n" + raw.replace(f"Delivered-To: {first.answer_to}, ".encode(), b"Delivered-To: ")
    )
    await office.collect()
    assert sorted(row["consignee_id"] for row in office.world.rows("SELECT consignee_id FROM reply")) == [
        first.consignee,
        second.consignee,
    ]
    assert office.world.rows("SELECT DISTINCT state FROM consignee") == [{"state": "acknowledged"}]
    assert len(office.mails()) == 2


async def test_a_person_hears_of_harm_in_a_mail_that_looks_like_a_machines(office: Office) -> None:
    sent = await office.sent()
    titled = "Automatic External Defibrillator: patient injured"
    office.arrives(mail(sent, "Please call the ward.", subject=titled))
    ticket = ("Auto-Submitted: auto-generated",)
    office.arrives(mail(sent, "1\n\nA nurse was hurt.", number="ticket", more=ticket))  # type: ignore[arg-type]
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)] * 2
    assert office.world.one("SELECT count(*) FROM complaint") == 2
    assert office.world.one("SELECT state FROM consignee") == "open"


@pytest.mark.parametrize("text", ["3", "2 boxes left", "We will look into it", "STOP", ""])
async def test_what_is_no_answer_becomes_a_task_and_the_chase_goes_on(office: Office, text: str) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, text))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.world.one("SELECT state FROM consignee") == "open"
    assert office.mails() == [("person", "contact", "unclear")]
    assert len(tasks(office)) == 1


async def test_what_stands_beside_an_answer_is_read_by_a_person(office: Office) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1\n\nWe passed five on to a clinic."))
    await office.collect()
    assert replies(office) == [("email", "acknowledgement", True)]
    (task,) = tasks(office)
    assert task.startswith("Read what One wrote by email beside its answer")
    assert office.world.one("SELECT reason FROM consignee_case WHERE state = 'open'") == "help"


async def test_harm_makes_a_complaint_whose_clock_starts_when_the_mail_arrived(office: Office) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1\n\nOne patient was injured."))
    later = T0 + 600 * MINUTE
    await office.collect(later)
    row = office.world.rows("SELECT source, awareness_at, recorded_at FROM complaint")[0]
    assert row["source"] == "email"
    assert row["awareness_at"] <= row["recorded_at"]
    assert (f"recall:{NUMBER}", "record_moved", ("complaint",)) in office.nudges


async def test_an_out_of_office_answer_is_never_an_answer(office: Office) -> None:
    sent = await office.sent()
    office.arrives(samples.away(sent.answer_to, STORES, original=sent.message_id))
    office.arrives(samples.away(sent.bounce_to, STORES, original=sent.message_id, number="away-2", declared=False))
    await office.collect()
    assert (replies(office), tasks(office), office.nudges) == ([], [], [])
    assert office.mails() == [("automatic", "system", "auto_reply")] * 2
    assert office.world.one("SELECT state FROM consignee") == "open"
    assert office.world.one("SELECT status FROM delivery_event") == "auto_reply"


@pytest.mark.parametrize("asked", ["herself", "her deputy"])
async def test_whoever_has_left_answers_for_the_place_no_more(office: Office, asked: str) -> None:
    deputy = "bob@hospital.example"
    sent = await office.sent("One", Person(STORES), Person(deputy))
    office.world.run("UPDATE contact SET status = 'left' WHERE email = %s", STORES if asked == "herself" else deputy)
    office.arrives(mail(sent, "Received", sender=STORES if asked == "herself" else deputy))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.world.one("SELECT state FROM consignee") == "open"
    assert office.mails() == [("person", "other", "unknown_sender")]
    assert len(tasks(office)) == 1


async def test_an_address_that_somebody_else_reads_now_still_answers(office: Office) -> None:
    sent = await office.sent("One", Person(STORES), Person(STORES))
    office.world.run("UPDATE contact SET status = 'left' WHERE position = 1")
    office.arrives(mail(sent, "1"))
    await office.collect()
    assert office.mails() == [("person", "contact", "reply")]


async def test_a_colleague_at_the_same_house_may_answer_to_the_notices_own_address(office: Office) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1", sender="ann@hospital.example"))
    await office.collect()
    assert replies(office) == [("email", "acknowledgement", True)]
    assert office.mails() == [("person", "colleague", "reply")]


@pytest.mark.parametrize(
    ("sender", "to"), [("ann@hospital.example", "recall@firm.example"), ("stranger@x.example", None)]
)
async def test_a_strangers_answer_acknowledges_nothing_and_a_person_calls(
    office: Office, sender: str, to: str | None
) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1", sender=sender, to=to))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.mails() == [("person", "other", "unknown_sender")]
    assert (len(tasks(office)), office.world.one("SELECT state FROM consignee")) == (1, "open")


async def test_whoever_has_left_the_house_answers_for_it_no_more(office: Office) -> None:
    sent = await office.sent("One", Person(STORES), Person("ann@elsewhere.example", status="left"))
    office.arrives(mail(sent, "1", sender="ann@elsewhere.example"))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.mails() == [("person", "other", "unknown_sender")]


async def test_a_sender_that_our_mail_system_calls_forged_acknowledges_nothing(office: Office) -> None:
    sent = await office.sent()
    forged = ("Authentication-Results: mx.firm.example; dmarc=fail header.from=hospital.example",)
    office.arrives(mail(sent, "1", more=forged))  # type: ignore[arg-type]
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.mails() == [("person", "forged", "forged_sender")]


async def test_a_forged_token_beside_a_known_message_id_goes_to_a_person_and_is_recorded(office: Office) -> None:
    sent = await office.sent()
    office.arrives(mail(sent, "1", to=sent.answer_to.replace("+", "+x", 1)))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.world.one("SELECT kind FROM refused_access") == "mail_token"


async def test_a_mail_of_a_known_contact_about_nothing_in_particular_goes_to_a_person(office: Office) -> None:
    await office.sent()
    office.arrives(samples.answer("recall@firm.example", STORES.upper(), "1", subject="Your recall"))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.mails() == [("person", "contact", "unclear")]


async def test_a_strangers_mail_is_kept_and_harm_in_it_is_on_record(office: Office) -> None:
    await office.sent()
    office.arrives(samples.answer("recall@firm.example", "x@y.example", "Buy now", number="spam"))
    office.arrives(samples.answer("recall@firm.example", "x@y.example", "My father was injured", number="harm"))
    named = f"A nurse was injured, see {NUMBER}"
    office.arrives(samples.answer("recall@firm.example", "x@y.example", named, number="named"))
    await office.collect()
    assert (replies(office), office.mails()) == ([], [("person", "unknown", "unknown_sender")] * 3)
    assert office.world.one("SELECT count(*) FROM audit_event WHERE action = 'harm.unassigned'") == 1
    key = office.world.one("SELECT key FROM task WHERE step = 'complaint' AND starts_with(key, 'on_call:message:')")
    assert (f"recall:{NUMBER}", "task_moved", (key,)) in office.nudges
    assert office.world.one("SELECT source FROM complaint") == "email"
    assert office.world.one("SELECT count(*) FROM evidence") == 3


async def test_after_the_recall_has_ended_nothing_is_asked_any_more(office: Office) -> None:
    sent = await office.sent()
    office.world.run("UPDATE recall SET phase = 'terminated'")
    office.arrives(mail(sent, "1"))
    await office.collect()
    assert (replies(office), office.mails()) == ([], [("person", "contact", "no_open_recall")])


async def test_a_mail_over_the_limit_goes_to_a_person(office: Office) -> None:
    sent = await office.sent()
    office.reconfigure(max_bytes=1000)
    office.arrives(mail(sent, "1\n" + "x" * 2000))
    await office.collect()
    assert replies(office) == [("email", "needs_contact", None)]
    assert office.world.one("SELECT whole FROM returned_mail") is False


async def test_one_contact_of_two_sites_answers_for_the_notice_it_answers(office: Office) -> None:
    first = await office.sent("One", Person(STORES))
    second = await office.sent("Two", Person(STORES))
    office.arrives(mail(second, "2"))
    await office.collect()
    assert office.world.one("SELECT consignee_id FROM reply") == second.consignee
    assert office.world.one("SELECT state FROM consignee WHERE id = %s", first.consignee) == "open"


async def test_hostile_mail_is_kept_and_holds_up_nobody_behind_it(office: Office) -> None:
    sent = await office.sent()
    office.arrives(b"")
    office.arrives(b"\0" * 1000)
    office.arrives(("Content-Type: message/rfc822\n\n" * 200).encode())
    office.arrives(b"Subject: =?x?q?=00?=\nMessage-ID: \x00<a\x00@b>\nFrom: \xff\xfe@\x00\n\n\x00\xff1")
    office.arrives(mail(sent, "1"))
    assert (await office.collect()).taken == 5
    assert replies(office) == [("email", "acknowledgement", True)]
    assert len(office.mails()) == 5
    assert await office.mailbox.list_new(10) == []
