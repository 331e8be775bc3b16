"""Harm told while no recall runs pages whoever is on call all the same, again and again until a person settles it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.harm_paging import HarmPager
from activities.returns import ReturnsActivities
from activities.staff_rendering import LANGUAGES, StaffRenderer
from adapters.evidence.folder import FolderEvidence
from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from api.links import TWILIO_KEY_PATH
from db.repositories import harm_pages
from domain.channels import Channel
from domain.workflow_ids import RETURNS_ID
from models.messages_returns import CollectMail
from models.staff import Staff
from tests.api.test_calls import calling, post, sid
from tests.api.test_harm import on_call
from tests.api.test_recipient_page import Recipient
from tests.api.test_staff import recall_command
from tests.api.test_webhooks import INBOUND, send, sms
from tests.campaign.locks import beside
from tests.campaign.world import NUMBER
from tests.mailbox import samples
from tests.mailbox.conftest import Office
from tests.mailbox.test_unplaced import NOT_OURS, URL, api, http, waiting
from tests.support.api import Callers
from tests.support.servers import PostgresForTests

__all__ = ["api", "http"]

pytestmark = pytest.mark.db
STRANGER = "+8613800000000"
HARM = "patient injured by your set"
ENDED = ("terminated", "rejected", "cancelled")
BOTH = [("Hanna", "email", "sent"), ("Hanna", "sms", "sent")]


class Recorder:
    """A messaging adapter that keeps what it is given, or fails as told."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.sent: list[OutgoingMessage] = []
        self.fault: Exception | None = None
        self.known = False

    async def send(self, message: OutgoingMessage) -> SendResult:
        if self.fault is not None:
            raise self.fault
        self.sent.append(message)
        return SendResult(f"sent-{len(self.sent)}")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        return SendResult("known") if self.known else None

    async def close(self) -> None:
        pass


class Duty:
    """The workflow that reads the mailbox, with adapters of its own."""

    def __init__(self, office: Office) -> None:
        self.office, self.world = office, office.world
        self.mail, self.sms = Recorder(Channel.EMAIL), Recorder(Channel.SMS)
        self.adapters: dict[Channel, Recorder] = {Channel.EMAIL: self.mail, Channel.SMS: self.sms}

    async def look(self, after: timedelta = timedelta(seconds=1), *, mailbox: bool = False) -> None:
        pager = HarmPager(self.office.sessions, self.adapters, StaffRenderer(), "recall@firm.example")
        box = self.office.mailbox if mailbox else None
        store = FolderEvidence(self.office.folder / "evidence")
        office = self.office
        activities = ReturnsActivities(office.sessions, box, store, {}, office._nudge, office.config, pager=pager)
        await ActivityEnvironment().run(activities.collect_mail, CollectMail(now=datetime.now(UTC) + after))

    def pages(self) -> list[tuple[str, str, str]]:
        rows = self.world.rows("SELECT principal, channel, state FROM harm_page ORDER BY id")
        return [(row["principal"], row["channel"], row["state"]) for row in rows]


@pytest.fixture
def duty(office: Office) -> Duty:
    on_call(office.world)
    return Duty(office)


def end(duty: Duty, phase: str = "terminated") -> None:
    duty.world.run("UPDATE recall SET phase = %s", phase)


async def told(http: httpx.AsyncClient, times: int = 1) -> None:
    """A stranger's text."""
    for _ in range(times):
        assert (await send(http, INBOUND, sms(HARM, sender=STRANGER))).status_code == 200


async def by_text(duty: Duty, http: httpx.AsyncClient) -> None:
    await send(http, INBOUND, sms("4", "+254700000001"))


async def by_stranger(duty: Duty, http: httpx.AsyncClient) -> None:
    await told(http)


async def by_mail(duty: Duty, http: httpx.AsyncClient) -> None:
    duty.office.arrives(samples.answer("recall@firm.example", "stores@hospital.example", HARM, number="late"))
    await duty.look(mailbox=True)
    assert (RETURNS_ID, "look", ()) in duty.office.nudges


async def by_call(duty: Duty, http: httpx.AsyncClient) -> None:
    delivery = calling(duty.world)
    assert "safety staff" in (await post(http, TWILIO_KEY_PATH, delivery, CallSid=sid(), Digits="4")).text


