"""A CAPA with everything on record about it: actions, evidence and statements."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import capa as capas
from models.capa import Capa, CapaAction, CapaEntry
from models.evidence import EvidenceLink


@dataclass(frozen=True, slots=True)
class WholeCapa:
    """One CAPA and what belongs to it; evidence by the part it proves ("action:2", "verification")."""

    capa: Capa
    actions: Sequence[CapaAction]
    statements: Sequence[CapaEntry]
    evidence: dict[str, list[UUID]]


async def whole(session: AsyncSession, number: str, sequence: int) -> WholeCapa | None:
    """The CAPA, or None when the recall has none with this number."""
    capa = await capas.find(session, number, sequence)
    if capa is None:
        return None
    prefix = f"capa:{sequence}:"
    query = (
        select(EvidenceLink)
        .where(col(EvidenceLink.recall_number) == number, func.starts_with(EvidenceLink.subject, prefix))
        .order_by(col(EvidenceLink.linked_at), col(EvidenceLink.evidence_id))
    )
    linked: defaultdict[str, list[UUID]] = defaultdict(list)
    for link in (await session.exec(query)).all():
        linked[link.subject.removeprefix(prefix)].append(link.evidence_id)
    actions = await capas.actions(session, capa, withdrawn=True)
    return WholeCapa(capa, actions, await capas.entries(session, capa), dict(linked))


__all__ = ["WholeCapa", "whole"]
