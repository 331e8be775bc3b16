"""A nonconformity as it is recorded: what is known, checked against the record, with its first task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import codes, evidence, files
from db.repositories.disposition_who import Who
from db.repositories.nonconformities import next_task, note
from domain.codes import PROBLEM_ANNEXES
from domain.nonconformity import NcRefused, NcSeverity, NcSource, NcState
from domain.quality_numbers import QualityKind
from models.master import Location as Place
from models.master import Partner, Product
from models.quality import Nonconformity, NonconformityLot

_LOTS: Final = """
SELECT given.place, l.id FROM unnest(CAST(:products AS text[]), CAST(:numbers AS text[])) WITH ORDINALITY
    AS given(product, number, place)
JOIN product p ON p.code = given.product JOIN lot l ON l.product_id = p.id AND l.number = given.number
ORDER BY given.place, l.id
"""


@dataclass(frozen=True, slots=True)
class LotGiven:
    """A lot concerned, as named."""

    product_code: str
    number: str
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NcFacts:
    """What is known when it is recorded."""

    title: str
    source: NcSource
    severity: NcSeverity
    description: str
    detected_at: datetime
    detected_by: str
    lots: Sequence[LotGiven] = ()
    product_code: str | None = None
    site_code: str | None = None
    supplier_code: str | None = None
    reference: str | None = None
    containment: str | None = None
    codes: Sequence[str] = ()
    evidence_ids: Sequence[UUID] = ()
    drill: bool = False


async def record(session: AsyncSession, given: NcFacts, who: Who) -> Nonconformity:
    """Open one, with the task to investigate it.

    Raises:
        NcRefused: product, site, supplier or a lot is not on record.
        db.repositories.codes.CodesRefused: a code cannot stand here.
        db.repositories.evidence.EvidenceUnusable: a file belongs elsewhere.
    """
    list_id = await codes.check(session, given.codes, PROBLEM_ANNEXES, who.at)
    lots = await _lots(session, given.lots)
    product = await _id_of(session, Product, given.product_code, "product_code")
    site = await _id_of(session, Place, given.site_code, "site_code")
    supplier = await _id_of(session, Partner, given.supplier_code, "supplier_code")
    file = await files.open_file(
        session, QualityKind.NONCONFORMITY, given.title, by=who.principal, now=who.at, drill=given.drill
    )
    row = Nonconformity(
        number=file.number,
        source=given.source.value,
        reference=given.reference,
        severity=given.severity.value,
        state=NcState.OPEN.value,
        description=given.description,
        product_id=product,
        site_id=site,
        supplier_id=supplier,
        detected_at=given.detected_at,
        detected_by=given.detected_by,
        recorded_by=who.principal,
        recorded_at=who.at,
        containment=given.containment,
    )
    session.add(row)
    await session.flush()
    for lot_id, each in zip(lots, given.lots, strict=True):
        session.add(NonconformityLot(nonconformity_number=row.number, lot_id=lot_id, quantity=each.quantity))
    await session.flush()
    await codes.attach(session, {"nonconformity_number": row.number}, given.codes, list_id, who.principal, who.at)
    await evidence.link(session, row.number, given.evidence_ids, "nc:recorded", by=who.principal, at=who.at)
    facts = {
        "source": row.source,
        "severity": row.severity,
        "detected_at": row.detected_at,
        "detected_by": row.detected_by,
        "lots": lots,
        "codes": list(given.codes),
    }
    await note(session, row.number, "nc.recorded", who, facts)
    await next_task(session, file, row, who.at)
    return row


async def _lots(session: AsyncSession, given: Sequence[LotGiven]) -> list[int]:
    if not given:
        return []
    binds = {"products": [each.product_code for each in given], "numbers": [each.number for each in given]}
    found: dict[int, list[int]] = {}
    for place, lot_id in await run(session, _LOTS, binds):
        found.setdefault(int(place) - 1, []).append(int(lot_id))
    chosen: list[int] = []
    for index, each in enumerate(given):
        ids = found.get(index, [])
        if not ids:
            raise NcRefused("invalid", f"no lot {each.number} of {each.product_code} is on record", f"lots/{index}")
        if len(ids) > 1:
            raise NcRefused("invalid", f"{len(ids)} sites made a lot {each.number}", f"lots/{index}")
        if ids[0] in chosen:
            raise NcRefused("invalid", "named twice", f"lots/{index}")
        chosen.append(ids[0])
    return chosen


async def _id_of(session: AsyncSession, table: Any, code: str | None, field: str) -> int | None:
    if code is None:
        return None
    found: int | None = (await session.exec(select(table.id).where(table.code == code))).first()
    if found is None:
        raise NcRefused("invalid", f"not on record: {code}", field)
    return found


__all__ = ["LotGiven", "NcFacts", "record"]
