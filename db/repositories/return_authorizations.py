"""Returns and exchanges by their RMA number: which one a parcel belongs to, and what its label says.

An approved return or exchange has its RMA by being approved; a withdrawn one is void. The number holds the record's id,
so there is nothing to hand out and two can never be the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.disposal_refusals import DisposalRefused, invalid
from domain.disposition import DispositionKind, Fault
from domain.return_authorization import RETURNING, RmaError, parse_rma, rma_number
from models.disposition import Disposition, DispositionState
from models.master import Location

MOST: Final = 500
"""Labels of one file: about a second of drawing."""
_KINDS: Final = [kind.value for kind in RETURNING]
_LABELS: Final = """
SELECT d.id, d.sequence, d.kind, d.state, d.consignee_id, d.quantity, d.done, partner.name AS sender, partner.language,
       product.name AS product, product.unit_of_use AS unit, product.gtin, lot.number AS lot, lot.expires_on, r.drill
FROM disposition d JOIN recall r ON r.number = d.recall_number
JOIN consignee c ON c.id = d.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN lot ON lot.id = d.lot_id JOIN product ON product.id = lot.product_id
WHERE d.recall_number = :number AND d.kind = ANY(CAST(:kinds AS text[])) AND d.sequence > :after
  AND (CAST(:state AS text) IS NULL OR d.state = :state)
  AND (CAST(:consignees AS bigint[]) IS NULL OR d.consignee_id = ANY(CAST(:consignees AS bigint[])))
  AND (CAST(:id AS bigint) IS NULL OR d.id = CAST(:id AS bigint))
ORDER BY d.sequence LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Authorization:
    """One return or exchange with what its label says."""

    id: int
    sequence: int
    kind: str
    state: str
    consignee_id: int
    quantity: Decimal
    done: Decimal
    sender: str
    language: str
    product: str
    unit: str
    gtin: str | None
    lot: str
    expires_on: date | None
    drill: bool

    @property
    def rma(self) -> str:
        """Its number."""
        return rma_number(self.id)


async def listed(
    session: AsyncSession,
    number: str,
    *,
    rma: str | None = None,
    consignees: Sequence[int] | None = None,
    after: int = 0,
    limit: int = MOST,
) -> list[Authorization]:
    """Approved returns and exchanges in the order they were proposed, or the one of an RMA in any state.

    Raises:
        RmaError: no RMA number of ours.
    """
    binds = {
        "number": number,
        "kinds": _KINDS,
        "after": after,
        "limit": limit,
        "id": None if rma is None else parse_rma(rma),
        "state": DispositionState.approved.value if rma is None else None,
        "consignees": None if consignees is None else list(consignees),
    }
    return [Authorization(**row) for row in (await run(session, _LABELS, binds)).mappings()]


async def returning(
    session: AsyncSession, number: str, rma: str, *, consignee_id: int | None, lot_id: int | None
) -> Disposition:
    """The return that an RMA names, for counting its units in.

    Raises:
        DisposalRefused: the number is misread, of another recall, void or of an exchange, or names other goods.
    """
    try:
        identity = parse_rma(rma)
    except RmaError as error:
        raise invalid(Fault("rma", str(error))) from error
    found = (await session.exec(select(Disposition).where(col(Disposition.id) == identity))).one_or_none()
    if found is None or found.recall_number != number or found.kind not in _KINDS or found.decided_at is None:
        raise invalid(
            Fault("rma", f"an RMA of the recall {number}; without one, count the goods by consignee_id and lot_id")
        )
    if found.kind == DispositionKind.replace_.value:
        detail = f"{rma} is an exchange: count it with its replacement, by carrying out the disposition"
        raise DisposalRefused("conflict", f"{detail} {found.sequence}.")
    if found.state in (DispositionState.withdrawn.value, DispositionState.rejected.value):
        detail = f"{rma} is void: the return was {found.state}. Count the goods by consignee_id and lot_id."
        raise DisposalRefused("conflict", detail)
    for field, given, named in (("consignee_id", consignee_id, found.consignee_id), ("lot_id", lot_id, found.lot_id)):
        if given is not None and given != named:
            raise invalid(Fault(field, f"{named}, as the RMA says; other goods in the parcel are counted without it"))
    return found


async def dock(session: AsyncSession, code: str | None) -> Location | None:
    """Our dock by its code; None where none is configured or on record."""
    return (await session.exec(select(Location).where(col(Location.code) == code))).one_or_none() if code else None


__all__ = ["MOST", "Authorization", "dock", "listed", "returning"]
