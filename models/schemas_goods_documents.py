"""HTTP contracts of goods documents a recall stops at the keepers of the stock."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from domain.inventory import DocumentKind
from models.recall_document import StopState
from models.schemas_common import In, Out, Page, Reason
from models.schemas_disposition import Id


class DocumentLineOut(Out):
    """Units of use left to move of one lot, or of a product whose lot is allocated later."""

    product: str
    lot: int | None
    quantity: str
    unclear: bool = False
    """The keeper names a lot, and the name does not say which of ours; the document counts as naming each it may be."""


class GoodsDocumentOut(Out):
    """A document as this recall stops it, and what its keeper last said of it."""

    id: int
    keeper: str
    """`ledger` for our own."""
    source: str
    """Tells it from the keeper's other documents of this kind, number and place: the ledger's source system."""
    kind: DocumentKind
    document_no: str
    location_id: int
    other_location_id: int | None
    lines: list[DocumentLineOut]
    lot_ids: list[int]
    """Lots of the scope it names; empty where it names their product only."""
    state: StopState
    keeper_state: str | None
    late: bool
    attempts: int
    last_error: str | None
    reference: str | None
    requested_at: datetime
    confirmed_at: datetime | None
    age_seconds: int
    """Since it was asked for, until it was confirmed or ended."""
    ended_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class GoodsDocumentPage(Page[GoodsDocumentOut]):
    """Documents in the order they were seen."""


class GoodsDocumentsOut(Out):
    """Documents that were decided on; their keepers are asked next."""

    items: list[GoodsDocumentOut]


class DecideDocumentIn(In):
    """Why a stopped document is released or cancelled."""

    reason: Reason


class DecideDocumentsIn(In):
    """The same for many at once: all or none."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    reason: Reason


__all__ = [
    "DecideDocumentIn",
    "DecideDocumentsIn",
    "DocumentLineOut",
    "GoodsDocumentOut",
    "GoodsDocumentPage",
    "GoodsDocumentsOut",
]
