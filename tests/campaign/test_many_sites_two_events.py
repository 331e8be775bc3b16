"""One person, twenty sites, two recalls, three languages: everybody is told once, counted once and chased alone.

Judged by what the mail server got, read as its reader would, and only then by the record.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.notify import NotifyActivities
from adapters.messaging.base import ErrorKind, OutgoingMessage
from db.repositories import campaign, document_sql
from db.repositories.replies import record_page_reply
from domain.ladder import Ladder
from domain.links import SITES_PATH, LinkClaims, read_link_token
from models.messages import AdvanceCampaign, BatchResult, CampaignProgress, SendBatch
from models.replies import PageReply
from tests.campaign.conftest import Hand
from tests.campaign.merged import bounced, pays, refused
from tests.campaign.world import DAY, LADDER, NUMBER, SECRET, T0, Person, World

pytestmark = pytest.mark.db
OTHER = "RC-2026-000013"
SAFETY, ACCOUNTS, GONE = "safety@group.example", "accounts@group.example", "gone@group.example"
LANGUAGES = {
    **dict.fromkeys(range(10), "en"),
    **dict.fromkeys(range(10, 15), "zh-CN"),
    **dict.fromkeys(range(15, 20), "es"),
}
PAID_ELSEWHERE = {0, 1, 2, 4, 5, 12}
"""Sites whose goods the accounts desk pays for; those of site 3 are paid for by the person who receives them."""
MINUTE = timedelta(minutes=1)


class Event(Hand):
    """One of the two recalls."""

    def __init__(self, hand: Hand, number: str, campaign_id: int) -> None:
        super().__init__(hand.sessions, hand.world)
        self.number, self.campaign_id = number, campaign_id

    def request(self, now: datetime, ladder: Ladder = LADDER, **changes: object) -> AdvanceCampaign:
        return super().request(now, ladder, number=self.number, campaign_id=self.campaign_id, **changes)

    async def progress(self, now: datetime = T0, ladder: Ladder = LADDER) -> CampaignProgress:
        async with self.sessions() as session:
            return await campaign.progress(session, self.number, self.campaign_id, ladder, now)

    async def run(self, activities: NotifyActivities, channel: str = "email", now: datetime = T0) -> BatchResult:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, workflow_id=f"recall:{self.number}:campaign:1")
        request = SendBatch(number=self.number, campaign_id=self.campaign_id, channel=channel, now=now)
        result: BatchResult = await environment.run(activities.send_batch, request)
        return result

    async def round(self, now: datetime) -> list[OutgoingMessage]:
        """Look and send until nothing is due; what the mail server got."""
        before = len(self.mail.accepted)
        for _ in range(6):
            await self.advance(now)
            if not (await self.progress(now)).pending:
                break
            await self.send(now=now)
        assert (await self.progress(now)).pending == {}
        return self.mail.accepted[before:]

    def consignee(self, site: int) -> int:
        query = "SELECT c.id FROM consignee c JOIN partner p ON p.id = c.partner_id"
        return int(
            self.world.one(f"{query} WHERE c.recall_number = %s AND p.name = %s", self.number, f"Site {site:02}")
        )

    async def acknowledge(self, *sites: int) -> None:
        for site in sites:
            form = f"form-{self.number}-{site}"
            reply = PageReply(recall_number=self.number, consignee_id=self.consignee(site), at=T0, form_id=form)
            async with self.sessions.begin() as session:
                await record_page_reply(session, reply)


def told(mails: Iterable[OutgoingMessage], *to: str) -> Counter[int]:
    """How often each site is spoken of in mails to these addresses (to any but who pays, if none is given)."""
    found: Counter[int] = Counter()
    for mail in mails:
        if mail.to in to or (not to and mail.to != ACCOUNTS):
            found.update({int(number) for number in re.findall(r"Site (\d\d)", mail.text)})
    return found


def _claims(mail: OutgoingMessage) -> LinkClaims:
    """Of the link it leads to."""
    return read_link_token(SECRET, mail.text.split("/r/")[1].split()[0].removesuffix(SITES_PATH), T0)


def once(*sites: Iterable[int]) -> Counter[int]:
    return Counter({site: 1 for group in sites for site in group})


@pytest.fixture
def events(hand: Hand, world: World) -> tuple[Event, Event]:
    """Every site received product under both recalls."""
    for number, language in LANGUAGES.items():
        person = GONE if number == 8 else SAFETY.upper() if number % 2 else SAFETY
        deputy = Person(f"deputy{number:02}@site.example")
        consignee = world.consignee(f"Site {number:02}", Person(person), deputy, language=language)
        if number in PAID_ELSEWHERE:
            pays(world, consignee, Person(ACCOUNTS))
        if number == 3:
            pays(world, consignee, Person(SAFETY))
    world.run(
        "INSERT INTO recall SELECT (jsonb_populate_record(r, %s::jsonb)).* FROM recall r", f'{{"number": "{OTHER}"}}'
    )
    for table, columns in (
        ("pinned_policy", "policy_id, version, sha256, body, pinned_at"),
        ("notice", "version, kind, sha256, drafted_by, drafted_at"),
        ("consignee", "partner_id, tier, state, step, added_at"),
    ):
        world.run(f"INSERT INTO {table} (recall_number, {columns}) SELECT %s, {columns} FROM {table}", OTHER)  # noqa: S608
    world.run(
        "INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256)"
        " SELECT n.id, b.kind, b.channel, b.language, b.body, b.sha256 FROM notice n, notice_body b"
        " WHERE n.recall_number = %s",
        OTHER,
    )
    world.run(
        "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)"
        " SELECT other.id, cl.lot_id, cl.shipped, 0, false"
        " FROM consignee_lot cl JOIN consignee c ON c.id = cl.consignee_id"
        " JOIN consignee other ON other.partner_id = c.partner_id AND other.recall_number = %s",
        OTHER,
    )
    world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT %s, 1, id, %s FROM notice WHERE recall_number = %s",
        *(OTHER, T0, OTHER),
    )
    second = world.one("SELECT id FROM campaign WHERE recall_number = %s", OTHER)
    return Event(hand, NUMBER, world.campaign_id), Event(hand, OTHER, second)


async def test_everybody_is_told_once_per_event_counted_once_and_chased_alone(
    events: tuple[Event, Event], world: World
) -> None:
    first, second = events
    every, early, late, spanish = set(LANGUAGES), {1, 12}, {4, 11}, set(range(15, 20))
    for event in events:
        event.mail.refusals[GONE] = refused(ErrorKind.PERMANENT_CONTACT)
    # Both are planned, and two sites answer the first by another way before anything is sent.
    for event in events:
        await event.advance(T0)
    await first.acknowledge(*early)
    mails = {event.number: await event.round(T0) for event in events}

    # One message per language and event to the person; the dead address is followed by that site's own deputy.
    assert told(mails[NUMBER]) == once(every - early)
    assert told(mails[OTHER]) == once(every)
    for sent in mails.values():
        assert Counter(mail.to.lower() for mail in sent) == {SAFETY: 3, ACCOUNTS: 2, "deputy08@site.example": 1}
        # Who pays is told of each site it pays for, answered or not, and nobody gets a copy of an own notice.
        assert told(sent, ACCOUNTS) == once(PAID_ELSEWHERE)
    for number, sent in mails.items():
        assert {_claims(mail).recall_no for mail in sent} == {number}
        assert all(_claims(mail).all_sites == (len(told([mail], mail.to)) > 1) for mail in sent)
    mixed = (
        "SELECT count(*) FROM delivery d JOIN delivery m ON m.id = d.carried_by"
        " WHERE d.language <> m.language OR d.campaign_id <> m.campaign_id"
    )
    assert world.one(mixed) == 0

    # Counted once, whoever else was told.
    channels = document_sql.CHANNELS.replace(":number", "%s")
    for event, reached in ((first, 18), (second, 20)):
        seen = await event.progress(T0)
        assert (seen.consignees, sum(seen.stages.values()), seen.not_notified) == (20, 20, 0)
        notified = "SELECT count(*) FROM consignee WHERE recall_number = %s AND first_notified_at IS NOT NULL"
        assert world.one(notified, event.number) == reached
        assert [tuple(row.values()) for row in world.rows(channels, event.number)] == [("email", reached)]
    assert (await first.progress(T0)).answered == len(early)

    # The message in Spanish comes back: each of its sites is told in its own way, the others are left in peace.
    (returned,) = [mail for mail in mails[NUMBER] if told([mail]).keys() == spanish]
    await bounced(first.sessions, returned, T0 + MINUTE)
    again = await first.round(T0 + 2 * MINUTE)
    assert told(again) == once(spanish)
    assert {mail.to for mail in again} == {f"deputy{site}@site.example" for site in spanish}
    assert await second.round(T0 + 2 * MINUTE) == []

    # Chased alone: whoever has answered is not, under the recall it answered, and who pays never is.
    await first.acknowledge(*late)
    await second.acknowledge(0)
    reminders = await first.round(T0 + 2 * MINUTE + DAY)
    assert told(reminders) == once(every - early - late)
    assert told(await second.round(T0 + 2 * MINUTE + DAY)) == once(every - {0})
    assert ACCOUNTS not in {mail.to for mail in reminders}
    steps = world.rows(
        "SELECT consignee_id, chase, step, count(*) FILTER (WHERE state IN ('submitted', 'delivered')) AS sent"
        " FROM delivery GROUP BY 1, 2, 3"
    )
    assert max(row["sent"] for row in steps) == 1, "no step of any chase went out twice"
    assert (await first.progress(T0 + 2 * DAY)).answered == len(early | late)
    assert (await second.progress(T0 + 2 * DAY)).answered == 1
