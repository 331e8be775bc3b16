"""Twilio's Calls resource as far as we use it: create, list, fetch, and the log of a call, with errors and JSON shapes.

The shapes follow Twilio's OpenAPI description (schema `api.v2010.account.call`). Twilio's magic test numbers answer
with their documented errors; `+15005550429` (our addition) answers 429.
"""

import json
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.accepted_life import Account
from stack.call_life import CallLife
from stack.call_store import CallStore
from stack.durable_store import Row
from stack.twilio_api import Refused, answering, number_of

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MAX_PAGE = 1000
_MAGIC_TO = {
    "+15005550001": (400, 21217, "The phone number you provided is invalid"),
    "+15005550002": (400, 21214, "'To' phone number cannot be reached"),
    "+15005550003": (400, 21215, "Account not authorized to call this number: geo permissions"),
    "+15005550004": (400, 21216, "Account not allowed to call this number"),
    "+15005550429": (429, 20429, "Too Many Requests"),
}
_MAGIC_FROM = {
    "+15005550001": (400, 21212, "Invalid 'From' Phone Number"),
}


class CallsApi:
    """Handlers below `/2010-04-01/Accounts/{sid}/Calls`."""

    def __init__(self, store: CallStore, life: CallLife, account: Account) -> None:
        self._store, self._life, self._account = store, life, account

    def routes(self) -> list[Route]:
        """Create, list, fetch, log."""
        base = "/2010-04-01/Accounts/{account}/Calls"
        account = self._account
        return [
            Route(base + ".json", answering(account, self._create), methods=["POST"]),
            Route(base + ".json", answering(account, self._list), methods=["GET"]),
            Route(base + "/{sid}.json", answering(account, self._fetch), methods=["GET"]),
            Route(base + "/{sid}/Events.json", answering(account, self._log), methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        given = await request.form()
        form = {name: str(value) for name, value in given.items()}
        to, sender, url = form.get("To", ""), form.get("From", ""), form.get("Url", "")
        _check(to, sender, url, form.get("StatusCallback"))
        events = [str(event) for event in given.getlist("StatusCallbackEvent")]
        row = await self._store.add(
            to=to,
            sender=sender,
            url=url,
            callback=form.get("StatusCallback"),
            events=events,
            detects_machines="MachineDetection" in form,
        )
        parameters = {_snake(name): value for name, value in form.items()}
        await self._store.note_request(str(row["sid"]), f"{request.url}", parameters, 201)
        self._life.accept(str(row["sid"]))
        return JSONResponse(self._shape(row), status_code=201)

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        page, size = _paging(request)
        found = await self._store.find(
            to=query.get("To", ""), sender=query.get("From", ""), offset=page * size, limit=size + 1
        )
        shown = [self._shape(row) for row in found[:size]]
        return JSONResponse({"calls": shown} | _page(request, page, size, len(found)))

    async def _fetch(self, request: Request) -> Response:
        return JSONResponse(self._shape(await self._known(request)))

    async def _log(self, request: Request) -> Response:
        row = await self._known(request)
        page, size = _paging(request)
        found = await self._store.requests(str(row["sid"]))
        shown = [_logged(each) for each in found[page * size : (page + 1) * size]]
        return JSONResponse({"events": shown} | _page(request, page, size, len(found) - page * size))

    async def _known(self, request: Request) -> Row:
        row = await self._store.get(request.path_params["sid"])
        if row is None:
            raise Refused(404, 20404, f"The requested resource {request.url.path} was not found")
        return row

    def _shape(self, row: Row) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{self._account.sid}/Calls/{row['sid']}"
        parts = ("events", "notifications", "payments", "recordings", "siprec", "streams", "transcriptions")
        return {
            "account_sid": self._account.sid,
            "answered_by": row["answered_by"],
            "api_version": "2010-04-01",
            "caller_name": None,
            "date_created": _rfc2822(row["created_at"]),
            "date_updated": _rfc2822(row["updated_at"]),
            "direction": "outbound-api",
            "duration": _seconds(row["started_at"], row["ended_at"]),
            "end_time": _rfc2822(row["ended_at"]),
            "forwarded_from": None,
            "from": row["sender"],
            "from_formatted": row["sender"],
            "group_sid": None,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": row["sid"],
            "start_time": _rfc2822(row["started_at"]),
            "status": row["status"],
            "subresource_uris": {part: f"{path}/{part.capitalize()}.json" for part in parts},
            "to": row["recipient"],
            "to_formatted": row["recipient"],
            "trunk_sid": None,
            "uri": f"{path}.json",
        }


def _check(to: str, sender: str, url: str, callback: str | None) -> None:
    if not to:
        raise Refused(400, 21201, "No 'To' number is specified")
    if to in _MAGIC_TO:
        raise Refused(*_MAGIC_TO[to])
    if not _E164.fullmatch(to):
        raise Refused(400, 21211, "Invalid 'To' Phone Number")
    if sender in _MAGIC_FROM:
        raise Refused(*_MAGIC_FROM[sender])
    if not sender:
        raise Refused(400, 21213, "Caller phone number is required")
    if not _E164.fullmatch(sender):
        raise Refused(400, 21212, "Invalid 'From' Phone Number")
    if not url.startswith(("http://", "https://")):
        raise Refused(400, 21205, "Url is not a valid URL")
    if callback is not None and not callback.startswith(("http://", "https://")):
        raise Refused(400, 21609, "Invalid 'StatusCallback' URL")


def _paging(request: Request) -> tuple[int, int]:
    query = request.query_params
    return number_of(query.get("Page"), 0, 10**6), number_of(query.get("PageSize"), 50, _MAX_PAGE)


def _page(request: Request, page: int, size: int, found: int) -> dict[str, Any]:
    kept = {name: value for name, value in request.query_params.items() if name not in {"Page", "PageToken"}}

    def uri(number: int) -> str:
        return f"{request.url.path}?{urlencode({**kept, 'PageSize': size, 'Page': number})}"

    return {
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(min(found, size) - 1, 0),
        "uri": uri(page),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if found > size else None,
        "previous_page_uri": uri(page - 1) if page else None,
    }


def _logged(row: Row) -> dict[str, Any]:
    parameters = {_snake(name): value for name, value in json.loads(row["parameters"]).items()}
    return {
        "request": {"method": "POST", "url": row["url"], "parameters": parameters},
        "response": {"response_code": row["status"], "date_created": _rfc2822(row["at"])},
    }


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _seconds(begin: str | None, end: str | None) -> str | None:
    if not begin or not end:
        return None
    return str(round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()))


def _rfc2822(text: str | None) -> str | None:
    return format_datetime(datetime.fromisoformat(text)) if text else None
