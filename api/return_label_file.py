"""The file of return labels: approved returns with our dock's address, a page for each parcel."""

from collections.abc import Sequence
from typing import Final

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.problems import Problem
from api.state import ApiState
from db.repositories import return_authorizations
from db.repositories.return_authorizations import Authorization
from documents.return_label import LANGUAGES, Dock, ReturnLabel, return_labels
from domain.notice_content import best_language
from domain.quantity_text import plain

PDF: Final = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
MAX_PARCELS: Final = 50
"""Of one RMA in one file."""


async def dock_of(session: AsyncSession, state: ApiState) -> Dock:
    """Where returned goods go.

    Raises:
        Problem: 409, no dock is configured or its address is missing.
    """
    settings = state.settings
    place = await return_authorizations.dock(session, settings.return_dock)
    address = settings.return_address or settings.company_address
    if place is None or not address:
        detail = "RECALL_RETURN_DOCK (code of a place on record) and RECALL_RETURN_ADDRESS are needed for labels."
        raise Problem("conflict", detail)
    return Dock(settings.company_name, place.name, address, place.gln, settings.company_phone)


def labels_of(number: str, found: Authorization, language: str | None, parcels: int = 1) -> list[ReturnLabel]:
    """The labels of one return, in the language asked for or else the consignee's."""
    spoken = language if language in LANGUAGES else best_language(found.language, LANGUAGES)
    return [
        ReturnLabel(
            rma=found.rma,
            recall=number,
            drill=found.drill,
            sender=found.sender,
            product=found.product,
            gtin=found.gtin,
            lot=found.lot,
            expires_on=found.expires_on,
            quantity=f"{plain(found.quantity)} {found.unit}",
            language=spoken,
            parcel=parcel,
            parcels=parcels,
        )
        for parcel in range(1, parcels + 1)
    ]


async def label_answer(labels: Sequence[ReturnLabel], dock: Dock, name: str, headers: dict[str, str]) -> Response:
    """The PDF as an answer; drawing it does not keep others waiting."""
    content = await run_in_threadpool(return_labels, labels, dock)
    shown = {"Content-Disposition": f'inline; filename="{name}.pdf"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers | shown)


async def has_labels(state: ApiState, number: str, consignee_id: int) -> bool:
    """Whether a recipient has anything to print: an approved return, and a dock to send it to."""
    if state.settings.return_dock is None:
        return False
    async with state.sessions() as session:
        rows = await return_authorizations.listed(session, number, consignees=[consignee_id], limit=1)
        try:
            return bool(rows) and bool(await dock_of(session, state))
        except Problem:
            return False


__all__ = ["MAX_PARCELS", "PDF", "dock_of", "has_labels", "label_answer", "labels_of"]
