"""Turns claimed deliveries into messages: the approved body with this recipient's own values filled in.

A message is the same on every attempt, down to its link: that is what lets the provider be asked whether it has
it already, and makes a resent e-mail recognisable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.notice_body import ApprovedBody, BodyError, fill
from adapters.messaging.base import OutgoingMessage
from adapters.messaging.message_ids import message_id_for
from db.repositories import notices, recalls
from db.repositories.consignee_lots import ConsigneeLotRow, every_lot_of
from db.repositories.deliveries import Claimed
from domain.channels import Channel
from domain.links import make_link_token, recipient_url, status_callback_url
from domain.notice_content import NoticeKind, RecipientLot, RecipientValues
from domain.pace import PolicyClock

LINK_LIFE: Final = timedelta(days=366)
"""How long a recipient can answer and correct by the link; recalls stay open for months."""


class ComposeError(Exception):
    """A message that cannot be made of what was approved; the text is safe for the record."""


Draft = Callable[[], OutgoingMessage]
"""Makes the message when its turn has come; raises `ComposeError`."""


class Composer(Protocol):
    """Where the sender gets its messages from."""

    async def drafts(self, session: AsyncSession, rows: Sequence[Claimed]) -> dict[UUID, Draft]:
        """Load what the messages of a claimed group need; rendering is left to each draft."""


@dataclass(frozen=True, slots=True)
class NoticeLinks:
    """What links and Message-IDs are made of."""

    public_url: str
    secret: str
    mail_from: str


class NoticeComposer:
    """`Composer` of one campaign."""

    def __init__(self, number: str, campaign_id: int, links: NoticeLinks) -> None:
        self._number = number
        self._campaign_id = campaign_id
        self._links = links
        self._bodies: dict[tuple[str, str, str], ApprovedBody] | None = None
        self._since: int | None = None
        """Scope version of the notice that this one amends; lots of later versions are new to the recipient."""
        self._clock: PolicyClock | None = None

    async def drafts(self, session: AsyncSession, rows: Sequence[Claimed]) -> dict[UUID, Draft]:
        """See `Composer`; the bodies are read and checked against their hash once per batch."""
        if self._bodies is None:
            await self._load(session)
        lots = await every_lot_of(session, [row.consignee_id for row in rows])
        return {row.id: self._draft(row, lots[row.consignee_id]) for row in rows}

    async def _load(self, session: AsyncSession) -> None:
        stored = await notices.bodies_of_campaign(session, self._campaign_id)
        self._bodies = {(body.kind, body.channel, body.language): ApprovedBody.from_json(body.body) for body in stored}
        notice = await notices.of_campaign(session, self._campaign_id)
        self._since = (notice.change or {}).get("since")
        recall = await recalls.get(session, self._number)
        self._clock = PolicyClock.starting(recall.created_at, recall.pace)

    def _draft(self, row: Claimed, lots: Sequence[ConsigneeLotRow]) -> Draft:
        return lambda: self._message(row, lots)

    def _message(self, row: Claimed, lots: Sequence[ConsigneeLotRow]) -> OutgoingMessage:
        body = (self._bodies or {}).get((row.kind, row.channel, row.language))
        if body is None:
            raise ComposeError(f"no approved body for {row.kind}/{row.channel}.{row.language}")
        try:
            filled = fill(body, self._values(row, lots))
        except (BodyError, ValueError, KeyError) as error:
            raise ComposeError(f"{row.kind}/{row.channel}.{row.language}: {type(error).__name__}") from error
        mail = row.channel == Channel.EMAIL
        links = self._links
        return OutgoingMessage(
            delivery_id=row.id,
            to=row.address,
            subject=filled.subject,
            text=filled.text,
            html=filled.html,
            message_id=message_id_for(row.id, links.mail_from) if mail else None,
            language=row.language,
            priority=row.priority,
            status_callback=None if mail else status_callback_url(links.secret, links.public_url, row.id),
        )

    def _values(self, row: Claimed, lots: Sequence[ConsigneeLotRow]) -> RecipientValues:
        token = make_link_token(
            self._links.secret,
            recall_no=self._number,
            consignee_id=row.consignee_id,
            delivery_id=row.id,
            expires_at=row.created_at + LINK_LIFE,
        )
        first = self._policy_time(row.first_notified_at)
        # A retraction speaks of what was asked for before; everything else of what is asked for now.
        before = [lot for lot in lots if not self._is_new(lot.scope_version)]
        listed = before if row.kind == NoticeKind.RETRACTION else [lot for lot in lots if lot.asked]
        return RecipientValues(
            recipient_name=row.partner_name,
            contact_name=row.contact_name,
            lots=tuple(
                RecipientLot(
                    product=lot.product,
                    gtin=lot.gtin,
                    lot=lot.printed,
                    quantity=lot.received,
                    unit=lot.unit,
                    shipped_on=lot.last_shipped_on,
                )
                for lot in listed
            ),
            link=recipient_url(self._links.public_url, token),
            respond_by=self._policy_time(row.next_step_at),
            time_zone=row.time_zone,
            first_notice_on=first.date() if first else None,
            added_lots=tuple(lot.printed for lot in listed if self._is_new(lot.scope_version)),
            removed_lots=tuple(lot.printed for lot in before if self._is_new(lot.withdrawn_in)),
            answer_stands=row.answered and row.step < 0,
        )

    def _is_new(self, version: int | None) -> bool:
        return self._since is not None and version is not None and version > self._since

    def _policy_time(self, real: datetime | None) -> datetime | None:
        return self._clock.to_policy(real) if self._clock and real else None
