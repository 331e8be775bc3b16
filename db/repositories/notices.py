"""Notices: the facts they state, read from the record, and the bodies as rendered and approved."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, any_, bindparam, case, func, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.rows import insert_new, uuid_of
from models.chain import Lot, Movement
from models.master import Location, Partner, Product
from models.messages import Actor, Strategy
from models.notice import Campaign, Notice, NoticeBody
from models.recall import ClassDecision, Consignee, ConsigneeLot, SignOff

_DECIDED: Final = ("approved", "overridden", "authority")
"""Kinds of class decision that are in force; an authority's word takes the place of ours."""

ProductLots = tuple[Product, str | None, list[str]]
"""A product, its manufacturers' names, and lot numbers in order."""


async def affected_products(session: AsyncSession, number: str) -> list[ProductLots]:
    """Products under recall that reached consignees."""
    reached = (
        select(ConsigneeLot.lot_id)
        .join(Consignee, col(Consignee.id) == col(ConsigneeLot.consignee_id))
        .where(col(Consignee.recall_number) == number, col(ConsigneeLot.withdrawn_in).is_(None))
    )
    return await products_of(session, list((await session.exec(reached.distinct())).all()))


async def products_of(session: AsyncSession, lot_ids: Sequence[int]) -> list[ProductLots]:
    """The products of these lots, each with its lots.

    A number that two sites gave to lots of one product is listed once for each, with the site.
    """
    twice = func.count().over(partition_by=(col(Lot.product_id), col(Lot.number))) > 1
    lots = (
        select(
            col(Lot.product_id),
            case((twice, col(Lot.number) + " (" + func.coalesce(Location.name, "?") + ")"), else_=Lot.number).label(
                "lot"
            ),
            col(Partner.name).label("maker"),
        )
        .select_from(Lot)
        .join(Location, col(Location.id) == col(Lot.site_id), isouter=True)
        .join(Partner, col(Partner.id) == col(Location.partner_id), isouter=True)
        .where(col(Lot.id) == any_(bindparam("lot_ids", list(lot_ids), type_=ARRAY(BigInteger))))
        .subquery()
    )
    query = (
        select(Product, func.array_agg(func.distinct(lots.c.maker)), func.array_agg(func.distinct(lots.c.lot)))
        .join(lots, lots.c.product_id == col(Product.id))
        .group_by(col(Product.id))
        .order_by(col(Product.code))
    )
    rows = (await session.exec(query)).all()
    return [
        (product, "; ".join(sorted(filter(None, makers))) or None, sorted(names)) for product, makers, names in rows
    ]


async def distribution_window(session: AsyncSession, number: str) -> tuple[datetime | None, datetime | None]:
    """First and last shipment of an affected lot."""
    query = select(func.min(Movement.occurred_at), func.max(Movement.occurred_at)).where(
        col(Movement.kind) == "shipment",
        col(Movement.lot_id).in_(
            select(ConsigneeLot.lot_id)
            .join(Consignee, col(Consignee.id) == col(ConsigneeLot.consignee_id))
            .where(col(Consignee.recall_number) == number, col(ConsigneeLot.withdrawn_in).is_(None))
        ),
    )
    return (await session.exec(query)).one()


async def approved_classes(session: AsyncSession, number: str) -> list[ClassDecision]:
    """The approver's classes in force, in a stable order: the last decision on each line and jurisdiction."""
    query = (
        select(ClassDecision)
        .where(col(ClassDecision.recall_number) == number, col(ClassDecision.kind).in_(_DECIDED))
        .order_by(col(ClassDecision.decided_at), col(ClassDecision.id))
    )
    last = {(row.jurisdiction, row.product_line): row for row in (await session.exec(query)).all()}
    return [last[key] for key in sorted(last)]


_CHANGED_LOTS: Final = """
SELECT array_agg(DISTINCT cl.lot_id) FILTER (
           WHERE cl.withdrawn_in IS NULL AND cl.scope_version > :since AND cl.scope_version <= :version) AS added,
       array_agg(DISTINCT cl.lot_id) FILTER (
           WHERE cl.withdrawn_in > :since AND cl.withdrawn_in <= :version AND cl.scope_version <= :since) AS removed,
       array_agg(DISTINCT cl.lot_id) FILTER (
           WHERE cl.withdrawn_in IS NULL AND cl.scope_version <= :since) AS told
FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id WHERE c.recall_number = :number
"""


