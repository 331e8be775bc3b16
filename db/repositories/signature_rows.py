"""The rows that signatures are checked against: signatures, what they are under, and what they refer to.

Rows come as the dossier writes them (canonical values), so that one check serves the running system and its file.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from db.repositories.dossier_plan import METADATA, plan
from domain.audit_chain import normalise

REFERRED = ("signature", "evidence", "pinned_policy", "capa_entry", "notice_body", "hold")
"""Tables a signature's document refers to, and its own."""


async def read(session: AsyncSession, stream: str, tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of these tables that belong to a recall; of the stream `system`, signatures on no recall and policies."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, condition in _conditions(stream, {*tables, *REFERRED}).items():
        table = METADATA.tables[name]
        query = select(table).where(condition).order_by(*table.primary_key)
        result = await (await session.connection()).execute(query, {"number": stream})
        found[name] = [normalise(dict(row)) for row in result.mappings()]
    return found


def _conditions(stream: str, wanted: set[str]) -> dict[str, ColumnElement[bool]]:
    if stream != audit.SYSTEM:
        return {each.table.name: each.owned for each in plan() if each.table.name in wanted}
    signatures, versions = METADATA.tables["signature"], METADATA.tables["policy_version"]
    return {
        "signature": signatures.columns["recall_number"].is_(None),
        "policy_version": versions.columns["policy_id"].is_not(None),
    }


async def chain(session: AsyncSession, stream: str) -> list[dict[str, Any]]:
    """Every event of the stream, as the dossier writes them."""
    return [normalise(audit.as_mapping(event)) async for event in audit.read_all(session, stream)]


__all__ = ["REFERRED", "chain", "read"]
