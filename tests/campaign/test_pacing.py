"""The pace of a channel: shared by batches and processes, class I first, slowed by "too fast" without losing a try."""

import asyncio
from datetime import timedelta

import pytest

from activities.delivery_outcomes import SendingLimits
from activities.notify import NotifyActivities
from activities.pacing import Pacer, units_of
from activities.running_batches import RunningBatches
from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.factory import build_blocked_adapters
from db.engine import SessionFactory
from db.repositories import pacing
from domain.channels import Channel
from domain.sms_segments import sms_size
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.world import LINKS, T0, Person, Provider, World

pytestmark = pytest.mark.db
DAYS = timedelta(days=4)


async def _take(pace: Pacer, priority: int, units: int, log: list[object], name: object) -> None:
    """Take `units` one by one; the log says who took when."""
    owner = object()
    for _ in range(units):
        assert await pace.turn(priority, 1, owner)
        log.append(name)


async def test_two_processes_together_send_no_faster_than_configured_and_both_get_their_turn(
    db: SessionFactory, world: World
) -> None:
    one, other = (Pacer(db, Channel.EMAIL, 40.0) for _ in range(2))
    log: list[object] = []
    for pace in (one, other):
        # Each has its connection then: on a busy machine the first one takes a second.
        await _take(pace, 3, 1, [], "")
    began = asyncio.get_running_loop().time()
    await asyncio.gather(_take(one, 3, 100, log, "one"), _take(other, 3, 100, log, "other"))
    # One second's burst, and a chunk of half a second for each, are there at once.
    assert asyncio.get_running_loop().time() - began >= (200 - 40 * (1 + 2 * 0.5)) / 40
    # On a busy machine one process begins later; from then on until the first has all, they take turns.
    both = log[max(log.index(name) for name in ("one", "other")) :]
    until = min(len(both) - both[::-1].index(name) for name in ("one", "other"))
    assert min(both[:until].count(name) for name in ("one", "other")) > until / 4


async def test_a_class_one_batch_takes_its_turn_before_the_others_of_this_and_of_another_process(
    db: SessionFactory, world: World
) -> None:
    here, there = (Pacer(db, Channel.SMS, 20.0) for _ in range(2))
    log: list[object] = []
    served = asyncio.Event()

    async def crowd(pace: Pacer) -> None:
        while not served.is_set():
            await _take(pace, 5, 1, log, "others")

    crowds = [asyncio.create_task(crowd(pace)) for pace in (here, there) for _ in range(10)]
    await here.turn(5, 1, object())
    await asyncio.gather(*(_take(here, 1, 3, log, "class I") for _ in range(10)))
    meanwhile = log[log.index("class I") :]
    served.set()
    await asyncio.gather(*crowds)
    # What was leased before class I came is at most half a second of each process.
    assert meanwhile.count("others") <= 20
    assert log[-20:].count("others") == 20, "afterwards the others go on"


async def test_an_sms_costs_its_segments_by_its_alphabet() -> None:
    def message(text: str) -> OutgoingMessage:
        return OutgoingMessage(
            delivery_id=T0,  # type: ignore[arg-type]
            to="+1",
            subject=None,
            text=text,
            html=None,
            message_id=None,
            language="en",
            priority=1,
        )

    assert [units_of(Channel.SMS, message(text)) for text in ("a" * 160, "a" * 161, "召" * 70, "召" * 71)] == [
        1,
        2,
        1,
        2,
    ]
    assert units_of(Channel.EMAIL, message("召" * 500)) == 1


async def test_texts_go_out_at_the_pace_of_their_segments(hand: Hand, world: World, db: SessionFactory) -> None:
    for number in range(6):
        world.consignee(f"C{number}", Person(phone=f"+25470000000{number}"))
    await hand.advance()
    sending = hand.activities()
    sending._paces = {Channel.SMS: Pacer(db, Channel.SMS, 8.0)}
    began = asyncio.get_running_loop().time()
    result = await hand.run(sending, "sms")
    took = asyncio.get_running_loop().time() - began
    segments = sum(sms_size(message.text).segments for message in hand.sms.accepted)
    assert result.submitted == 6
    assert segments >= 12
    # A second's burst and the chunk that begins now are sent at once.
    assert took >= (segments - 8 * 1.5) / 8 - 0.5


class Busy(Provider):
    """A provider that says "too fast" the first times."""

    def __init__(self, refusals: int, retry_after: timedelta | None = None) -> None:
        super().__init__(Channel.SMS)
        self.left = refusals
        self.refused = asyncio.Event()
        self._after = retry_after

    async def send(self, message: OutgoingMessage) -> SendResult:
        if self.left:
            self.left -= 1
            self.refused.set()
            raise SendError(ErrorKind.TRANSIENT, "twilio:20429", "too many", throttled=True, retry_after=self._after)
        return await super().send(message)


