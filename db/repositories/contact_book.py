"""A consignee's contacts as people put them right during a recall: who has left, who is reached, whom to write to now.

Master data come from imports; that somebody has left, or who reads the notices now, is heard on the telephone. Whoever
has left is written to no more, and what the last step of the chase sent there counts as not delivered, so the next
contact takes over at the campaign's next look, as after a bounce. Somebody who is entered gets the notice at once.

Locks are taken as everywhere: messages, contacts, consignees, the audit chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, cases, channel_order, notices
from db.repositories.campaign_targets import PRIORITY
from db.repositories.cases import By
from db.repositories.deliveries_sql import FAIL_AS_LEFT, IN_ORDER, LEFT_BEHIND
from db.repositories.opt_outs import OF_NUMBER
from db.repositories.reach_sql import REACHABLE
from domain.channels import USUAL
from domain.stages import LANE
from models.master import Contact, ContactStatus


class UnknownContact(LookupError):  # noqa: N818 - a term of the API
    """The consignee has no such contact."""


@dataclass(frozen=True, slots=True)
class NewContact:
    """Somebody to write to, as heard of during the recall."""

    number: str
    consignee_id: int
    name: str
    role: str
    email: str | None
    phone: str | None
    """E.164."""
    channels: Sequence[str]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a contact now."""

    number: str
    consignee_id: int
    contact_id: int
    status: ContactStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A contact after a change, and the campaigns that have something to do now, by recall and sequence."""

    contact: Contact
    nudges: tuple[tuple[str, int], ...] = ()


async def of_consignee(session: AsyncSession, number: str, consignee_id: int) -> Sequence[Contact]:
    """Its contacts in the order in which they are tried, with those that have left.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
    """
    query = select(Contact).where(col(Contact.partner_id) == await _partner(session, number, consignee_id))
    return (await session.exec(query.order_by(col(Contact.position)))).all()


# What a sender holds now is given up by its outcome (`deliveries.fail_left`). It is locked all the same: an outcome
# written at this moment comes either before this, or after the contact has left.
_LEFT_BEHIND: Final = f"""
WITH theirs AS MATERIALIZED (
    SELECT d.id, d.state, k.recall_number, k.sequence
    FROM delivery d
    JOIN campaign k ON k.id = d.campaign_id AND k.ended_at IS NULL
    JOIN consignee c ON c.id = d.consignee_id
    WHERE d.contact_id = :contact AND (d.state = 'submitting' OR {LEFT_BEHIND})
    {IN_ORDER}
),
failed AS (
    -- As it stands once it is locked: what was on its way a moment ago may be out, or in a sender's hands, by now.
    UPDATE delivery d SET {FAIL_AS_LEFT}
    FROM theirs WHERE d.id = theirs.id AND theirs.state <> 'submitting'
)
SELECT DISTINCT recall_number, sequence FROM theirs WHERE state <> 'submitting' ORDER BY 1, 2
"""  # noqa: S608 - constants
_LOCK: Final = "SELECT id FROM contact WHERE id = :contact AND partner_id = :partner FOR NO KEY UPDATE"


async def set_status(session: AsyncSession, new: Standing, by: By) -> Changed:
    """Note that a contact has left, or that it is reached; the same again changes nothing.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        UnknownContact: the consignee has no such contact.
    """
    partner = await _partner(session, new.number, new.consignee_id)
    contact = await session.get(Contact, new.contact_id)
    if contact is None or contact.partner_id != partner:
        raise UnknownContact(f"the consignee {new.consignee_id} has no contact {new.contact_id}")
    if contact.status == new.status:
        return Changed(contact)
    nudges: tuple[tuple[str, int], ...] = ()
    if new.status is ContactStatus.left:
        found = await run(session, _LEFT_BEHIND, {"contact": new.contact_id, "at": by.at})
        nudges = tuple((row[0], row[1]) for row in found)
    await run(session, _LOCK, {"contact": new.contact_id, "partner": partner})
    await session.refresh(contact)
    before, contact.status = contact.status, new.status.value
    session.add(contact)
    await session.flush()
    data = {"contact": new.contact_id, "consignee": new.consignee_id, "from": before, "to": contact.status}
    await _note(session, new.number, f"contact.{contact.status}", by, new.reason, data)
    return Changed(contact, nudges)


_ADD: Final = f"""
INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status, sms_opted_out_at,
                     voice_opted_out_at)
SELECT :partner, coalesce((SELECT max(position) FROM contact WHERE partner_id = :partner), 0) + 1, :name, :role,
       CAST(:email AS text), CAST(:phone AS text), :channels, 'unverified', opted.sms, opted.voice
