"""Costs that carried-out dispositions suggest: units times unit value, until a person has booked them.

Only parts carried out at consignees whose product has a value on record; each part is booked once, with the amount a
person confirmed. A reversed entry counts as not booked: its part is suggested again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import costs, provisional_account
from db.repositories.costs import Cost
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.costs import CostSource, Proposal, propose
from models.disposition import CostEntry

_PARTS: Final = """
WITH booked AS (
    -- `part:7` the first time, `part:7:2` after a reversal.
    SELECT split_part(e.source_key, ':', 2) AS part, count(*) AS times, bool_or(r.id IS NULL) AS stands
    FROM cost_entry e LEFT JOIN cost_entry r ON r.reverses_id = e.id
    WHERE e.recall_number = :number AND e.source = 'proposal' GROUP BY 1
)
SELECT p.id AS part_id, d.sequence AS disposition, d.kind, p.quantity, p.document_no, d.lot_id,
       lot.number AS lot_number,
       d.consignee_id, partner.code AS consignee_code, product.unit_value, product.unit_currency, p.done_at,
       coalesce(booked.times, 0) AS times_booked
FROM disposition d
JOIN disposition_part p ON p.disposition_id = d.id
JOIN lot ON lot.id = d.lot_id JOIN product ON product.id = lot.product_id
JOIN consignee c ON c.id = d.consignee_id JOIN partner ON partner.id = c.partner_id
LEFT JOIN booked ON booked.part = CAST(p.id AS text)
WHERE d.recall_number = :number AND product.unit_value > 0 AND d.kind = ANY (CAST(:kinds AS text[]))
  AND p.id > :after AND (CAST(:part AS bigint) IS NULL OR p.id = CAST(:part AS bigint))
  AND booked.stands IS NOT TRUE
ORDER BY p.id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion with what it belongs to."""

    proposal: Proposal
    row: dict[str, Any]
    """Part, disposition, lot, consignee, quantity, unit value."""


async def open_proposals(
    session: AsyncSession, number: str, *, after: int = 0, limit: int = 100, part: int | None = None
) -> Sequence[Suggested]:
    """Suggestions nobody has booked, by part."""
    kinds = ["return_to_us", "destroy", "replace"]
    values = {"number": number, "kinds": kinds, "after": after, "limit": limit, "part": part}
    found = []
    for row in (await run(session, _PARTS, values)).mappings():
        value, currency = row["unit_value"], row["unit_currency"]
        if (proposal := propose(row["part_id"], row["kind"], row["quantity"], value, currency)) is not None:
            found.append(Suggested(proposal, dict(row)))
    return found


async def confirm(
    session: AsyncSession, number: str, part_id: int, who: Who, *, amount: Decimal | None, note: str | None
) -> CostEntry:
    """Book a suggestion, with another amount where a person knows better; the same request again returns the entry.

    Raises:
        DisposalRefused: there is no such suggestion, or it is booked; the amount cannot be.
    """
    await costs.open_for_booking(session, number)
    if (before := await costs.of_request(session, who.request)) is not None:
        return before
    await provisional_account.must_be_open(session, number)
    found = await open_proposals(session, number, part=part_id, limit=1)
    if not found:
        raise DisposalRefused("not_found", f"Nothing is suggested for part {part_id}, or it is booked already.")
    (suggested,) = found
    cost = Cost(
        kind=suggested.proposal.kind.value,
        amount=suggested.proposal.amount if amount is None else amount,
        currency=suggested.proposal.currency,
        disposition=suggested.row["disposition"],
        quantity=suggested.row["quantity"],
        document_no=suggested.row["document_no"],
        note=note,
    )
    times = suggested.row["times_booked"]
    key = f"part:{part_id}:{times + 1}" if times else f"part:{part_id}"
    entry = await costs.prepared(session, number, cost, who, source=CostSource.PROPOSAL, source_key=key)
    return await costs.write(session, entry, who, "cost.booked")


__all__ = ["Suggested", "confirm", "open_proposals"]
