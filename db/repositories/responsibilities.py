"""Responsible people on record: who answers for a function, a product and a place, and who gets a task by it.

A task goes to the person of the most specific rule of the day; to that rule's stand-in, or the person's own, while
the person is away; to the next rule's person when nobody of it is there; and to the whole function without any.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, staff
from domain.responsibility import Matter, ranked
from domain.roles import HEADS, Role, violates_four_eyes
from models.master import Partner
from models.messages import OpenTask
from models.quality import QualityFile
from models.recall import Consignee, Recall
from models.responsibility import Responsibility

APPROVALS = ("approval", "notice_approval", "completion")
"""Steps that whoever started the recall cannot sign (four eyes)."""


class ResponsibilityRefused(ValueError):  # noqa: N818 - a term of the API
    """What cannot be recorded; `field` names the value, the text what was expected."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(expected)
        self.field = field


@dataclass(frozen=True, slots=True)
class ResponsibilityFacts:
    """Who answers for what."""

    role: Role
    principal: str
    valid_from: date
    product: str | None = None
    country: str | None = None
    region: str | None = None
    stand_in: str | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class By:
    """Who records it, and when."""

    actor: str
    role: str
    at: datetime


async def add(session: AsyncSession, facts: ResponsibilityFacts, by: By) -> Responsibility:
    """Record who answers for what, audited in the stream `system`.

    Raises:
        ResponsibilityRefused: a person is not on staff or holds neither the function nor its head's, or somebody
            answers for exactly this at the same time already.
    """
    await _check(session, facts, by)
    row = Responsibility(
        role=facts.role.value,
        product=facts.product,
        country=facts.country,
        region=facts.region,
        principal=facts.principal,
        stand_in=facts.stand_in,
        valid_from=facts.valid_from,
        valid_to=facts.valid_to,
        recorded_by=by.actor,
        recorded_at=by.at,
    )
    session.add(row)
    await session.flush()
    await _note(session, row, "responsibility.recorded", by)
    return row


async def end(session: AsyncSession, responsibility_id: int, last_day: date, by: By) -> Responsibility | None:
    """Set the last day; None when there is none with this id, and a repeat changes nothing.

    Raises:
        ResponsibilityRefused: the day lies before its first, or after a last day on record.
    """
    row = await session.get(Responsibility, responsibility_id, with_for_update=True)
    if row is None or row.valid_to == last_day:
        return row
    if last_day < row.valid_from:
        raise ResponsibilityRefused("last_day", f"expected {row.valid_from} or a later day")
    if row.valid_to is not None and last_day > row.valid_to:
        raise ResponsibilityRefused("last_day", f"it ends on {row.valid_to}; record another one for the time after")
    row.valid_to = last_day
    session.add(row)
    await session.flush()
    await _note(session, row, "responsibility.ended", by)
    return row


async def listed(
    session: AsyncSession, *, role: Role | None = None, on: date | None = None, after: int = 0, limit: int = 100
) -> Sequence[Responsibility]:
    """Rules in the order they were recorded; of one function, or those of one day."""
    query = select(Responsibility).where(col(Responsibility.id) > after).order_by(col(Responsibility.id)).limit(limit)
    if role is not None:
        query = query.where(col(Responsibility.role) == role.value)
    if on is not None:
        query = query.where(*_on(on))
    return (await session.exec(query)).all()


async def assignee_of(
    session: AsyncSession, recall: Recall | QualityFile, task: OpenTask, barred: Collection[str] = ()
) -> str | None:
    """Who gets a new task, nobody of `barred`; None: everybody of the function."""
    rules = (
        await session.exec(select(Responsibility).where(col(Responsibility.role) == task.role, *_on(task.now.date())))
    ).all()
    if not rules:
        return None
    if task.step in APPROVALS:
        barred = (*barred, recall.started_by)
    for rule in ranked(rules, await _matter(session, recall, task)):
        there = await _who(session, rule, task.now)
        if there is not None and not any(violates_four_eyes(each, there) for each in barred):
            return there
    return None


async def _who(session: AsyncSession, rule: Responsibility, now: datetime) -> str | None:
    """The person of a rule, or who stands in; None when nobody is there."""
    person = await staff.find(session, rule.principal)
    if person is not None and not staff.is_absent(person, now):
        return person.principal
    if rule.stand_in is not None:
        other = await staff.find(session, rule.stand_in)
        if other is not None and not staff.is_absent(other, now):
            return other.principal
    there = await staff.present(session, person, now) if person else None
    return there.principal if there else None


async def _matter(session: AsyncSession, recall: Recall | QualityFile, task: OpenTask) -> Matter:
    if isinstance(recall, QualityFile):
        return Matter(Role(task.role), (), ())
    facts = recall.facts.get("facts", {})
    lines = tuple(facts.get("product_lines", ()))
    named = tuple(line for line in lines if f":{line}" in task.key)
    if task.consignee_id is not None:
        query = (
            select(Partner.country, Partner.region)
            .join(Consignee, col(Consignee.partner_id) == col(Partner.id))
            .where(col(Consignee.id) == task.consignee_id)
        )
        places = tuple((country or "", region) for country, region in (await session.exec(query)).all())
    else:
        of_law = [each for each in recall.jurisdictions if f":{each}" in task.key]
        countries = [each[:2].upper() for each in of_law] or facts.get("countries", ())
        places = tuple((country, None) for country in countries)
    return Matter(Role(task.role), named or lines, places)


def _on(day: date) -> tuple[ColumnElement[bool], ...]:
    ends = or_(col(Responsibility.valid_to).is_(None), col(Responsibility.valid_to) >= day)
    return (col(Responsibility.valid_from) <= day, ends)


async def _check(session: AsyncSession, facts: ResponsibilityFacts, by: By) -> None:
    if facts.role not in HEADS:
        raise ResponsibilityRefused("role", f"{facts.role} gets no tasks; expected one of {', '.join(HEADS)}")
    for field, principal in (("principal", facts.principal), ("stand_in", facts.stand_in)):
        if principal is not None:
            await _check_person(session, field, principal, facts.role, by.at)
    same = select(Responsibility).where(
        col(Responsibility.role) == facts.role.value,
        col(Responsibility.product).is_not_distinct_from(facts.product),
        col(Responsibility.country).is_not_distinct_from(facts.country),
        col(Responsibility.region).is_not_distinct_from(facts.region),
        or_(col(Responsibility.valid_to).is_(None), col(Responsibility.valid_to) >= facts.valid_from),
    )
    if facts.valid_to is not None:
        same = same.where(col(Responsibility.valid_from) <= facts.valid_to)
    other = (await session.exec(same.limit(1))).one_or_none()
    if other is not None:
        raise ResponsibilityRefused(
            "valid_from", f"{other.principal} answers for this at the same time (id {other.id}); end that first"
        )


async def _check_person(session: AsyncSession, field: str, principal: str, role: Role, now: datetime) -> None:
    if await staff.find(session, principal) is None:
        raise ResponsibilityRefused(field, f"{principal} is not on staff; record the person first")
    if not {role.value, HEADS[role].value} & await staff.roles_of(session, principal, now):
        raise ResponsibilityRefused(field, f"{principal} holds neither the function {role} nor its head's")


async def _note(session: AsyncSession, row: Responsibility, action: str, by: By) -> None:
    data = row.model_dump(mode="json", exclude={"recorded_at", "recorded_by"})
    await audit.append(session, audit.SYSTEM, actor=by.actor, role=by.role, action=action, at=by.at, data=data)


__all__ = ["By", "ResponsibilityFacts", "ResponsibilityRefused", "add", "assignee_of", "end", "listed"]
