"""A recall's scope as records: lots, consignees with quantities, and gaps, written by INSERT ... SELECT.

Repeating a scope version with nothing new on record changes no row; with new movements, or for a higher version, only
the difference is added. Nobody who was once a consignee is removed here: that is a signed decision of its own
(`scope_versions`). Whoever joins is chased by the campaign whose notice names its lots, or waits for that notice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import trace_gaps_sql, trace_sql
from db.repositories.chasing_sql import CHASING_CAMPAIGN, SENT_VERSION, TOLD_VERSION, WAITING
from db.repositories.trace_limits import ARRIVAL_MARGIN, STALE_AFTER
from db.repositories.trace_roots import resolve_roots, undated_roots
from domain.scope import ScopeCriteria, ScopeSummary

COMPUTED_GAPS = ("no_lot_receipt", "stale_site", "unbalanced", "broken_link", "undated_lot")
"""Gaps a trace finds again or not; other kinds are recorded events and stay."""

_LOTS = f"""
WITH RECURSIVE {trace_sql.walk("forward", blocked=True)}
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)
SELECT :recall_number, :scope_version, lot_id, depth = 0, depth FROM reached
ON CONFLICT (recall_number, scope_version, lot_id) DO NOTHING
"""  # noqa: S608 - constants

_CONSIGNEES = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_RECALL)},{trace_sql.CONSIGNEES},
added AS (
    INSERT INTO consignee (recall_number, partner_id, tier, state, step, campaign_sequence, added_at)
    -- Tier 2: reached only through other consignees.
    SELECT :recall_number, partner_id,
           CASE WHEN sum(from_customers) > 0 AND sum(shipped) <= sum(from_customers) THEN 2 ELSE 1 END,
           'open', 0, :chased_by, CAST(:now AS timestamptz)
    FROM received_by GROUP BY partner_id ORDER BY partner_id
    ON CONFLICT (recall_number, partner_id) DO NOTHING
    RETURNING id, partner_id
),
known AS (
    SELECT id, partner_id FROM added
    UNION ALL
    SELECT id, partner_id FROM consignee WHERE recall_number = :recall_number
),
quantities AS (
    -- A shipment on record replaces what another consignee stated; a return or a disposal there is no shipment.
    INSERT INTO consignee_lot AS old (consignee_id, lot_id, shipped, returned, stated, scope_version)
    SELECT known.id, r.lot_id, r.shipped, r.returned, false, :scope_version
    FROM received_by r JOIN known USING (partner_id)
    ON CONFLICT (consignee_id, lot_id) DO UPDATE
        -- A lot that was taken out and comes back counts from now, unless nobody has been told that it was out.
        SET shipped = CASE WHEN old.stated AND excluded.shipped = 0 THEN old.shipped ELSE excluded.shipped END,
            returned = excluded.returned, stated = old.stated AND excluded.shipped = 0, withdrawn_in = NULL,
            scope_version = CASE WHEN old.withdrawn_in <= CAST(:sent AS int) THEN excluded.scope_version
                                 ELSE old.scope_version END
        WHERE old.returned <> excluded.returned OR old.withdrawn_in IS NOT NULL
           OR CASE WHEN old.stated THEN excluded.shipped <> 0 ELSE old.shipped <> excluded.shipped END
    RETURNING consignee_id, lot_id, xmax = 0 AS fresh
),
reopened AS (
    -- More than it was asked for: it answers for all of it. A withdrawn one that has a lot again is one again.
    UPDATE consignee SET state = 'open', step = 0, chase = chase + 1, next_step_at = NULL,
                         campaign_sequence = CAST(:chased_by AS int), acknowledged_at = NULL, answered_at = NULL
    WHERE state <> 'open' AND (
        state = 'withdrawn' AND id IN (SELECT consignee_id FROM quantities)
        OR CAST(:told AS boolean) AND id IN (SELECT consignee_id FROM quantities WHERE fresh))
    RETURNING id
)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM quantities) AS changes,
       (SELECT count(*) FROM reopened) AS reopened,
       (SELECT count(DISTINCT partner_id) FROM received_by) AS consignees,
       (SELECT count(DISTINCT location_id) FROM touched) AS sites,
       (SELECT coalesce(sum(shipped_to), 0) FROM touched)
         - (SELECT coalesce(sum(quantity), 0) FROM onward WHERE kind = 'shipment') AS quantity,
       (SELECT coalesce(sum(returned_out), 0) FROM touched)
         - (SELECT coalesce(sum(quantity), 0) FROM onward WHERE kind = 'return') AS returned,
       (SELECT coalesce(array_agg(DISTINCT country::text ORDER BY country::text), '{{}}')
          FROM received_by JOIN partner ON partner.id = partner_id WHERE country IS NOT NULL) AS countries
"""  # noqa: S608 - constants

