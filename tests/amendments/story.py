"""A recall that changes while it runs: a small chain, the real activities, and providers that keep what was sent.

RAW -> A1, A2, C1; OTHER -> C1; B1 stands alone. At first RAW is suspect.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from temporalio.testing import ActivityEnvironment

from activities.amendments import AmendmentActivities
from activities.campaign import CampaignActivities
from activities.compose import NoticeLinks
from activities.intake import IntakeActivities
from activities.notice import NoticeActivities
from activities.notify import NotifyActivities
from adapters.messaging.factory import build_blocked_adapters
from db.engine import SessionFactory
from db.repositories import consignee_lots, replies
from domain.channels import Channel
from domain.ladder import Ladder, LadderStep, StepKind
from domain.scope import LotRef, ScopeCriteria
from models.messages import (
    Actor,
    AdvanceCampaign,
    AmendScope,
    CampaignProgress,
    CreateCampaign,
    DraftNotice,
    NoticeDraft,
    RecallScopeRef,
    ScopeChange,
    ScopeFigures,
    SendBatch,
)
from models.replies import PageReply, StatedLot
from tests.campaign.world import Provider
from tests.support.chain import Chain, day

NUMBER, OTHER_RECALL = "RC-2026-000001", "RC-2026-000002"
NOW = day(500)
DAY = timedelta(days=1)
ADA = Actor(principal="ada", roles=("warehouse", "head_of_quality"))
LINKS = NoticeLinks(public_url="https://recall.firm.example", secret="s" * 32, mail_from="Recall <r@firm.example>")
LADDER = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
        LadderStep(kind=StepKind.REMINDER, after=DAY),
        LadderStep(kind=StepKind.PHONE, after=DAY),
    )
)
HOSPITALS = {"near": ("A1", "B1"), "far": ("A2",), "both": ("A1", "A2"), "beside": ("B1",), "mixed": ("C1",)}
"""Hospital -> lots it received, ten of each."""


@dataclass
class Story:
    """The recall in the database of the test, and what its workflow would do, done by hand."""

    url: str
    sessions: SessionFactory
    intake: IntakeActivities
    notice: NoticeActivities
    amendments: AmendmentActivities
    lots: dict[str, int]
    products: dict[str, str]
    places: dict[str, int]
    mail: Provider = field(default_factory=lambda: Provider(Channel.EMAIL))
    campaigns: dict[int, int] = field(default_factory=dict)

    # ------------------------------------------------------------------ looking

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as db:
            return list(db.execute(query, values or None))

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(statement, values or None)

    def dump(self) -> list[list[dict[str, Any]]]:
        """Every row that an amendment may touch, with its version."""
        tables = ("scope_version", "scope_lot", "consignee", "consignee_lot", "hold", "task", "audit_event", "recall")
        more = ("campaign", "delivery", "clock_start", "consignee_case")
        return [self.rows(f"SELECT t.*, t.xmin FROM {table} t ORDER BY 1, 2, 3") for table in (*tables, *more)]  # noqa: S608

    def scope(self, version: int) -> set[str]:
        names = {lot: name for name, lot in self.lots.items()}
        query = "SELECT lot_id FROM scope_lot WHERE recall_number = %s AND scope_version = %s"
        return {names[row["lot_id"]] for row in self.rows(query, NUMBER, version)}

    def consignees(self) -> dict[str, dict[str, Any]]:
        names = {place: name for name, place in self.places.items()}
        found = self.rows("SELECT * FROM consignee WHERE recall_number = %s ORDER BY id", NUMBER)
        return {names[row["partner_id"]]: row for row in found}

    def states(self) -> dict[str, tuple[str, int]]:
        """Hospital -> state and campaign."""
        return {name: (row["state"], row["campaign_sequence"]) for name, row in self.consignees().items()}

    def holds(self, number: str = NUMBER) -> dict[str, tuple[Decimal, str]]:
        names = {lot: name for name, lot in self.lots.items()}
        query = "SELECT lot_id, sum(quantity) AS q, max(state) AS state FROM hold WHERE recall_number = %s GROUP BY 1"
        return {names[row["lot_id"]]: (row["q"], row["state"]) for row in self.rows(query, number)}

    def actions(self) -> list[str]:
        query = "SELECT action FROM audit_event WHERE stream = %s ORDER BY seq"
        return [row["action"] for row in self.rows(query, NUMBER)]

    def event(self, action: str) -> dict[str, Any]:
        query = "SELECT * FROM audit_event WHERE stream = %s AND action = %s ORDER BY seq DESC LIMIT 1"
        return self.rows(query, NUMBER, action)[0]

    async def asked(self, name: str) -> set[str]:
        """Lots the hospital is asked for now."""
        consignee = self.consignees()[name]["id"]
        async with self.sessions() as session:
            return {row.number for row in (await consignee_lots.lots_of(session, [consignee]))[consignee]}

    def sent_to(self, name: str) -> list[tuple[str, str]]:
        """Kind and text of the messages the hospital got, in order."""
        kinds = {row["id"]: row["kind"] for row in self.rows("SELECT id, kind FROM delivery")}
        return [(kinds[m.delivery_id], m.text) for m in self.mail.accepted if m.to == f"{name}@hospital.example"]

    def kinds_to(self, name: str) -> list[str]:
        return [kind for kind, _ in self.sent_to(name)]

    # ------------------------------------------------------------------ doing

    async def do(self, activity: Any, argument: Any) -> Any:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, workflow_id=f"recall:{NUMBER}:campaign:1")
        return await environment.run(activity, argument)

    async def trace(self, version: int = 1, now: datetime = NOW) -> ScopeFigures:
        ref = RecallScopeRef(number=NUMBER, now=now, scope_version=version)
        figures: ScopeFigures = await self.do(self.intake.resolve_scope, ref)
        return figures

    def criteria(self, *names: str) -> ScopeCriteria:
        lots = tuple(LotRef(product_code=self.products[name], number=name) for name in names)
        return ScopeCriteria(lots=lots)

    async def amend(self, change: Any, version: int, *names: str, **more: Any) -> ScopeChange:
        """Expand by, or reduce by, the lots of these numbers."""
        if change == "expand":
            more = more or {"added": self.criteria(*names)}
        else:
            more = {"lot_ids": tuple(self.lots[name] for name in names)} | more
        request = AmendScope(
            number=NUMBER,
            now=NOW + version * DAY,
            scope_version=version,
            change=change,
            actor=ADA,
            reason="the laboratory found more" if change == "expand" else "these conform",
            **more,
        )
        made: ScopeChange = await self.do(self.amendments.amend_scope, request)
        return made

    async def draft(self, version: int = 1, kind: Any = "initial", **more: Any) -> NoticeDraft:
        request = DraftNotice(number=NUMBER, now=NOW + version * DAY, version=version, kind=kind, **more)
        drafted: NoticeDraft = await self.do(self.notice.draft_notice, request)
        return drafted

    async def start(self, draft: NoticeDraft, sequence: int = 1) -> int:
        """Approve a draft and create its campaign."""
        self.run("UPDATE notice SET approved_by = 'ada', approved_at = %s WHERE id = %s", NOW, draft.notice_id)
        create = CreateCampaign(
            number=NUMBER, now=NOW + sequence * DAY, notice_id=draft.notice_id, sequence=sequence, kind=draft.kind
        )
        self.campaigns[sequence] = await self.do(self.notice.create_campaign, create)
        return self.campaigns[sequence]

    async def turn(self, sequence: int = 1, days: float = 0) -> CampaignProgress:
        """Let a campaign look at the record and send what is due, `days` after the story's begin."""
        campaign, now = self.campaigns[sequence], NOW + days * DAY
        activities = CampaignActivities(self.sessions)
        look = AdvanceCampaign(
            number=NUMBER, campaign_id=campaign, ladder=LADDER, pace=1.0, priority=1, now=now, channels=("email",)
        )
        await self.do(activities.advance_campaign, look)
        notify = NotifyActivities(self.sessions, {Channel.EMAIL: self.mail}, build_blocked_adapters(), LINKS)
        await self.do(notify.send_batch, SendBatch(number=NUMBER, campaign_id=campaign, channel="email", now=now))
        seen: CampaignProgress = await self.do(activities.advance_campaign, look)
        return seen

    async def answer(self, name: str) -> None:
        """The hospital states its quantities for every lot it is asked for."""
        consignee = self.consignees()[name]["id"]
        async with self.sessions.begin() as session:
            lots = (await consignee_lots.lots_of(session, [consignee]))[consignee]
            stated = tuple(
                StatedLot(
                    lot_id=lot.lot_id, on_hand=lot.received, used=Decimal(0), held=lot.received, passed_on=Decimal(0)
                )
                for lot in lots
            )
            reply = PageReply(
                recall_number=NUMBER,
                consignee_id=consignee,
                at=NOW + 2 * DAY,
                form_id=f"form-{name}-{len(self.mail.accepted)}-{len(lots)}",
                affected=True,
                statements=stated,
                responder_name="Grace",
            )
            await replies.record_page_reply(session, reply)

    async def notified(self) -> None:
        """Traced, first notice out to everybody."""
        await self.trace()
        await self.start(await self.draft())
        await self.turn()


