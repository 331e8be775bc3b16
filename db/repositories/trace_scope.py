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

from db.plain_sql import planned_each_time
from db.repositories import trace_gaps_sql, trace_runs, trace_runs_sql, trace_sql
from db.repositories.chasing_sql import CHASING_CAMPAIGN, SENT_VERSION, TOLD_VERSION, WAITING
from db.repositories.trace_limits import ARRIVAL_MARGIN, STALE_AFTER
from db.repositories.trace_roots import SERIALS, resolve_roots, serial_binds, undated_roots, whole_roots
from domain.scope import ScopeCriteria, ScopeSummary

COMPUTED_GAPS = (
    *("no_lot_receipt", "recall_period", "stale_site", "unbalanced", "broken_link", "undated_lot"),
    *("unplaced_serials", "unrecorded_serials"),
)
"""Gaps a trace finds again or not; other kinds are recorded events and stay."""

_LOTS = f"""
WITH RECURSIVE {trace_sql.walk("forward", blocked=True)}
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)
SELECT :recall_number, :scope_version, lot_id, depth = 0, depth FROM reached
ON CONFLICT (recall_number, scope_version, lot_id) DO NOTHING
"""  # noqa: S608 - constants

_SERIALS = f"""
WITH named AS MATERIALIZED ({SERIALS}),
stored AS (
    INSERT INTO scope_serial (recall_number, scope_version, serial_id)
    SELECT DISTINCT CAST(:recall_number AS text), CAST(:scope_version AS int), named.serial_id
    FROM named JOIN scope_lot s ON s.recall_number = :recall_number AND s.scope_version = :scope_version
         AND s.lot_id = named.lot_id
    ON CONFLICT (recall_number, scope_version, serial_id) DO NOTHING
    RETURNING serial_id
),
marked AS (
    -- What was made from a lot in scope is affected whole: nobody knows which units went into it.
    UPDATE scope_lot s SET by_serial = NOT s.by_serial
    WHERE s.recall_number = :recall_number AND s.scope_version = :scope_version
      AND s.by_serial IS DISTINCT FROM (
          s.lot_id = ANY(ARRAY(SELECT DISTINCT lot_id FROM named WHERE lot_id IS NOT NULL))
          AND NOT s.lot_id = ANY(CAST(:whole AS bigint[]))
          AND NOT EXISTS (
              SELECT FROM lot_genealogy g JOIN scope_lot i ON i.recall_number = :recall_number
                   AND i.scope_version = :scope_version AND i.lot_id = g.input_lot_id
              WHERE g.output_lot_id = s.lot_id AND g.input_lot_id <> s.lot_id))
    RETURNING lot_id
)
SELECT (SELECT count(*) FROM stored) + (SELECT count(*) FROM marked)
"""  # noqa: S608 - constants

_SERIAL_GAPS = """
SELECT 'unplaced_serials', jsonb_build_object(
    'lot_id', lot.id, 'lot', lot.number, 'product', p.code, 'units', of_lot.unplaced,
    'serials', (of_lot.numbers)[1:100])
FROM (
    SELECT u.lot_id, count(*) AS unplaced, array_agg(u.number ORDER BY u.number) AS numbers
    FROM scope_lot s
    JOIN serial u ON u.lot_id = s.lot_id AND u.location_id IS NULL
    JOIN scope_serial n ON n.serial_id = u.id AND n.recall_number = :recall_number AND n.scope_version = :scope_version
    WHERE s.recall_number = :recall_number AND s.scope_version = :scope_version AND s.by_serial
    GROUP BY u.lot_id
) AS of_lot
JOIN lot ON lot.id = of_lot.lot_id JOIN product p ON p.id = lot.product_id
UNION ALL
SELECT 'unrecorded_serials', jsonb_build_object(
    'lot_id', lot.id, 'lot', lot.number, 'product', p.code, 'made', trim_scale(lot.quantity_made)::text,
    'on_record', known.units)
FROM scope_lot s
JOIN lot ON lot.id = s.lot_id JOIN product p ON p.id = lot.product_id
CROSS JOIN LATERAL (SELECT count(*) AS units FROM serial u WHERE u.lot_id = lot.id) AS known
WHERE s.recall_number = :recall_number AND s.scope_version = :scope_version AND s.by_serial
  AND lot.quantity_made > known.units
"""
"""Units named by serial that nobody knows the place of; lots named by serial whose serials are not all on record."""

