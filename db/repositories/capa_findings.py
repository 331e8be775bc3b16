"""What the trace says the suspect lots have in common: where a CAPA's investigation starts.

Suspect are the lots of the scope that reached consignees, or every root lot where none did. Inputs are followed up the
genealogy; each finding says how many of the suspect lots share it. An input that also went straight into lots outside
the scope (and not on the way to a suspect one) says so: either it is not the cause, or the scope is too small.
"""

from typing import Any, Final

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories.trace_sql import TUNE
from domain.quality_numbers import is_quality_number

MOST: Final = 50
"""Findings of one kind that are kept, those shared by most lots first."""

_SUSPECT: Final = """
scope AS MATERIALIZED (
    SELECT lot_id, root FROM scope_lot WHERE recall_number = :number AND scope_version = :version
),
reached AS (
    SELECT DISTINCT line.lot_id FROM consignee_lot line
    JOIN consignee ON consignee.id = line.consignee_id AND consignee.recall_number = :number
    WHERE line.withdrawn_in IS NULL
),
suspect AS MATERIALIZED (
    SELECT scope.lot_id FROM scope WHERE lot_id IN (SELECT lot_id FROM reached)
    UNION
    SELECT scope.lot_id FROM scope WHERE root AND NOT EXISTS (SELECT FROM scope s JOIN reached USING (lot_id))
),
total AS (SELECT count(*) AS lots FROM suspect),
up AS (
    -- UNION drops pairs seen before, so a cycle ends.
    SELECT lot_id, lot_id AS input_id FROM suspect
    UNION
    SELECT up.lot_id, g.input_lot_id FROM up JOIN lot_genealogy g ON g.output_lot_id = up.input_id
),
-- A lot is no input of itself; one that went into another suspect lot is.
inputs AS MATERIALIZED (SELECT lot_id, input_id FROM up WHERE input_id <> lot_id)
"""

_FINDINGS: Final = f"""
WITH RECURSIVE {_SUSPECT},
traced AS MATERIALIZED (SELECT lot_id FROM scope UNION SELECT input_id FROM inputs),
shared_inputs AS MATERIALIZED (
    SELECT input_id, count(*) AS lots FROM inputs GROUP BY input_id
    ORDER BY lots DESC, input_id LIMIT {MOST}
),
found AS (
    SELECT 'input_lot' AS kind, i.lots, jsonb_build_object(
               'lot_id', l.id, 'lot', l.number, 'product', p.code, 'supplier_lot', l.supplier_lot,
               'lots_outside_scope', (
                   SELECT count(DISTINCT g.output_lot_id) FROM lot_genealogy g
                   WHERE g.input_lot_id = l.id AND NOT EXISTS (SELECT FROM traced t WHERE t.lot_id = g.output_lot_id)
               )) AS detail
    FROM shared_inputs i JOIN lot l ON l.id = i.input_id JOIN product p ON p.id = l.product_id
    UNION ALL
    SELECT 'supplier_lot', count(DISTINCT x.lot_id), jsonb_build_object('supplier_lot', l.supplier_lot)
    FROM (SELECT lot_id, input_id FROM inputs UNION SELECT lot_id, lot_id FROM suspect) x
    JOIN lot l ON l.id = x.input_id
    WHERE l.supplier_lot IS NOT NULL GROUP BY l.supplier_lot
    UNION ALL
    SELECT 'manufacturing_site', count(*), jsonb_build_object('site', site.code, 'name', site.name)
    FROM suspect JOIN lot l ON l.id = suspect.lot_id JOIN location site ON site.id = l.site_id
    GROUP BY site.code, site.name
    UNION ALL
    SELECT 'receipt', count(DISTINCT x.lot_id), jsonb_build_object(
               'document_no', m.document_no, 'lot', l.number, 'product', p.code, 'from', source.code,
               'at', target.code, 'received_on', to_char(min(m.occurred_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
    FROM (SELECT lot_id, input_id FROM inputs UNION SELECT lot_id, lot_id FROM suspect) x
    JOIN movement m ON m.lot_id = x.input_id AND m.kind = 'receipt'
    JOIN location target ON target.id = m.to_location_id AND target.custody <> 'customer'
    LEFT JOIN location source ON source.id = m.from_location_id
    JOIN lot l ON l.id = m.lot_id JOIN product p ON p.id = l.product_id
    GROUP BY m.document_no, l.number, p.code, source.code, target.code
),
ranked AS (
    SELECT kind, lots, detail, row_number() OVER (PARTITION BY kind ORDER BY lots DESC, detail::text) AS place
    FROM found
)
SELECT kind, ranked.lots, total.lots AS of, detail FROM ranked, total
WHERE place <= {MOST} AND (ranked.lots > 1 OR total.lots = 1)
ORDER BY array_position(ARRAY['input_lot','supplier_lot','manufacturing_site','receipt'], kind), place
"""  # noqa: S608 - constants


async def trace_findings(session: AsyncSession, number: str, scope_version: int) -> list[dict[str, Any]]:
    """Findings `{kind, lots, of, ...}`; kinds are input_lot, supplier_lot, manufacturing_site and receipt.

    `lots` of `of` suspect lots share it; what only one of several has is no finding.
    """
    if is_quality_number(number):
        return []
    connection = await session.connection()
    await connection.execute(text(TUNE))
    rows = (await connection.execute(text(_FINDINGS), {"number": number, "version": scope_version})).all()
    return [{"kind": row.kind, "lots": row.lots, "of": row.of} | dict(row.detail) for row in rows]


__all__ = ["MOST", "trace_findings"]
