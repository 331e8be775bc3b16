"""The affected lots of consignees: what each received, as the notice lists them and statements are checked against.

A consignee is asked for the lots of the scope it has been given notice of: a lot that an expansion added waits for the
amended notice, and a lot that was taken out is asked for no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.chasing_sql import TOLD_VERSION
from domain.phases import FINAL_PHASES


@dataclass(frozen=True, slots=True)
class ConsigneeLotRow:
    """A lot as one consignee received it."""

    consignee_id: int
    lot_id: int
    number: str
    key: str
    """Lot number, told apart where the consignee has the number twice: by product code, then by manufacturing site."""
    printed: str
    """Lot number beside the product's name, with the site where product and number leave two lots."""
    product: str
    gtin: str | None
    unit: str
    received: Decimal
    """Units of use, net of returns that reached us, with what other consignees say they passed on to it beyond what is
    on record between the two."""
    last_shipped_on: date | None
    stated: bool
    """Known only from the statement of another consignee."""
    scope_version: int = 1
    """Scope version in which the consignee got to have the lot."""
    withdrawn_in: int | None = None
    """Scope version that took the lot out again."""
    asked: bool = True
    """Under recall, and the notice that says so was approved."""
    returned: Decimal = Decimal(0)
    """Units of it that our dock has counted back."""
    udi_di: str | None = None
    expires_on: date | None = None


# One number at two sites is two lots; a site is named by its code where its name leaves a doubt.
_APART: Final = """CASE
           WHEN count(*) OVER (PARTITION BY cl.consignee_id, lot.product_id, lot.number) = 1 THEN lot.number
           WHEN count(*) OVER (PARTITION BY cl.consignee_id, lot.product_id, lot.number, site.name) = 1
           THEN lot.number || ' (' || coalesce(site.name, '?') || ')'
           ELSE lot.number || ' (' || coalesce(site.code, '?') || ')' END"""
# Of each sender only the latest statement counts, and of that what our record has not moved between the two.
# For a lot known from statements only, `shipped` is that sum already.
_LOTS: Final = f"""
WITH told AS MATERIALIZED (
    SELECT recall.number, {TOLD_VERSION} AS version FROM recall
    WHERE recall.number = ANY (
        ARRAY(SELECT DISTINCT recall_number FROM consignee WHERE id = ANY (CAST(:consignees AS bigint[])))
    )
), passed AS MATERIALIZED (
    SELECT consignee_id, lot_id, sum(quantity) AS quantity
    FROM (
        -- Added up side by side, not joined: what many say they passed on to one site, and all that came to it.
        SELECT consignee_id, lot_id, partner_id,
               greatest(sum(said) - greatest(sum(shipped), sum(received)), 0) AS quantity
        FROM (
            SELECT p.consignee_id, p.lot_id, sender.partner_id, p.quantity AS said, 0 AS shipped, 0 AS received
            FROM passed_on p
            CROSS JOIN LATERAL (SELECT * FROM reply WHERE reply.id = p.reply_id OFFSET 0) r
            CROSS JOIN LATERAL (SELECT * FROM consignee WHERE consignee.id = r.consignee_id OFFSET 0) sender
            WHERE p.consignee_id = ANY (CAST(:consignees AS bigint[]))
              AND r.id >= coalesce((SELECT max(later.id) FROM reply later
                                    WHERE later.consignee_id = r.consignee_id AND later.kind = 'statement'), 0)
            UNION ALL
            SELECT c.id, m.lot_id, s.partner_id, 0, CASE WHEN m.kind = 'shipment' THEN m.quantity ELSE 0 END,
                   CASE WHEN m.kind = 'receipt' THEN m.quantity ELSE 0 END
            FROM (
                SELECT DISTINCT p.consignee_id, lot.product_id FROM passed_on p JOIN lot ON lot.id = p.lot_id
                WHERE p.consignee_id = ANY (CAST(:consignees AS bigint[]))
            ) told_of
            JOIN consignee c ON c.id = told_of.consignee_id JOIN location t ON t.partner_id = c.partner_id
            CROSS JOIN LATERAL (
                SELECT * FROM movement
                WHERE movement.to_location_id = t.id AND movement.product_id = told_of.product_id
                  AND movement.lot_id IS NOT NULL AND movement.kind IN ('shipment', 'receipt') OFFSET 0
            ) m
            CROSS JOIN LATERAL (SELECT * FROM location WHERE location.id = m.from_location_id OFFSET 0) s
        ) word_and_record
        GROUP BY consignee_id, lot_id, partner_id
    ) by_sender
    GROUP BY consignee_id, lot_id
)
SELECT cl.consignee_id, cl.lot_id, lot.number, cl.stated, product.name AS product, product.gtin,
       product.unit_of_use AS unit,
       CASE WHEN count(*) OVER (PARTITION BY cl.consignee_id, lot.number) > 1
            THEN product.code || ' ' ELSE '' END || {_APART} AS key,
       {_APART} AS printed,
       greatest(cl.shipped - cl.returned + CASE WHEN cl.stated THEN 0 ELSE coalesce(passed.quantity, 0) END, 0)
           AS received,
       cl.returned, product.udi_di, lot.expires_on,
       (SELECT max(m.occurred_at)::date
        FROM location l JOIN movement m ON m.to_location_id = l.id AND m.product_id = lot.product_id
        WHERE l.partner_id = c.partner_id AND m.lot_id = cl.lot_id AND m.kind IN ('shipment', 'receipt'))
           AS last_shipped_on,
       cl.scope_version, cl.withdrawn_in,
       cl.withdrawn_in IS NULL AND c.state <> 'withdrawn' AND coalesce(cl.scope_version <= told.version, true) AS asked
FROM unnest(CAST(:consignees AS bigint[])) AS one (id)
-- OFFSET 0: by key for each. As a join, statistics that do not know the recall yet read all of it for every batch.
CROSS JOIN LATERAL (SELECT * FROM consignee WHERE consignee.id = one.id OFFSET 0) c
CROSS JOIN LATERAL (SELECT * FROM consignee_lot WHERE consignee_lot.consignee_id = one.id OFFSET 0) cl
JOIN told ON told.number = c.recall_number
JOIN lot ON lot.id = cl.lot_id
JOIN product ON product.id = lot.product_id
LEFT JOIN location site ON site.id = lot.site_id
LEFT JOIN passed ON passed.consignee_id = cl.consignee_id AND passed.lot_id = cl.lot_id
ORDER BY cl.consignee_id, product.name, lot.number, cl.lot_id
"""  # noqa: S608 - constants
# For one value PostgreSQL keeps one plan; for a list of unknown length it plans anew each time, four times as long as
# the query itself takes.
_LOTS_OF_ONE: Final = _LOTS.replace("= ANY (CAST(:consignees AS bigint[]))", "= CAST(:consignee AS bigint)").replace(
    "unnest(CAST(:consignees AS bigint[]))", "unnest(ARRAY[CAST(:consignee AS bigint)])"
)


