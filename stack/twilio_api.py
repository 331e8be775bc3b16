"""Twilio's Messages resource as far as we use it: create, list, fetch, with its errors and JSON shapes.

The shapes follow Twilio's OpenAPI description (schema `api.v2010.account.message`). Twilio's own magic test
numbers answer with their documented errors; `+15005550429` (our addition) answers 429.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.sms_segments import sms_size
from stack.accepted_life import Account
from stack.durable_store import Row
from stack.sms_life import MessageLife
from stack.sms_store import SmsStore

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MAX_BODY = 1600
_MAX_PAGE = 1000
_MAGIC_TO = {
    "+15005550001": (400, 21211, "Invalid 'To' Phone Number"),
    "+15005550002": (400, 21612, "The 'To' phone number is not currently reachable via SMS"),
    "+15005550003": (400, 21408, "Permission to send an SMS has not been enabled for the region"),
    "+15005550004": (400, 21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (400, 21614, "'To' number is not a valid mobile number"),
    "+15005550429": (429, 20429, "Too Many Requests"),
}
_MAGIC_FROM = {
    "+15005550001": (400, 21212, "Invalid 'From' Phone Number"),
    "+15005550007": (400, 21606, "The 'From' phone number is not a valid message-capable Twilio number"),
    "+15005550008": (400, 21611, "This 'From' number has exceeded the maximum number of queued messages"),
}


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """An error answer in Twilio's shape."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Handler = Callable[[Request], Awaitable[Response]]


def answering(account: Account, handler: Handler) -> Handler:
    """A handler that only the account gets to, and whose refusals are answered in Twilio's shape."""

    async def answer(request: Request) -> Response:
        try:
            _authenticate(account, request)
            return await handler(request)
        except Refused as refused:
            body = {
                "code": refused.code,
                "message": refused.message,
                "more_info": f"https://www.twilio.com/docs/errors/{refused.code}",
                "status": refused.status,
            }
            return JSONResponse(body, status_code=refused.status)

    return answer


def _authenticate(account: Account, request: Request) -> None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        given = b""
    if not hmac.compare_digest(given, f"{account.sid}:{account.token}".encode()):
        raise Refused(401, 20003, "Authenticate")
    if request.path_params["account"] != account.sid:
        raise Refused(404, 20404, f"The requested resource {request.url.path} was not found")


class MessagesApi:
    """Handlers below `/2010-04-01/Accounts/{sid}`."""

    def __init__(self, store: SmsStore, life: MessageLife, account: Account) -> None:
        self._store, self._life, self._account = store, life, account

    def routes(self) -> list[Route]:
        """Create, list, fetch."""
        base = "/2010-04-01/Accounts/{account}/Messages"
        return [
            Route(base + ".json", answering(self._account, self._create), methods=["POST"]),
            Route(base + ".json", answering(self._account, self._list), methods=["GET"]),
            Route(base + "/{sid}.json", answering(self._account, self._fetch), methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        to, body = form.get("To", ""), form.get("Body", "")
        sender, service = form.get("From") or None, form.get("MessagingServiceSid") or None
        _check(to, body, sender, service, form.get("StatusCallback"))
        if await self._store.opted_out(to):
            raise Refused(400, 21610, "Attempt to send to unsubscribed recipient")
        row = await self._store.add_outbound(
            to=to, body=body, sender=sender, service=service, callback=form.get("StatusCallback")
        )
        self._life.accept(str(row["sid"]))
        return JSONResponse(self._shape(row), status_code=201)

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        page, size = number_of(query.get("Page"), 0, 10**6), number_of(query.get("PageSize"), 50, _MAX_PAGE)
        day = _moment(query.get("DateSent"))
        found = await self._store.find(
            to=query.get("To", ""),
            sender=query.get("From", ""),
            sent_from=day or _moment(query.get("DateSent>")),
            sent_before=day + timedelta(days=1) if day else _moment(query.get("DateSent<")),
            offset=page * size,
            limit=size + 1,
        )
        shown = found[:size]
        kept = {name: query[name] for name in query if name not in {"Page", "PageToken"}}

        def uri(number: int) -> str:
            return f"{request.url.path}?{urlencode({**kept, 'PageSize': size, 'Page': number})}"

        return JSONResponse(
            {
                "messages": [self._shape(row) for row in shown],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(len(shown) - 1, 0),
                "uri": uri(page),
                "first_page_uri": uri(0),
                "previous_page_uri": uri(page - 1) if page else None,
                "next_page_uri": uri(page + 1) if len(found) > size else None,
            }
        )

    async def _fetch(self, request: Request) -> Response:
        row = await self._store.get(request.path_params["sid"])
        if row is None:
            raise Refused(404, 20404, f"The requested resource {request.url.path} was not found")
        return JSONResponse(self._shape(row))

    def _shape(self, row: Row) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{self._account.sid}/Messages/{row['sid']}"
        return {
            "account_sid": self._account.sid,
            "api_version": "2010-04-01",
            "body": row["body"],
            "date_created": _rfc2822(row["created_at"]),
            "date_sent": _rfc2822(row["sent_at"]),
            "date_updated": _rfc2822(row["updated_at"]),
            "direction": row["direction"],
            "error_code": row["error_code"],
            "error_message": "Unknown destination handset" if row["error_code"] else None,
            "from": row["sender"],
            "messaging_service_sid": row["service"],
            "num_media": "0",
            "num_segments": str(sms_size(str(row["body"])).segments),
            "price": None,
            "price_unit": None,
            "sid": row["sid"],
            "status": row["status"],
            "subresource_uris": {"media": f"{path}/Media.json"},
            "to": row["recipient"],
            "uri": f"{path}.json",
        }


def _check(to: str, body: str, sender: str | None, service: str | None, callback: str | None) -> None:
    if not to:
        raise Refused(400, 21604, "A 'To' phone number is required.")
    if to in _MAGIC_TO or to.startswith("+15005550001"):
        raise Refused(*_MAGIC_TO.get(to, _MAGIC_TO["+15005550001"]))
    if not _E164.fullmatch(to):
        raise Refused(400, 21211, "Invalid 'To' Phone Number")
    if sender in _MAGIC_FROM:
        raise Refused(*_MAGIC_FROM[sender])
    if not (sender or service):
        raise Refused(400, 21603, "A 'From' or 'MessagingServiceSid' parameter is required.")
    if not body:
        raise Refused(400, 21602, "Message body is required.")
    if len(body) > _MAX_BODY:
        raise Refused(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    if callback is not None and not callback.startswith(("http://", "https://")):
        raise Refused(400, 21609, "Invalid 'StatusCallback' URL")


def number_of(text: str | None, default: int, highest: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= highest):
        raise Refused(400, 20001, f"Page and PageSize: expected a whole number up to {highest}")
    return int(text)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, 20001, "DateSent: expected YYYY-MM-DD or an ISO 8601 instant") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _rfc2822(text: str | None) -> str | None:
    return format_datetime(datetime.fromisoformat(text)) if text else None
