"""Retention: until when a recall's file is kept, what else needs it, and the legal holds placed on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls
from db.repositories.dossier import scope_dates
from domain.capa import ENDED
from domain.phases import FINAL_PHASES, Phase
from domain.retention import KeptUntil, RetentionFacts, kept_until
from domain.retention_rules import FileStanding
from models.recall import Recall
from models.retention import LegalHold

_STANDING: Final = """
SELECT (SELECT count(*) FROM stock_claim WHERE claimant = :number AND released_at IS NULL)
       + (SELECT count(*) FROM hold WHERE recall_number = :number
          AND state IN ('requested', 'confirmed', 'nonconformity')) AS holds_open,
       (SELECT count(*) FROM capa WHERE recall_number = :number AND NOT state = ANY(CAST(:closed AS text[])))
           AS capas_open,
       (SELECT count(*) FROM supplier_request s JOIN capa c ON c.id = s.capa_id
        WHERE c.recall_number = :number AND s.closed_at IS NULL) AS supplier_requests_open,
       ARRAY(SELECT DISTINCT coalesce(c.recall_number, c.file_number) FROM capa c JOIN capa m ON m.id = c.merged_into_id
             WHERE m.recall_number = :number AND c.recall_number IS DISTINCT FROM :number ORDER BY 1) AS capa_serves,
       (SELECT count(*) FROM complaint WHERE recall_number = :number AND state <> 'closed') AS complaints_open,
       (SELECT count(*) FROM deadline WHERE recall_number = :number AND role IS NOT NULL AND met_at IS NULL
        AND stopped_at IS NULL) AS obligations_open,
       ARRAY(SELECT DISTINCT link.recall_number FROM evidence_link AS link JOIN evidence ON evidence.id = evidence_id
             WHERE evidence.recall_number = :number AND link.recall_number <> :number ORDER BY 1) AS cited_by
"""
_CLOSED_CAPAS: Final = [each.value for each in ENDED]


class RetentionRefused(Exception):  # noqa: N818 - a term of the API
    """What was asked is not allowed now; `kind` is the API's kind of problem, `reasons` say why, one by one."""

    def __init__(self, kind: str, detail: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.reasons = kind, detail, tuple(reasons)


@dataclass(frozen=True, slots=True)
class PolicyRetention:
    """How long one pinned policy has the file kept."""

    policy: str
    version: int
    after: str
    source: str | None
    kept: KeptUntil


@dataclass(frozen=True, slots=True)
class Keeping:
    """The retention of one file."""

    policies: tuple[PolicyRetention, ...]

    @property
    def until(self) -> date | None:
        """The latest date of all policies."""
        return max((each.kept.until for each in self.policies), default=None)

    def as_json(self) -> list[dict[str, Any]]:
        """For the manifest of the dossier and for the tombstone."""
        return [
            {
                "policy": each.policy,
                "version": each.version,
                "years": each.kept.years,
                "after": each.after,
                "source": each.source,
                "counted_from": each.kept.counted_from.isoformat(),
                "because": each.kept.because,
                "until": each.kept.until.isoformat(),
            }
            for each in self.policies
        ]


async def keeping(session: AsyncSession, recall: Recall, now: datetime) -> Keeping:
    """The retention date under each pinned policy; a running recall counts as if it ended `now`."""
    dates = await scope_dates(session, recall.number)
    closed = recall.phase_since if recall.phase in FINAL_PHASES else now
    facts = RetentionFacts(
        closed_on=closed.date(),
        last_shipped_on=dates.last_shipped_on,
        longest_life_years=dates.longest_life_years,
        last_expiry_on=dates.last_expiry_on,
        implantable=dates.implantable,
    )
    found = []
    for policy in await recalls.pinned(session, recall.number):
        rule = policy.retention
        found.append(PolicyRetention(policy.id, policy.version, rule.after, rule.source, kept_until(rule, facts)))
    return Keeping(tuple(found))


async def files(session: AsyncSession) -> Sequence[Recall]:
    """Every recall whose file is kept, by number."""
    return (await session.exec(select(Recall).order_by(col(Recall.number)))).all()


async def standing(session: AsyncSession, recall: Recall, now: datetime) -> FileStanding:
    """What decides whether the file may be deleted."""
    counted = (await run(session, _STANDING, {"number": recall.number, "closed": _CLOSED_CAPAS})).mappings().one()
    held = [hold.reference for hold in await legal_holds(session, recall.number) if hold.lifted_at is None]
    return FileStanding(
        phase=Phase(recall.phase),
        keep_until=(await keeping(session, recall, now)).until,
        legal_holds=tuple(held),
        holds_open=counted["holds_open"],
        capas_open=counted["capas_open"],
        supplier_requests_open=counted["supplier_requests_open"],
        complaints_open=counted["complaints_open"],
        obligations_open=counted["obligations_open"],
        cited_by=tuple(counted["cited_by"]),
        capa_serves=tuple(counted["capa_serves"]),
    )


# ---------------------------------------------------------------------- legal holds


async def legal_holds(session: AsyncSession, number: str) -> Sequence[LegalHold]:
    """Every legal hold ever placed on the file, oldest first."""
    query = select(LegalHold).where(col(LegalHold.recall_number) == number)
    return (await session.exec(query.order_by(col(LegalHold.id)))).all()


async def place_hold(
    session: AsyncSession,
    number: str,
    *,
    reference: str,
    reason: str,
    by: str,
    role: str,
    now: datetime,
    signature: str | None,
) -> LegalHold:
    """Keep the file beyond its retention date, until the hold is lifted."""
    await recalls.get(session, number, lock=True)
    hold = LegalHold(recall_number=number, reference=reference, reason=reason, placed_by=by, placed_at=now)
    session.add(hold)
    await session.flush()
    data = {"hold": hold.id, "reference": reference}
    await audit.append(
        session,
        number,
        actor=by,
        role=role,
        action="legal_hold.placed",
        at=now,
        reason=reason,
        data=data,
        signature=signature,
    )
    return hold


async def lift_hold(
    session: AsyncSession,
    number: str,
    hold_id: int,
    *,
    reason: str,
    by: str,
    role: str,
    now: datetime,
    signature: str | None,
) -> LegalHold:
    """End a legal hold.

    Raises:
        RetentionRefused: there is none, or it was lifted before.
    """
    query = select(LegalHold).where(col(LegalHold.id) == hold_id, col(LegalHold.recall_number) == number)
    hold = (await session.exec(query.with_for_update())).first()
    if hold is None:
        raise RetentionRefused("not_found", f"{number} has no legal hold {hold_id}.")
    if hold.lifted_at is not None:
        raise RetentionRefused("already_decided", f"It was lifted by {hold.lifted_by}.")
    hold.lifted_by, hold.lifted_at, hold.lift_reason = by, now, reason
    session.add(hold)
    data = {"hold": hold.id, "reference": hold.reference}
    await audit.append(
        session,
        number,
        actor=by,
        role=role,
        action="legal_hold.lifted",
        at=now,
        reason=reason,
        data=data,
        signature=signature,
    )
    return hold


__all__ = [
    "Keeping",
    "PolicyRetention",
    "RetentionRefused",
    "files",
    "keeping",
    "legal_holds",
    "lift_hold",
    "place_hold",
    "standing",
]
