"""Training records: who was trained on which version of which policy, recorded by somebody else, with its evidence.

A later version covers an earlier one: whoever was trained on version 3 may sign on a recall that is pinned to 2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, policy_versions
from db.rows import insert_new
from domain.policy_versions import VersionState
from domain.roles import Role, violates_four_eyes
from models.access import ApiToken
from models.policy_version import PolicyVersion
from models.signing import TrainingRecord
from models.staff import Staff

_APPROVED: Final = tuple(each.value for each in (VersionState.APPROVED, VersionState.IN_FORCE, VersionState.SUPERSEDED))


@dataclass(frozen=True, slots=True)
class Training:
    """One training as it is recorded."""

    principal: str
    policy_id: str
    version: int
    trained_on: date
    evidence: str


class OwnTraining(ValueError):  # noqa: N818 - a term of the API
    """Somebody would record a training of their own."""


class NoSuchVersion(ValueError):  # noqa: N818 - a term of the API
    """Nobody can have been trained on a version that does not exist, or that nobody approved."""


async def record(
    session: AsyncSession, training: Training, *, by: str, role: str, at: datetime, typed_by: str | None = None
) -> bool:
    """Record that somebody was trained; False when this very training is on record.

    A later version covers the earlier ones, so only a version that was approved counts: a number out of the air would
    cover everything that ever comes.

    Args:
        typed_by: who was at the keyboard, where that is not `by` itself; kept in the audit.

    Raises:
        OwnTraining: it is the recorder's own, or that of whoever typed it.
        NoSuchVersion: no such version is approved, in force or superseded.
    """
    if any(violates_four_eyes(training.principal, each) for each in (by, typed_by) if each is not None):
        raise OwnTraining("another person than the one who was trained records a training")
    approved = await _approved(session, training.policy_id)
    if training.version not in approved:
        known = f"expected one of {', '.join(map(str, approved))}" if approved else "it has none"
        raise NoSuchVersion(f"no approved version {training.version} of {training.policy_id}; {known}")
    row = {
        "principal": training.principal,
        "policy_id": training.policy_id,
        "version": training.version,
        "trained_on": training.trained_on,
        "evidence": training.evidence,
        "recorded_by": by,
        "recorded_at": at,
    }
    if not await insert_new(session, TrainingRecord, row):
        return False
    data = {name: row[name] for name in ("principal", "policy_id", "version", "trained_on", "evidence")}
    if typed_by is not None:
        data["typed_by"] = typed_by
    await audit.append(session, audit.SYSTEM, actor=by, role=role, action="training.recorded", at=at, data=data)
    return True


async def _approved(session: AsyncSession, policy_id: str) -> Sequence[int]:
    query = select(PolicyVersion.version).where(
        col(PolicyVersion.policy_id) == policy_id, col(PolicyVersion.state).in_(_APPROVED)
    )
    return (await session.exec(query.order_by(col(PolicyVersion.version)))).all()


async def trained(session: AsyncSession, principals: Iterable[str] | None = None) -> dict[str, dict[str, int]]:
    """Principal -> policy -> the highest version trained on; of everybody when no one is named."""
    query = select(
        col(TrainingRecord.principal), col(TrainingRecord.policy_id), func.max(col(TrainingRecord.version))
    ).group_by(col(TrainingRecord.principal), col(TrainingRecord.policy_id))
    if principals is not None:
        query = query.where(col(TrainingRecord.principal).in_(list(principals)))
    found: dict[str, dict[str, int]] = {}
    for principal, policy_id, version in (await session.exec(query)).all():
        found.setdefault(principal, {})[policy_id] = version
    return found


async def missing(session: AsyncSession, principal: str, needed: Mapping[str, int]) -> list[tuple[str, int]]:
    """What of `needed` (policy -> version) the person is not trained on, in order."""
    if not needed:
        return []
    has = (await trained(session, [principal])).get(principal, {})
    return sorted((policy, version) for policy, version in needed.items() if has.get(policy, 0) < version)


async def in_force(session: AsyncSession, day: date) -> dict[str, int]:
    """Policy -> version in force on `day`: what whoever signs on a recall started that day must know."""
    found = {}
    for policy_id in sorted((await policy_versions.ids_in_force(session, day))[0]):
        policy = await policy_versions.in_force(session, policy_id, day)
        if policy is not None:
            found[policy_id] = policy.version
    return found


async def people_who_sign(session: AsyncSession, now: datetime) -> list[str]:
    """Principals on staff or with a valid token whose function signs something."""
    valid = (col(ApiToken.revoked_at).is_(None), col(ApiToken.expires_at).is_(None) | (col(ApiToken.expires_at) > now))
    held = [*(await session.exec(select(ApiToken.principal, ApiToken.roles).where(*valid))).all()]
    held += (await session.exec(select(Staff.principal, Staff.roles))).all()
    return sorted({principal for principal, roles in held if set(roles) - {Role.AUDITOR.value}})


async def gaps(
    session: AsyncSession, needed: Mapping[str, int], now: datetime
) -> list[tuple[str, str, int, int | None]]:
    """(principal, policy, version in force, newest version trained on) of everybody who could not sign now."""
    has = await trained(session)
    return [
        (principal, policy, version, has.get(principal, {}).get(policy))
        for principal in await people_who_sign(session, now)
        for policy, version in sorted(needed.items())
        if has.get(principal, {}).get(policy, 0) < version
    ]


async def listed(
    session: AsyncSession, *, principal: str | None = None, after: int = 0, limit: int = 100
) -> Sequence[TrainingRecord]:
    """Training records by id, of everybody or of one person."""
    query = select(TrainingRecord).where(col(TrainingRecord.id) > after)
    if principal is not None:
        query = query.where(col(TrainingRecord.principal) == principal)
    return (await session.exec(query.order_by(col(TrainingRecord.id)).limit(limit))).all()


__all__ = ["NoSuchVersion", "OwnTraining", "Training", "gaps", "in_force", "listed", "missing", "record", "trained"]
