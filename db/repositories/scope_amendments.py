"""Changing the scope of a running recall: a new version is traced, and only the difference moves.

An expansion claims the stock of the lots added and lets whoever received them wait for the amended notice. A reduction
takes lots out with everything that only descends from them: their stock becomes nonconforming, consignees are no
longer asked for them, and whoever is left without a lot is withdrawn. Nothing here tells anybody: that is the
amended notice's part. The caller holds the recall's row lock and commits.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, holds, recalls, scope_versions, trace_sql
from db.repositories.holds_of_lots import lots_to_nonconformity, reclaim_lots
from db.repositories.scope_versions import Definition
from db.repositories.trace_roots import resolve_roots
from db.repositories.withdrawals import withdraw_lots
from domain.roles import Permission, acting_role
from models.messages import AmendScope, ScopeChange
from models.recall import Recall


class ScopeChangeRefused(ValueError):  # noqa: N818 - a term of the API
    """The change cannot be made; the message says why and what was expected."""


_REACHED: Final = f"WITH RECURSIVE {trace_sql.walk('forward', blocked=True)} SELECT lot_id FROM reached"  # noqa: S608

_CARRY_OVER: Final = """
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)
SELECT recall_number, scope_version + 1, lot_id, root, depth FROM scope_lot
WHERE recall_number = :number AND scope_version = :before AND NOT lot_id = ANY (CAST(:removed AS bigint[]))
ON CONFLICT (recall_number, scope_version, lot_id) DO NOTHING
"""

_ADDED: Final = """
SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :version
EXCEPT SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :before
ORDER BY lot_id
"""

_WIDENED: Final = """
WITH widened AS MATERIALIZED (
    SELECT now.lot_id
    FROM scope_lot now JOIN scope_lot old ON old.recall_number = now.recall_number AND old.lot_id = now.lot_id
         AND old.scope_version = :before AND old.by_serial
    WHERE now.recall_number = :number AND now.scope_version = :version
      AND (NOT now.by_serial OR EXISTS (
          SELECT FROM serial u JOIN scope_serial n ON n.serial_id = u.id AND n.recall_number = :number
               AND n.scope_version = :version
          WHERE u.lot_id = now.lot_id AND NOT EXISTS (
              SELECT FROM scope_serial o WHERE o.recall_number = :number AND o.scope_version = :before
                 AND o.serial_id = u.id)))
),
told_anew AS (
    UPDATE consignee_lot cl SET scope_version = :version
    FROM consignee c
    WHERE c.id = cl.consignee_id AND c.recall_number = :number AND cl.withdrawn_in IS NULL
      AND cl.lot_id = ANY(ARRAY(SELECT lot_id FROM widened))
    RETURNING cl.lot_id
)
SELECT lot_id FROM widened ORDER BY lot_id
"""
"""Lots in scope for single units before, of which more units are affected now: who has them is told anew."""

_CONCERNED: Final = """
SELECT count(*) FILTER (WHERE got AND NOT kept) AS consignees_added,
       count(*) FILTER (WHERE got AND kept OR lost AND has) AS consignees_changed,
       count(*) FILTER (WHERE lost AND NOT has) AS consignees_withdrawn,
       count(*) FILTER (WHERE told AND (got OR lost)) AS told
FROM (
    SELECT bool_or(cl.withdrawn_in IS NULL AND (cl.scope_version = :version OR fresh.lot_id IS NOT NULL)) AS got,
           bool_or(cl.withdrawn_in IS NULL AND cl.scope_version < :version AND fresh.lot_id IS NULL) AS kept,
           bool_or(coalesce(cl.withdrawn_in = :version, false)) AS lost,
           bool_or(cl.withdrawn_in IS NULL) AS has, bool_or(c.first_notified_at IS NOT NULL) AS told
    FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id
    LEFT JOIN unnest(CAST(:added AS bigint[])) AS fresh(lot_id) ON fresh.lot_id = cl.lot_id
    WHERE c.recall_number = :number GROUP BY c.id
) AS each
"""

_MADE_BEFORE: Final = """
SELECT data -> 'change' FROM audit_event
WHERE stream = :number AND action IN ('scope.expanded', 'scope.reduced')
  AND CAST(data -> 'change' ->> 'scope_version' AS int) = :version
