"""A text that our webhook never got is found in Twilio's list and counts as if it had come; none counts twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import text_collecting
from activities.returns import ReturnsActivities
from adapters.evidence.folder import FolderEvidence
from adapters.messaging.text_inbox import ReceivedText
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from db.repositories.inbound_texts import InboundOutcome, InboundText, take_in
from models.messages_returns import CollectTexts, TextsCollected
from settings import Settings
from tests.campaign.world import NUMBER, Person
from tests.mailbox.conftest import Office
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, free_port

pytestmark = pytest.mark.db
OURS = "+12025550100"
PHONE = "+254700000001"
LATER = timedelta(minutes=5)


class Telephones:
    """Recipients who text while our webhook is away, and the look that finds what they wrote."""

    def __init__(self, office: Office, standin: Standin, adapter: TwilioSmsAdapter) -> None:
        self.office, self.standin = office, standin
        office.reconfigure(numbers=(OURS,))
        store = FolderEvidence(office.folder / "evidence")
        self.activities = ReturnsActivities(
            office.sessions, None, store, {}, office._nudge, office.config, inbox=adapter
        )

    async def text(self, body: str, sender: str = PHONE, to: str = OURS) -> None:
        answer = await self.standin.http.post("/simulate/reply", json={"from": sender, "to": to, "body": body})
        assert answer.status_code < 400

    async def look(self, *, after: timedelta = LATER, since: datetime | None = None) -> TextsCollected:
        request = CollectTexts(now=datetime.now(UTC) + after, since=since)
        found: TextsCollected = await ActivityEnvironment().run(self.activities.collect_texts, request)
        return found

    def replies(self) -> list[tuple[str, str, bool | None]]:
        rows = self.office.world.rows("SELECT channel, kind, affected FROM reply ORDER BY id")
        return [(row["channel"], row["kind"], row["affected"]) for row in rows]


@pytest_asyncio.fixture
async def phones(office: Office, standin: Standin) -> AsyncIterator[Telephones]:
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, OURS, base_url=standin.url))
    yield Telephones(office, standin, adapter)
    await adapter.close()


async def test_an_answer_that_met_an_outage_counts_once(phones: Telephones) -> None:
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    await phones.text("2")
    looked = await phones.look()
    assert (looked.taken, looked.configured) == (1, True)
    assert phones.replies() == [("sms", "acknowledgement", False)]
    assert phones.office.world.one("SELECT state FROM consignee") == "acknowledged"
    assert f"recall:{NUMBER}:campaign:1" in [workflow for workflow, _, _ in phones.office.nudges]
    assert (await phones.look(since=looked.until)).taken == 0
    assert (await phones.look()).taken == 0
    assert len(phones.replies()) == 1


async def test_several_texts_are_taken_in_their_order_over_all_pages(
    phones: Telephones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.messaging.twilio_sms._PAGE", 2)
    monkeypatch.setattr(text_collecting, "_PORTION", 3)
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    said = ["hello", "which lots?", "1", "thanks", "bye"]
    for body in said:
        await phones.text(body)
    assert (await phones.look()).taken == 5
    kept = phones.office.world.rows("SELECT body FROM inbound_message ORDER BY id")
    assert [row["body"] for row in kept] == said
    assert phones.office.world.one("SELECT state FROM consignee") == "acknowledged"


async def test_stop_and_harm_that_met_an_outage_have_their_effect(phones: Telephones) -> None:
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    await phones.text("4")
    await phones.text("STOP")
    before = datetime.now(UTC)
    await phones.look(after=timedelta(hours=3))
    aware = phones.office.world.one("SELECT awareness_at FROM complaint")
    assert aware <= before, "its clock runs from when Twilio had it"
    assert phones.office.world.one("SELECT sms_opted_out_at IS NOT NULL FROM contact")


async def test_a_text_that_trips_a_fault_of_ours_waits_for_a_reader_and_holds_up_nobody(
    phones: Telephones, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    await phones.text("a nurse was hurt")
    await phones.text("1")

    async def faulty(session: AsyncSession, message: InboundText, *, opt_out: bool | None) -> InboundOutcome:
        if "nurse" in message.body:
            raise KeyError(message.sender)
        return await take_in(session, message, opt_out=opt_out)

    monkeypatch.setattr(text_collecting, "take_in", faulty)
    looked = await phones.look()
    assert phones.office.world.one("SELECT state FROM consignee") == "acknowledged"
    (row,) = phones.office.world.rows("SELECT body, sender FROM inbound_message WHERE outcome = 'unreadable'")
    assert row == {"body": "a nurse was hurt", "sender": PHONE}
    assert phones.office.world.one("SELECT count(*) FROM audit_event WHERE action LIKE 'harm.%%'") == 1
    assert (await phones.look(since=looked.until)).taken == 0


async def test_what_the_webhook_may_still_bring_and_what_it_brought_is_left(phones: Telephones) -> None:
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    await phones.text("1")
    assert (await phones.look(after=timedelta(0))).taken == 0, "too new: its webhook can answer it"
    (row,) = (await phones.standin.http.get("/messages")).json()
    async with phones.office.sessions.begin() as session:
        await take_in(session, InboundText(row["sid"], PHONE, "1", datetime.now(UTC)), opt_out=None)
    assert (await phones.look()).taken == 0
    assert len(phones.replies()) == 1


async def test_what_is_no_telephones_text_to_us_is_passed_over(phones: Telephones) -> None:
    await phones.office.sent("One", Person("stores@hospital.example", PHONE))
    await phones.text("1", to="+12025550199")
    phones.activities._texts._inbox = Listed(  # type: ignore[union-attr]
        ReceivedText("SM1", "Marketing", "Buy", datetime.now(UTC)),
        ReceivedText("SM2", "12345", "Buy", datetime.now(UTC)),
        ReceivedText("SM3", "+254799999999", "who\x00 are you?", datetime.now(UTC)),
    )
    assert (await phones.look()).taken == 1
    row = phones.office.world.rows("SELECT sender, body, outcome FROM inbound_message")[0]
    assert row == {"sender": "+254799999999", "body": "who are you?", "outcome": "unknown_sender"}


class Listed:
    """A provider's list."""

    def __init__(self, *texts: ReceivedText) -> None:
        self.texts = texts

    async def received(self, number: str, since: datetime) -> AsyncIterator[ReceivedText]:
        for text in self.texts:
            yield text


