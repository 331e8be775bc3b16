"""Our own people: who holds a function, who is away, and who stands in.

Absence is a fact with a beginning and an end, read at the instant that matters; nothing has to run when somebody
leaves or comes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from models.access import ApiToken
from models.staff import Staff

_CHAIN = 5
"""How many absent stand-ins are passed over before the task stays with the function."""


@dataclass(frozen=True, slots=True)
class StaffFacts:
    """What is kept of a member of staff, besides the principal."""

    name: str
    roles: tuple[str, ...]
    email: str | None
    phone: str | None
    language: str
    on_call: bool
    stand_in: str | None
    absent_from: datetime | None
    absent_until: datetime | None


class UnknownPerson(LookupError):  # noqa: N818 - a term of the API
    """Nobody is known by this principal: no staff record and no token."""


async def find(session: AsyncSession, principal: str) -> Staff | None:
    """The record of one person."""
    return (await session.exec(select(Staff).where(col(Staff.principal) == principal))).one_or_none()


async def listed(session: AsyncSession, *, after: str | None = None, limit: int = 100) -> Sequence[Staff]:
    """Everybody, by principal."""
    query = select(Staff).order_by(col(Staff.principal)).limit(limit)
    if after is not None:
        query = query.where(col(Staff.principal) > after)
    return (await session.exec(query)).all()


async def put(session: AsyncSession, principal: str, facts: StaffFacts, *, actor: str, role: str, at: datetime) -> bool:
    """Create or replace a person's record; audited in the stream `system` without addresses; False if nothing changed.

    Raises:
        ValueError: the person would stand in for themselves.
    """
    if facts.stand_in == principal:
        raise ValueError("stand_in: expected another person")
    row = await find(session, principal) or Staff(principal=principal, name="", roles=[], language="en")
    values: dict[str, Any] = {name: getattr(facts, name) for name in StaffFacts.__slots__} | {"roles": [*facts.roles]}
    changed = sorted(name for name, value in values.items() if getattr(row, name) != value)
    if not changed:
        return False
    for name in changed:
        setattr(row, name, values[name])
    session.add(row)
    await session.flush()
    data = {
        "principal": principal,
        "changed": changed,
        "roles": row.roles,
        "stand_in": row.stand_in,
        "absent_from": row.absent_from,
        "absent_until": row.absent_until,
        "on_call": row.on_call,
    }
    await audit.append(session, audit.SYSTEM, actor=actor, role=role, action="staff.changed", at=at, data=data)
    return True


async def roles_of(session: AsyncSession, principal: str, now: datetime) -> frozenset[str]:
    """Functions a person holds: by the staff record, and by tokens that are valid now.

    Raises:
        UnknownPerson: there is neither.
    """
    row = await find(session, principal)
    valid = (
        select(ApiToken.roles)
        .where(col(ApiToken.principal) == principal, col(ApiToken.revoked_at).is_(None))
        .where(or_(col(ApiToken.expires_at).is_(None), col(ApiToken.expires_at) > now))
    )
    tokens = (await session.exec(valid)).all()
    if row is None and not tokens:
        raise UnknownPerson(principal)
    return frozenset([*(row.roles if row else ()), *(role for roles in tokens for role in roles)])


def is_absent(person: Staff, now: datetime) -> bool:
    """Whether the person is away at `now`; an absence without end lasts until it is changed."""
    return (
        person.absent_from is not None
        and person.absent_from <= now
        and (person.absent_until is None or now < person.absent_until)
    )


async def present(session: AsyncSession, person: Staff, now: datetime) -> Staff | None:
    """The person, or who stands in at `now`; None when nobody in the chain of stand-ins is there."""
    seen = {person.principal}
    current = person
    for _ in range(_CHAIN):
        if not is_absent(current, now):
            return current
        following = await find(session, current.stand_in) if current.stand_in else None
        if following is None or following.principal in seen:
            return None
        seen.add(following.principal)
        current = following
    return None


async def holders(session: AsyncSession, role: str, now: datetime) -> list[Staff]:
    """Who is to be told of something offered to a function: its holders, each absent one through the stand-in."""
    query = select(Staff).where(func.array_position(col(Staff.roles), role).is_not(None)).order_by(col(Staff.principal))
    return await _replaced(session, (await session.exec(query)).all(), now)


async def on_call(session: AsyncSession, now: datetime) -> list[Staff]:
    """Who is paged when harm is reported."""
    query = select(Staff).where(col(Staff.on_call)).order_by(col(Staff.principal))
    return await _replaced(session, (await session.exec(query)).all(), now)


async def _replaced(session: AsyncSession, people: Iterable[Staff], now: datetime) -> list[Staff]:
    found: dict[str, Staff] = {}
    for person in people:
        there = await present(session, person, now)
        if there is not None:
            found.setdefault(there.principal, there)
    return list(found.values())


async def stands_in_for(session: AsyncSession, principal: str, now: datetime) -> list[Staff]:
    """The absent people whose tasks are this person's now, through however many absent stand-ins."""
    away = and_(
        col(Staff.absent_from).is_not(None),
        col(Staff.absent_from) <= now,
        or_(col(Staff.absent_until).is_(None), col(Staff.absent_until) > now),
    )
    query = select(Staff).where(away, col(Staff.stand_in).is_not(None)).order_by(col(Staff.principal))
    found = []
    for person in (await session.exec(query)).all():
        there = await present(session, person, now)
        if there is not None and there.principal == principal and person.principal != principal:
            found.append(person)
    return found


async def assignable(session: AsyncSession, principal: str, now: datetime) -> str:
    """Who gets what is assigned to `principal` at `now`: the person, or the stand-in while absent."""
    person = await find(session, principal)
    there = await present(session, person, now) if person else None
    return there.principal if there else principal


__all__ = [
    "StaffFacts",
    "UnknownPerson",
    "assignable",
    "find",
    "holders",
    "is_absent",
    "listed",
    "on_call",
    "present",
    "put",
    "roles_of",
    "stands_in_for",
]
