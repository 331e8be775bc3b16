"""Messages that came in and belong to nobody: unknown senders, mail after a recall's end, what could mean two recalls.

Nothing of them was recorded as an answer or a complaint, so that without a reader they would be lost. A person reads
each and says what became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, stranger_harm
from db.repositories.cases import By
from db.repositories.returned_mail import PROVIDER as MAIL
from db.repositories.stranger_harm import Paged
from models.notice import Settled


class UnknownMessage(LookupError):  # noqa: N818 - a term of the API
    """No such message, or one that belongs to a consignee."""


class MessageSettled(Exception):  # noqa: N818 - a term of the API
    """Somebody settled it before."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """One message nobody could place."""

    id: int
    provider: str
    sender: str | None
    contact_id: int | None
    body: str
    outcome: str
    received_at: datetime
    harm_aware_at: datetime | None
    """Since when we know of the harm it tells of."""
    evidence_id: UUID | None
    """The mail as it came."""
    recall_number: str | None
    """The recall it answers, where that has ended."""
    settled_at: datetime | None
    settled_by: str | None
    settled_as: str | None
    settled_note: str | None
    settled_in: str | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a person did about a message."""

    how: Settled
    note: str
    number: str | None = None
    """Recall under which it was recorded."""


# A reply or a complaint made of it carries its identity as form id. Of what machines write only a proven report about
# a notice we do not know needs a reader; out-of-office answers and the like need none. A mail without a row of its own
# could not be taken in.
_UNPLACED: Final = f"""
SELECT m.id, m.provider, m.sender, m.contact_id, m.body, m.outcome, m.received_at, m.harm_aware_at, mail.evidence_id,
       mail.recall_number, m.settled_at, m.settled_by, m.settled_as, m.settled_note, m.settled_in
FROM inbound_message m
LEFT JOIN returned_mail mail ON m.provider = '{MAIL}' AND mail.mail_key = m.provider_id
WHERE m.outcome NOT IN ('reply', 'opt_out')
  AND (m.provider <> '{MAIL}' OR mail.mail_key IS NULL OR mail.kind IN ('person', 'unreadable')
       OR mail.outcome = 'no_delivery')
  AND NOT EXISTS (SELECT FROM reply WHERE reply.form_id = left(m.provider || ':' || m.provider_id, 64))
  AND NOT EXISTS (SELECT FROM complaint c WHERE c.form_id = left(m.provider || ':' || m.provider_id, 64))
"""  # noqa: S608 - a constant
_LIST: Final = f"""{_UNPLACED}
  AND m.id > :after AND (CAST(:settled AS boolean) IS NULL OR (m.settled_at IS NOT NULL) = CAST(:settled AS boolean))
ORDER BY m.id LIMIT :limit
"""
_WAITING: Final = f"""
SELECT count(*), count(waiting.harm_aware_at) FROM ({_UNPLACED} AND m.settled_at IS NULL) waiting
"""  # noqa: S608 - constants
_ONE: Final = f"""{_UNPLACED}
  AND m.id = :id FOR UPDATE OF m
"""
_SETTLE: Final = """
UPDATE inbound_message SET settled_at = :at, settled_by = :by, settled_as = :how, settled_note = :note,
       settled_in = :number
WHERE id = :id
"""


async def listed(session: AsyncSession, *, settled: bool | None, after: int, limit: int) -> Sequence[Unplaced]:
    """Messages with an id above `after`, oldest first; `settled` None takes all."""
    binds: dict[str, Any] = {"settled": settled, "after": after, "limit": limit}
    return [Unplaced(**row) for row in (await run(session, _LIST, binds)).mappings()]


async def waiting(session: AsyncSession) -> tuple[int, int]:
    """How many messages nobody has settled, and how many of them page because they tell of harm."""
    messages, harm = (await run(session, _WAITING)).one()
    return int(messages), int(harm)


async def settle(
    session: AsyncSession, message_id: int, settlement: Settlement, by: By
) -> tuple[Unplaced, Paged | None]:
    """Say what became of a message; audited, and a mail is bound to the recall it was recorded under.

    Returns:
        The message, and the task that ended with it, where somebody was paged about it.

    Raises:
        UnknownMessage, MessageSettled: nothing is written.
        evidence.EvidenceUnusable: the mail belongs to another recall.
    """
    await stranger_harm.share_host(session, message_id, settlement.number)
    row = (await run(session, _ONE, {"id": message_id})).mappings().one_or_none()
    if row is None:
        raise UnknownMessage(f"no message {message_id} waits for a reader")
    message = Unplaced(**row)
    if message.settled_at is not None:
        raise MessageSettled(f"{message.settled_by} settled it at {message.settled_at.isoformat()}")
    binds = {"id": message_id, "at": by.at, "by": by.actor, "how": settlement.how.value, "note": settlement.note}
    await run(session, _SETTLE, binds | {"number": settlement.number})
    ended = await stranger_harm.settled(session, message_id, by)
    if settlement.number is not None and message.evidence_id is not None:
        subject = f"message:{message_id}"
        files = [message.evidence_id]
        await evidence.link(session, settlement.number, files, subject, by=by.actor, at=by.at, role=by.role)
    await audit.append(
        session,
        settlement.number or audit.SYSTEM,
        actor=by.actor,
        role=by.role,
        action="message.settled",
        at=by.at,
        data={"message": message_id, "provider": message.provider, "as": settlement.how.value},
    )
    return Unplaced(**dict(row) | _settled(settlement, by)), ended


def _settled(settlement: Settlement, by: By) -> dict[str, Any]:
    return {
        "settled_at": by.at,
        "settled_by": by.actor,
        "settled_as": settlement.how.value,
        "settled_note": settlement.note,
        "settled_in": settlement.number,
    }


__all__ = ["MessageSettled", "Settlement", "UnknownMessage", "Unplaced", "listed", "settle", "waiting"]
