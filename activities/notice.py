"""The notice: drafted from the record in every language and channel, approved by hash, handed to a campaign."""

from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.branches import Tell
from activities.enclosures import enclose
from activities.notice_body import ApprovedBody, combined_sha256
from activities.notice_content_rules import load_rules
from activities.notice_context import Changed, change_of, context_of
from activities.notice_letters import read_letters
from activities.notice_rendering import NoticeRenderer
from db.engine import SessionFactory
from db.repositories import (
    assessment,
    audit,
    campaign_targets,
    notice_checks,
    notice_facts,
    notice_reviews,
    notices,
    recalls,
    tasks,
)
from db.repositories.notice_record import recorded_facts
from domain.channels import USUAL, Channel
from domain.notice_check import check_notice
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_kinds import LADDER_KINDS, LETTER_KINDS
from domain.notice_rules import RuleBook
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.messages import ApproveNotice, CreateCampaign, DraftNotice, NoticeDraft, RecordDecision
from models.notice import Notice
from settings import Settings

_BODIES = {
    "initial": (*LADDER_KINDS, *LETTER_KINDS),
    "amendment": (*LADDER_KINDS, NoticeKind.AMENDMENT, *LETTER_KINDS),
    "retraction": (NoticeKind.RETRACTION,),
    "closure": (NoticeKind.CLOSURE,),
}
"""Bodies of each kind of notice. New consignees of an amended notice get its first notice, with the same scope."""


class NoticeActivities:
    """Drafting and release of notices; each may run again after a crash and then changes nothing."""

    def __init__(
        self,
        sessions: SessionFactory,
        renderer: NoticeRenderer,
        settings: Settings,
        rules: RuleBook | None = None,
        tell: Tell | None = None,
    ) -> None:
        """`rules`: of the content check; the shipped ones where none are given. `tell`: the recall, of its tasks.

        Raises:
            domain.policy_text.PolicyError: a shipped file of rules is not what it should be.
        """
        self._sessions = sessions
        self._renderer = renderer
        self._settings = settings
        self._rules = rules or load_rules()
        self._tell = tell

    @activity.defn
    async def draft_notice(self, draft: DraftNotice) -> NoticeDraft:
        """Render every body of this notice version once; what is approved is what will be sent.

        Whoever has to read passages of it is asked in the same transaction.

        Raises:
            ApplicationError: `InvalidInput` when there is nothing to give notice of, or nothing to amend.
        """
        drafted, asked = await self._draft(draft)
        if asked is not None and self._tell is not None:
            # A repeat tells it again: the first run may have ended between its commit and here.
            await self._tell(recall_id(draft.number), asked)
        return drafted

    async def _draft(self, draft: DraftNotice) -> tuple[NoticeDraft, str | None]:
        """What is drafted, and the key of the newest task to read passages."""
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, draft.number, lock=True)
            already = await notices.of_version(session, draft.number, draft.version)
            if already is not None:
                stored = await notices.bodies(session, already.id or 0)
                found = _drafted(already, len(stored), await campaign_targets.audience(session, already))
                return found, await notice_reviews.latest(session, draft.number)
            # The facts are read now, so the notice speaks of the scope that is in force now.
            scope_version = max(recall.scope_version, 1)
            changed = await change_of(session, draft, scope_version)
            laws = self._rules.sub_recall(recall.jurisdictions)
            context = await context_of(session, recall, self._settings, draft, changed, laws)
            kind = changed.kind if changed else draft.kind
            strategy = await notices.signed_strategy(session, draft.number)
            rendered = self._render(_kinds(kind, changed), context, strategy.channels if strategy else USUAL)
            characters = await notice_facts.name_characters(session, draft.number)
            bodies = await enclose(rendered, context, self._renderer.folder, characters)
            notice = Notice(
                recall_number=draft.number,
                version=draft.version,
                kind=kind,
                scope_version=scope_version,
                change=changed.stored if changed else None,
                sha256=combined_sha256(bodies),
                drafted_by="system",
                drafted_at=draft.now,
            )
            notice_id = await notices.add(session, notice, [_row(body) for body in bodies])
            await self._note_draft(session, notice, notice_id, bodies, draft.now)
            others = await notice_checks.other_lots(session, draft.number)
            letters = await read_letters(bodies)
            readers = await notice_facts.languages_read(session, draft.number)
            recorded = await recorded_facts(session, draft.number)
            in_force = recall.jurisdictions
            check = check_notice(bodies, context, in_force, self._rules, others, letters, readers, recorded)
            await notice_checks.store(session, notice, check, draft.now)
            await notice_reviews.ask(session, recall, notice, len(check.passages), draft.now)
            found = _drafted(notice, len(bodies), await campaign_targets.audience(session, notice))
            return found, await notice_reviews.latest(session, draft.number)

    async def _note_draft(
        self, session: AsyncSession, notice: Notice, notice_id: int, bodies: list[ApprovedBody], now: datetime
    ) -> None:
        data: dict[str, Any] = {
            "notice": notice_id,
            "sha256": notice.sha256,
            "bodies": {_name(body): body.sha256 for body in bodies},
        }
        if notice.change is not None:
            data |= {"kind": notice.kind, "scope_version": notice.scope_version, "change": notice.change}
        await audit.append(
            session, notice.recall_number, actor="system", role="system", action="notice.drafted", at=now, data=data
        )

    def _render(
        self, kinds: tuple[NoticeKind, ...], context: NoticeContext, channels: tuple[str, ...]
    ) -> list[ApprovedBody]:
        allowed = {Channel(name) for name in channels}
        return [
            self._renderer.render_for_approval(kind, channel, language, context)
            for kind, channel, language in self._renderer.available()
            if kind in kinds and channel in allowed
        ]

    @activity.defn
    async def record_notice_approval(self, record: RecordDecision) -> None:
        """Release a notice; the stored bodies must still be those behind the approved hash.

        Raises:
            ApplicationError: `InvalidInput` when a stored body no longer has its hash.
        """
        decision = ApproveNotice.model_validate(record.decision)
        actor = decision.actor.principal
        async with self._sessions.begin() as session:
            await recalls.get(session, record.number, lock=True)  # before its chain and its tasks, as everybody
            await _content_fits(session, record.number, decision)
            if not await notices.approve(session, decision.notice_id, decision.actor, record.now):
                return
            sign_off = assessment.sign_off(
                record.number,
                "notice",
                "approved",
                actor=actor,
                role=record.role or Role.APPROVER,
                meaning="release of the notice",
                at=record.now,
                reason=decision.reason,
                body={"notice": decision.notice_id, "sha256": decision.sha256},
                signature=decision.actor.signature,
            )
            await assessment.sign(session, sign_off)
            version = (await notices.get(session, decision.notice_id)).version
            key = record.task_key or (f"notice:{version}" if version > 1 else "notice")
            await tasks.close(session, record.number, key, outcome="approved", done_by=actor, now=record.now)
            await notice_reviews.drop(session, record.number, version, "the notice is released", record.now)
            await audit.append(
                session,
                record.number,
                actor=actor,
                role=record.role or Role.APPROVER,
                action="notice.approved",
                at=record.now,
                reason=decision.reason,
                data=sign_off.body,
                signature=decision.actor.signature,
            )

    @activity.defn
    async def create_campaign(self, create: CreateCampaign) -> int:
        """Create the campaign of an approved notice and hand it its consignees, once; returns its id."""
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, create.number, lock=True)
            campaign_id, new = await notices.create_campaign(
                session, create.number, create.sequence, create.notice_id, create.now
            )
            if new:
                strategy = await notices.signed_strategy(session, create.number)
                campaign = campaign_targets.NewCampaign(
                    id=campaign_id,
                    sequence=create.sequence,
                    notice=await notices.get(session, create.notice_id),
                    recall_class=recall.recall_class,
                    channels=strategy.channels if strategy else USUAL,
                )
                counts = await campaign_targets.hand_over(session, campaign, create.now)
                await audit.append(
                    session,
                    create.number,
                    actor="system",
                    role="system",
                    action="campaign.started",
                    at=create.now,
                    data={"campaign": campaign_id, "notice": create.notice_id} | counts,
                )
            return campaign_id


