"""The versions of a recall's scope: which criteria hold, which lots were taken out, and what the trace found for them.

A version is decided once (`scope_version` row) and traced as often as records arrive; only the newest one is traced,
so that what an older version said stays as it was.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import recalls, trace_scope
from db.rows import insert_new, uuid_of
from domain.scope import ScopeCriteria, ScopeSummary
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

    @property
    def frozen(self) -> dict[str, object]:
        """The frozen result for the audit; empty where the one before still holds."""
        return {"trace_run": self.summary.run, "trace_sha256": self.summary.run_sha256} if self.summary.run else {}


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
    signature: str | None = None,
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
        "signature_id": uuid_of(signature),
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


__all__ = ["Definition", "NoSuchVersion", "Traced", "decide", "newest", "resolve", "trace"]
