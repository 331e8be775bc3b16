"""Reading nonconformities: lists, and one with its lots, links, codes and files."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import codes
from models.evidence import EvidenceLink
from models.master import Location, Partner, Product
from models.quality import CodeTerm, Nonconformity, NonconformityLink, QualityFile

_LOTS: Final = """
SELECT x.*, l.number, p.code AS product_code, coalesce((
    SELECT sum(h.quantity) FROM hold h WHERE h.lot_id = x.lot_id AND h.state = 'nonconformity' AND h.recall_number IN (
        SELECT k.recall_number FROM nonconformity_link k
        WHERE k.nonconformity_number = x.nonconformity_number AND k.kind = 'hold')), 0) AS held
FROM nonconformity_lot x JOIN lot l ON l.id = x.lot_id JOIN product p ON p.id = l.product_id
WHERE x.nonconformity_number = :number ORDER BY x.id
"""


@dataclass(frozen=True, slots=True)
class WholeNonconformity:
    """One with everything about it."""

    row: Nonconformity
    file: QualityFile
    product_code: str | None
    site_code: str | None
    supplier_code: str | None
    lots: Sequence[Mapping[str, Any]]
    links: Sequence[NonconformityLink]
    codes: Sequence[CodeTerm]
    evidence: Mapping[str, Sequence[UUID]]


async def whole(session: AsyncSession, number: str) -> WholeNonconformity | None:
    """The nonconformity, or None when there is none with this number."""
    found = (
        await session.exec(
            select(Nonconformity, QualityFile)
            .join(QualityFile, col(QualityFile.number) == col(Nonconformity.number))
            .where(col(Nonconformity.number) == number)
        )
    ).first()
    if found is None:
        return None
    row, file = found
    links = select(NonconformityLink).where(col(NonconformityLink.nonconformity_number) == number)
    product = await session.get(Product, row.product_id) if row.product_id else None
    site = await session.get(Location, row.site_id) if row.site_id else None
    supplier = await session.get(Partner, row.supplier_id) if row.supplier_id else None
    return WholeNonconformity(
        row,
        file,
        product.code if product else None,
        site.code if site else None,
        supplier.code if supplier else None,
        [dict(each) for each in (await run(session, _LOTS, {"number": number})).mappings()],
        (await session.exec(links.order_by(col(NonconformityLink.id)))).all(),
        await codes.of(session, "nonconformity_number", number),
        await evidence_of(session, number, "nc:"),
    )


async def evidence_of(session: AsyncSession, number: str, prefix: str) -> dict[str, list[UUID]]:
    """Files of a file of quality by the part they prove."""
    query = (
        select(EvidenceLink)
        .where(col(EvidenceLink.file_number) == number, col(EvidenceLink.subject).startswith(prefix))
        .order_by(col(EvidenceLink.linked_at), col(EvidenceLink.evidence_id))
    )
    linked: defaultdict[str, list[UUID]] = defaultdict(list)
    for link in (await session.exec(query)).all():
        linked[link.subject.removeprefix(prefix)].append(link.evidence_id)
    return dict(linked)


async def listed(
    session: AsyncSession,
    *,
    state: str | None,
    source: str | None,
    recall_number: str | None,
    code: str | None,
    after: str,
    limit: int,
) -> Sequence[tuple[Nonconformity, QualityFile]]:
    """Nonconformities by number; of a state, a source, a recall, or with a code or one below it."""
    query = (
        select(Nonconformity, QualityFile)
        .join(QualityFile, col(QualityFile.number) == col(Nonconformity.number))
        .where(col(Nonconformity.number) > after)
    )
    if state:
        query = query.where(col(Nonconformity.state) == state)
    if source:
        query = query.where(col(Nonconformity.source) == source)
    if recall_number:
        of_recall = select(NonconformityLink.nonconformity_number).where(
            col(NonconformityLink.recall_number) == recall_number
        )
        query = query.where(col(Nonconformity.number).in_(of_recall))
    if code:
        query = query.where(col(Nonconformity.number).in_(codes.carriers_of(code)))
    return (await session.exec(query.order_by(col(Nonconformity.number)).limit(limit))).all()


__all__ = ["WholeNonconformity", "evidence_of", "listed", "whole"]