async def _content_fits(session: AsyncSession, number: str, decision: ApproveNotice) -> None:
    """The bodies are those behind the hash, and what the API checks of them before the release holds here too.

    Raises:
        ApplicationError: `InvalidInput` when a body was changed, an element is refused, or a passage is not confirmed.
    """
    stored = await notices.bodies(session, decision.notice_id)
    if combined_sha256([ApprovedBody.from_json(row.body) for row in stored]) != decision.sha256:
        raise ApplicationError("a stored body was changed after drafting", type="InvalidInput")
    found = await notice_checks.standing(session, number, decision.notice_id)
    if found is None or not (found.releasable or found.notice.approved_at):
        raise ApplicationError("the content check does not let this notice be released", type="InvalidInput")


def _kinds(kind: str, changed: Changed | None) -> tuple[NoticeKind, ...]:
    """Which bodies are needed; a retraction beside an amendment only where lots were taken out."""
    some_lost_all = kind == "amendment" and changed is not None and changed.texts.removed
    return (*_BODIES[kind], NoticeKind.RETRACTION) if some_lost_all else _BODIES[kind]


def _drafted(notice: Notice, bodies: int, audience: int) -> NoticeDraft:
    return NoticeDraft.model_validate(
        {
            "notice_id": notice.id or 0,
            "version": notice.version,
            "sha256": notice.sha256,
            "bodies": bodies,
            "kind": notice.kind,
            "audience": audience,
        }
    )


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
