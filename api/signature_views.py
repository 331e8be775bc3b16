"""Signatures as they are printed wherever a signed record is shown (21 CFR 11.50): name, instant with zone, meaning."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import signatures
from models.recall import SignOff
from models.schemas_signing import SignatureBlock, SignedDocumentOut
from models.signing import Signature

Blocks = Mapping[UUID | None, SignatureBlock]


def printed(row: Signature) -> str:
    """One line that says who signed when with which meaning."""
    at = row.signed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"Signed by {row.printed_name} on {at}: {row.meaning}"


def block(row: Signature) -> SignatureBlock:
    """The printed block of one signature."""
    return SignatureBlock(
        id=row.id,
        printed_name=row.printed_name,
        signed_at=row.signed_at,
        meaning=row.meaning,
        sha256=row.sha256,
        text=printed(row),
    )


def signed_document(row: Signature, used: bool) -> SignedDocumentOut:
    """A signature with everything it covers."""
    return SignedDocumentOut(
        **block(row).model_dump(),
        principal=row.principal,
        role=row.role,
        operation=row.operation,
        used=used,
        document=row.document,
    )


async def blocks_of(session: AsyncSession, rows: Sequence[SignOff]) -> Blocks:
    """The blocks of these sign-offs, by the signature's id."""
    wanted = [row.signature_id for row in rows if row.signature_id is not None]
    return {key: block(row) for key, row in (await signatures.by_ids(session, wanted)).items()}


__all__ = ["Blocks", "block", "blocks_of", "printed", "signed_document"]
