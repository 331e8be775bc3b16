"""A recall with an approved notice and consignees, written as intake and drafting leave them; and a provider to fail.

Nothing here goes through the code under test.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from activities.compose import NoticeLinks
from activities.notice_rendering import NoticeRenderer
from adapters.messaging.base import OutgoingMessage, SendError, SendResult
from domain.channels import Channel
from domain.ladder import ContactRule, Ladder, LadderStep, StepKind
from domain.policy import parse_policy
from tests.messaging.notices import AMENDED

NUMBER = "RC-2026-000012"
T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "a secret of sufficient length"
LINKS = NoticeLinks(public_url="https://recall.firm.example", secret=SECRET, mail_from="Recall <recall@firm.example>")
DAY = timedelta(days=1)
LADDER = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
        LadderStep(kind=StepKind.REMINDER, after=DAY),
        LadderStep(kind=StepKind.ESCALATION, after=DAY, contact=ContactRule.NEXT_CONTACT),
        LadderStep(kind=StepKind.ESCALATION, after=DAY, contact=ContactRule.OTHER_CHANNEL),
        LadderStep(kind=StepKind.PHONE, after=DAY),
    )
)
_BODIES: list[Any] = []


@dataclass(frozen=True)
class Person:
    """A contact to write; channels follow from what is given."""

    email: str | None = None
    phone: str | None = None
    channels: tuple[str, ...] = ()
    status: str = "unverified"
    opted_out: bool = False

    def listed(self) -> list[str]:
        given = [name for name, value in (("email", self.email), ("sms", self.phone)) if value]
        return list(self.channels) or given


@dataclass
class World:
    """One recall in the database of the test."""

    url: str
    number: str = NUMBER
    campaign_id: int = 0
    notice_id: int = 0
    lot_ids: list[int] = field(default_factory=list)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as db:
            return list(db.execute(query, values or None))

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(statement, values or None)

    async def write(self, statement: str, *values: Any) -> None:
        """`run` beside workers of this process: it may wait for a row that one of their activities has locked."""
        await asyncio.to_thread(self.run, statement, *values)

    def one(self, query: str, *values: Any) -> Any:
        (row,) = self.rows(query, *values)
        return next(iter(row.values())) if len(row) == 1 else row

    def consignee(
        self, name: str, *people: Person, language: str = "en", kind: str = "hospital", lots: Sequence[str] = ("10",)
    ) -> int:
        """A partner with contacts that received `lots` units of each of the recall's lots, as a consignee."""
        with psycopg.connect(self.url) as db:
            partner = _id(
                db,
                "INSERT INTO partner (code, name, kind, country, language, time_zone) VALUES (%s,%s,%s,'KE',%s,'UTC')",
                [f"P-{name}", name, kind, language],
            )
            location = _id(
                db,
                "INSERT INTO location (partner_id, code, name, custody) VALUES (%s,%s,%s,'customer')",
                [partner, f"L-{name}", name],
            )
            for position, person in enumerate(people, 1):
                db.execute(
                    "INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status,"
                    " sms_opted_out_at) VALUES (%s,%s,%s,'stores',%s,%s,%s,%s,%s)",
                    [
                        partner,
                        position,
                        f"{name} {position}",
                        person.email,
                        person.phone,
                        person.listed(),
                        person.status,
                        T0 if person.opted_out else None,
                    ],
                )
            consignee = _id(
                db,
                "INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)"
                " VALUES (%s,%s,1,'open',0,%s)",
                [self.number, partner, T0],
            )
            for lot, units in zip(self.lot_ids, lots, strict=False):
                db.execute(
                    "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)"
                    " VALUES (%s,%s,%s,0,false)",
                    [consignee, lot, units],
                )
                product = _id(db, "SELECT product_id FROM lot WHERE id = %s", [lot], returning="")
                db.execute(
                    "INSERT INTO movement (kind, product_id, lot_id, to_location_id, quantity, delivered, occurred_at,"
                    " source_system, source_id) VALUES ('shipment',%s,%s,%s,%s,true,%s,'test',%s)",
                    [product, lot, location, units, T0 - 60 * DAY, f"{name}-{lot}"],
                )
        return consignee

    def many(self, count: int) -> None:
        """`count` consignees with one e-mail contact each, every fourth with an SMS instead; one statement each."""
        with psycopg.connect(self.url) as db:
            db.execute(
                "INSERT INTO partner (code, name, kind, country, language, time_zone)"
                " SELECT 'B-' || n, 'Hospital ' || n, 'hospital', 'KE', 'en', 'UTC' FROM generate_series(1, %s) n",
                [count],
            )
            db.execute(
                "INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status)"
                " SELECT id, 1, name, 'stores',"
                " CASE WHEN id %% 4 > 0 THEN 'stores' || id || '@hospital.example' END,"
                " CASE WHEN id %% 4 = 0 THEN '+254700' || lpad(id::text, 6, '0') END,"
                " CASE WHEN id %% 4 > 0 THEN ARRAY['email'] ELSE ARRAY['sms'] END, 'unverified'"
                " FROM partner WHERE code LIKE 'B-%%'",
                [],
            )
            db.execute(
                "INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)"
                " SELECT %s, id, 1, 'open', 0, %s FROM partner WHERE code LIKE 'B-%%'",
                [self.number, T0],
            )
            db.execute(
                "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)"
                " SELECT id, %s, 10, 0, false FROM consignee",
                [self.lot_ids[0]],
            )

    def deliveries(self, consignee: int | None = None) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT d.*, contact.position, coalesce(CASE d.channel WHEN 'email' THEN contact.email END, contact.phone)"
            " AS address FROM delivery d JOIN contact ON contact.id = d.contact_id"
            " WHERE %s::bigint IS NULL OR consignee_id = %s ORDER BY step, created_at, d.id",
            consignee,
            consignee,
        )

    def actions(self) -> list[str]:
        return [
            row["action"] for row in self.rows("SELECT action FROM audit_event WHERE stream=%s ORDER BY seq", NUMBER)
        ]