_CONSIGNEES = f"""
WITH {trace_sql.customer_positions(trace_sql.SCOPE_OF_RECALL)},{trace_sql.CONSIGNEES},
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
    SELECT each.id, each.lot_id, sum(each.shipped), sum(each.returned), false, :scope_version
    FROM (
        SELECT known.id, r.lot_id, r.shipped, r.returned FROM received_by r JOIN known USING (partner_id)
        UNION ALL
        -- What no movement brings there any more: its shipment was cancelled, or redirected on its way.
        SELECT c.id, cl.lot_id, 0, 0 FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id
        WHERE c.recall_number = :recall_number AND cl.withdrawn_in IS NULL AND NOT cl.stated
          AND (cl.shipped > 0 OR cl.returned > 0) AND (cl.lot_id IN (SELECT lot_id FROM scope)) IS TRUE
    ) AS each GROUP BY each.id, each.lot_id
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
WITH {trace_sql.positions(trace_sql.SCOPE_OF_RECALL)},{trace_gaps_sql.period()},
{trace_runs_sql.FREEZE_SITES},
found AS MATERIALIZED (
    {trace_gaps_sql.gaps()}
    UNION ALL
    {_SERIAL_GAPS}
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
SELECT kind, count(*) AS number, NULL AS sha256 FROM (
    SELECT kind FROM found
    UNION ALL
    SELECT kind FROM scope_gap WHERE recall_number = :recall_number AND scope_version = :scope_version
       AND kind <> ALL(CAST(:computed AS text[]))
) AS every_gap GROUP BY kind
-- The row without a kind: how many gaps this run opened or closed.
UNION ALL SELECT NULL, (SELECT count(*) FROM gone) + (SELECT count(*) FROM stored), NULL
-- Two rows of the frozen positions: how many there are, with their hash, and how many differ from the run before.
UNION ALL SELECT '#positions', total, sha256 FROM ({trace_runs_sql.SITES_FROZEN}) AS frozen
UNION ALL SELECT '#changed', count(*), NULL FROM frozen_site
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
    limits = {"stale_after": stale_after, "arrival_margin": arrival_margin}
    parts = [criteria] if isinstance(criteria, ScopeCriteria) else list(criteria)
    out = set(excluded)
    roots = sorted({lot for part in parts for lot in await resolve_roots(session, part)} - out)
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    async with planned_each_time(session):
        return await _stored(session, recall_number, scope_version, parts, now, roots, out, limits)


async def _stored(
    session: AsyncSession,
    recall_number: str,
    scope_version: int,
    parts: Sequence[ScopeCriteria],
    now: datetime,
    roots: list[int],
    out: set[int],
    limits: dict[str, timedelta],
) -> ScopeSummary:
    """Write what these roots lead to, without the lots that are `out`."""
    connection = await session.connection()
    scope: dict[str, Any] = {"recall_number": recall_number, "scope_version": scope_version}
    walked = await connection.execute(text(_LOTS), scope | {"lot_ids": roots, "blocked": sorted(out)})
    added = walked.rowcount + await _name_serials(session, parts, scope)
    joins = await _joins(session, recall_number, scope_version)
    found = (await connection.execute(text(_CONSIGNEES), scope | joins | {"now": now})).one()
    undated_lots = sorted({lot for part in parts for lot in await undated_roots(session, part)} - out)
    run_id = await trace_runs.next_run_id(session)
    binds = {"undated": undated_lots, "computed": list(COMPUTED_GAPS), "run_id": run_id}
    rows = {row.kind: row for row in (await connection.execute(text(_GAPS), scope | limits | binds)).all()}
    positions, changed_sites, changed_gaps = rows.pop("#positions"), rows.pop("#changed").number, rows.pop(None).number
    figures: dict[str, Any] = dict(found._mapping)
    gaps = {kind: row.number for kind, row in rows.items()}
    lots = await _count_lots(session, scope)
    counts = {name: figures[name] for name in ("consignees", "sites", "quantity", "returned", "countries")}
    frozen = await trace_runs.finish(
        session,
        recall_number,
        scope_version,
        run_id,
        trace_runs.FrozenSites(changed_sites, positions.number, positions.sha256),
        {"lots": lots, "gaps": gaps} | counts,
        now,
    )
    return ScopeSummary(
        lots=lots,
        gaps=gaps,
        added_consignees=figures.pop("added"),
        changes=added + figures.pop("changes") + figures.pop("reopened") + changed_gaps,
        run=frozen.run if frozen else None,
        run_sha256=frozen.sha256 if frozen else None,
        **figures,
    )


async def _name_serials(session: AsyncSession, parts: Sequence[ScopeCriteria], scope: dict[str, Any]) -> int:
    """Store which units are meant, and which lots are in scope for these units only; how many rows that changed."""
    if not any(part.serials or part.serial_ranges for part in parts):
        return 0
    whole = {lot for part in parts for lot in await whole_roots(session, part)}
    binds = scope | serial_binds(parts) | {"whole": sorted(whole)}
    return int((await (await session.connection()).execute(text(_SERIALS), binds)).scalar_one())


async def _count_lots(session: AsyncSession, scope: dict[str, Any]) -> int:
    query = "SELECT count(*) FROM scope_lot WHERE recall_number = :recall_number AND scope_version = :scope_version"
    return int((await (await session.connection()).execute(text(query), scope)).scalar_one())


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
