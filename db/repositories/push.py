"""Browsers that recipients subscribed: added, ended by the recipient, found dead by their push service.

Subscribing makes push one of the contact's channels, behind those it had: it is used where a recall's strategy has
the channel, beside the usual ones and for escalation. Whoever has no live browser left is reached as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit

MOST: Final = 10
"""Live browsers of one contact; one more ends the oldest."""

_ADD: Final = """
INSERT INTO push_subscription (contact_id, endpoint, p256dh, auth, language, created_at)
VALUES (:contact, :endpoint, :p256dh, :auth, :language, :now)
ON CONFLICT (endpoint) DO UPDATE SET contact_id = excluded.contact_id, p256dh = excluded.p256dh, auth = excluded.auth,
    language = excluded.language, created_at = excluded.created_at, gone_at = NULL
WHERE (push_subscription.contact_id, push_subscription.p256dh, push_subscription.auth, push_subscription.language)
          IS DISTINCT FROM (excluded.contact_id, excluded.p256dh, excluded.auth, excluded.language)
   OR push_subscription.gone_at IS NOT NULL
RETURNING id
"""
_END_OLDEST: Final = """
UPDATE push_subscription SET gone_at = :now
WHERE id IN (SELECT id FROM push_subscription WHERE contact_id = :contact AND gone_at IS NULL
             ORDER BY created_at DESC, id DESC OFFSET :most)
RETURNING id
"""
_ADD_CHANNEL: Final = """
UPDATE contact SET channels = array_append(channels, CAST('push' AS varchar))
WHERE id = :contact AND NOT 'push' = ANY (channels)
"""
_END: Final = """
UPDATE push_subscription SET gone_at = :now
WHERE contact_id = :contact AND endpoint = :endpoint AND gone_at IS NULL RETURNING id
"""
_GONE: Final = """
UPDATE push_subscription SET gone_at = :now WHERE endpoint = ANY (CAST(:endpoints AS text[])) AND gone_at IS NULL
RETURNING id, contact_id
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """A subscription as the browser made it."""

    endpoint: str
    p256dh: str
    auth: str
    language: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """On whose page it was made."""

    number: str
    consignee_id: int
    contact_id: int


async def subscribe(session: AsyncSession, who: Subscriber, browser: Browser, now: datetime) -> bool:
    """Keep a subscription; False when nothing was new. A browser shared by two people belongs to the last one."""
    binds = {
        "contact": who.contact_id,
        "endpoint": browser.endpoint,
        "p256dh": browser.p256dh,
        "auth": browser.auth,
        "language": browser.language,
        "now": now,
    }
    await run(session, "SELECT id FROM contact WHERE id = :contact FOR UPDATE", {"contact": who.contact_id})
    added = (await run(session, _ADD, binds)).scalar_one_or_none()
    if added is None:
        return False
    oldest = {"contact": who.contact_id, "now": now, "most": MOST}
    ended = list((await run(session, _END_OLDEST, oldest)).scalars())
    await run(session, _ADD_CHANNEL, {"contact": who.contact_id})
    await _note(session, who, "push.subscribed", now, {"subscription": added} | ({"ended": ended} if ended else {}))
    return True


async def unsubscribe(session: AsyncSession, who: Subscriber, endpoint: str, now: datetime) -> bool:
    """End one browser of the contact; False when it is none of its live ones."""
    binds = {"contact": who.contact_id, "endpoint": endpoint, "now": now}
    ended = (await run(session, _END, binds)).scalar_one_or_none()
    if ended is not None:
        await _note(session, who, "push.unsubscribed", now, {"subscription": ended})
    return ended is not None


async def mark_gone(session: AsyncSession, endpoints: Sequence[str], now: datetime) -> int:
    """Note subscriptions that their push service says do not exist any more; returns how many were live."""
    rows = (await run(session, _GONE, {"endpoints": list(endpoints), "now": now})).all()
    if rows:
        found = [{"subscription": row.id, "contact": row.contact_id} for row in rows]
        await audit.append(
            session,
            audit.SYSTEM,
            actor="system",
            role="campaign",
            action="push.gone",
            at=now,
            data={"subscriptions": found},
        )
    return len(rows)


async def _note(session: AsyncSession, who: Subscriber, action: str, now: datetime, data: dict[str, object]) -> None:
    await audit.append(
        session,
        who.number,
        actor=f"consignee:{who.consignee_id}",
        role="recipient",
        action=action,
        at=now,
        data={"contact": who.contact_id} | data,
    )


__all__ = ["MOST", "Browser", "Subscriber", "mark_gone", "subscribe", "unsubscribe"]