def build(url: str, *, pace: float = 1.0, drill: bool = False, lots: Sequence[str] = ("A1", "B2")) -> World:
    """The recall, its lots, the approved notice with every body, and its campaign; no consignees yet."""
    if not _BODIES:
        renderer = NoticeRenderer()
        _BODIES.extend(renderer.render_for_approval(*key, AMENDED) for key in renderer.available())
    world = World(url)
    with psycopg.connect(url) as db:
        db.execute(
            "INSERT INTO recall (number, title, reason, hazard, trigger_source, awareness_at, jurisdictions, suspect,"
            " drill, pace, owner, started_by, created_at, phase, phase_since, scope_version, version)"
            " VALUES (%s,'Test','r','h','complaint',%s,'{us-fda}','{}',%s,%s,'qa','qa',%s,'notification',%s,1,0)",
            [NUMBER, T0, drill, pace, T0, T0],
        )
        db.execute(
            "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
            " VALUES (%s,'us-fda','1',%s,%s,%s)",
            [NUMBER, "0" * 64, json.dumps(_policy()), T0],
        )
        product = _id(
            db,
            "INSERT INTO product (code, name, unit_of_use, implantable, life_supporting, sterile)"
            " VALUES ('UNI-20','HIV kit','test',false,false,false)",
            [],
        )
        world.lot_ids = [
            _id(db, "INSERT INTO lot (product_id, number) VALUES (%s,%s)", [product, number]) for number in lots
        ]
        world.notice_id = _id(
            db,
            "INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at)"
            " VALUES (%s,1,'initial',%s,'qa',%s)",
            [NUMBER, "0" * 64, T0],
        )
        for body in _BODIES:
            db.execute(
                "INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256) VALUES (%s,%s,%s,%s,%s,%s)",
                [world.notice_id, body.kind, body.channel, body.language, json.dumps(body.as_json()), body.sha256],
            )
        world.campaign_id = _id(
            db,
            "INSERT INTO campaign (recall_number, sequence, notice_id, started_at) VALUES (%s,1,%s,%s)",
            [NUMBER, world.notice_id, T0],
        )
    return world


@lru_cache(maxsize=1)
def _policy() -> dict[str, Any]:
    text = (Path(__file__).parents[2] / "policies" / "us-fda.yaml").read_text(encoding="utf-8")
    return parse_policy(text).pinned()


def _id(db: "psycopg.Connection[Any]", statement: str, values: Sequence[Any], returning: str = " RETURNING id") -> int:
    row = db.execute(statement + returning, values).fetchone()
    assert row is not None
    return int(row[0])


class Lost(BaseException):
    """The process is gone: not an Exception, so that nothing in the product can handle it."""


class Provider:
    """A provider in memory that accepts, refuses or loses answers as told, and can be asked like Twilio (SMS)."""

    def __init__(self, channel: Channel = Channel.EMAIL) -> None:
        self._channel = channel
        self.accepted: list[OutgoingMessage] = []
        self.refusals: dict[str, SendError] = {}
        """Address -> what is answered."""
        self.after_accept: Callable[[OutgoingMessage], None] = lambda message: None
        """Runs after acceptance; raising here loses the answer."""
        self.gate: asyncio.Event | None = None
        """While set and not open, calls wait here."""
        self.waiting = asyncio.Event()
        self.asked = 0

    @property
    def channel(self) -> Channel:
        return self._channel

    async def send(self, message: OutgoingMessage) -> SendResult:
        if self.gate is not None:
            self.waiting.set()
            await self.gate.wait()
        await asyncio.sleep(0)  # a call over a network lets others run
        if message.to in self.refusals:
            raise self.refusals[message.to]
        self.accepted.append(message)
        self.after_accept(message)
        return SendResult(self.id_of(message, len(self.accepted)))

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        self.asked += 1
        if self._channel is Channel.EMAIL:
            return None
        for index, sent in enumerate(self.accepted, 1):
            if sent.to == message.to and sent.text == message.text:
                return SendResult(self.id_of(sent, index))
        return None

    def id_of(self, message: OutgoingMessage, index: int) -> str:
        return message.message_id or f"SM{index:032d}"

    async def close(self) -> None:
        """Nothing to release."""

    def per_delivery(self) -> dict[UUID, int]:
        counts: dict[UUID, int] = {}
        for message in self.accepted:
            counts[message.delivery_id] = counts.get(message.delivery_id, 0) + 1
        return counts
