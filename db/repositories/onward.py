"""Sub-recall: whoever a consignee passed affected product on to becomes a consignee of the next tier.

The site is matched with a known contact (same e-mail or telephone, by name where several sites have it) so that one
hospital is not told twice; else a partner, its location and its contact are created from the statement, marked with
whom it is known from. What each
site received is recomputed from the latest statements, so that a correction replaces and never adds.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.chasing_sql import CHASING_CAMPAIGN
from db.repositories.known_sites import meant
from models.replies import PassedOnTo

# Language, zone and country are not asked for on the page; the sender's are the best guess and correctable.
_NEW_PARTNER: Final = """
INSERT INTO partner (code, name, kind, country, region, language, time_zone, onward_of_id)
SELECT :code, :name, :kind, country, region, language, time_zone, id FROM partner WHERE id = :parent
ON CONFLICT (code) DO UPDATE SET name = partner.name
RETURNING id
"""

_NEW_LOCATION: Final = """
INSERT INTO location (partner_id, code, name, custody) VALUES (:partner, :code, :name, 'customer')
ON CONFLICT (code) DO NOTHING
"""

_NEW_CONTACT: Final = """
INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status)
VALUES (:partner, 1, :name, 'named by the consignee', :email, :phone, :channels, 'unverified')
ON CONFLICT (partner_id, position) DO NOTHING
"""

_JOIN: Final = f"""
INSERT INTO consignee (recall_number, partner_id, tier, parent_id, state, step, campaign_sequence, added_at)
SELECT c.recall_number, :partner, c.tier + 1, c.id, 'open', 0, {CHASING_CAMPAIGN}, :at
FROM consignee c JOIN recall ON recall.number = c.recall_number WHERE c.id = :parent
ON CONFLICT (recall_number, partner_id) DO NOTHING
RETURNING id
"""  # noqa: S608 - constants

# The receiver has the lot under the scope version in which the sender got it.
_NEW_LOT: Final = """
INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated, scope_version)
SELECT :consignee, lot_id, 0, 0, true, scope_version FROM consignee_lot WHERE consignee_id = :sender AND lot_id = :lot
ON CONFLICT (consignee_id, lot_id) DO NOTHING
RETURNING lot_id
"""

_PASSED_ON: Final = """
INSERT INTO passed_on (reply_id, lot_id, consignee_id, quantity) VALUES (:reply, :lot, :consignee, :quantity)
"""

# A site that answered for other lots has to answer for the new one as well: it starts the ladder again.
_REOPEN: Final = f"""
UPDATE consignee c SET state = 'open', step = 0, next_step_at = NULL, chase = c.chase + 1,
       campaign_sequence = {CHASING_CAMPAIGN}
FROM recall WHERE recall.number = c.recall_number AND c.id = :consignee AND c.state <> 'open' RETURNING c.id
"""  # noqa: S608 - constants

_RECOMPUTE: Final = """
WITH latest AS (
    SELECT consignee_id, max(id) AS reply_id FROM reply
    WHERE recall_number = :number AND kind = 'statement' GROUP BY consignee_id
),
named AS (
    SELECT DISTINCT p.consignee_id, p.lot_id
    FROM passed_on p JOIN reply r ON r.id = p.reply_id WHERE r.consignee_id = :sender
)
UPDATE consignee_lot cl
SET shipped = coalesce((
    SELECT sum(p.quantity) FROM passed_on p JOIN latest ON latest.reply_id = p.reply_id
    WHERE p.consignee_id = named.consignee_id AND p.lot_id = named.lot_id), 0)
