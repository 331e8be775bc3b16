"""The recall row, its pinned policies, clock starts and deadlines: what the recall's workflow writes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.rows import insert_new, uuid_of
from domain.branch_state import BranchState, effective
from domain.policy import Policy, policy_hash
from domain.policy_places import at_place
from models.chain import ImportBatch, Lot
from models.master import Product
from models.messages import ProductLine, Projection
from models.recall import ClockStart, Consignee, ConsigneeLot, Deadline, PinnedPolicy, Recall, ScopeLot

CORRECTS: Final = "~"
"""Separates a clock's name from the number of its correction: `awareness`, `awareness~1`."""


class UnknownRecall(LookupError):  # noqa: N818 - a term of the API
    """No recall has this number."""


async def get(session: AsyncSession, number: str, *, lock: bool = False) -> Recall:
    """The recall row, locked for update if asked.

    Raises:
        UnknownRecall: there is none with this number.
    """
    query = select(Recall).where(col(Recall.number) == number)
    if lock:
        query = query.with_for_update()
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise UnknownRecall(number)
    return found


async def share(session: AsyncSession, numbers: Collection[str]) -> None:
    """Keep the recalls from being locked by `get` until the transaction ends, beside others who do the same.

    Whoever holds a recall goes on to its audit chain, its tasks and deadlines that name reports of harm, in any order;
    whoever locks one of those first asks for this before it, or each could wait for the other.
    """
    query = select(Recall.number).where(col(Recall.number).in_(numbers)).order_by(col(Recall.number))
    await session.exec(query.with_for_update(read=True, key_share=True))


async def project(session: AsyncSession, view: Projection) -> None:
    """Write the workflow's view; the version (ETag) rises only when something changed."""
    recall = await get(session, view.number, lock=True)
    before = (recall.phase, recall.waiting_for, recall.next_deadline_at, recall.ended_reason)
    if recall.phase != view.phase.value:
        recall.phase, recall.phase_since = view.phase.value, view.now
    recall.waiting_for = view.waiting_for
    recall.next_deadline_at, recall.next_deadline_name = view.next_deadline_at, view.next_deadline_name
    recall.ended_reason = view.ended_reason
    if before != (recall.phase, recall.waiting_for, recall.next_deadline_at, recall.ended_reason):
        recall.version += 1
    session.add(recall)


async def pin(session: AsyncSession, number: str, policies: Sequence[Policy], now: datetime) -> None:
    """Freeze the policies a recall runs under; a second call changes nothing."""
    for policy in policies:
        row = {
            "recall_number": number,
            "policy_id": policy.id,
            "version": str(policy.version),
            "sha256": policy_hash(policy),
            "body": policy.pinned(),
            "pinned_at": now,
        }
        await insert_new(session, PinnedPolicy, row)


async def pinned(session: AsyncSession, number: str) -> list[Policy]:
    """The policies that count now, in order of their ids: as pinned, with the branches that hold applied."""
    written = await pinned_as_written(session, number)
    facts = (await session.exec(select(Recall.facts).where(col(Recall.number) == number))).one_or_none()
    state = BranchState.model_validate(facts) if facts else BranchState()
    return [effective(policy, state) for policy in written]


async def pinned_as_written(session: AsyncSession, number: str) -> list[Policy]:
    """The policies as pinned, branches and all; only what decides or shows branches reads them.

    They count at the recall's own places: another member state's holidays, another zone's days.
    """
    given = (await session.exec(select(Recall.places).where(col(Recall.number) == number))).one_or_none() or {}
    found = []
    for row in await pins(session, number):
        place = given.get(row.policy_id) or {}
        found.append(at_place(Policy.from_pinned(row.body), place.get("state"), place.get("zone")))
    return found


async def pins(session: AsyncSession, number: str) -> Sequence[PinnedPolicy]:
    """The pin in force of each policy, in order of their ids; a signed move adds one, earlier ones stay on record."""
    newest = (
        select(PinnedPolicy)
        .where(col(PinnedPolicy.recall_number) == number)
        .ext(distinct_on(col(PinnedPolicy.policy_id)))
        .order_by(col(PinnedPolicy.policy_id), col(PinnedPolicy.move).desc())
    )
    return (await session.exec(newest)).all()


async def start_clock(
    session: AsyncSession,
    number: str,
    name: str,
    at: datetime,
    *,
    source: str,
    author: str,
    now: datetime,
    scope_version: int = 1,
) -> bool:
    """Record a clock start; False when this clock already runs (the first fact stands)."""
    row = {
        "recall_number": number,
        "name": name,
        "scope_version": scope_version,
        "at": at,
        "source": source,
        "author": author,
        "recorded_at": now,
    }
    return await insert_new(session, ClockStart, row) == 1


async def clocks(session: AsyncSession, number: str) -> dict[str, datetime]:
    """Real instants of the clocks that run: corrected ones as corrected, of several scopes that of the first."""
    query = select(ClockStart.name, ClockStart.at).where(col(ClockStart.recall_number) == number)
    rows = (await session.exec(query.order_by(col(ClockStart.scope_version).desc(), col(ClockStart.id)))).all()
    return {name.partition(CORRECTS)[0]: at for name, at in rows}


