"""Test messages of a notice's body to whoever asks for one: to that person's own staff address, and audited."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, staff
from db.rows import insert_new
from domain.channels import Channel
from models.notice import NoticeBody
from models.staff import MessageKind, StaffMessage, StaffMessageState

_NAMES: Final = {Channel.EMAIL: "e-mail address", Channel.SMS: "telephone number"}


class NoAddress(ValueError):  # noqa: N818 - a term of the API
    """The person is no staff on record, or has no address for the channel."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, in which role, under which key, when."""

    principal: str
    role: str
    key: str
    at: datetime


async def ask(session: AsyncSession, number: str, body: NoticeBody, channel: Channel, asked: Asked) -> StaffMessage:
    """Write the message for its sender; asking again with the same key finds the same one.

    Raises:
        NoAddress: there is nowhere to send it to.
    """
    person = await staff.find(session, asked.principal)
    address = person and (person.email if channel is Channel.EMAIL else person.phone)
    if not address:
        raise NoAddress(f"Your entry in the staff list has no {_NAMES[channel]}")
    digest = hashlib.sha256(f"{asked.principal}\0{asked.key}".encode()).hexdigest()[:40]
    dedupe = f"{MessageKind.notice_test.value}:{body.id}:{digest}:{channel.value}"
    row = {
        "recall_number": number,
        "principal": asked.principal,
        "kind": MessageKind.notice_test.value,
        "channel": channel.value,
        "dedupe": dedupe,
        "notice_body_id": body.id,
        "state": StaffMessageState.pending.value,
        "created_at": asked.at,
    }
    if await insert_new(session, StaffMessage, row):
        await audit.append(
            session,
            number,
            actor=asked.principal,
            role=asked.role,
            action="notice.test_sent",
            at=asked.at,
            data={
                "notice": body.notice_id,
                "body": f"{body.kind}/{body.channel}.{body.language}",
                "sha256": body.sha256,
            },
        )
    return (await session.exec(select(StaffMessage).where(col(StaffMessage.dedupe) == dedupe))).one()


__all__ = ["Asked", "NoAddress", "ask"]
