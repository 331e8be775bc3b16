"""A CAPA with everything on record about it: actions, evidence and statements."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import capa as capas
from db.repositories import capa_files, codes
from db.repositories.files import of_file
from models.capa import Capa, CapaAction, CapaEntry
from models.evidence import EvidenceLink
from models.quality import CodeTerm


@dataclass(frozen=True, slots=True)
class WholeCapa:
    """One CAPA and what belongs to it; evidence by the part it proves ("action:2", "verification")."""

    capa: Capa
    actions: Sequence[CapaAction]
    statements: Sequence[CapaEntry]
    evidence: dict[str, list[UUID]]
    codes: Sequence[CodeTerm]
    ties: Mapping[str, Any]


async def whole(session: AsyncSession, number: str, sequence: int) -> WholeCapa | None:
    """The CAPA, or None when the recall has none with this number."""
    capa = await capas.find(session, number, sequence)
    if capa is None:
        return None
    prefix = f"capa:{sequence}:"
    query = (
        select(EvidenceLink)
        .where(of_file(EvidenceLink, number), func.starts_with(EvidenceLink.subject, prefix))
        .order_by(col(EvidenceLink.linked_at), col(EvidenceLink.evidence_id))
    )
    linked: defaultdict[str, list[UUID]] = defaultdict(list)
    for link in (await session.exec(query)).all():
        linked[link.subject.removeprefix(prefix)].append(link.evidence_id)
    actions = await capas.actions(session, capa, withdrawn=True)
    return WholeCapa(capa, actions, await capas.entries(session, capa), dict(linked), *await _more(session, capa))


async def _more(session: AsyncSession, capa: Capa) -> tuple[Sequence[CodeTerm], Mapping[str, Any]]:
    return await codes.of(session, "capa_id", capa.id or 0), await capa_files.ties_of(session, capa)


__all__ = ["WholeCapa", "whole"]