FROM ({OF_NUMBER} CAST(:phone AS text)) opted
ON CONFLICT (partner_id, position) DO NOTHING
RETURNING id
"""  # noqa: S608 - constants
_KNOWN: Final = """
SELECT id FROM contact
WHERE partner_id = :partner AND party = 'ship_to' AND status <> 'left' AND name = :name
  AND lower(email) IS NOT DISTINCT FROM lower(CAST(:email AS text)) AND phone IS NOT DISTINCT FROM CAST(:phone AS text)
ORDER BY position LIMIT 1
"""

# As the message of the last step taken, so that a bounce of it is noticed like one of that step. Whoever was not asked
# yet, or owes a later stage whose own ladder has not begun, is asked in its turn.
_TELL: Final = f"""
INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority, state,
                      attempt, ambiguous, created_at)
SELECT gen_random_uuid(), k.id, c.id, contact.id, c.chase, c.step - 1, 'initial', wish.channel, body.language,
       :priority, 'pending', 0, false, :at
FROM consignee c
JOIN campaign k ON k.recall_number = c.recall_number AND k.sequence = c.campaign_sequence AND k.ended_at IS NULL
JOIN partner ON partner.id = c.partner_id
JOIN contact ON contact.id = :contact
CROSS JOIN LATERAL unnest(contact.channels) WITH ORDINALITY AS wish (channel, place)
JOIN LATERAL (
    SELECT nb.language FROM notice_body nb
    WHERE nb.notice_id = k.notice_id AND nb.kind = 'initial' AND nb.channel = wish.channel
    ORDER BY nb.language = partner.language DESC,
             split_part(nb.language, '-', 1) = split_part(partner.language, '-', 1) DESC,
             nb.language = 'en' DESC, nb.language
    LIMIT 1
) body ON true
WHERE c.id = :consignee AND c.state = 'open' AND c.step > 0 AND c.step < {LANE}
  AND wish.channel = ANY (CAST(:channels AS text[])) AND {REACHABLE}
ORDER BY array_position(CAST(:preferred AS text[]), wish.channel::text), wish.place
LIMIT 1
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants


async def add(session: AsyncSession, new: NewContact, by: By) -> Changed:
    """Enter somebody behind the contacts on record; a consignee that is chased is told there at once. Known ones stay.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
    """
    consignee = await cases.lock_consignee(session, new.number, new.consignee_id)
    partner = consignee["partner_id"]
    given = {"partner": partner, "name": new.name, "email": new.email, "phone": new.phone}
    known = (await run(session, _KNOWN, given)).scalar_one_or_none()
    if known is not None:
        return Changed(await session.get_one(Contact, known))
    contact_id = None
    while contact_id is None:
        # Somebody else may take the position at this moment, through another recall.
        entered = await run(session, _ADD, given | {"role": new.role, "channels": list(new.channels)})
        contact_id = entered.scalar_one_or_none()
    told = await _tell(session, new, contact_id, by.at)
    data = {"contact": contact_id, "consignee": new.consignee_id, "channels": list(new.channels), "told": told}
    await _note(session, new.number, "contact.added", by, new.reason, data)
    return Changed(await session.get_one(Contact, contact_id))


async def _tell(session: AsyncSession, new: NewContact, contact_id: int, at: datetime) -> bool:
    strategy = await notices.signed_strategy(session, new.number)
    decided = await run(session, "SELECT recall_class FROM recall WHERE number = :number", {"number": new.number})
    written: Any = await run(
        session,
        _TELL,
        {
            "consignee": new.consignee_id,
            "contact": contact_id,
            "priority": PRIORITY.get(decided.scalar_one() or "I", 1),
            "channels": list(strategy.channels if strategy else USUAL),
            "preferred": await channel_order.preferred(session, new.number),
            "at": at,
        },
    )
    return bool(written.rowcount)


async def _partner(session: AsyncSession, number: str, consignee_id: int) -> int:
    found = await run(
        session,
        "SELECT partner_id FROM consignee WHERE id = :consignee AND recall_number = :number",
        {"consignee": consignee_id, "number": number},
    )
    partner: int | None = found.scalar_one_or_none()
    if partner is None:
        raise cases.UnknownConsignee(f"recall {number} has no consignee {consignee_id}")
    return partner


async def _note(
    session: AsyncSession, number: str, action: str, by: By, reason: str | None, data: dict[str, Any]
) -> None:
    await audit.append(session, number, actor=by.actor, role=by.role, action=action, at=by.at, reason=reason, data=data)


__all__ = ["Changed", "NewContact", "Standing", "UnknownContact", "add", "of_consignee", "set_status"]
