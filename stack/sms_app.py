"""The stand-in's face for people and programs: every text message, and a box to answer as the phone would.

GET /                    all messages, with a reply box under each outbound one
GET /messages            JSON; ?to= number, ?since= ISO instant, ?limit= (1000), oldest first
GET /stats               JSON: outbound, replies, inbound, duplicates
DELETE /messages         forget all
POST /simulate/reply     {"from", "to", "body"} as JSON or form: a phone writes to our number
"""

import json
from typing import Any

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.inbox_app import instant, whole_number
from stack.small_server import loopback_only
from stack.sms_life import Account, MessageLife
from stack.sms_store import SmsStore, plain
from stack.twilio_api import MessagesApi

_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Caught text messages</title><style>
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:50rem;padding:1rem;color:#1b1b1b}
article{border:1px solid #888;border-radius:.5rem;padding:.5rem 1rem;margin:.7rem 0}
article.inbound{margin-left:3rem;background:#eef6ee}
p{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}small{color:#444}
</style><h1>Caught text messages</h1>
<small>{{ stats.outbound }} out, {{ stats.inbound }} in, {{ stats.duplicates }} repeated.
Nothing here was sent to anybody.</small>
{% for m in messages %}<article class="{{ 'inbound' if m.direction == 'inbound' else 'outbound' }}">
<small>{{ m.created_at[:19] }} UTC, from {{ m.from }} to {{ m.to }}, {{ m.status }},
{{ m.segments }} segment(s) {{ m.encoding }}</small><p>{{ m.body | urlize(rel="noreferrer") }}</p>
{% if m.direction == "outbound-api" %}<form method="post" action="/simulate/reply">
<input type="hidden" name="from" value="{{ m.to }}"><input type="hidden" name="to" value="{{ m.from }}">
<label>Answer as {{ m.to }} <input name="body" required maxlength="1600"></label> <button>Send</button>
</form>{% endif %}</article>{% else %}<p>No messages yet.</p>{% endfor %}</html>"""
)


def sms_app(store: SmsStore, life: MessageLife, account: Account) -> Starlette:
    """Twilio's API and the pages of the module docstring."""
    pages = _Pages(store, life, account)
    return Starlette(
        routes=[
            *MessagesApi(store, life, account).routes(),
            Route("/", pages.page),
            Route("/messages", pages.listing, methods=["GET"]),
            Route("/messages", pages.clear, methods=["DELETE"]),
            Route("/stats", pages.stats),
            Route("/simulate/reply", pages.reply, methods=["POST"]),
        ],
        middleware=loopback_only(),
    )


class _Pages:
    def __init__(self, store: SmsStore, life: MessageLife, account: Account) -> None:
        self._store, self._life, self._account = store, life, account

    async def page(self, request: Request) -> Response:
        del request
        shown = [plain(row) for row in await self._store.find(limit=200)]
        return HTMLResponse(_PAGE.render(messages=shown, stats=await self._store.stats()))

    async def listing(self, request: Request) -> Response:
        found = await self._store.find(
            to=request.query_params.get("to", "").replace(" ", "+"),
            since=instant(request, "since"),
            limit=whole_number(request, "limit", 1000, 100_000),
            newest_first=False,
        )
        return JSONResponse([plain(row) for row in found])

    async def stats(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._store.stats())

    async def clear(self, request: Request) -> Response:
        del request
        await self._store.clear()
        return Response(status_code=204)

    async def reply(self, request: Request) -> Response:
        origin = request.headers.get("Origin")
        if origin is not None and origin.rpartition("//")[2] != request.headers.get("Host"):
            raise HTTPException(403, "replies are taken from this page only")
        as_json = request.headers.get("Content-Type", "").startswith("application/json")
        given = await (_json(request) if as_json else _form(request))
        for name in ("from", "to", "body"):
            if not given.get(name):
                raise HTTPException(400, f"{name}: expected a non-empty text")
        if self._account.webhook_url is None:
            raise HTTPException(409, "RECALL_SMS_WEBHOOK_URL is not set, so nobody listens for text messages")
        status, texts = await self._life.receive(given["from"], given["to"], given["body"])
        if not as_json:
            return RedirectResponse("/", status_code=303)
        return JSONResponse({"webhook_status": status, "answers": texts}, status_code=200 if status else 502)


async def _json(request: Request) -> dict[str, str]:
    try:
        given: Any = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        given = None
    if not isinstance(given, dict):
        raise HTTPException(400, 'expected a JSON object {"from": ..., "to": ..., "body": ...}')
    return {str(name): value for name, value in given.items() if isinstance(value, str)}


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
