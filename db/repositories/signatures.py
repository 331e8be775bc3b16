"""Signatures: one row and one audit event per act of signing, written before the act itself is asked for.

What is hashed is the whole document: who (with the printed name), when, with which meaning, in which role and period,
and what, with the hashes of what it refers to. An act that is refused leaves its signature as an unused attempt.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import String, cast, exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from domain.audit_chain import canonical_json, normalise
from models.audit import AuditEvent
from models.signing import Signature

MADE = "signature.made"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, as what, with which meaning, in which period."""

    principal: str
    printed_name: str
    role: str
    permission: str
    meaning: str
    token_id: int
    session_id: UUID


def sha256_of(content: object) -> str:
    """SHA-256 (hex) over the canonical JSON of `content`."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def document_of(
    signer: Signer,
    number: str | None,
    operation: str,
    at: datetime,
    stated: Mapping[str, Any],
    refers_to: Mapping[str, Any],
) -> dict[str, Any]:
    """What is signed, as it is hashed and kept."""
    document: dict[str, Any] = normalise(
        {
            "signer": {"principal": signer.principal, "name": signer.printed_name, "role": signer.role},
            "permission": signer.permission,
            "meaning": signer.meaning,
            "signed_at": at,
            "recall": number,
            "operation": operation,
            "stated": stated,
            "refers_to": refers_to,
            "token": signer.token_id,
            "session": signer.session_id,
        }
    )
    return document


async def make(
    session: AsyncSession,
    signer: Signer,
    *,
    number: str | None,
    operation: str,
    stated: Mapping[str, Any],
    refers_to: Mapping[str, Any],
    at: datetime,
) -> Signature:
    """Write one signature and its audit event `signature.made`.

    Args:
        number: the recall, or None for an act on none.
        stated: what the signer says, without secrets.
        refers_to: hashes and states of what it is about, read in this transaction.
    """
    document = document_of(signer, number, operation, at, stated, refers_to)
    row = Signature(
        id=uuid4(),
        recall_number=number,
        principal=signer.principal,
        printed_name=signer.printed_name,
        role=signer.role,
        meaning=signer.meaning,
        operation=operation,
        signed_at=at,
        document=document,
        sha256=sha256_of(document),
        token_id=signer.token_id,
        session_id=signer.session_id,
    )
    session.add(row)
    await session.flush()
    await audit.append(
        session,
        number or audit.SYSTEM,
        actor=signer.principal,
        role=signer.role,
        action=MADE,
        at=at,
        data={"signature": row.id, "sha256": row.sha256, "operation": operation, "meaning": signer.meaning},
    )
    return row


async def of_recall(session: AsyncSession, number: str) -> Sequence[tuple[Signature, bool]]:
    """Every signature on a recall in the order they were made, each with whether its act took place."""
    bound = col(AuditEvent.data)["signature"].astext
    query = (
        select(
            Signature,
            exists().where(
                col(AuditEvent.stream) == number,
                col(AuditEvent.action) != MADE,
                bound == cast(col(Signature.id), String),
            ),
        )
        .where(col(Signature.recall_number) == number)
        .order_by(col(Signature.signed_at), col(Signature.id))
    )
    return [(row, bool(used)) for row, used in (await session.exec(query)).all()]


async def by_ids(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Signature]:
    """Signatures by id."""
    rows = (await session.exec(select(Signature).where(col(Signature.id).in_(ids)))).all() if ids else ()
    return {row.id: row for row in rows}


async def find(session: AsyncSession, signature_id: UUID) -> Signature | None:
    """One signature."""
    return await session.get(Signature, signature_id)


__all__ = ["MADE", "Signer", "by_ids", "document_of", "find", "make", "of_recall", "sha256_of"]
