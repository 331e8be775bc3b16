"""A body of a notice as a test message to the member of staff who asked for it: filled, marked, with a dead link.

It carries the files that the notice would, drawn by the same code, so that what is tested is what is sent.
"""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError
from adapters.messaging.message_ids import message_id_for
from db.repositories import notice_preview
from db.repositories.staff_messages import Pending
from documents.notice_files import Enclosures
from documents.test_files import marked_files
from domain.attachment import Attachment
from domain.channels import Channel
from domain.notice_body import ApprovedBody, BodyError, Rendered, fill
from domain.notice_content import RecipientValues
from domain.notice_test_mark import link_for_test, marked_as_test
from models.notice import NoticeBody

_TOKEN_LENGTH: Final = 62
"""Characters of a real link's token (`domain.links.make_link_token`)."""


async def test_message(
    session: AsyncSession, pending: Pending, address: str, public_url: str, mail_from: str
) -> OutgoingMessage:
    """The message to the person's own address; the same on every attempt.

    Raises:
        SendError: permanent, when the body is no longer the one that was drafted or nobody is left to fill it with.
    """
    message = pending.message
    body = await session.get(NoticeBody, message.notice_body_id)
    link = link_for_test(public_url, _TOKEN_LENGTH)
    found = await notice_preview.sample(session, pending.recall.number, body, link, None) if body else None
    if body is None or found is None:
        raise SendError(ErrorKind.PERMANENT_CONTACT, "notice:no_recipient", "nobody to fill the body with")
    identity: UUID = uuid5(NAMESPACE_URL, f"staff-message:{message.dedupe}:{pending.recall.number}")
    owner = await notice_preview.letter_owner(session, body)
    try:
        filled, files = _as_test(body, owner, found.values, identity)
    except (BodyError, ValueError, KeyError) as error:
        raise SendError(ErrorKind.PERMANENT_CONTACT, "notice:body_changed", "the body has another hash") from error
    mail = message.channel == Channel.EMAIL
    return OutgoingMessage(
        delivery_id=identity,
        to=address,
        subject=filled.subject,
        text=filled.text,
        html=filled.html,
        message_id=message_id_for(identity, mail_from) if mail else None,
        language=body.language,
        priority=5,
        attachments=files,
    )


def _as_test(
    stored: NoticeBody, owner: NoticeBody | None, values: RecipientValues, identity: UUID
) -> tuple[Rendered, tuple[Attachment, ...]]:
    """The body and its files as they are sent, marked.

    Raises:
        BodyError, ValueError, KeyError: something stored is not what was drafted.
    """
    body = ApprovedBody.from_json(stored.body)
    enclosures = Enclosures([body, *([ApprovedBody.from_json(owner.body)] if owner else [])])
    filled = marked_as_test(fill(body, values), body.language)
    machine = enclosures.machine(body, values, identity, filled, test=True)
    return filled, marked_files(enclosures.files(body, values, machine), body.language)


__all__ = ["test_message"]