async def by_page(duty: Duty, http: httpx.AsyncClient) -> None:
    recipient = Recipient(http, duty.world.one("SELECT id FROM consignee"))
    ended = duty.world.one("SELECT phase FROM recall")
    duty.world.run("UPDATE recall SET phase = 'notification'")
    await recipient.open()
    duty.world.run("UPDATE consignee SET state = 'withdrawn'")
    end(duty, ended)
    page = await recipient.send("person", report_harm="yes", now_description="Burn")
    assert "safety staff have been alerted" in page.text


@pytest.mark.parametrize("phase", ENDED)
@pytest.mark.parametrize("tell", [by_text, by_stranger, by_mail, by_call, by_page])
async def test_it_pages_whoever_is_on_call_and_stands_in_the_list(
    duty: Duty, api: Callers, tell: Any, phase: str
) -> None:
    await duty.office.sent()
    end(duty, phase)
    await tell(duty, api.client)
    await duty.look()
    assert duty.pages() == BOTH
    assert [message.to for message in (*duty.mail.sent, *duty.sms.sent)] == ["Hanna@firm.example", "+15005550001"]
    (item,) = await waiting(api)
    assert item["speaks_of_harm"] is True
    assert item["harm_aware_at"] is not None
    event = duty.world.one("SELECT data FROM audit_event WHERE action = 'harm.unassigned'")
    assert (event["task_of"], event["paged"]) == (None, ["Hanna"])
    assert duty.world.rows("SELECT 1 FROM task WHERE step = 'complaint'") == []
    said = f"{duty.mail.sent[0].subject} {duty.mail.sent[0].text} {duty.sms.sent[0].text}"
    assert f"message {item['id']}" in said
    assert "injured" not in said


async def test_it_pages_even_before_the_first_recall(duty: Duty, http: httpx.AsyncClient) -> None:
    duty.world.run("UPDATE recall SET drill = true")
    await told(http)
    await duty.look()
    assert duty.pages() == BOTH


async def test_it_pages_again_and_the_head_of_quality_too_until_the_message_is_settled(
    duty: Duty, api: Callers
) -> None:
    on_call(duty.world, "Quentin", on_call=False)
    duty.world.run("UPDATE staff SET roles = '{head_of_quality}' WHERE principal = 'Quentin'")
    end(duty)
    await told(api.client)
    for hours in (0, 1, 11):
        await duty.look(timedelta(hours=hours, seconds=1))
    assert duty.pages() == BOTH
    await duty.look(timedelta(hours=12, minutes=1))
    assert duty.pages() == BOTH * 2 + [("Quentin", "email", "sent"), ("Quentin", "sms", "sent")]
    assert len({message.message_id for message in duty.mail.sent}) == 3
    assert duty.world.one("SELECT data FROM audit_event WHERE action = 'harm.paged'")["paged"] == ["Hanna", "Quentin"]
    (item,) = await waiting(api)
    assert (await api.post(f"{URL}/{item['id']}/settle", NOT_OURS)).status_code == 200
    await duty.look(timedelta(days=3))
    assert len(duty.pages()) == 6


