"""The signatures on a recall: each with what it covers, and whether the act it was made for took place."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.deps import NumberDep, StateDep, require
from api.problems import problems
from api.records import load
from api.security.bearer import Principal
from api.signature_views import signed_document
from db.repositories import signatures
from domain.roles import Permission
from models.schemas_signing import SignedDocumentOut

router = APIRouter(prefix="/recalls/{number}", tags=["signatures"])
AuditReader = Annotated[Principal, Depends(require(Permission.READ_AUDIT))]


@router.get(
    "/signatures",
    operation_id="listSignatures",
    summary="Signatures on a recall",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_signatures(number: NumberDep, _: AuditReader, state: StateDep) -> list[SignedDocumentOut]:
    """In the order they were made; unused ones are attempts that were refused."""
    await load(state, number)
    async with state.sessions() as session:
        return [signed_document(row, used) for row, used in await signatures.of_recall(session, number)]


__all__ = ["router"]
