"""Lists that belong to one recall, each by keyset on its id: trace, holds, consignees, deliveries, replies, audit."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import case, func, literal, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.audit import AuditHead
from models.chain import Lot
from models.evidence import EvidenceLink
from models.hold import Hold
from models.master import Location, Partner, Product
from models.notice import Campaign, Delivery, Notice, NoticeBody, Reply, ReplyLine
from models.recall import Consignee, ConsigneeLot, ScopeGap, ScopeLot

Rows = Any
"""Rows of several entities; SQLAlchemy types them no closer."""
_Site = aliased(Location)
_CLAIMS: Final = col(Hold.ended_at).is_(None) | (col(Hold.state) == "nonconformity")
_STATEMENT: Final = "statement"
"""Kind of a reply that states quantities."""


async def trace_lots(session: AsyncSession, number: str, version: int, *, after: int | None, limit: int) -> Rows:
    """Lots in scope with what went to consignees, by lot id."""
    shipped = (
        select(
            ConsigneeLot.lot_id,
            func.sum(col(ConsigneeLot.shipped) - col(ConsigneeLot.returned)).label("quantity"),
        )
        .join(Consignee, col(Consignee.id) == col(ConsigneeLot.consignee_id))
        .where(
            col(Consignee.recall_number) == number,
            col(ConsigneeLot.stated).is_(False),
            col(ConsigneeLot.withdrawn_in).is_(None),
        )
        .group_by(col(ConsigneeLot.lot_id))
        .subquery()
    )
    query: Any = (
        select(  # type: ignore[call-overload]
            Lot.id.label("lot_id"),  # type: ignore[union-attr]
            Product.code.label("product_code"),  # type: ignore[attr-defined]
            Lot.number,
            _Site.code.label("site_code"),  # type: ignore[attr-defined]
            Lot.supplier_lot,
            ScopeLot.root,
            ScopeLot.depth,
            func.coalesce(shipped.c.quantity, 0).label("quantity_shipped"),
        )
        .join(ScopeLot, col(ScopeLot.lot_id) == col(Lot.id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .outerjoin(_Site, col(_Site.id) == col(Lot.site_id))
        .outerjoin(shipped, shipped.c.lot_id == col(Lot.id))
        .where(col(ScopeLot.recall_number) == number, col(ScopeLot.scope_version) == version)
    )
    if after is not None:
        query = query.where(col(Lot.id) > after)
    return (await session.exec(query.order_by(col(Lot.id)).limit(limit))).all()


async def root_lots(session: AsyncSession, number: str, version: int) -> Sequence[int]:
    """The lots the scope started from."""
    query = select(ScopeLot.lot_id).where(
        col(ScopeLot.recall_number) == number, col(ScopeLot.scope_version) == version, col(ScopeLot.root)
    )
    return (await session.exec(query)).all()


async def trace_sites(session: AsyncSession, number: str) -> Rows:
    """Consignees with lots and quantities received, by consignee id."""
    query: Any = (
        select(  # type: ignore[call-overload]
            Consignee.id.label("consignee_id"),  # type: ignore[union-attr]
            Partner.code.label("partner_code"),  # type: ignore[attr-defined]
            Partner.name.label("partner_name"),  # type: ignore[attr-defined]
            Partner.country,
            Consignee.tier,
            func.count(col(ConsigneeLot.lot_id)).label("lots"),
            func.coalesce(func.sum(ConsigneeLot.shipped), 0).label("shipped"),
            func.coalesce(func.sum(ConsigneeLot.returned), 0).label("returned"),
        )
        .join(Partner, col(Partner.id) == col(Consignee.partner_id))
        .outerjoin(
            ConsigneeLot,
            (col(ConsigneeLot.consignee_id) == col(Consignee.id)) & col(ConsigneeLot.withdrawn_in).is_(None),
        )
        .where(col(Consignee.recall_number) == number)
        .group_by(col(Consignee.id), col(Partner.id))
        .order_by(col(Consignee.id))
    )
    return (await session.exec(query)).all()


async def gaps(session: AsyncSession, number: str, version: int, limit: int = 1000) -> Sequence[ScopeGap]:
    """What the trace could not know, as recorded with the scope version."""
    query = (
        select(ScopeGap)
        .where(col(ScopeGap.recall_number) == number, col(ScopeGap.scope_version) == version)
        .order_by(col(ScopeGap.kind), col(ScopeGap.id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


UNCONFIRMED: Final = case(
    (col(Hold.confirmed_at).is_(None) & (col(Hold.quantity) > 0) & _CLAIMS, 0),
    else_=1,
)
"""0 for what its keeper still owes us."""


async def holds(
    session: AsyncSession, number: str, *, state: str | None, after: Sequence[int] | None, limit: int
) -> Rows:
    """(hold, lot, product, location): unconfirmed ones first, oldest first; `after` is (0 or 1, hold id)."""
    query: Any = (
        select(Hold, Lot, Product, Location)
        .join(Lot, col(Lot.id) == col(Hold.lot_id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .join(Location, col(Location.id) == col(Hold.location_id))
        .where(col(Hold.recall_number) == number)
    )
    if state is not None:
        query = query.where(col(Hold.state) == state)
    if after is not None:
        query = query.where(tuple_(UNCONFIRMED, col(Hold.id)) > tuple_(*map(literal, after)))
    return (await session.exec(query.order_by(UNCONFIRMED, col(Hold.id)).limit(limit))).all()


async def consignees(session: AsyncSession, number: str, *, state: str | None, after: int | None, limit: int) -> Rows:
    """(consignee, partner, replies, last reply) by consignee id."""
    replies = (
        select(Reply.consignee_id, func.count().label("replies"), func.max(Reply.received_at).label("last_reply_at"))
        .where(col(Reply.recall_number) == number)
        .group_by(col(Reply.consignee_id))
        .subquery()
    )
    query: Any = (
        select(Consignee, Partner, func.coalesce(replies.c.replies, 0), replies.c.last_reply_at)
        .join(Partner, col(Partner.id) == col(Consignee.partner_id))
        .outerjoin(replies, replies.c.consignee_id == col(Consignee.id))
        .where(col(Consignee.recall_number) == number)
    )
    if state is not None:
        query = query.where(col(Consignee.state) == state)
    if after is not None:
        query = query.where(col(Consignee.id) > after)
    return (await session.exec(query.order_by(col(Consignee.id)).limit(limit))).all()


async def consignee_lots(session: AsyncSession, consignee_ids: Sequence[int]) -> Rows:
    """(consignee lot, lot, product) of the given consignees."""
    query: Any = (
        select(ConsigneeLot, Lot, Product)
        .join(Lot, col(Lot.id) == col(ConsigneeLot.lot_id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .where(col(ConsigneeLot.consignee_id).in_(consignee_ids))
        .order_by(col(ConsigneeLot.consignee_id), col(Lot.id))
    )
    return (await session.exec(query)).all()


async def deliveries(
    session: AsyncSession,
    number: str,
    *,
    state: str | None,
    channel: str | None,
    consignee_id: int | None,
    after: tuple[Any, Any] | None,
    limit: int,
) -> Sequence[Delivery]:
    """Deliveries by (created_at, id)."""
    query = (
        select(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Campaign.recall_number) == number)
    )
    for column, wanted in (
        (col(Delivery.state), state),
        (col(Delivery.channel), channel),
        (col(Delivery.consignee_id), consignee_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        created_at, last = after
        query = query.where(
            (col(Delivery.created_at) > created_at)
            | ((col(Delivery.created_at) == created_at) & (col(Delivery.id) > last))
        )
    query = query.order_by(col(Delivery.created_at), col(Delivery.id)).limit(limit)
    return (await session.exec(query)).all()


async def replies(
    session: AsyncSession, number: str, *, consignee_id: int | None, after: int | None, limit: int
) -> Sequence[Reply]:
    """Replies by id, oldest first."""
    query = select(Reply).where(col(Reply.recall_number) == number)
    if consignee_id is not None:
        query = query.where(col(Reply.consignee_id) == consignee_id)
    if after is not None:
        query = query.where(col(Reply.id) > after)
    return (await session.exec(query.order_by(col(Reply.id)).limit(limit))).all()


async def reply_corrections(session: AsyncSession, reply_ids: Sequence[int]) -> dict[int, int]:
    """Statement -> the same consignee's next statement, of the given replies that have one."""
    later = aliased(Reply)
    query: Any = (
        select(col(Reply.id), func.min(later.id))
        .join(later, (later.consignee_id == Reply.consignee_id) & (later.id > Reply.id))  # type: ignore[arg-type,operator]
        .where(col(Reply.id).in_(reply_ids), col(Reply.kind) == _STATEMENT, later.kind == _STATEMENT)
        .group_by(col(Reply.id))
    )
    return {int(reply_id): int(by) for reply_id, by in (await session.exec(query)).all()}


