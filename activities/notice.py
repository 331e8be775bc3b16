"""The notice: drafted from the record in every language and channel, approved by hash, handed to a campaign."""

from datetime import date, datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.notice_body import ApprovedBody, combined_sha256
from activities.notice_rendering import NoticeRenderer
from db.engine import SessionFactory
from db.repositories import assessment, audit, notices, recalls, tasks
from domain.channels import Channel
from domain.levels import MarketAction, RecallClass, strictest
from domain.notice_content import LADDER_KINDS, Depth, NoticeContext, NoticeLevel, NoticeProduct, NoticeTexts
from domain.roles import Role
from models.messages import ApproveNotice, CreateCampaign, NoticeDraft, RecallRef, RecordDecision
from models.notice import Notice
from models.recall import Recall
from settings import Settings

_DEPTH = {
    "wholesale": Depth.WHOLESALE,
    "retail": Depth.RETAIL,
    "user_facility": Depth.USER,
    "patient": Depth.USER,
}
_SEVEREST = (MarketAction.REMOVAL, MarketAction.FSCA, MarketAction.CORRECTION)
"""Where lines or jurisdictions differ, the notice asks for the action that takes most off the market."""


class NoticeActivities:
    """Drafting and release of notices; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, renderer: NoticeRenderer, settings: Settings) -> None:
        self._sessions = sessions
        self._renderer = renderer
        self._settings = settings

    @activity.defn
    async def draft_notice(self, ref: RecallRef) -> NoticeDraft:
        """Render every template of the strategy's channels once; what is approved is what will be sent.

        Raises:
            ApplicationError: `InvalidInput` when there is nothing to give notice of.
        """
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, ref.number, lock=True)
            already = await notices.of_version(session, ref.number, 1)
            if already is not None:
                stored = await notices.bodies(session, already.id or 0)
                return NoticeDraft(notice_id=already.id or 0, version=1, sha256=already.sha256, bodies=len(stored))
            strategy = await notices.signed_strategy(session, ref.number)
            context = await self._context(session, recall, ref.now.date())
            bodies = self._render(context, strategy.channels if strategy else ("email", "sms"))
            notice = Notice(
                recall_number=ref.number,
                version=1,
                kind="initial",
                sha256=combined_sha256(bodies),
                drafted_by="system",
                drafted_at=ref.now,
            )
            notice_id = await notices.add(session, notice, [_row(body) for body in bodies])
            await audit.append(
                session,
                ref.number,
                actor="system",
                role="system",
                action="notice.drafted",
                at=ref.now,
                data={"notice": notice_id, "sha256": notice.sha256, "bodies": {_name(b): b.sha256 for b in bodies}},
            )
            return NoticeDraft(notice_id=notice_id, version=1, sha256=notice.sha256, bodies=len(bodies))

    def _render(self, context: NoticeContext, channels: tuple[str, ...]) -> list[ApprovedBody]:
        return [
            self._renderer.render_for_approval(kind, channel, language, context)
            for kind, channel, language in self._renderer.available()
            if kind in LADDER_KINDS and channel in {Channel(name) for name in channels}
        ]

    async def _context(self, session: AsyncSession, recall: Recall, today: date) -> NoticeContext:
        products = await notices.affected_products(session, recall.number)
        classes = await notices.approved_classes(session, recall.number)
        if not products or not classes:
            raise ApplicationError(
                "no affected product reached a consignee, or no class is approved", type="InvalidInput"
            )
        strategy = await notices.signed_strategy(session, recall.number)
        shipped_from, shipped_until = await notices.distribution_window(session, recall.number)
        actions = {MarketAction(row.market_action) for row in classes}
        texts = {language: NoticeTexts(**each) for language, each in recall.translations.items()}
        return NoticeContext(
            recall_no=recall.number,
            drill=recall.drill,
            issued_on=today,
            recall_class=strictest(RecallClass(row.recall_class) for row in classes) or RecallClass.I,
            market_action=next((action for action in _SEVEREST if action in actions), sorted(actions)[0]),
            levels=tuple(
                NoticeLevel(jurisdiction=jurisdiction, term=term)
                for jurisdiction, term in sorted({(row.jurisdiction, row.local_term) for row in classes})
            ),
            products=tuple(
                NoticeProduct(
                    name=product.name,
                    code=product.code,
                    gtin=product.gtin,
                    udi_di=product.udi_di,
                    manufacturer=maker,
                    lots=tuple(lots),
                )
                for product, maker, lots in products
            ),
            distributed_from=_day(shipped_from),
            distributed_until=_day(shipped_until),
            depth=_DEPTH[strategy.depth] if strategy else Depth.USER,
            texts=NoticeTexts(reason=recall.reason, hazard=recall.hazard),
            texts_language=recall.texts_language,
            translations=texts,
            firm_name=self._settings.company_name,
            firm_phone=self._settings.company_phone,
            firm_email=self._settings.company_email,
        )

    @activity.defn
    async def record_notice_approval(self, record: RecordDecision) -> None:
        """Release a notice; the stored bodies must still be those behind the approved hash.

        Raises:
            ApplicationError: `InvalidInput` when a stored body no longer has its hash.
        """
        decision = ApproveNotice.model_validate(record.decision)
        actor = decision.actor.principal
        async with self._sessions.begin() as session:
            stored = await notices.bodies(session, decision.notice_id)
            if combined_sha256([ApprovedBody.from_json(row.body) for row in stored]) != decision.sha256:
                raise ApplicationError("a stored body was changed after drafting", type="InvalidInput")
            if not await notices.approve(session, decision.notice_id, actor, record.now):
                return
            sign_off = assessment.sign_off(
                record.number,
                "notice",
                "approved",
                actor=actor,
                role=Role.APPROVER,
                meaning="release of the notice",
                at=record.now,
                reason=decision.reason,
                body={"notice": decision.notice_id, "sha256": decision.sha256},
            )
            await assessment.sign(session, sign_off)
            await tasks.close(session, record.number, "notice", outcome="approved", done_by=actor, now=record.now)
            await audit.append(
                session,
                record.number,
                actor=actor,
                role=Role.APPROVER,
                action="notice.approved",
                at=record.now,
                reason=decision.reason,
                data=sign_off.body,
            )

    @activity.defn
    async def create_campaign(self, create: CreateCampaign) -> int:
        """Create the campaign record of an approved notice; returns its id."""
        async with self._sessions.begin() as session:
            campaign_id, new = await notices.create_campaign(
                session, create.number, create.sequence, create.notice_id, create.now
            )
            if new:
                await audit.append(
                    session,
                    create.number,
                    actor="system",
                    role="system",
                    action="campaign.started",
                    at=create.now,
                    data={"campaign": campaign_id, "notice": create.notice_id},
                )
            return campaign_id


def _row(body: ApprovedBody) -> dict[str, Any]:
    return {
        "kind": body.kind,
        "channel": body.channel,
        "language": body.language,
        "body": body.as_json(),
        "sha256": body.sha256,
    }


def _name(body: ApprovedBody) -> str:
    return f"{body.kind}/{body.channel}.{body.language}"


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
