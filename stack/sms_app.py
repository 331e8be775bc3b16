"""The stand-in's face for people and programs: every text message, and a box to answer as the phone would.

GET /                    all messages, with a reply box under each outbound one
GET /messages            JSON; ?to= number, ?since= ISO instant, ?limit= (1000), oldest first
GET /stats               JSON: outbound, replies, inbound, duplicates
DELETE /messages         forget all
POST /simulate/reply     {"from", "to", "body"} as JSON or form: a phone writes to our number
"""

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.accepted_life import Account
from stack.call_life import CallLife
from stack.call_pages import CallPages
from stack.call_store import CallStore, plain_call
from stack.inbox_app import instant, whole_number
from stack.page_input import from_this_page_only, given_fields
from stack.small_server import loopback_only
from stack.sms_life import MessageLife
from stack.sms_store import SmsStore, plain
from stack.twilio_api import MessagesApi
from stack.twilio_calls_api import CallsApi

_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Caught text messages and calls</title><style>
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:50rem;padding:1rem;color:#1b1b1b}
article{border:1px solid #888;border-radius:.5rem;padding:.5rem 1rem;margin:.7rem 0}
article.inbound{margin-left:3rem;background:#eef6ee}
p{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}small{color:#444}
</style><h1>Caught text messages and calls</h1>
<small>{{ stats.outbound }} out, {{ stats.inbound }} in, {{ stats.duplicates }} repeated.
Nothing here was sent to anybody, and nobody was called.</small>
{% for c in calls %}<article class="call"><small>{{ c.created_at[:19] }} UTC, call from {{ c.from }} to {{ c.to }},
{{ c.status }}{{ ", answered by " ~ c.answered_by if c.answered_by }}{{ ", pressed " ~ c["keys"] if c["keys"] }}</small>
<p>{{ c.said }}</p>{% if c.status == "in-progress" %}<form method="post" action="/simulate/key">
<input type="hidden" name="sid" value="{{ c.sid }}">Press {% for key in "12349" %}<button name="key" value="{{ key }}">
{{- key }}</button> {% endfor %}</form>{% endif %}</article>{% endfor %}
{% for m in messages %}<article class="{{ 'inbound' if m.direction == 'inbound' else 'outbound' }}">
<small>{{ m.created_at[:19] }} UTC, from {{ m.from }} to {{ m.to }}, {{ m.status }},
{{ m.segments }} segment(s) {{ m.encoding }}</small><p>{{ m.body | urlize(rel="noreferrer") }}</p>
{% if m.direction == "outbound-api" %}<form method="post" action="/simulate/reply">
<input type="hidden" name="from" value="{{ m.to }}"><input type="hidden" name="to" value="{{ m.from }}">
<label>Answer as {{ m.to }} <input name="body" required maxlength="1600"></label> <button>Send</button>
</form>{% endif %}</article>{% else %}<p>No messages yet.</p>{% endfor %}</html>"""
)


def sms_app(store: SmsStore, life: MessageLife, calls: CallStore, call_life: CallLife, account: Account) -> Starlette:
    """Twilio's API, the pages of the module docstring and those of calls (`stack.call_pages`)."""
    pages = _Pages(store, life, calls, account)
    return Starlette(
        routes=[
            *MessagesApi(store, life, account).routes(),
            *CallsApi(calls, call_life, account).routes(),
            *CallPages(calls, call_life).routes(),
            Route("/", pages.page),
            Route("/messages", pages.listing, methods=["GET"]),
            Route("/messages", pages.clear, methods=["DELETE"]),
            Route("/stats", pages.stats),
            Route("/simulate/reply", pages.reply, methods=["POST"]),
        ],
        middleware=loopback_only(),
    )


class _Pages:
    def __init__(self, store: SmsStore, life: MessageLife, calls: CallStore, account: Account) -> None:
        self._store, self._life, self._calls, self._account = store, life, calls, account

    async def page(self, request: Request) -> Response:
        del request
        shown = [plain(row) for row in await self._store.find(limit=200)]
        calls = [plain_call(row) for row in await self._calls.find(limit=50)]
        return HTMLResponse(_PAGE.render(messages=shown, calls=calls, stats=await self._store.stats()))

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
        from_this_page_only(request)
        given, as_json = await given_fields(request)
        for name in ("from", "to", "body"):
            if not given.get(name):
                raise HTTPException(400, f"{name}: expected a non-empty text")
        if self._account.webhook_url is None:
            raise HTTPException(409, "RECALL_SMS_WEBHOOK_URL is not set, so nobody listens for text messages")
        status, texts = await self._life.receive(given["from"], given["to"], given["body"])
        if not as_json:
            return RedirectResponse("/", status_code=303)
        return JSONResponse({"webhook_status": status, "answers": texts}, status_code=200 if status else 502)
