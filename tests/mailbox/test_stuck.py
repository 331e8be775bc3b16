"""Deliveries a provider accepted and never reported on: asked for, applied as a report would be, ever more rarely."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.status import MessageStatus
from adapters.messaging.twilio_sms import TwilioConfig, TwilioSmsAdapter
from domain.channels import Channel
from tests.campaign.world import NUMBER, T0, Person
from tests.mailbox.conftest import MINUTE, Office
from tests.messaging.builders import sms
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, Webhooks, free_port
from tests.messaging.test_twilio_voice import adapter_to, call, until_ended

pytestmark = pytest.mark.db
HOUR = timedelta(hours=1)


class Source:
    """A provider in memory."""

    channel, provider = Channel.SMS, "twilio"

    def __init__(self, *answers: MessageStatus | SendError | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def status_of(self, provider_id: str) -> MessageStatus | None:
        self.asked.append(provider_id)
        answer = self.answers.pop(0)
        if isinstance(answer, SendError):
            raise answer
        return answer


@pytest.fixture
async def texted(office: Office) -> Office:
    office.world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email")))
    await office.hand.advance()
    await office.hand.send("sms")
    return office


def state(office: Office) -> tuple[str, str | None]:
    row = office.world.rows("SELECT state, error_code FROM delivery WHERE channel = 'sms'")[0]
    return row["state"], row["error_code"]


async def test_a_lost_report_of_failure_is_made_up_for(texted: Office) -> None:
    source = Source(MessageStatus("undelivered", "twilio:30005"))
    texted.sources = {Channel.SMS: source}
    assert (await texted.ask(T0 + 29 * MINUTE)).asked == 0
    answered = await texted.ask(T0 + 31 * MINUTE)
    assert (answered.asked, answered.settled, answered.more) == (1, 1, False)
    assert state(texted) == ("failed", "twilio:30005")
    assert texted.nudges == [(f"recall:{NUMBER}:campaign:1", "nudge", ())]
    assert (await texted.ask(T0 + 10 * HOUR)).asked == 0
    assert "delivery.reported" in texted.world.actions()


async def test_a_message_on_its_way_is_asked_for_ever_more_rarely_and_at_last_no_more(texted: Office) -> None:
    source = Source(*[MessageStatus("sent")] * 20)
    texted.sources = {Channel.SMS: source}
    for hours in range(1, 24 * 9):
        await texted.ask(T0 + hours * HOUR)
    assert len(source.asked) == 7
    assert state(texted) == ("submitted", None)
    assert texted.world.rows("SELECT asked, next_at, last_status FROM delivery_inquiry") == [
        {"asked": 7, "next_at": None, "last_status": "sent"}
    ]


async def test_a_report_that_came_meanwhile_is_not_taken_back(texted: Office) -> None:
    class Late(Source):
        async def status_of(self, provider_id: str) -> MessageStatus | None:
            await texted.world.write("UPDATE delivery SET state = 'delivered'")
            return await super().status_of(provider_id)

    texted.sources = {Channel.SMS: Late(MessageStatus("undelivered", "twilio:30003"))}
    assert (await texted.ask(T0 + HOUR)).settled == 1
    assert state(texted) == ("delivered", None)
    assert texted.nudges == []


async def test_a_message_the_provider_does_not_know_stays_as_it_is(texted: Office) -> None:
    texted.sources = {Channel.SMS: Source(None)}
    assert (await texted.ask(T0 + HOUR)).settled == 0
    assert state(texted) == ("submitted", None)
    assert texted.world.one("SELECT last_status FROM delivery_inquiry") == "unknown"


AWAY = SendError(ErrorKind.TRANSIENT, "twilio:connection", "not reached", outage=True)
SLOW = SendError(ErrorKind.TRANSIENT, "twilio:timeout", "no answer in time", maybe_sent=True)


@pytest.mark.parametrize(
    "fault",
    [
        AWAY,
        SendError(ErrorKind.PERMANENT_CAMPAIGN, "twilio:20003", "wrong token"),
        SendError(ErrorKind.TRANSIENT, "twilio:20429", "too many", throttled=True),
    ],
    ids=lambda error: error.code,
)
async def test_a_provider_that_is_away_is_told_and_nothing_is_noted(texted: Office, fault: SendError) -> None:
    texted.sources = {Channel.SMS: Source(fault)}
    with pytest.raises(ApplicationError, match=fault.code):
        await texted.ask(T0 + HOUR)
    assert texted.world.one("SELECT count(*) FROM delivery_inquiry") == 0


async def _texted(office: Office, count: int) -> None:
    for number in range(count):
        office.world.consignee(f"C{number}", Person(phone=f"+25470000010{number}"))
    await office.hand.advance()
    await office.hand.send("sms")


async def test_one_message_that_cannot_be_asked_for_does_not_hold_up_those_behind_it(office: Office) -> None:
    await _texted(office, 3)
    source = Source(SLOW, MessageStatus("delivered"), MessageStatus("delivered"))
    office.sources = {Channel.SMS: source}
    answered = await office.ask(T0 + HOUR)
    assert (answered.asked, answered.settled) == (2, 2)
    source.answers = [MessageStatus("delivered")]
    assert (await office.ask(T0 + HOUR + 5 * MINUTE)).asked == 0, "it is not asked for again at once"
    assert (await office.ask(T0 + 2 * HOUR)).settled == 1
    assert len(set(source.asked)) == 3


async def test_a_provider_that_answers_nothing_is_left_for_now_and_the_next_round_begins_with_others(
    office: Office,
) -> None:
    await _texted(office, 5)
    office.sources = {Channel.SMS: Source(SLOW, SLOW, SLOW)}
    with pytest.raises(ApplicationError, match="twilio:timeout"):
        await office.ask(T0 + HOUR)
    first = office.world.rows("SELECT delivery_id FROM delivery_inquiry")
    assert len(first) == 3
    office.sources = {Channel.SMS: Source(MessageStatus("delivered"), MessageStatus("delivered"))}
    assert (await office.ask(T0 + HOUR + 5 * MINUTE)).settled == 2


async def test_one_provider_that_is_away_does_not_silence_the_questions_to_another(texted: Office) -> None:
    called = Source(MessageStatus("completed"))
    called.channel = Channel.VOICE
    texted.world.run("UPDATE delivery SET channel = 'voice' WHERE channel = 'sms'")
    texted.world.consignee("Two", Person(phone="+254700000009"))
    await texted.hand.advance()
    await texted.hand.send("sms")
    texted.sources = {Channel.SMS: Source(AWAY), Channel.VOICE: called}
    answered = await texted.ask(T0 + HOUR)
    assert (answered.asked, answered.settled, answered.more) == (1, 1, False)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE campaign SET ended_at = now()",
        "UPDATE recall SET drill = true",
        "UPDATE delivery SET provider_id = NULL",
    ],
)
async def test_nobody_asks_about_what_is_over_or_was_never_sent(texted: Office, change: str) -> None:
    texted.world.run(change)
    texted.sources = {Channel.SMS: Source()}
    assert (await texted.ask(T0 + HOUR)).asked == 0


async def test_twilio_is_asked_for_one_message_by_its_sid(standin: Standin) -> None:
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=standin.url))
    sent = await adapter.send(sms())
    found = await adapter.status_of(sent.provider_id)
    assert found is not None
    assert found.status in {"queued", "sending", "sent", "delivered"}
    assert found.error_code is None
    assert await adapter.status_of("SM" + "0" * 32) is None
    assert await adapter.status_of("blocked:sms:1") is None
    await adapter.close()


async def test_of_an_undeliverable_number_twilio_tells_the_code(standin: Standin) -> None:
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=standin.url))
    sent = await adapter.send(sms(to="+15005559001"))
    found = await adapter.status_of(sent.provider_id)
    for _ in range(500):
        if found is not None and found.status == "undelivered":
            break
        found = await adapter.status_of(sent.provider_id)
    assert found == MessageStatus("undelivered", "twilio:30005")
    await adapter.close()


async def test_a_twilio_that_is_away_or_refuses_us_is_an_error_of_its_table(standin: Standin) -> None:
    nowhere = TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=f"http://127.0.0.1:{free_port()}")
    refused = TwilioConfig(ACCOUNT_SID, "wrong", "+12025550100", base_url=standin.url)
    for config, code in ((nowhere, "twilio:connection"), (refused, "twilio:20003")):
        adapter = TwilioSmsAdapter(config)
        with pytest.raises(SendError) as caught:
            await adapter.status_of("SM" + "0" * 32)
        assert caught.value.code == code
        await adapter.close()


@pytest.mark.parametrize(
    ("to", "report", "state", "kind"),
    [
        ("+12025550123", "completed", "delivered", None),
        ("+15005556001", "answered_by_machine", "failed", "transient"),
        ("+15005557001", "no-answer", "failed", "transient"),
        ("+15005558001", "busy", "failed", "transient"),
    ],
)
async def test_a_call_whose_report_was_lost_is_asked_for_and_where_nobody_heard_it_the_next_address_takes_over(
    office: Office, standin: Standin, webhooks: Webhooks, to: str, report: str, state: str, kind: str | None
) -> None:
    world, both = office.world, ("voice", "email")
    one = world.consignee("One", Person("a@x.example", to, channels=both))
    await office.hand.advance(channels=both)
    webhooks.answer = "<Response><Say>Stop using lot A1.</Say><Hangup/></Response>"
    async with adapter_to(standin.url) as adapter:
        # Twilio reports to the test's own server, so that nothing of it reaches the record.
        placed = await adapter.send(call(webhooks, to))
        await until_ended(standin)
        submitted = "UPDATE delivery SET state = 'submitted', provider_id = %s, submitted_at = %s"
        world.run(submitted, placed.provider_id, T0)
        office.sources = {Channel.VOICE: adapter}
        assert (await office.ask(T0 + 29 * MINUTE)).asked == 0
        answered = await office.ask(T0 + 31 * MINUTE)
    assert (answered.asked, answered.settled) == (1, 1)
    (row,) = world.deliveries(one)
    assert (row["state"], row["error_kind"]) == (state, kind)
    assert world.one("SELECT last_status FROM delivery_inquiry") == report
    assert (len(office.nudges) == 1) is (state == "failed"), "the campaign looks for another way at once"
    await office.hand.advance(T0 + 32 * MINUTE, channels=both)
    assert [each["channel"] for each in world.deliveries(one)] == ["voice", "email"][: 2 if state == "failed" else 1]