async def reply_files(session: AsyncSession, number: str, reply_ids: Sequence[int]) -> Rows:
    """(subject `reply:<id>`, evidence id) of the files sent with the given replies."""
    subjects = [f"reply:{reply_id}" for reply_id in reply_ids]
    query: Any = (
        select(EvidenceLink.subject, EvidenceLink.evidence_id)
        .where(col(EvidenceLink.recall_number) == number, col(EvidenceLink.subject).in_(subjects))
        .order_by(col(EvidenceLink.linked_at), col(EvidenceLink.evidence_id))
    )
    return (await session.exec(query)).all()


async def reply_lines(session: AsyncSession, reply_ids: Sequence[int]) -> Rows:
    """(reply line, lot) of the given replies."""
    query: Any = (
        select(ReplyLine, Lot)
        .join(Lot, col(Lot.id) == col(ReplyLine.lot_id))
        .where(col(ReplyLine.reply_id).in_(reply_ids))
        .order_by(col(ReplyLine.id))
    )
    return (await session.exec(query)).all()


async def notices(session: AsyncSession, number: str) -> Sequence[Notice]:
    """Versions of the notice, newest first."""
    query = select(Notice).where(col(Notice.recall_number) == number).order_by(col(Notice.version).desc())
    return (await session.exec(query)).all()


async def notice(session: AsyncSession, number: str, notice_id: int) -> Notice | None:
    """One version, if it belongs to this recall."""
    query = select(Notice).where(col(Notice.recall_number) == number, col(Notice.id) == notice_id)
    return (await session.exec(query)).first()


async def notice_bodies(session: AsyncSession, notice_id: int) -> Sequence[NoticeBody]:
    """Every rendered body of a notice."""
    query = (
        select(NoticeBody)
        .where(col(NoticeBody.notice_id) == notice_id)
        .order_by(col(NoticeBody.kind), col(NoticeBody.channel), col(NoticeBody.language))
    )
    return (await session.exec(query)).all()


async def audit_head(session: AsyncSession, stream: str) -> AuditHead | None:
    """Last link of a stream, or None when nothing has been written to it."""
    return (await session.exec(select(AuditHead).where(col(AuditHead.stream) == stream))).first()


__all__ = [
    "audit_head",
    "consignee_lots",
    "consignees",
    "deliveries",
    "gaps",
    "holds",
    "notice",
    "notice_bodies",
    "notices",
    "replies",
    "reply_files",
    "reply_lines",
    "trace_lots",
    "trace_sites",
]