async def test_too_fast_slows_the_channel_and_uses_up_no_attempt(hand: Hand, world: World, db: SessionFactory) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    hand.sms = Busy(2)
    assert (await hand.send("sms")).submitted == 1
    (row,) = world.deliveries(one)
    assert (row["state"], row["failures"], row["error_code"]) == ("submitted", 0, None)
    async with db() as session:
        bucket = await pacing.read(session, "sms")
    assert bucket is not None
    assert bucket.slow is not None


async def test_a_channel_that_stays_too_fast_keeps_its_messages_waiting_and_fails_them_only_after_days(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    limits = SendingLimits(attempts=1, throttled_tries=1)
    hand.sms = Busy(3)
    for minute in range(2):
        now = T0 + timedelta(minutes=2 * minute)
        assert (await hand.send("sms", now, limits)).deferred == 1
        (row,) = world.deliveries(one)
        assert (row["state"], row["failures"]) == ("pending", 0)
        assert row["not_before"] is not None
    assert (await hand.send("sms", T0 + DAYS, limits)).failed == 1
    (row,) = world.deliveries(one)
    assert (row["state"], row["error_kind"]) == ("failed", "transient"), "another address or a person takes over"


async def _after_refusal(provider: Busy, pace: Pacer) -> float:
    """When a process gets its next turn that has not been refused itself."""
    await provider.refused.wait()
    # The refused sender writes it down before it asks again, so its own next turn comes after the record.
    while True:
        async with pace._sessions() as session:
            bucket = await pacing.read(session, "sms")
        if bucket is not None and bucket.paused_until is not None:
            break
    assert await pace.turn(1, 1, object())
    return asyncio.get_running_loop().time()


async def test_the_time_a_provider_names_is_kept_by_every_process(hand: Hand, world: World, db: SessionFactory) -> None:
    world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    hand.sms = busy = Busy(1, timedelta(seconds=1))
    another = Pacer(db, Channel.SMS, None)
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent, turn = await asyncio.gather(hand.send("sms"), _after_refusal(busy, another))
    assert sent.submitted == 1
    assert turn - began >= 1, "the other process heard of it"


async def test_a_stopped_batch_leaves_its_place_in_the_queue_and_puts_its_messages_back(
    hand: Hand, world: World, db: SessionFactory
) -> None:
    for number in range(5):
        world.consignee(f"C{number}", Person(phone=f"+25470000000{number}"))
    await hand.advance()
    pace = Pacer(db, Channel.SMS, 0.5)
    sending = NotifyActivities(
        db, {Channel.SMS: hand.sms}, build_blocked_adapters(), LINKS, LIMITS, paces={Channel.SMS: pace}
    )
    limits = SendingLimits(longest=timedelta(seconds=1))
    sending._limits = limits
    result = await hand.run(sending, "sms")
    assert result.submitted + result.deferred == result.claimed
    assert result.deferred >= 1
    states = {(row["state"], row["failures"]) for row in world.deliveries()}
    assert states <= {("pending", 0), ("submitted", 0)}
    assert ("pending", 0) in states


async def test_a_full_worker_lets_the_least_urgent_batch_make_room() -> None:
    running, stopped = RunningBatches(slots=4, spare=1, at_least=0), []
    with (
        running.one(Channel.SMS, 1, lambda: stopped.append("I")),
        running.one(Channel.SMS, 5, lambda: stopped.append("III")),
        running.one(Channel.SMS, 3, lambda: stopped.append("II")),
        running.one(Channel.EMAIL, 5, lambda: stopped.append("another channel")),
    ):
        assert stopped == []
        with running.one(Channel.SMS, 1, lambda: stopped.append("I again")):
            assert stopped == ["III"]
            with running.one(Channel.SMS, 1, lambda: stopped.append("I again")):
                assert stopped == ["III", "II"]
                with running.one(Channel.SMS, 1, lambda: stopped.append("I again")):
                    assert stopped == ["III", "II"], "class I never makes room"


async def test_an_outage_of_the_provider_uses_up_no_delivery_until_it_is_old(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    limits = SendingLimits(attempts=2)
    hand.mail.refusals["a@x.example"] = SendError(ErrorKind.TRANSIENT, "smtp:connection", "nobody there", outage=True)
    now, waits = T0, []
    for _ in range(4):
        assert (await hand.send("email", now, limits)).deferred == 1
        (row,) = world.deliveries(one)
        waits.append((row["not_before"] - now).total_seconds())
        now = row["not_before"]
    assert [round(wait) for wait in waits] == [2, 4, 8, 16]
    assert (await hand.send("email", T0 + DAYS, limits)).failed == 1


async def test_a_receiver_that_names_a_time_is_not_asked_before_it(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    await hand.advance()
    hand.mail.refusals["a@x.example"] = SendError(
        ErrorKind.TRANSIENT, "webhook:http-503", "later", retry_after=timedelta(minutes=5)
    )
    await hand.send("email", T0)
    (row,) = world.deliveries(one)
    assert row["not_before"] - T0 >= timedelta(minutes=5)