def build_chain(url: str) -> tuple[dict[str, int], dict[str, str], dict[str, int]]:
    """Lots, hospitals with a contact each, stock at the depot; returns (lots, product codes, places)."""
    chain = Chain(base=10_000)
    plant, depot = chain.place("own", "manufacturer"), chain.place("own", "warehouse")
    raw, kit = chain.product(family="reagent"), chain.product(family="kits")
    lots = {name: chain.lot(raw, number=name, site=plant) for name in ("RAW", "OTHER")}
    lots |= {name: chain.lot(kit, number=name, site=plant) for name in ("A1", "A2", "B1", "C1")}
    for tail, head in (("RAW", "A1"), ("RAW", "A2"), ("RAW", "C1"), ("OTHER", "C1")):
        chain.step(lots[tail], lots[head])
    places = {name: chain.place("customer", "hospital") for name in HOSPITALS}
    for name, received in HOSPITALS.items():
        for lot in received:
            chain.move("shipment", lots[lot], 10, plant, places[name], delivered=True)
    for number, name in enumerate(("A1", "A2", "B1", "C1"), 1):
        chain.count(lots[name], depot, 10 * number)
    chain.write(url)
    codes = {name: chain.products[chain.lots[lot].product][0] for name, lot in lots.items()}
    with psycopg.connect(url) as db:
        for name, place in places.items():
            db.execute(
                "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
                " VALUES (%s, 1, %s, 'stores', %s, '{email}', 'verified')",
                [place, f"{name} stores", f"{name}@hospital.example"],
            )
    return lots, codes, places
