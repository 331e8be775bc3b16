"""Answers that speak of another message than the one the place is owed: a copy for who pays, or an earlier notice.

Whoever pays for the goods speaks for itself, not for the place that has them. And who answers the first notice while
the amended one waits to be sent has not heard of what is new in it. What they say is kept like any answer. But until
the notice has gone out to the place itself, it moves nothing: the place is still told, and its silence is still chased.
"""

from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.chasing_sql import COPY

# A link or message says which delivery it answers; without one, whose it was tells. What is answered has arrived,
# whether or not its sender has said so yet. A chase that goes on under an amended notice counts from 0 again while the
# message of the amendment bears the count of before.
_PLACE_UNTOLD: Final = f"""
SELECT (coalesce((SELECT d.step = {COPY} FROM delivery d WHERE d.id = CAST(:delivery AS uuid)),
                 (SELECT contact.party = 'bill_to' FROM contact WHERE contact.id = CAST(:contact AS bigint)), false)
        OR :of_message AND EXISTS (
            SELECT FROM delivery before JOIN campaign k ON k.id = before.campaign_id
            WHERE before.consignee_id = c.id AND before.submitted_at IS NOT NULL
              AND (k.sequence < c.campaign_sequence OR k.sequence = c.campaign_sequence AND before.chase < c.chase)))
   AND NOT EXISTS (
       SELECT FROM delivery told JOIN campaign k ON k.id = told.campaign_id
       WHERE told.consignee_id = c.id AND k.recall_number = c.recall_number AND k.sequence = c.campaign_sequence
         AND told.chase >= c.chase AND told.step <> {COPY}
         AND (told.state IN ('submitted', 'delivered') OR told.id = CAST(:delivery AS uuid)))
FROM consignee c WHERE c.id = :consignee
"""  # noqa: S608 - constants


async def leaves_open(
    session: AsyncSession,
    consignee: dict[str, Any],
    delivery_id: UUID | None,
    contact_id: int | None,
    *,
    of_message: bool,
) -> bool:
    """Whether an answer leaves its open consignee open: it cannot be to the notice that the place is owed.

    Args:
        session: the reply's transaction.
        consignee: its row, locked (`cases.lock_consignee`).
        delivery_id: what is answered, where that is known.
        contact_id: who answers, where that is known.
        of_message: it speaks of a message as it was read; the page and people on the telephone say what holds now.
    """
    if consignee["state"] != "open" or (delivery_id is None and contact_id is None):
        return False
    values = {
        "consignee": consignee["id"],
        "delivery": delivery_id,
        "contact": contact_id,
        "of_message": of_message,
    }
    return bool((await run(session, _PLACE_UNTOLD, values)).scalar_one())


async def was_one(session: AsyncSession, reply_id: int, delivery_id: UUID | None = None) -> bool:
    """Whether the reply on record answered a copy, of these the one of `delivery_id` where that is given."""
    query = (
        "SELECT EXISTS (SELECT FROM reply r JOIN delivery d ON d.id = r.delivery_id WHERE r.id = :reply"
        " AND d.step = :copy AND d.id = coalesce(CAST(:delivery AS uuid), d.id))"
    )
    return bool((await run(session, query, {"reply": reply_id, "copy": COPY, "delivery": delivery_id})).scalar_one())


__all__ = ["leaves_open", "was_one"]