async def changed_lots(
    session: AsyncSession, number: str, since: int, version: int
) -> tuple[list[int], list[int], list[int]]:
    """Lots at consignees that scope versions after `since` added, that they took out, and those that stayed.

    A lot that came and went in between is in none of them: nobody was told of it.
    """
    row = (await run(session, _CHANGED_LOTS, {"number": number, "since": since, "version": version})).one()
    added, removed, told = (sorted(lots or ()) for lots in row)
    return added, [lot for lot in removed if lot not in set(added)], told


async def sent(session: AsyncSession, number: str) -> list[Notice]:
    """Notices that a campaign brought out, the newest first."""
    query = (
        select(Notice)
        .where(col(Notice.recall_number) == number, col(Notice.id).in_(select(Campaign.notice_id)))
        .order_by(col(Notice.version).desc())
    )
    return list((await session.exec(query)).all())


async def drafts_after(session: AsyncSession, number: str, version: int) -> list[Notice]:
    """Notices of later versions, oldest first: drafts that no campaign has brought out, where `version` was sent."""
    query = select(Notice).where(col(Notice.recall_number) == number, col(Notice.version) > version)
    return list((await session.exec(query.order_by(col(Notice.version)))).all())


async def signed_strategy(session: AsyncSession, number: str) -> Strategy | None:
    """The strategy both signers signed."""
    query = select(SignOff.body).where(col(SignOff.recall_number) == number, col(SignOff.step) == "strategy:quality")
    body = (await session.exec(query)).first()
    return Strategy.model_validate(body) if body else None


async def of_version(session: AsyncSession, number: str, version: int) -> Notice | None:
    """A recall's notice in one version."""
    query = select(Notice).where(col(Notice.recall_number) == number, col(Notice.version) == version)
    return (await session.exec(query)).one_or_none()


async def get(session: AsyncSession, notice_id: int) -> Notice:
    """A notice by id; it must exist."""
    return (await session.exec(select(Notice).where(col(Notice.id) == notice_id))).one()


async def bodies(session: AsyncSession, notice_id: int) -> list[NoticeBody]:
    """The bodies of a notice, in a stable order."""
    query = select(NoticeBody).where(col(NoticeBody.notice_id) == notice_id)
    order = (col(NoticeBody.kind), col(NoticeBody.channel), col(NoticeBody.language))
    return list((await session.exec(query.order_by(*order))).all())


async def bodies_of_campaign(
    session: AsyncSession, campaign_id: int, keys: Collection[tuple[str, str, str]]
) -> list[NoticeBody]:
    """Those of a campaign's approved bodies that have one of the `keys` (kind, channel, language)."""
    key = tuple_(col(NoticeBody.kind), col(NoticeBody.channel), col(NoticeBody.language))
    query = (
        select(NoticeBody)
        .join(Campaign, col(Campaign.notice_id) == col(NoticeBody.notice_id))
        .where(col(Campaign.id) == campaign_id, key.in_(sorted(keys)))
    )
    return list((await session.exec(query)).all())


async def of_campaign(session: AsyncSession, campaign_id: int) -> Notice:
    """The notice a campaign brings out; it must exist."""
    query = select(Notice).join(Campaign, col(Campaign.notice_id) == col(Notice.id))
    return (await session.exec(query.where(col(Campaign.id) == campaign_id))).one()


async def add(session: AsyncSession, notice: Notice, rows: list[dict[str, Any]]) -> int:
    """Store a drafted notice with its bodies; returns its id."""
    session.add(notice)
    await session.flush()
    notice_id = notice.id or 0
    await session.exec(insert(NoticeBody).values([row | {"notice_id": notice_id} for row in rows]))
    return notice_id


async def approve(session: AsyncSession, notice_id: int, actor: Actor, now: datetime) -> bool:
    """Mark a notice approved; False when it already was."""
    statement = (
        update(Notice)
        .where(col(Notice.id) == notice_id, col(Notice.approved_at).is_(None))
        .values(approved_by=actor.principal, approved_at=now, signature_id=uuid_of(actor.signature))
    )
    return (await session.exec(statement)).rowcount == 1


async def create_campaign(
    session: AsyncSession, number: str, sequence: int, notice_id: int, now: datetime
) -> tuple[int, bool]:
    """The campaign's id and whether it was created now."""
    row = {"recall_number": number, "sequence": sequence, "notice_id": notice_id, "started_at": now}
    new = await insert_new(session, Campaign, row)
    query = select(Campaign.id).where(col(Campaign.recall_number) == number, col(Campaign.sequence) == sequence)
    return (await session.exec(query)).one() or 0, new == 1
