"""A recipient's own return labels, behind its signed link."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.deps import StateDep
from api.problems import Problem
from api.recipient_access import UNREACHABLE, RefusedLink, let_in, refused_page, unavailable_page
from api.reply_fields import LANGUAGES
from api.return_label_file import PDF, dock_of, label_answer, labels_of
from api.routers.recipient import ANSWERS
from db.repositories import return_authorizations

router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
_ANSWERS: Final = {**ANSWERS, 200: {"description": "A page for each approved return", **PDF}}


@router.get(
    "/{token}/labels.pdf",
    operation_id="readRecipientLabels",
    summary="Return labels of this recipient",
    response_model=None,
    responses=_ANSWERS,
)
async def read_labels(
    request: Request,
    token: Annotated[str, Path(max_length=500, description="Token of the signed link.")],
    state: StateDep,
    lang: Annotated[str | None, Query(max_length=20, description="Language of the labels")] = None,
) -> Response:
    """One page for each return or exchange that was approved for it and is not done; without any, back to the page."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        async with state.sessions() as session:
            rows = await return_authorizations.listed(
                session, visitor.record.number, consignees=[visitor.record.consignee_id]
            )
            dock = await dock_of(session, state) if rows else None
        if dock is None:
            return RedirectResponse(f"/r/{token}", 303)
        labels = [label for row in rows for label in labels_of(visitor.record.number, row, asked)]
        return await label_answer(labels, dock, f"{visitor.record.number}-labels", {})
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except Problem:  # no dock is configured: there is nothing to print
        return RedirectResponse(f"/r/{token}", 303)
    except UNREACHABLE:
        return unavailable_page(state, asked)


__all__ = ["router"]