async def put_deadline(session: AsyncSession, deadline: Deadline) -> None:
    """Insert a deadline, or pull an open one forward; it never becomes later (design §7), a settled one never moves."""
    row = deadline.model_dump(exclude={"id"})
    statement = insert(Deadline).values(row)
    earlier = statement.excluded.due_at < col(Deadline.due_at)
    changes: dict[str, Any] = {
        name: case((earlier, getattr(statement.excluded, name)), else_=getattr(Deadline, name))
        for name in ("due_at", "policy_due_at", "limit_text", "basis", "source", "clock")
    }
    changes |= {
        name: func.coalesce(getattr(statement.excluded, name), getattr(Deadline, name))
        for name in ("title", "role", "recipient", "complaint_id")
    }
    await session.exec(
        statement.on_conflict_do_update(
            index_elements=["recall_number", "name", "jurisdiction"],
            set_=changes,
            where=col(Deadline.met_at).is_(None) & col(Deadline.stopped_at).is_(None),
        )
    )


async def earliest_deadline(session: AsyncSession, number: str, name: str) -> datetime | None:
    """Real instant of the earliest deadline of that name over all jurisdictions."""
    query = select(func.min(Deadline.due_at)).where(col(Deadline.recall_number) == number, col(Deadline.name) == name)
    return (await session.exec(query)).one()


async def meet_deadlines(
    session: AsyncSession,
    number: str,
    name: str,
    at: datetime,
    *,
    by: str,
    reference: str | None = None,
    jurisdiction: str | None = None,
    signature: str | None = None,
) -> list[dict[str, Any]]:
    """Note that what a deadline asks for was done, in one jurisdiction or in all, by whom, under which signature.

    Returns:
        what was open and is met now, as the audit names it.
    """
    statement = (
        update(Deadline)
        .where(
            col(Deadline.recall_number) == number,
            col(Deadline.name) == name,
            col(Deadline.met_at).is_(None),
            col(Deadline.stopped_at).is_(None),
        )
        .values(met_at=at, met_by=by, reference=reference, signature_id=uuid_of(signature))
        .returning(col(Deadline.id), col(Deadline.name), col(Deadline.jurisdiction), col(Deadline.due_at))
    )
    if jurisdiction is not None:
        statement = statement.where(col(Deadline.jurisdiction) == jurisdiction)
    rows = (await session.exec(statement)).all()
    met = [{"deadline": the_id, "name": of, "jurisdiction": law, "due_at": due} for the_id, of, law, due in rows]
    return sorted(met, key=lambda each: str(each["jurisdiction"]))


async def product_lines(session: AsyncSession, number: str, scope_version: int) -> list[ProductLine]:
    """Product lines that reached consignees; where nothing did, those of every lot in scope.

    A line is the product family, or the product code where there is none. A raw-material lot that only went into
    distributed products is traced, but its hazard is evaluated in the product that carries it.
    """
    key = func.coalesce(Product.family, Product.code).label("line")
    in_scope = (
        select(key)
        .join(Lot, col(Lot.product_id) == col(Product.id))
        .join(ScopeLot, col(ScopeLot.lot_id) == col(Lot.id))
        .where(col(ScopeLot.recall_number) == number, col(ScopeLot.scope_version) == scope_version)
    )
    reached = in_scope.where(
        col(Lot.id).in_(
            select(ConsigneeLot.lot_id)
            .join(Consignee, col(Consignee.id) == col(ConsigneeLot.consignee_id))
            .where(col(Consignee.recall_number) == number, col(ConsigneeLot.withdrawn_in).is_(None))
        )
    )
    lines = (await session.exec(reached.distinct().order_by(key))).all()
    lines = lines or (await session.exec(in_scope.distinct().order_by(key))).all()
    return [ProductLine(key=line) for line in lines]


async def products_of_line(session: AsyncSession, number: str, line: str) -> list[Product]:
    """The products of one line that have a lot in the scope in force."""
    query = (
        select(Product)
        .where(
            func.coalesce(Product.family, Product.code) == line,
            col(Product.id).in_(
                select(Lot.product_id)
                .join(ScopeLot, col(ScopeLot.lot_id) == col(Lot.id))
                .join(Recall, col(Recall.number) == col(ScopeLot.recall_number))
                .where(col(ScopeLot.recall_number) == number, col(ScopeLot.scope_version) == col(Recall.scope_version))
            ),
        )
        .order_by(col(Product.code))
    )
    return list((await session.exec(query)).all())


async def batches_on_record(session: AsyncSession) -> int:
    """Import batches loaded plus batches reversed: a number that every change of the chain's records moves."""
    query = select(func.count(col(ImportBatch.id)) + func.count(col(ImportBatch.reversed_at)))
    return (await session.exec(query)).one()