async def lots_of(session: AsyncSession, consignees: Sequence[int]) -> dict[int, list[ConsigneeLotRow]]:
    """The lots each consignee is asked for, in the order of its notice and form; an empty list where there is none."""
    found = await every_lot_of(session, consignees)
    return {consignee: [row for row in rows if row.asked] for consignee, rows in found.items()}


async def every_lot_of(session: AsyncSession, consignees: Sequence[int]) -> dict[int, list[ConsigneeLotRow]]:
    """The same with lots that were taken out and lots whose notice is not approved yet."""
    found: dict[int, list[ConsigneeLotRow]] = {consignee: [] for consignee in consignees}
    if len(found) == 1:
        rows = await run(session, _LOTS_OF_ONE, {"consignee": next(iter(found))})
    else:
        rows = await run(session, _LOTS, {"consignees": list(found)})
    for row in rows.mappings():
        found[row["consignee_id"]].append(ConsigneeLotRow(**row))
    return found


_RETURNED: Final = """
WITH counted AS (
    UPDATE consignee_lot cl SET returned = cl.returned + CAST(:quantity AS numeric)
    FROM consignee sender
    JOIN consignee c ON c.partner_id = sender.partner_id JOIN recall ON recall.number = c.recall_number
    WHERE sender.id = :consignee AND cl.consignee_id = c.id AND cl.lot_id = :lot_id
      AND (c.id = sender.id OR recall.phase <> ALL(CAST(:ended AS text[])))
    RETURNING cl.consignee_id, cl.returned > cl.shipped AS beyond
)
SELECT beyond FROM counted WHERE consignee_id = :consignee
"""


async def note_return(session: AsyncSession, consignee_id: int, lot_id: int, quantity: Decimal) -> bool:
    """Units of a consignee came back to us, in units of use; returns whether more has come back than was shipped.

    They are back whatever recall they came back under: every other running recall asks the same partner about them,
    and checks what it states without them. Where nothing is on record as shipped, anything is more than that.
    """
    ended = [phase.value for phase in FINAL_PHASES]
    binds = {"consignee": consignee_id, "lot_id": lot_id, "quantity": quantity, "ended": ended}
    return (await run(session, _RETURNED, binds)).scalar_one_or_none() is not False
