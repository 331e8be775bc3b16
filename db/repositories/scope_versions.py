"""The versions of a recall's scope: which criteria hold, which lots were taken out, and what the trace found for them.

A version is decided once (`scope_version` row) and traced as often as records arrive; only the newest one is traced,
so that what an older version said stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import recalls, trace_scope
from db.rows import insert_new
from domain.scope import LotRef, ScopeCriteria, ScopeSummary, UnknownScope
from models.closing import ScopeVersion
from models.messages import ScopeFigures
from models.recall import Recall


@dataclass(frozen=True, slots=True)
class Definition:
    """What one version of the scope is made of."""

    version: int
    parts: tuple[ScopeCriteria, ...]
    """Criteria of the intake and of each expansion; a lot that fits any of them is a root."""
    excluded: tuple[int, ...] = ()
    """Lots taken out, by id."""


class NoSuchVersion(LookupError):  # noqa: N818 - a term of the API
    """A scope version that nobody has decided."""


@dataclass(frozen=True, slots=True)
class Traced:
    """The newest version, traced now."""

    first: bool
    """It had not been traced before."""
    summary: ScopeSummary
    figures: ScopeFigures


async def newest(session: AsyncSession, number: str) -> Definition | None:
    """The version in force, or None before the first trace."""
    query = (
        select(ScopeVersion)
        .where(col(ScopeVersion.recall_number) == number)
        .order_by(col(ScopeVersion.version).desc())
        .limit(1)
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        return None
    parts = tuple(ScopeCriteria.model_validate(part) for part in row.criteria["parts"])
    return Definition(row.version, parts, tuple(row.excluded_lots))


async def decide(
    session: AsyncSession,
    number: str,
    definition: Definition,
    change: str,
    *,
    by: str,
    reason: str | None,
    at: datetime,
) -> bool:
    """Write down a version; False when it is there already (it is never changed)."""
    row = {
        "recall_number": number,
        "version": definition.version,
        "change": change,
        "criteria": {"parts": [part.model_dump(mode="json") for part in definition.parts]},
        "excluded_lots": list(definition.excluded),
        "reason": reason,
        "decided_by": by,
        "decided_at": at,
    }
    return await insert_new(session, ScopeVersion, row) == 1


async def resolve(session: AsyncSession, recall: Recall, version: int, now: datetime) -> Traced:
    """Trace the version in force; the first one comes from the criteria of the intake. The recall row is locked.

    An older `version` is not traced any more: its number may come from a wait that began before the scope changed.

    Raises:
        UnknownScope: the criteria name nothing on record.
        NoSuchVersion: nobody has decided this version.
    """
    definition = await newest(session, recall.number)
    if definition is None:
        definition = Definition(1, (ScopeCriteria.model_validate(recall.suspect),))
    if version > definition.version:
        raise NoSuchVersion(f"scope version {version}: the newest one is {definition.version}")
    traced = await trace(session, recall, definition, now)
    if definition.version == 1:
        await decide(
            session, recall.number, definition, "initial", by=recall.started_by, reason=None, at=recall.created_at
        )
    return traced


async def trace(session: AsyncSession, recall: Recall, definition: Definition, now: datetime) -> Traced:
    """Trace a version into lots, consignees and gaps, and set the recall's own figures.

    Raises:
        UnknownScope: the criteria name nothing on record.
    """
    # Counted before the trace: a batch committed in between is traced now and once more later, never missed.
    recall.traced_batches = await recalls.batches_on_record(session)
    version = definition.version
    found = await trace_scope.materialise_scope(
        session, recall.number, version, definition.parts, now, excluded=definition.excluded
    )
    lines = await recalls.product_lines(session, recall.number, version)
    first = recall.scope_version < version
    recall.quantity_shipped = found.quantity
    if first or found.added_consignees or found.changes:
        recall.scope_version = version
        recall.version += 1
    session.add(recall)
    figures = ScopeFigures(
        scope_version=version,
        lots=found.lots,
        consignees=found.consignees,
        quantity=format(found.quantity.normalize(), "f"),
        gaps=sum(found.gaps.values()),
        countries=found.countries,
        product_lines=tuple(lines),
    )
    return Traced(first, found, figures)


_LOTS_OF: Final = """
SELECT named.ordinal, s.lot_id
FROM unnest(CAST(:codes AS text[]), CAST(:numbers AS text[]), CAST(:sites AS text[]))
     WITH ORDINALITY AS named(product_code, number, site_code, ordinal)
LEFT JOIN (
    scope_lot s JOIN lot l ON l.id = s.lot_id AND s.recall_number = :recall_number AND s.scope_version = :version
    JOIN product p ON p.id = l.product_id LEFT JOIN location site ON site.id = l.site_id
) ON p.code = named.product_code AND l.number = named.number
     AND (named.site_code IS NULL OR site.code = named.site_code)
ORDER BY named.ordinal, s.lot_id
"""


async def lots_in_scope(session: AsyncSession, number: str, version: int, lots: Sequence[LotRef]) -> list[int]:
    """Ids of lots as printed, all of which the scope version holds; for a reduction named by people.

    Raises:
        UnknownScope: lists each that is not in the scope.
    """
    binds = {
        "recall_number": number,
        "version": version,
        "codes": [lot.product_code for lot in lots],
        "numbers": [lot.number for lot in lots],
        "sites": [lot.site_code for lot in lots],
    }
    rows = (await run(session, _LOTS_OF, binds)).all()
    missing = [str(lots[ordinal - 1]) for ordinal, lot in rows if lot is None]
    if missing:
        raise UnknownScope({"field": "lots", "value": name} for name in missing)
    return sorted({lot for _, lot in rows})


__all__ = ["Definition", "NoSuchVersion", "Traced", "decide", "lots_in_scope", "newest", "resolve", "trace"]
