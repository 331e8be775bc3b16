"""Collecting while things are away: nothing is lost, nothing is taken twice, and what comes back is not for drills."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from temporalio.exceptions import ApplicationError

from activities import mail_collecting, mail_intake
from adapters.mailbox.base import Fetched, MailboxUnavailable
from adapters.mailbox.imap import ImapConfig, ImapMailbox
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from tests.campaign.world import T0, Person
from tests.mailbox import samples
from tests.mailbox.conftest import PATH, Office
from tests.mailbox.imap_server import ImapServer, serving
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.conftest import Catcher

pytestmark = pytest.mark.db
STORES = "stores@hospital.example"


async def test_every_notice_has_a_return_path_of_its_own_and_its_from_stays(catcher: Catcher) -> None:
    config = SmtpConfig(
        "127.0.0.1", catcher.smtp_port, "Recall <recall@firm.example>", return_path=PATH, answers_return=True
    )
    adapter = SmtpEmailAdapter(config)
    await adapter.send(mail())
    await adapter.close()
    (caught,) = await catcher.messages()
    sender, headers = str(caught["from"]), caught["headers"]
    assert isinstance(headers, dict)
    found, answers = PATH.read(sender), PATH.read(headers["Reply-To"])
    assert found is not None
    assert answers is not None
    assert found.delivery_id == answers.delivery_id == DELIVERY
    assert headers["From"] == "Recall <recall@firm.example>"


async def test_a_message_to_our_own_people_returns_to_us_and_is_answered_to_its_sender(catcher: Catcher) -> None:
    config = SmtpConfig("127.0.0.1", catcher.smtp_port, "a@firm.example", return_path=PATH, answers_return=True)
    adapter = SmtpEmailAdapter(config)
    await adapter.send(mail(answer_counts=False))
    await adapter.close()
    (caught,) = await catcher.messages()
    assert PATH.read(str(caught["from"])) is not None
    assert "Reply-To" not in str(caught["headers"])


async def test_over_imap_a_bounce_is_taken_in_and_moved(office: Office) -> None:
    sent = await office.sent()
    async with serving(ImapServer()) as server:
        server.deliver(samples.exchange(sent.bounce_to, STORES, original=sent.message_id))
        office.mailbox = ImapMailbox(ImapConfig("127.0.0.1", server.port, "u", server.password, tls=False))
        assert (await office.collect()).taken == 1
        await office.mailbox.close()
        assert (len(server.folders["INBOX"]), len(server.folders["Processed"])) == (0, 1)
    assert office.world.one("SELECT state FROM delivery") == "failed"


async def test_without_a_mailbox_there_is_nothing_to_collect(office: Office) -> None:
    office.mailbox = None
    collected = await office.collect()
    assert (collected.taken, collected.configured, collected.more) == (0, False, False)


async def test_a_mailbox_that_is_away_is_told_in_one_line(office: Office) -> None:
    class Away:
        async def list_new(self, limit: int) -> list[str]:
            raise MailboxUnavailable("the mail server cannot be reached")

    office.mailbox = Away()
    with pytest.raises(ApplicationError, match="the mail server cannot be reached") as caught:
        await office.collect()
    assert caught.value.type == "MailboxAway"


async def test_when_the_database_goes_away_the_mail_stays_and_is_taken_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await office.sent()
    office.arrives(samples.answer(sent.answer_to, STORES, "1", original=sent.message_id))

    async def gone(*_arguments: object) -> None:
        raise OperationalError("insert", {}, ConnectionError("server closed the connection"))

    with monkeypatch.context() as patched:
        patched.setattr(mail_collecting, "take_in", gone)
        with pytest.raises(ApplicationError, match="the database is away"):
            await office.collect()
    assert len(await office.mailbox.list_new(10)) == 1
    await office.collect()
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"


@pytest.mark.parametrize("trips", ["its answer", "its notice"])
async def test_a_mail_that_trips_a_fault_of_ours_is_kept_for_a_person_under_its_notice_and_holds_up_nobody(
    office: Office, monkeypatch: pytest.MonkeyPatch, trips: str
) -> None:
    sent = await office.sent()
    other = await office.sent("Two", Person("ward@clinic.example"))
    office.arrives(samples.answer(sent.answer_to, STORES, "A nurse was hurt.", original=sent.message_id))
    office.arrives(samples.answer(other.answer_to, "ward@clinic.example", "1", number="answer-2"))
    honest = mail_intake._take_answer

    async def faulty(session: Any, mail: Any, found: Any) -> Any:
        first = mail.read.fault is None
        if mail.read.sender == STORES and (first or (trips == "its notice" and found.notice is not None)):
            raise KeyError(mail.read.sender)
        return await honest(session, mail, found)

    monkeypatch.setattr(mail_intake, "_take_answer", faulty)
    await office.collect()
    kept = ("person", "contact", "reply") if trips == "its answer" else ("unreadable", "contact", "unclear")
    assert sorted(office.mails()) == sorted([("person", "contact", "reply"), kept])
    assert office.world.one("SELECT state FROM consignee WHERE id = %s", other.consignee) == "acknowledged"
    assert office.world.one("SELECT kind FROM reply WHERE consignee_id = %s", sent.consignee) == "needs_contact"
    if trips == "its answer":
        assert office.world.one("SELECT count(*) FROM complaint") == 1
    else:
        assert "speaks of harm" in office.world.one("SELECT body FROM inbound_message WHERE outcome = 'unclear'")
    assert await office.mailbox.list_new(10) == []


async def test_a_page_of_nothing_but_an_odd_mark_holds_up_no_mail_behind_it(office: Office) -> None:
    sent = await office.sent()
    for number, html in enumerate(("<![foo[x]]><p>We look into it</p>", "<![]>")):
        mail = samples.answer(sent.answer_to, STORES, html, number=f"html-{number}", content_type="text/html")
        office.arrives(mail)
    office.arrives(samples.answer(sent.answer_to, STORES, "1", original=sent.message_id))
    assert (await office.collect()).taken == 3
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"
    assert sorted(office.mails()) == [("person", "contact", "reply"), *[("person", "contact", "unclear")] * 2]


class Poisoned:
    """A mailbox some of whose messages cannot be fetched, or not moved."""

    def __init__(self, box: Any, *, fetch: str = "", mark: str = "") -> None:
        self.box, self.bad_fetch, self.bad_mark = box, fetch, mark
        self.fetched: list[str] = []
        self.list_new = box.list_new

    async def fetch(self, key: str, max_bytes: int) -> Fetched | None:
        self.fetched.append(key)
        found: Fetched | None = await self.box.fetch(key, max_bytes)
        if self.bad_fetch and found is not None and self.bad_fetch.encode() in found.raw:
            raise MailboxUnavailable("an answer of the mail server that cannot be read (ValueError)")
        return found

    async def mark_done(self, key: str) -> None:
        found: Fetched | None = await self.box.fetch(key, 10_000)
        if self.bad_mark and found is not None and self.bad_mark.encode() in found.raw:
            raise MailboxUnavailable("the mail server refuses (login, folder or command)")
        await self.box.mark_done(key)


async def test_a_mail_that_cannot_be_fetched_holds_up_nobody_and_a_person_is_told_once(office: Office) -> None:
    sent = await office.sent()
    office.mailbox = box = Poisoned(office.mailbox, fetch="poison")
    collecting = office.activities()
    office.arrives(samples.answer(sent.answer_to, STORES, "poison"))
    office.arrives(samples.answer(sent.answer_to, STORES, "1", number="good"))
    looks = [await office.collect(through=collecting) for _ in range(5)]
    assert [(look.taken, look.more) for look in looks] == [(2, False), *[(1, False)] * 4]
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"
    (row,) = office.world.rows("SELECT body, outcome FROM inbound_message WHERE outcome = 'unreadable'")
    assert "cannot be taken in (an answer of the mail server that cannot be read (ValueError))" in row["body"]
    assert len(await box.list_new(10)) == 1, "it stays where it is"
    assert office.world.one("SELECT count(*) FROM audit_event WHERE action = 'mail.not_taken_in'") == 1
    office.arrives(samples.answer(sent.answer_to, STORES, "2", number="later"))
    await office.collect(through=collecting)
    assert box.fetched[-1] == box.fetched[0] != box.fetched[-2], "what is in trouble comes last"
    box.bad_fetch = ""
    await office.collect(through=collecting)
    assert await box.list_new(10) == [], "repaired, it is taken in like any other"
    assert office.world.one("SELECT count(*) FROM reply") == 3


async def test_a_mail_at_which_the_server_breaks_the_connection_each_time_holds_up_nobody(office: Office) -> None:
    sent = await office.sent()
    async with serving(ImapServer()) as server:
        server.poison = server.deliver(samples.answer(sent.answer_to, STORES, "never seen"))
        server.deliver(samples.answer(sent.answer_to, STORES, "1", number="good"))
        office.mailbox = ImapMailbox(ImapConfig("127.0.0.1", server.port, "u", server.password, tls=False))
        collecting = office.activities()
        for _ in range(3):
            await office.collect(through=collecting)
        await office.mailbox.close()
        assert (len(server.folders["INBOX"]), len(server.folders["Processed"])) == (1, 1)
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"
    (row,) = office.world.rows("SELECT body FROM inbound_message WHERE outcome = 'unreadable'")
    assert "the connection to the mail server broke" in row["body"]
    assert f"77/{server.poison}" in row["body"]


async def test_a_mail_that_cannot_be_moved_is_not_told_of_and_holds_up_nobody(office: Office) -> None:
    sent = await office.sent()
    office.mailbox = Poisoned(office.mailbox, mark="stuck")
    collecting = office.activities()
    office.arrives(samples.answer(sent.answer_to, STORES, "stuck"))
    office.arrives(samples.answer(sent.answer_to, STORES, "1", number="good"))
    for _ in range(5):
        await office.collect(through=collecting)
    assert (
        office.world.one("SELECT count(*) FROM reply") == office.world.one("SELECT count(*) FROM inbound_message") == 2
    )


async def test_when_no_mail_at_all_can_be_fetched_the_look_fails_and_nobody_is_told_of_each(office: Office) -> None:
    office.mailbox = Poisoned(office.mailbox, fetch="Subject")
    collecting = office.activities()
    for number in range(6):
        office.arrives(samples.answer("recall@firm.example", "x@y.example", "Buy", number=str(number)))
    for _ in range(4):
        with pytest.raises(ApplicationError, match="cannot be read") as caught:
            await office.collect(through=collecting)
        assert caught.value.type == "MailboxAway"
    assert office.world.one("SELECT count(*) FROM inbound_message") == 0
    assert len(office.mailbox.fetched) == 12, "three mails tell enough"


async def test_mails_in_trouble_at_the_head_of_the_mailbox_do_not_hold_up_the_one_behind_them(office: Office) -> None:
    sent = await office.sent()
    office.mailbox = Poisoned(office.mailbox, fetch="poison")
    collecting = office.activities()
    for number in range(3):
        office.arrives(samples.answer(sent.answer_to, STORES, "poison", number=f"bad-{number}"))
    office.arrives(samples.answer(sent.answer_to, STORES, "1", number="good"))
    with pytest.raises(ApplicationError, match="cannot be read"):
        await office.collect(through=collecting)
    await office.collect(through=collecting)
    assert office.world.one("SELECT state FROM consignee") == "acknowledged"


async def test_killed_between_the_record_and_the_mark_it_is_not_taken_twice(office: Office) -> None:
    sent = await office.sent()
    office.arrives(samples.answer(sent.answer_to, STORES, "3", original=sent.message_id))
    box = office.mailbox

    class Killed:
        list_new, fetch = box.list_new, box.fetch

        async def mark_done(self, key: str) -> None:
            raise asyncio.CancelledError

    office.mailbox = Killed()
    with pytest.raises(asyncio.CancelledError):
        await office.collect()
    office.mailbox = box
    await office.collect()
    assert office.world.one("SELECT count(*) FROM reply") == 1
    assert office.world.one("SELECT count(*) FROM task") == 1
    assert await box.list_new(10) == []


async def test_a_mail_that_vanished_between_list_and_fetch_is_no_error(office: Office) -> None:
    class Vanishing:
        async def list_new(self, limit: int) -> list[str]:
            return ["gone"]

        async def fetch(self, key: str, max_bytes: int) -> Fetched | None:
            return None

    office.mailbox = Vanishing()
    assert (await office.collect()).taken == 1


async def test_mail_is_taken_in_portions_and_says_when_some_is_left(office: Office) -> None:
    office.reconfigure(mails_at_once=2)
    for number in range(3):
        office.arrives(samples.answer("recall@firm.example", "x@y.example", "Buy", number=str(number)))
    assert [(await office.collect()).more for _ in range(2)] == [True, False]
    assert len(office.mails()) == 3


async def test_nothing_that_comes_back_can_speak_of_a_drill(office: Office) -> None:
    sent = await office.sent()
    office.world.run("UPDATE recall SET drill = true")
    office.arrives(
        samples.report(
            sent.bounce_to, STORES, action="failed", status="5.1.1", diagnostic="550", original=sent.message_id
        )
    )
    await office.collect()
    assert office.mails() == [("report", "system", "no_delivery")]
    assert office.world.one("SELECT state FROM delivery") == "submitted"


async def test_neither_addresses_nor_texts_reach_the_log(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    sent = await office.sent()
    office.arrives(samples.answer(sent.answer_to, STORES, "a secret text", original=sent.message_id))
    with caplog.at_level(logging.DEBUG):
        await office.collect(T0)
    assert "hospital.example" not in caplog.text
    assert "a secret text" not in caplog.text
