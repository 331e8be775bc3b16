"""What comes back to one mail that was for several sites: an answer counts for each, harm once, a bounce for all."""

import pytest

from tests.campaign.world import Lost, Person
from tests.mailbox import samples
from tests.mailbox.conftest import Office, Sent

pytestmark = pytest.mark.db
PERSON = Person("safety@group.example")


async def shared(office: Office, count: int = 3) -> Sent:
    """Sites of one person that were told by one mail."""
    for number in range(1, count):
        office.world.consignee(f"Site {number}", PERSON)
    await office.sent("Site 0", PERSON)
    (mail,) = office.hand.mail.accepted
    lead = office.world.one("SELECT consignee_id FROM delivery WHERE leads")
    return Sent(lead, mail.delivery_id)


def answer(sent: Sent, text: str) -> bytes:
    return samples.answer(sent.answer_to, "safety@group.example", text, original=sent.message_id)


@pytest.mark.parametrize(("text", "affected"), [("1", None), ("2", False), ("Received", None)])
async def test_an_answer_is_recorded_for_each_site_as_a_reply_of_its_own(
    office: Office, text: str, affected: bool | None
) -> None:
    sent = await shared(office)
    office.arrives(answer(sent, text))
    await office.collect()
    office.arrives(answer(sent, text))
    await office.collect()
    rows = office.world.rows("SELECT consignee_id, delivery_id, kind, affected FROM reply")
    assert {(row["kind"], row["affected"]) for row in rows} == {("acknowledgement", affected)}
    by_site = {row["consignee_id"]: row["id"] for row in office.world.deliveries()}
    assert {row["consignee_id"]: row["delivery_id"] for row in rows} == by_site
    assert len(rows) == 3
    assert {row["state"] for row in office.world.rows("SELECT state FROM consignee")} == {"acknowledged"}


async def test_harm_beside_the_answer_is_one_complaint(office: Office) -> None:
    sent = await shared(office)
    office.arrives(answer(sent, "1\n\nOne patient was injured."))
    await office.collect()
    assert office.world.one("SELECT count(*) FROM complaint") == 1
    assert office.world.one("SELECT count(*) FROM reply WHERE kind = 'acknowledgement'") == 3
    assert office.world.one("SELECT count(*) FROM reply WHERE free_text LIKE '%%injured%%'") == 1


async def test_a_wish_to_be_called_is_one_task_and_every_site_stays_open(office: Office) -> None:
    sent = await shared(office)
    office.arrives(answer(sent, "3"))
    await office.collect()
    assert office.world.one("SELECT count(*) FROM task") == 1
    assert {row["state"] for row in office.world.rows("SELECT state FROM consignee")} == {"open"}


async def test_a_crash_between_the_sites_and_the_mail_itself_loses_no_answer(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await shared(office)
    office.arrives(answer(sent, "1"))

    async def dies(*_: object) -> None:
        raise Lost

    with monkeypatch.context() as patch:
        patch.setattr("activities.mail_collecting.take_in", dies)
        with pytest.raises(Lost):
            await office.collect()
    await office.collect()
    assert office.world.one("SELECT count(*) FROM reply") == 3


async def test_a_dead_address_is_ruled_out_at_every_site(office: Office) -> None:
    sent = await shared(office)
    report = {"recipient": "safety@group.example", "diagnostic": "550", "original": sent.message_id}
    office.arrives(samples.report(sent.bounce_to, action="failed", status="5.1.1", **report))
    await office.collect()
    assert {row["state"] for row in office.world.deliveries()} == {"failed"}
    assert {row["error_code"] for row in office.world.deliveries()} == {"dsn:5.1.1"}
    assert office.world.actions().count("contact.bounce_reported") == 3


def leaves(office: Office, consignee: int) -> None:
    office.world.run(
        "UPDATE contact SET status = 'left' WHERE partner_id = (SELECT partner_id FROM consignee WHERE id = %s)",
        consignee,
    )


async def test_who_has_left_the_first_site_answers_for_the_others_and_not_for_it(office: Office) -> None:
    sent = await shared(office)
    leaves(office, sent.consignee)
    office.arrives(answer(sent, "Received"))
    await office.collect()
    rows = office.world.rows("SELECT consignee_id, delivery_id, kind FROM reply")
    assert {row["kind"] for row in rows} == {"acknowledgement"}
    by_site = {row["consignee_id"]: row["id"] for row in office.world.deliveries()}
    del by_site[sent.consignee]
    assert {row["consignee_id"]: row["delivery_id"] for row in rows} == by_site
    assert len(rows) == 2
    assert office.world.one("SELECT state FROM consignee WHERE id = %s", sent.consignee) == "open"
    assert office.mails() == [("person", "contact", "reply")]


async def test_who_has_left_every_site_is_read_by_a_person(office: Office) -> None:
    sent = await shared(office)
    office.world.run("UPDATE contact SET status = 'left'")
    office.arrives(answer(sent, "Received"))
    await office.collect()
    assert office.world.rows("SELECT kind FROM reply") == [{"kind": "needs_contact"}]
    assert {row["state"] for row in office.world.rows("SELECT state FROM consignee")} == {"open"}
    assert office.mails() == [("person", "other", "unknown_sender")]


async def test_that_there_is_stock_is_said_of_the_one_site_its_reader_has_not_left(office: Office) -> None:
    sent = await shared(office, 2)
    leaves(office, office.world.one("SELECT id FROM consignee WHERE id <> %s", sent.consignee))
    office.arrives(answer(sent, "1"))
    await office.collect()
    (row,) = office.world.rows("SELECT consignee_id, kind, affected FROM reply")
    assert (row["consignee_id"], row["kind"], row["affected"]) == (sent.consignee, "acknowledgement", True)