_GAPS = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_RECALL)},
found AS MATERIALIZED (
    {trace_gaps_sql.gaps()}
    UNION ALL
    SELECT 'undated_lot', jsonb_build_object('lot_id', lot.id, 'lot', lot.number, 'product', p.code)
    FROM unnest(CAST(:undated AS bigint[])) AS u(lot_id)
    JOIN lot ON lot.id = u.lot_id JOIN product p ON p.id = lot.product_id
),
gone AS (
    DELETE FROM scope_gap old
    WHERE old.recall_number = :recall_number AND old.scope_version = :scope_version
      AND old.kind = ANY(CAST(:computed AS text[]))
      AND NOT EXISTS (SELECT FROM found WHERE found.kind = old.kind AND found.detail = old.detail)
    RETURNING id
),
stored AS (
    INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
    SELECT :recall_number, :scope_version, kind, detail FROM found
    WHERE NOT EXISTS (
        SELECT FROM scope_gap old WHERE old.recall_number = :recall_number AND old.scope_version = :scope_version
           AND old.kind = found.kind AND old.detail = found.detail)
    RETURNING id
)
SELECT kind, count(*) AS number FROM (
    SELECT kind FROM found
    UNION ALL
    SELECT kind FROM scope_gap WHERE recall_number = :recall_number AND scope_version = :scope_version
       AND kind <> ALL(CAST(:computed AS text[]))
) AS every_gap GROUP BY kind
-- The row without a kind: how many gaps this run opened or closed.
UNION ALL SELECT NULL, (SELECT count(*) FROM gone) + (SELECT count(*) FROM stored)
ORDER BY kind
"""  # noqa: S608 - constants


async def materialise_scope(
    session: AsyncSession,
    recall_number: str,
    scope_version: int,
    criteria: ScopeCriteria | Sequence[ScopeCriteria],
    now: datetime,
    *,
    excluded: Sequence[int] = (),
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
) -> ScopeSummary:
    """Trace the criteria forward and store scope lots, consignees, their quantities and gaps of this version.

    A consignee is a partner with a customer location that received (or can be shown to have had) a lot of the scope,
    whether from us or from another customer; one that passed everything on is still one. Quantities are units of use,
    gross of returns; returns stand apart. `now` is the sender's clock and becomes `added_at` of new consignees.
    Several criteria count together; `excluded` lots are taken out, with everything that only descends from them.

    Raises:
        UnknownScope: the criteria name nothing on record.
    """
    parts = [criteria] if isinstance(criteria, ScopeCriteria) else list(criteria)
    out = set(excluded)
    roots = sorted({lot for part in parts for lot in await resolve_roots(session, part)} - out)
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    scope: dict[str, Any] = {"recall_number": recall_number, "scope_version": scope_version}
    walked = await connection.execute(text(_LOTS), scope | {"lot_ids": roots, "blocked": sorted(out)})
    added_lots = walked.rowcount
    joins = await _joins(session, recall_number, scope_version)
    found = (await connection.execute(text(_CONSIGNEES), scope | joins | {"now": now})).one()
    limits = {"stale_after": stale_after, "arrival_margin": arrival_margin}
    undated_lots = sorted({lot for part in parts for lot in await undated_roots(session, part)} - out)
    undated = {"undated": undated_lots, "computed": list(COMPUTED_GAPS)}
    gap_rows = (await connection.execute(text(_GAPS), scope | limits | undated)).all()
    lots = await connection.execute(
        text("SELECT count(*) FROM scope_lot WHERE recall_number = :recall_number AND scope_version = :scope_version"),
        scope,
    )
    figures: dict[str, Any] = dict(found._mapping)
    gaps: dict[str | None, int] = {row.kind: row.number for row in gap_rows}
    changed_gaps = gaps.pop(None)
    return ScopeSummary(
        lots=lots.scalar_one(),
        gaps={kind: number for kind, number in gaps.items() if kind is not None},
        added_consignees=figures.pop("added"),
        changes=added_lots + figures.pop("changes") + figures.pop("reopened") + changed_gaps,
        **figures,
    )


async def _joins(session: AsyncSession, recall_number: str, scope_version: int) -> dict[str, Any]:
    """Which campaign tells who joins by this scope version, whether its notice is out, and what was last sent.

    1 before any notice; 0 (nobody yet) for a version whose notice is not approved.
    """
    query = (
        f"SELECT {TOLD_VERSION} AS told, {CHASING_CAMPAIGN} AS sequence, {SENT_VERSION} AS sent"  # noqa: S608 - constants
        " FROM recall WHERE number = :number"
    )
    row = (await (await session.connection()).execute(text(query), {"number": recall_number})).one_or_none()
    if row is None or row.told is None:
        return {"chased_by": 1, "told": False, "sent": 0}
    told = scope_version <= row.told
    return {"chased_by": int(row.sequence) if told else WAITING, "told": told, "sent": row.sent}