async def test_only_texts_from_the_last_look_on_are_listed(phones: Telephones, standin: Standin) -> None:
    await phones.text("1")
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, OURS, base_url=standin.url))
    now = datetime.now(UTC)
    for since, found in ((now - LATER, 1), (now + LATER, 0)):
        assert len([each async for each in adapter.received(OURS, since)]) == found
    await adapter.close()


async def test_a_twilio_that_is_away_is_told_in_one_line_and_nothing_is_taken(phones: Telephones) -> None:
    nowhere = TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, OURS, base_url=f"http://127.0.0.1:{free_port()}")
    adapter = TwilioSmsAdapter(nowhere)
    phones.activities._texts._inbox = adapter  # type: ignore[union-attr]
    with pytest.raises(ApplicationError, match="twilio:connection") as caught:
        await phones.look()
    assert caught.value.type == "MailboxAway"
    await adapter.close()


async def test_without_a_number_of_ours_nobody_is_asked(office: Office) -> None:
    looked = await ActivityEnvironment().run(office.activities().collect_texts, CollectTexts(now=datetime.now(UTC)))
    assert (looked.taken, looked.configured) == (0, False)


def test_the_numbers_asked_about_are_those_of_the_settings() -> None:
    assert Settings.model_validate({"twilio_from": OURS}).own_numbers() == [OURS]
    service = {"twilio_from": "MG" + "a" * 32}
    assert Settings.model_validate(service).own_numbers() == []
    assert Settings.model_validate(service | {"twilio_inbound_numbers": [PHONE]}).own_numbers() == [PHONE]