FROM named
WHERE cl.consignee_id = named.consignee_id AND cl.lot_id = named.lot_id AND cl.stated
"""


class PassedOnToItself(ValueError):  # noqa: N818 - reads as what the statement says
    """A consignee names itself (or its own contact) as the one it passed product on to."""


@dataclass(frozen=True, slots=True)
class Onward:
    """What came of naming receivers."""

    joined: tuple[int, ...]
    """Consignees that are now to be notified."""
    unclear: tuple[str, ...]
    """Names of new sites that may be one of several that are known."""


async def add_onward(
    session: AsyncSession,
    *,
    number: str,
    reply_id: int,
    consignee_id: int,
    partner_id: int,
    recipients: Sequence[PassedOnTo],
    at: datetime,
) -> Onward:
    """Record to whom product was passed on.

    Raises:
        PassedOnToItself: a recipient is the consignee itself.
    """
    joined: dict[int, None] = {}
    unclear: dict[str, None] = {}
    got: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for recipient, known in zip(recipients, await meant(session, recipients), strict=True):
        if known.partner_id == partner_id:
            raise PassedOnToItself(f"{recipient.name}: this is the consignee itself")
        if known.unclear:
            unclear[recipient.name] = None
        target_partner = known.partner_id or await _new_partner(session, partner_id, recipient)
        target, new = await _consignee(session, number, consignee_id, target_partner, at)
        more_lots = await _lots(session, consignee_id, target, recipient)
        if new or (more_lots and await _reopened(session, target)):
            joined[target] = None
        for lot in recipient.lots:  # two names may be one site, which then got both
            got[target, lot.lot_id] += lot.quantity
    for (target, lot_id), quantity in got.items():
        values = {"reply": reply_id, "lot": lot_id, "consignee": target, "quantity": quantity}
        await run(session, _PASSED_ON, values)
    await run(session, _RECOMPUTE, {"number": number, "sender": consignee_id})
    return Onward(tuple(joined), tuple(unclear))


async def known_sites(session: AsyncSession, recipients: Sequence[PassedOnTo]) -> list[int | None]:
    """For each of them the partner that the records know it as."""
    return [each.partner_id for each in await meant(session, recipients)]


async def _new_partner(session: AsyncSession, parent: int, recipient: PassedOnTo) -> int:
    address = {"email": recipient.email, "phone": recipient.phone}
    code = _code(parent, recipient)
    created = await run(
        session, _NEW_PARTNER, {"code": code, "name": recipient.name, "kind": recipient.kind, "parent": parent}
    )
    partner = int(created.scalar_one())
    await run(session, _NEW_LOCATION, {"partner": partner, "code": code, "name": recipient.name})
    channels = [name for name, value in (("email", recipient.email), ("sms", recipient.phone)) if value]
    if channels:
        name = recipient.contact_name or recipient.name
        await run(session, _NEW_CONTACT, {"partner": partner, "name": name, "channels": channels, **address})
    return partner


def _code(parent: int, recipient: PassedOnTo) -> str:
    """The same site named twice by the same consignee is one partner."""
    named = "|".join((recipient.kind, recipient.name.casefold(), recipient.email or "", recipient.phone or ""))
    return f"onward-{parent}-{hashlib.sha256(named.encode()).hexdigest()[:20]}"


async def _consignee(session: AsyncSession, number: str, parent: int, partner: int, at: datetime) -> tuple[int, bool]:
    """The consignee of a partner under this recall, and whether it joined just now."""
    values: dict[str, Any] = {"partner": partner, "parent": parent, "at": at}
    new = (await run(session, _JOIN, values)).scalar_one_or_none()
    if new is not None:
        return int(new), True
    found = await run(
        session,
        "SELECT id FROM consignee WHERE recall_number = :number AND partner_id = :partner FOR UPDATE",
        {"number": number, "partner": partner},
    )
    return int(found.scalar_one()), False


async def _lots(session: AsyncSession, sender: int, consignee: int, recipient: PassedOnTo) -> bool:
    """Give the consignee the lots passed on to it; True when one of them it had not received before."""
    more = False
    for lot in recipient.lots:
        added = await run(session, _NEW_LOT, {"consignee": consignee, "lot": lot.lot_id, "sender": sender})
        more |= added.scalar_one_or_none() is not None
    return more


async def _reopened(session: AsyncSession, consignee: int) -> bool:
    return (await run(session, _REOPEN, {"consignee": consignee})).scalar_one_or_none() is not None
