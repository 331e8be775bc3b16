"""The recall read model: lists with filters and keyset pages, and the parts of one recall's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, or_, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories.recalls import pins
from domain.phases import FINAL_PHASES
from models.chain import Lot
from models.hold import Hold
from models.master import Product
from models.notice import Campaign, Delivery, Reply
from models.recall import (
    ClassDecision,
    ClockStart,
    Consignee,
    Deadline,
    Recall,
    ScopeGap,
    ScopeLot,
    SignOff,
)
from models.task import OPEN_STATES, Task

OPEN_TASKS = OPEN_STATES
_FINAL = tuple(phase.value for phase in FINAL_PHASES)


@dataclass(frozen=True, slots=True)
class RecallFilter:
    """What a list of recalls is narrowed to; None means any."""

    phase: str | None = None
    recall_class: str | None = None
    jurisdiction: str | None = None
    product: str | None = None
    """A product code or a product family."""
    overdue: bool | None = None
    drill: bool | None = None
    q: str | None = None
    """Part of the number, the title or the reason."""


def like_pattern(part: str) -> str:
    """`part` anywhere in a text, its own wildcards taken literally (escape character: backslash)."""
    escaped = part.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def _conditions(wanted: RecallFilter, now: datetime) -> list[Any]:
    found: list[Any] = []
    if wanted.phase is not None:
        found.append(col(Recall.phase) == wanted.phase)
    if wanted.recall_class is not None:
        found.append(col(Recall.recall_class) == wanted.recall_class)
    if wanted.jurisdiction is not None:
        found.append(func.array_position(Recall.jurisdictions, wanted.jurisdiction).is_not(None))
    if wanted.drill is not None:
        found.append(col(Recall.drill) == wanted.drill)
    if wanted.overdue is not None:
        late = func.coalesce(col(Recall.next_deadline_at) < now, False) & col(Recall.phase).not_in(_FINAL)
        found.append(late if wanted.overdue else ~late)
    if wanted.product is not None:
        found.append(
            exists(
                select(1)
                .select_from(ScopeLot)
                .join(Lot, col(Lot.id) == col(ScopeLot.lot_id))
                .join(Product, col(Product.id) == col(Lot.product_id))
                .where(
                    col(ScopeLot.recall_number) == col(Recall.number),
                    col(ScopeLot.scope_version) == col(Recall.scope_version),
                    or_(col(Product.code) == wanted.product, col(Product.family) == wanted.product),
                )
            )
        )
    if wanted.q:
        pattern = like_pattern(wanted.q)
        found.append(
            or_(*(col(field).ilike(pattern, escape="\\") for field in (Recall.number, Recall.title, Recall.reason)))
        )
    return found


async def list_recalls(
    session: AsyncSession, wanted: RecallFilter, *, after: tuple[datetime, str] | None, limit: int, now: datetime
) -> Sequence[Recall]:
    """Recalls, newest first; `after` is (created_at, number) of the last one seen."""
    query = select(Recall).where(*_conditions(wanted, now))
    if after is not None:
        query = query.where(tuple_(col(Recall.created_at), col(Recall.number)) < tuple_(*after))
    query = query.order_by(col(Recall.created_at).desc(), col(Recall.number).desc()).limit(limit)
    return (await session.exec(query)).all()


async def find(session: AsyncSession, number: str) -> Recall | None:
    """The recall row, or None."""
    return (await session.exec(select(Recall).where(col(Recall.number) == number))).first()


async def class_decisions(session: AsyncSession, number: str) -> Sequence[ClassDecision]:
    """Every class decision, oldest first."""
    query = select(ClassDecision).where(col(ClassDecision.recall_number) == number).order_by(col(ClassDecision.id))
    return (await session.exec(query)).all()


async def clocks(session: AsyncSession, number: str) -> Sequence[ClockStart]:
    """Recorded clock starts, oldest first."""
    query = select(ClockStart).where(col(ClockStart.recall_number) == number).order_by(col(ClockStart.id))
    return (await session.exec(query)).all()


async def deadlines(session: AsyncSession, number: str) -> Sequence[Deadline]:
    """Deadlines, the next one first."""
    query = (
        select(Deadline)
        .where(col(Deadline.recall_number) == number)
        .order_by(col(Deadline.due_at), col(Deadline.name), col(Deadline.jurisdiction))
    )
    return (await session.exec(query)).all()


async def policies(session: AsyncSession, number: str) -> list[str]:
    """`id@version` of each pinned policy."""
    return [f"{row.policy_id}@{row.version}" for row in await pins(session, number)]


async def open_tasks(session: AsyncSession, number: str) -> Sequence[Task]:
    """Tasks somebody still has to do, the most urgent first."""
    query = (
        select(Task)
        .where(col(Task.recall_number) == number, col(Task.state).in_(OPEN_TASKS))
        .order_by(col(Task.due_at).asc().nulls_last(), col(Task.id))
        .limit(500)
    )
    return (await session.exec(query)).all()


async def sign_offs(session: AsyncSession, number: str) -> Sequence[SignOff]:
    """Sign-offs in the order they were given."""
    query = select(SignOff).where(col(SignOff.recall_number) == number).order_by(col(SignOff.id))
    return (await session.exec(query)).all()


@dataclass(frozen=True, slots=True)
class ScopeCounts:
    """The scope in figures."""

    lots: int
    consignees: int
    gaps: dict[str, int]


async def scope_counts(session: AsyncSession, number: str, scope_version: int) -> ScopeCounts:
    """Lots, consignees and gaps of a scope version."""
    lots = select(func.count()).where(
        col(ScopeLot.recall_number) == number, col(ScopeLot.scope_version) == scope_version
    )
    consignees = select(func.count()).where(col(Consignee.recall_number) == number, col(Consignee.state) != "withdrawn")
    gaps = (
        select(ScopeGap.kind, func.count())
        .where(col(ScopeGap.recall_number) == number, col(ScopeGap.scope_version) == scope_version)
        .group_by(col(ScopeGap.kind))
        .order_by(col(ScopeGap.kind))
    )
    return ScopeCounts(
        (await session.exec(lots)).one(),
        (await session.exec(consignees)).one(),
        dict((await session.exec(gaps)).all()),
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """Counters of notices, answers and holds."""

    consignees: dict[str, int]
    deliveries: dict[str, int]
    replies: int
    open_tasks: int
    hold_positions: dict[str, int]
    hold_quantities: dict[str, Decimal]
    late_holds: int


async def progress(session: AsyncSession, number: str) -> Progress:
    """How far the recall is, counted from the records."""
    consignees = (
        select(Consignee.state, func.count())
        .where(col(Consignee.recall_number) == number)
        .group_by(col(Consignee.state))
    )
    deliveries = (
        select(Delivery.state, func.count())
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Campaign.recall_number) == number)
        .group_by(col(Delivery.state))
    )
    holds = (
        select(Hold.state, func.count(), func.sum(Hold.quantity), func.count().filter(col(Hold.late)))
        .where(col(Hold.recall_number) == number)
        .group_by(col(Hold.state))
    )
    replies = select(func.count()).where(col(Reply.recall_number) == number)
    tasks = select(func.count()).where(col(Task.recall_number) == number, col(Task.state).in_(OPEN_TASKS))
    held = (await session.exec(holds)).all()
    return Progress(
        consignees=dict((await session.exec(consignees)).all()),
        deliveries=dict((await session.exec(deliveries)).all()),
        replies=(await session.exec(replies)).one(),
        open_tasks=(await session.exec(tasks)).one(),
        hold_positions={state: count for state, count, _, _ in held},
        hold_quantities={state: quantity for state, _, quantity, _ in held},
        late_holds=sum(late for *_, late in held),
    )


__all__ = [
    "OPEN_TASKS",
    "Progress",
    "RecallFilter",
    "ScopeCounts",
    "class_decisions",
    "clocks",
    "deadlines",
    "find",
    "like_pattern",
    "list_recalls",
    "open_tasks",
    "policies",
    "progress",
    "scope_counts",
    "sign_offs",
]