async def test_with_nobody_on_call_the_head_of_quality_is_paged_and_with_neither_whoever_comes_first(
    duty: Duty, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    duty.world.run("UPDATE staff SET on_call = false")
    end(duty)
    await told(http)
    await duty.look()
    assert duty.pages() == []
    assert "nobody to page" in caplog.text
    duty.world.run("UPDATE staff SET roles = '{head_of_quality}'")
    await duty.look()
    assert duty.pages() == BOTH


async def test_a_provider_that_is_away_delays_a_page_and_holds_up_no_other_channel(
    duty: Duty, http: httpx.AsyncClient
) -> None:
    end(duty)
    await told(http, 2)
    duty.mail.fault = SendError(ErrorKind.TRANSIENT, "smtp:away", "no", maybe_sent=True)
    await duty.look()
    assert [state for _, channel, state in duty.pages() if channel == "email"] == ["pending"] * 2
    assert len(duty.sms.sent) == 2
    duty.mail.fault = RuntimeError("a fault of ours")
    await duty.look()
    duty.mail.fault, duty.mail.known = None, True
    await duty.look()
    assert {state for _, _, state in duty.pages()} == {"sent"}
    assert len(duty.mail.sent) == 1, "the one that may have gone out is asked for first"


async def test_where_no_page_arrives_it_is_tried_anew_within_the_hour(duty: Duty, http: httpx.AsyncClient) -> None:
    del duty.adapters[Channel.SMS]
    duty.mail.fault = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550", "no")
    end(duty)
    await told(http)
    await duty.look()
    assert [state for _, _, state in duty.pages()] == ["failed", "failed"]
    assert duty.world.one("SELECT count(*) FROM audit_event WHERE action = 'harm.page_failed'") == 2
    duty.mail.fault = None
    await duty.look(timedelta(minutes=30))
    assert len(duty.pages()) == 2
    await duty.look(timedelta(minutes=61))
    assert [state for _, _, state in duty.pages()] == ["failed", "failed", "sent", "failed"]


async def test_of_a_flood_only_the_first_few_page(duty: Duty, http: httpx.AsyncClient) -> None:
    end(duty)
    await told(http, 7)
    await duty.look()
    await duty.look(timedelta(minutes=30))
    assert len(duty.pages()) == 10
    await duty.look(timedelta(hours=12, minutes=1))
    newest = duty.world.rows("SELECT DISTINCT message_id FROM harm_page WHERE occasion = 1")
    assert (len(duty.pages()), len(newest)) == (20, 7), "those that paged nobody come first"


async def test_a_report_whose_recall_ends_before_it_is_settled_pages_by_itself(duty: Duty, api: Callers) -> None:
    await told(api.client)
    await duty.look()
    assert duty.pages() == [], "the recall pages"
    end(duty, "cancelled")
    await duty.look()
    assert duty.pages() == BOTH


async def test_a_report_whose_task_somebody_did_pages_nobody_anew(duty: Duty, http: httpx.AsyncClient) -> None:
    await told(http)
    duty.world.run("UPDATE task SET state = 'done', done_at = now(), done_by = 'Hanna', outcome = 'called'")
    end(duty)
    await duty.look()
    assert duty.pages() == []


async def test_a_recall_that_is_being_ended_gets_no_task(duty: Duty, http: httpx.AsyncClient) -> None:
    with psycopg.connect(duty.world.url) as ending:
        ending.execute("SELECT FROM recall FOR UPDATE")
        telling = asyncio.ensure_future(told(http))
        async with asyncio.timeout(10):
            waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
            while not duty.world.one(waits, ending.info.backend_pid):
                assert not telling.done()
                await asyncio.sleep(0.01)
        ending.execute("UPDATE recall SET phase = 'terminated'")
        ending.commit()
        await telling
    assert duty.world.rows("SELECT key FROM task") == []
    await duty.look()
    assert duty.pages() == BOTH


async def test_settling_takes_the_recall_before_the_task_and_the_chain(duty: Duty, api: Callers) -> None:
    await told(api.client)
    (item,) = await waiting(api)
    body = {"how": "recorded", "note": "Complaint 1.", "recall_number": NUMBER}
    row = f"SELECT FROM recall WHERE number = '{NUMBER}' FOR UPDATE"
    rest = "SELECT FROM inbound_message, task, audit_head FOR UPDATE"
    await beside(duty.world, row, rest, api.post(f"{URL}/{item['id']}/settle", body))
    assert await waiting(api) == []


async def test_the_command_line_says_that_harm_waits(
    duty: Duty, http: httpx.AsyncClient, postgres: PostgresForTests
) -> None:
    end(duty)
    await told(http)
    _, output, _ = await recall_command(postgres.app_url, "tasks", "list")
    assert "HARM that no recall has on record, in messages that wait for a reader: 1" in output


async def test_pages_go_with_a_message_that_is_forgotten(duty: Duty, http: httpx.AsyncClient) -> None:
    end(duty)
    await told(http)
    assert len(duty.pages()) == 2
    duty.world.run(
        "UPDATE inbound_message SET received_at = received_at - interval '9 years', settled_as = 'answered',"
        " settled_by = 'V', settled_note = 'n', settled_at = now() - interval '8 years'"
    )
    duty.world.run("SELECT forget_strangers(now())")
    assert duty.pages() == []


async def test_the_search_for_what_is_due_sees_nothing_of_a_drill_or_a_message_without_harm(
    duty: Duty, http: httpx.AsyncClient
) -> None:
    end(duty)
    await send(http, INBOUND, sms("who are you?", sender=STRANGER))
    async with duty.office.sessions.begin() as session:
        assert await harm_pages.page_again(session, datetime.now(UTC)) == (0, 0)


@pytest.mark.unit
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_the_page_says_what_to_do_in_every_language(channel: Channel, language: str) -> None:
    person = Staff(principal="hanna", name="Hanna", roles=[], language=language)
    text = StaffRenderer().render_harm(channel, person, 7, datetime(2026, 11, 23, 9, tzinfo=UTC))
    said = f"{text.subject} {text.body}"
    assert ("unplaced messages" if language == "en" else "未归属消息") in said
    assert "2026-11-23 09:00 UTC" in said
