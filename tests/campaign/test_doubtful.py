"""What nobody knows the fate of during a provider's incident: asked for, neither given up in minutes nor multiplied."""

from datetime import datetime, timedelta

import pytest

from activities.delivery_outcomes import SendingLimits
from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from domain.channels import Channel
from tests.campaign.conftest import Hand
from tests.campaign.world import T0, Person, Provider, World

pytestmark = pytest.mark.db
LIMITS = SendingLimits()
LATER = SendError(ErrorKind.TRANSIENT, "twilio:timeout", "no answer in time", maybe_sent=True)
AWAY = SendError(ErrorKind.TRANSIENT, "twilio:connection", "Twilio could not be reached", outage=True)


class Mute(Provider):
    """Takes every message and says so to nobody; whoever asks for one is told what the test says."""

    def __init__(self, channel: Channel, *answers: SendError | None) -> None:
        super().__init__(channel)
        self.answers = list(answers)
        self.mute = True

    async def send(self, message: OutgoingMessage) -> SendResult:
        sent = await super().send(message)
        if self.mute:
            raise LATER
        return sent

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            self.asked += 1
            raise answer
        return await super().find_sent(message, since)


async def _until_settled(hand: Hand, channel: str, most: int = 40) -> list[timedelta]:
    """Send at every instant the record names; how long each wait was."""
    now, waits = T0, []
    for _ in range(most):
        await hand.send(channel, now, LIMITS)
        (row,) = hand.world.deliveries()
        if row["state"] != "submitting":
            break
        waits.append(row["lease_until"] - now)
        now = row["lease_until"]
    return waits


async def test_a_provider_that_cannot_be_asked_for_a_day_costs_no_attempt(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    hand.sms = Mute(Channel.SMS, *[AWAY] * 30)
    waits = await _until_settled(hand, "sms")
    (row,) = world.deliveries(one)
    assert (row["state"], row["failures"]) == ("submitted", 1)
    assert len(hand.sms.accepted) == 1, "it was taken, and that is found out at last"
    assert [round(wait.total_seconds()) for wait in waits[:6]] == [15, 15, 30, 60, 120, 240]
    assert {round(wait.total_seconds()) for wait in waits[8:]} == {600}
    assert hand.sms.asked == 31


async def test_what_cannot_be_asked_for_is_given_up_when_it_is_old(hand: Hand, world: World) -> None:
    world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    hand.sms = Mute(Channel.SMS, *[AWAY] * 9)
    await hand.send("sms", T0, LIMITS)
    assert (await hand.send("sms", T0 + timedelta(days=2), LIMITS)).deferred == 1
    assert (await hand.send("sms", T0 + timedelta(days=4), LIMITS)).failed == 1


async def test_a_time_the_provider_names_is_kept_before_it_is_asked_again(hand: Hand, world: World) -> None:
    world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    slow = SendError(ErrorKind.TRANSIENT, "twilio:20429", "too many", throttled=True, retry_after=timedelta(minutes=7))
    hand.sms = Mute(Channel.SMS, slow)
    waits = await _until_settled(hand, "sms")
    assert [round(wait.total_seconds()) for wait in waits] == [15, 420]


async def test_a_question_refused_for_our_account_stops_the_channel(hand: Hand, world: World) -> None:
    world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    hand.sms = Mute(Channel.SMS, SendError(ErrorKind.PERMANENT_CAMPAIGN, "twilio:20003", "wrong token"))
    await hand.send("sms", T0, LIMITS)
    result = await hand.send("sms", T0 + timedelta(minutes=1), LIMITS)
    assert result.campaign_stop == "twilio:20003: wrong token"
    (row,) = world.deliveries()
    assert (row["state"], row["failures"]) == ("submitting", 1), "still in doubt"


async def test_a_mail_server_that_never_confirms_what_it_takes_gets_each_mail_three_times_at_most(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"), Person("b@x.example"))
    await hand.advance()
    hand.mail = Mute(Channel.EMAIL)
    waits = await _until_settled(hand, "email")
    assert [message.to for message in hand.mail.accepted] == ["a@x.example"] * 3
    assert [round(wait.total_seconds()) for wait in waits] == [15, 120]
    assert world.deliveries(one)[0]["state"] == "failed"
    await hand.advance(T0 + timedelta(hours=1))
    assert [row["address"] for row in world.deliveries(one)] == ["a@x.example", "b@x.example"], "nobody is missed"


async def test_a_mail_refused_before_is_not_given_up_at_its_first_doubt(hand: Hand, world: World) -> None:
    world.consignee("One", Person("a@x.example"))
    await hand.advance()
    hand.mail = mail = Mute(Channel.EMAIL)
    world.run("UPDATE delivery SET failures = 6")
    assert (await hand.send("email", T0, LIMITS)).deferred == 1
    (row,) = world.deliveries()
    assert row["lease_until"] - T0 >= timedelta(minutes=59)
    mail.mute = False
    assert (await hand.send("email", row["lease_until"], LIMITS)).submitted == 1


async def test_a_text_never_confirmed_and_never_found_is_tried_for_hours(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()

    class Losing(Mute):
        async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
            return None

    hand.sms = Losing(Channel.SMS)
    waits = await _until_settled(hand, "sms")
    (row,) = world.deliveries(one)
    assert (row["state"], row["failures"]) == ("failed", 11)
    assert sum(waits, timedelta()) > timedelta(hours=2), "an incident of minutes is outlived"
    rounded = [round(wait.total_seconds()) for wait in waits]
    assert rounded == sorted(rounded)


async def test_an_hour_of_outage_leaves_every_attempt_for_afterwards(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    hand.mail.refusals["a@x.example"] = SendError(ErrorKind.TRANSIENT, "smtp:connection", "nobody there", outage=True)
    now = T0
    for _ in range(14):
        assert (await hand.send("email", now, LIMITS)).deferred == 1
        now = world.deliveries(one)[0]["not_before"]
    assert now - T0 > timedelta(hours=2)
    hand.mail.refusals["a@x.example"] = SendError(ErrorKind.TRANSIENT, "smtp:451", "later")
    assert (await hand.send("email", now, LIMITS)).deferred == 1, "its first refusal, not its last"
    (row,) = world.deliveries(one)
    assert (row["state"], row["failures"]) == ("pending", 1)
    assert row["not_before"] - now < timedelta(seconds=5)
