"""Signed answers of recipients' systems: whose delivery they speak of, and each message kept once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.chasing_sql import named_up_to
from db.rows import insert_new
from models.webhook import WebhookAnswer

_FIND: Final = f"""
SELECT d.id AS delivery_id, d.consignee_id, c.recall_number AS number, c.state, recall.phase,
       contact.webhook_key AS key, {named_up_to("notice.scope_version")} AS named_up_to
FROM delivery d
JOIN campaign ON campaign.id = d.campaign_id
JOIN notice ON notice.id = campaign.notice_id
JOIN consignee c ON c.id = d.consignee_id
JOIN recall ON recall.number = c.recall_number
JOIN contact ON contact.id = d.contact_id
WHERE d.id = :delivery AND d.channel = 'webhook' AND contact.webhook_key IS NOT NULL
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class AnsweredDelivery:
    """A notice that went to a recipient's system."""

    delivery_id: UUID
    consignee_id: int
    number: str
    state: str
    """The consignee's."""
    phase: str
    key: str
    """Name of the key that signs both ways."""
    named_up_to: int
    """Newest scope version whose lots its notice names: those of a later expansion are not in it."""


class MessageReused(ValueError):  # noqa: N818
    """The id of a message that carried another content."""


async def find(session: AsyncSession, delivery_id: UUID) -> AnsweredDelivery | None:
    """The delivery an answer is addressed to; None when it did not go to a recipient's system."""
    row = (await run(session, _FIND, {"delivery": delivery_id})).mappings().one_or_none()
    return AnsweredDelivery(**row) if row else None


async def keep(session: AsyncSession, delivery: AnsweredDelivery, message_id: str, body: bytes, now: datetime) -> str:
    """Keep a message as it was signed; returns the reply's form id, the same for a repeat.

    Raises:
        MessageReused: the same id came with another body.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    row = {
        "webhook_key": delivery.key,
        "message_id": message_id,
        "delivery_id": delivery.delivery_id,
        "body": body.decode("utf-8"),
        "sha256": sha256,
        "received_at": now,
    }
    if not await insert_new(session, WebhookAnswer, row):
        known = select(WebhookAnswer.sha256).where(
            col(WebhookAnswer.webhook_key) == delivery.key, col(WebhookAnswer.message_id) == message_id
        )
        if (await session.exec(known)).one() != sha256:
            raise MessageReused("this message id has carried another content")
    return "wh:" + hashlib.sha256(f"{delivery.key}\n{message_id}".encode()).hexdigest()[:60]


__all__ = ["AnsweredDelivery", "MessageReused", "find", "keep"]
