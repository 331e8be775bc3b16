"""What the stand-in's own pages and programs send it: a JSON object or a form, from its own page only."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request


def from_this_page_only(request: Request) -> None:
    """Refuse what another web site makes a browser send.

    Raises:
        HTTPException: the request comes from another origin.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin.rpartition("//")[2] != request.headers.get("Host"):
        raise HTTPException(403, "replies are taken from this page only")


async def given_fields(request: Request) -> tuple[dict[str, str], bool]:
    """The text fields, and whether they came as JSON.

    Raises:
        HTTPException: JSON that is no object.
    """
    if not request.headers.get("Content-Type", "").startswith("application/json"):
        return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}, False
    try:
        given: Any = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        given = None
    if not isinstance(given, dict):
        raise HTTPException(400, 'expected a JSON object such as {"from": ..., "to": ..., "body": ...}')
    return {str(name): value for name, value in given.items() if isinstance(value, str)}, True
