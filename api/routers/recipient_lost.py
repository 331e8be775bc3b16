"""Addresses under the recipient's page that lead nowhere: a link cut off or lengthened by a mail program.

Registered behind every other page of a recipient, so that whoever followed such a link reads what to do, in words.
"""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api.deps import StateDep
from api.recipient_access import RefusedLink, accepted_language, refusal

router = APIRouter(prefix="/r", include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/{rest:path}", response_model=None)
async def read_lost(request: Request, rest: str, state: StateDep) -> HTMLResponse | RedirectResponse:
    """The page for a link that is not whole; nothing is looked up, so nothing is told and nothing recorded."""
    if rest.endswith("/") and rest.strip("/"):
        return RedirectResponse(f"/r/{quote(rest.strip('/'))}", 307)
    page = refusal(state, RefusedLink("malformed"), accepted_language(request))
    page.status_code = 404
    return page


__all__ = ["router"]
