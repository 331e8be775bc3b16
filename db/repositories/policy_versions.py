"""Versions of regulation profiles: what is in force on a day, what was shipped, and reading them.

Versions in force live in PostgreSQL. The YAML files that come with the software enter it once (`seed`); from then on
only change control (`db.repositories.policy_changes`) moves anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

from sqlalchemy import text as sql
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from domain.policy import Policy, policy_hash
from domain.policy_versions import SHIPPED, VersionState, submission_faults
from models.policy_version import PolicyVersion

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('policy_version'))"
_EVER_IN_FORCE: Final = (VersionState.IN_FORCE.value, VersionState.SUPERSEDED.value)


@dataclass(frozen=True, slots=True)
class Shipped:
    """A profile as it came with the software."""

    policy: Policy
    text: str


@dataclass(frozen=True, slots=True)
class Seeded:
    """What became of one shipped profile: put in force, offered as a draft, or different from the one on record."""

    policy_id: str
    version: int
    outcome: Literal["in_force", "draft", "differs", "not_next"]


async def seed(session: AsyncSession, shipped: Sequence[Shipped], now: datetime) -> list[Seeded]:
    """Enter shipped profiles that are not there yet; one that is there is never changed.

    A profile nobody has on record comes into force at once. Where the firm has versions already, a newer shipped one
    is only a draft: it has to be reviewed and approved like any other change. Several processes may do this at once.
    """
    await session.exec(sql(_LOCK))  # type: ignore[call-overload]
    known = {(row.policy_id, row.version): row for row in (await session.exec(select(PolicyVersion))).all()}
    firm_has = {policy_id for policy_id, _ in known}
    found: list[Seeded] = []
    for item in sorted(shipped, key=lambda each: (each.policy.id, each.policy.version)):
        policy = item.policy
        row = known.get((policy.id, policy.version))
        newest = max((version for policy_id, version in known if policy_id == policy.id), default=None)
        if row is not None:
            if row.sha256 != policy_hash(policy):
                found.append(Seeded(policy.id, policy.version, "differs"))
            continue
        if policy.id in firm_has and submission_faults(policy, newest):
            found.append(Seeded(policy.id, policy.version, "not_next"))
            continue
        in_force = policy.id not in firm_has
        row = _shipped_row(item, in_force=in_force, based_on=newest if policy.id in firm_has else None, now=now)
        session.add(row)
        known[(policy.id, policy.version)] = row
        await note(session, row, "policy.shipped", actor=SHIPPED, role="system", at=now)
        found.append(Seeded(policy.id, policy.version, "in_force" if in_force else "draft"))
    return found


def _shipped_row(item: Shipped, *, in_force: bool, based_on: int | None, now: datetime) -> PolicyVersion:
    policy = item.policy
    return PolicyVersion(
        policy_id=policy.id,
        version=policy.version,
        state=(VersionState.IN_FORCE if in_force else VersionState.DRAFT).value,
        shipped=True,
        body=policy.pinned(),
        text=item.text,
        sha256=policy_hash(policy),
        note="came with the software",
        based_on=based_on,
        authored_by=SHIPPED,
        authored_at=now,
        in_force_from=policy.valid_from if in_force else None,
    )


async def in_force(session: AsyncSession, policy_id: str, day: date) -> Policy | None:
    """The profile a recall that starts on `day` is held to, if there is one: the newest put in force by then."""
    query = (
        _in_force_on(day)
        .where(col(PolicyVersion.policy_id) == policy_id)
        .order_by(col(PolicyVersion.in_force_from).desc(), col(PolicyVersion.version).desc())
    )
    for row in (await session.exec(query)).all():
        policy = Policy.from_pinned(row.body)
        if policy.in_force(day):
            return policy
    return None


async def all_in_force(session: AsyncSession, day: date) -> list[Policy]:
    """Every profile a recall that starts on `day` may be held to, in order of their ids."""
    ids, _ = await ids_in_force(session, day)
    found = [await in_force(session, policy_id, day) for policy_id in sorted(ids)]
    return [policy for policy in found if policy is not None]


async def ids_in_force(session: AsyncSession, day: date) -> tuple[set[str], set[str]]:
    """Ids of the profiles in force on `day`, and the ids of all that have a version on record."""
    rows = (await session.exec(_in_force_on(day))).all()
    known = set((await session.exec(select(PolicyVersion.policy_id).distinct())).all())
    return {row.policy_id for row in rows if _valid(row, day)}, known


def _valid(row: PolicyVersion, day: date) -> bool:
    ends = row.body.get("valid_to")
    return date.fromisoformat(row.body["valid_from"]) <= day and (ends is None or day <= date.fromisoformat(ends))


def _in_force_on(day: date):  # type: ignore[no-untyped-def]
    return select(PolicyVersion).where(
        col(PolicyVersion.state).in_(_EVER_IN_FORCE),
        col(PolicyVersion.in_force_from) <= day,
        col(PolicyVersion.superseded_from).is_(None) | (col(PolicyVersion.superseded_from) > day),
    )


async def is_known(session: AsyncSession, policy_id: str) -> bool:
    """Whether any version of this profile is on record."""
    query = select(PolicyVersion.version).where(col(PolicyVersion.policy_id) == policy_id).limit(1)
    return (await session.exec(query)).first() is not None


async def find(
    session: AsyncSession, policy_id: str, version: int | None = None, *, lock: bool = False, day: date | None = None
) -> PolicyVersion | None:
    """One version; without a number the one in force on `day` (today), or else the newest there is."""
    query = select(PolicyVersion).where(col(PolicyVersion.policy_id) == policy_id)
    if version is None:
        policy = await in_force(session, policy_id, day or datetime.now(UTC).date())
        if policy is None:
            query = query.order_by(col(PolicyVersion.version).desc()).limit(1)
        else:
            query = query.where(col(PolicyVersion.version) == policy.version)
    else:
        query = query.where(col(PolicyVersion.version) == version)
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def newest(session: AsyncSession, policy_id: str) -> int | None:
    """Highest version number ever used for a profile."""
    query = (
        select(PolicyVersion.version)
        .where(col(PolicyVersion.policy_id) == policy_id)
        .order_by(col(PolicyVersion.version).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def listed(
    session: AsyncSession, *, policy_id: str | None = None, after: tuple[str, int] | None = None, limit: int = 100
) -> Sequence[PolicyVersion]:
    """Versions by profile, the oldest first."""
    query = select(PolicyVersion).order_by(col(PolicyVersion.policy_id), col(PolicyVersion.version)).limit(limit)
    if policy_id is not None:
        query = query.where(col(PolicyVersion.policy_id) == policy_id)
    if after is not None:
        later = (col(PolicyVersion.policy_id) == after[0]) & (col(PolicyVersion.version) > after[1])
        query = query.where((col(PolicyVersion.policy_id) > after[0]) | later)
    return (await session.exec(query)).all()


async def of_profiles(session: AsyncSession, *, after: str | None, limit: int) -> Sequence[PolicyVersion]:
    """All versions of the next `limit` profiles, by profile and version."""
    ids = select(PolicyVersion.policy_id).distinct().order_by(col(PolicyVersion.policy_id)).limit(limit)
    if after is not None:
        ids = ids.where(col(PolicyVersion.policy_id) > after)
    query = (
        select(PolicyVersion)
        .where(col(PolicyVersion.policy_id).in_(ids))
        .order_by(col(PolicyVersion.policy_id), col(PolicyVersion.version))
    )
    return (await session.exec(query)).all()


async def note(
    session: AsyncSession,
    row: PolicyVersion,
    action: str,
    *,
    actor: str,
    role: str,
    at: datetime,
    reason: str | None = None,
    **data: object,
) -> None:
    """The audit event of a change, in the stream `system`: which version, its content's hash, where it stands now."""
    facts = {"policy": f"{row.policy_id}@{row.version}", "sha256": row.sha256, "state": row.state}
    await audit.append(
        session, audit.SYSTEM, actor=actor, role=role, action=action, at=at, reason=reason, data=facts | data
    )


async def lock(session: AsyncSession) -> None:
    """One change of versions at a time; numbers and "in force" are decided over all of them."""
    await session.exec(sql(_LOCK))  # type: ignore[call-overload]


__all__ = [
    "Seeded",
    "Shipped",
    "find",
    "ids_in_force",
    "in_force",
    "is_known",
    "listed",
    "lock",
    "newest",
    "note",
    "of_profiles",
    "seed",
]