"""


async def amend(session: AsyncSession, recall: Recall, request: AmendScope) -> ScopeChange:
    """Make the version that was decided; a repeat answers what it answered before and changes nothing.

    Raises:
        ScopeChangeRefused: the version is not the next one, a lot is not in scope, or nothing would change or be left.
        UnknownScope: the added criteria name nothing on record.
    """
    made = (await run(session, _MADE_BEFORE, {"number": recall.number, "version": request.scope_version})).scalar()
    if made is not None:
        return ScopeChange.model_validate(made)
    before = await scope_versions.newest(session, recall.number)
    if before is None:
        raise ScopeChangeRefused("the scope has not been traced yet")
    if request.scope_version != before.version + 1:
        raise ScopeChangeRefused(f"scope_version {request.scope_version}: the next one is {before.version + 1}")
    change, traced = await (_expand if request.change == "expand" else _reduce)(session, recall, request, before)
    allowed_by = Permission.CHANGE_SCOPE if request.change == "expand" else Permission.DECIDE_ASSESSMENT
    await audit.append(
        session,
        recall.number,
        actor=request.actor.principal,
        role=acting_role(request.actor.roles, allowed_by),
        action="scope.expanded" if request.change == "expand" else "scope.reduced",
        at=request.now,
        reason=request.reason,
        data={"change": change.model_dump(mode="json"), "lots": list(request.lot_ids)} | traced.frozen,
        signature=request.actor.signature,
    )
    return change


async def _expand(
    session: AsyncSession, recall: Recall, request: AmendScope, before: Definition
) -> tuple[ScopeChange, scope_versions.Traced]:
    if request.added is None:
        raise ScopeChangeRefused("added: an expansion needs criteria of the lots to add")
    # Whatever the new criteria reach is suspect again, also what an earlier reduction took out.
    reached = await _reached(session, await resolve_roots(session, request.added))
    after = Definition(
        before.version + 1,
        (*before.parts, request.added),
        tuple(lot for lot in before.excluded if lot not in reached),
    )
    figures = await _make(session, recall, request, before, after, removed=())
    added = await _lots_added(session, recall.number, after.version)
    widened = await _lots_widened(session, recall.number, after.version)
    if not added and not widened:
        raise ScopeChangeRefused("added: these criteria add no lot to the scope, and no unit of a lot in it")
    await reclaim_lots(session, recall.number, added, request.now)
    await holds.request_holds(session, recall.number, after.version, request.now)
    await _start_clock(session, request)
    change = await _change(session, request, figures, [*added, *widened], lots_added=len(added))
    return change, figures


async def _start_clock(session: AsyncSession, request: AmendScope) -> None:
    """Lots added to a decided recall start clocks of their own, for those lots; before it, the decision covers them."""
    if "decision" in await recalls.clocks(session, request.number):
        await recalls.start_clock(
            session,
            request.number,
            "decision",
            request.now,
            source=f"scope version {request.scope_version}: lots added",
            author=request.actor.principal,
            now=request.now,
            scope_version=request.scope_version,
        )


async def _reduce(
    session: AsyncSession, recall: Recall, request: AmendScope, before: Definition
) -> tuple[ScopeChange, scope_versions.Traced]:
    out = tuple(sorted(set(request.lot_ids)))
    scope = set(await _lots(session, recall.number, before.version))
    foreign = [lot for lot in out if lot not in scope]
    if not out or foreign:
        named = ", ".join(map(str, foreign[:20])) or "none named"
        raise ScopeChangeRefused(f"lot_ids: expected lots of scope version {before.version}; not among them: {named}")
    after = replace(before, version=before.version + 1, excluded=tuple(sorted({*before.excluded, *out})))
    roots = {lot for part in after.parts for lot in await resolve_roots(session, part)} - set(after.excluded)
    kept = await _reached(session, sorted(roots), after.excluded)
    removed = sorted((await _reached(session, out) & scope) - kept)
    if scope == set(removed):
        raise ScopeChangeRefused("lot_ids: no lot would be left in the scope; cancel the recall instead")
    figures = await _make(session, recall, request, before, after, removed=removed)
    await withdraw_lots(session, recall.number, removed, after.version, request.now, by=request.actor.principal)
    ended = await lots_to_nonconformity(session, recall.number, removed, request.now)
    change = await _change(session, request, figures, lots_removed=len(removed))
    return change.model_copy(update={"holds_to_nonconformity": ended}), figures


async def _make(
    session: AsyncSession,
    recall: Recall,
    request: AmendScope,
    before: Definition,
    after: Definition,
    *,
    removed: Sequence[int],
) -> scope_versions.Traced:
    """Write the version down and trace it. What the version before held stays, unless it was taken out."""
    await scope_versions.decide(
        session,
        recall.number,
        after,
        request.change,
        by=request.actor.principal,
        reason=request.reason,
        at=request.now,
        signature=request.actor.signature,
    )
    binds = {"number": recall.number, "before": before.version, "removed": list(removed)}
    await run(session, _CARRY_OVER, binds)
    return await scope_versions.trace(session, recall, after, request.now)


async def _change(
    session: AsyncSession,
    request: AmendScope,
    traced: scope_versions.Traced,
    added: Sequence[int] = (),
    **lots: int,
) -> ScopeChange:
    binds = {"number": request.number, "version": request.scope_version, "added": list(added)}
    counts = (await run(session, _CONCERNED, binds)).mappings().one()
    return ScopeChange(
        scope_version=request.scope_version, change=request.change, figures=traced.figures, **counts, **lots
    )


async def _lots(session: AsyncSession, number: str, version: int) -> list[int]:
    query = "SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :version"
    return list((await run(session, query, {"number": number, "version": version})).scalars())


async def _lots_added(session: AsyncSession, number: str, version: int) -> list[int]:
    binds = {"number": number, "version": version, "before": version - 1}
    return list((await run(session, _ADDED, binds)).scalars())


async def _lots_widened(session: AsyncSession, number: str, version: int) -> list[int]:
    binds = {"number": number, "version": version, "before": version - 1}
    return list((await run(session, _WIDENED, binds)).scalars())


async def _reached(session: AsyncSession, roots: Sequence[int], blocked: Sequence[int] = ()) -> set[int]:
    return set((await run(session, _REACHED, {"lot_ids": list(roots), "blocked": list(blocked)})).scalars())


__all__ = ["ScopeChangeRefused", "amend"]
