"""The caught mail over HTTP: an inbox for people, JSON for programs; loopback only.

HTML bodies are shown inside a sandboxed frame without scripts, because what was caught may be hostile; their
links are listed beside the frame so that they can be followed.
"""

from datetime import datetime
from typing import Any

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from stack.mailbox import MailBox
from stack.small_server import loopback_only

_MAX_LIMIT = 10_000
_STYLE = """<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1b1b1b}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem;border-bottom:1px solid #ccc}
pre{white-space:pre-wrap;overflow-wrap:anywhere}iframe{width:100%;height:60vh;border:1px solid #888}
.note{color:#8a3b00}
</style>"""
_LIST = (
    """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Caught mail</title>"""
    + _STYLE
    + """<h1>Caught mail</h1>
<p>{{ stats.messages }} kept, {{ stats.duplicates }} repeated, {{ stats.refused }} refused. Nothing here was
delivered to anybody.</p>
<table><tr><th>Received</th><th>To</th><th>Subject</th></tr>
{% for m in messages %}<tr><td>{{ m.received_at[:19] }}</td><td>{{ m.to }}</td>
<td><a href="/view/{{ m.id }}">{{ m.subject or "(no subject)" }}</a>{% if m.duplicate_of %}
<span class="note">repeat of {{ m.duplicate_of }}</span>{% endif %}</td></tr>
{% else %}<tr><td colspan="3">No mail yet.</td></tr>{% endfor %}</table>
{% if older %}<p><a href="/?before={{ older }}">Older</a></p>{% endif %}</html>"""
)
_VIEW = (
    """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ m.subject }}</title>"""
    + _STYLE
    + """<p><a href="/">Inbox</a> &middot; <a href="/messages/{{ m.id }}/raw">As received</a></p>
<h1>{{ m.subject }}</h1>
<p>From {{ m.from }} to {{ m.to }}, {{ m.received_at[:19] }} UTC{% if m.duplicate_of %}
<span class="note">(repeat of <a href="/view/{{ m.duplicate_of }}">{{ m.duplicate_of }}</a>)</span>{% endif %}</p>
<h2>Links</h2><ul>{% for link in m.links %}<li><a rel="noreferrer" href="{{ link }}">{{ link }}</a></li>
{% else %}<li>None</li>{% endfor %}</ul>
{% if m.html %}<h2>Message</h2><iframe title="Message" sandbox="allow-popups allow-popups-to-escape-sandbox"
srcdoc="{{ '<base target=_blank>' ~ m.html }}"></iframe>{% endif %}
<h2>Text</h2><pre>{{ m.text or "(none)" }}</pre></html>"""
)
_ENVIRONMENT = Environment(autoescape=True, undefined=StrictUndefined)
_LIST_PAGE, _VIEW_PAGE = _ENVIRONMENT.from_string(_LIST), _ENVIRONMENT.from_string(_VIEW)


def inbox_app(box: MailBox) -> Starlette:
    """Routes of the module docstring of `stack.mail_catcher`."""
    pages = _Pages(box)
    return Starlette(
        routes=[
            Route("/", pages.inbox),
            Route("/view/{number:int}", pages.view),
            Route("/messages", pages.listing, methods=["GET"]),
            Route("/messages", pages.clear, methods=["DELETE"]),
            Route("/messages/{number:int}", pages.message),
            Route("/messages/{number:int}/raw", pages.raw),
            Route("/stats", pages.stats),
        ],
        middleware=loopback_only(),
    )


class _Pages:
    def __init__(self, box: MailBox) -> None:
        self._box = box

    async def inbox(self, request: Request) -> Response:
        before = whole_number(request, "before", 2**62, 2**62)
        shown = await self._box.newest(before=before, limit=100)
        older = shown[-1]["id"] if len(shown) == 100 else None
        page = _LIST_PAGE.render(messages=shown, stats=await self._box.stats(), older=older)
        return HTMLResponse(page)

    async def view(self, request: Request) -> Response:
        return HTMLResponse(_VIEW_PAGE.render(m=await self._one(request)))

    async def listing(self, request: Request) -> Response:
        found = await self._box.find(
            to=request.query_params.get("to"),
            since=instant(request, "since"),
            after=whole_number(request, "after", 0, 2**62),
            limit=whole_number(request, "limit", 1000, _MAX_LIMIT),
        )
        return JSONResponse(found)

    async def message(self, request: Request) -> Response:
        return JSONResponse(await self._one(request))

    async def raw(self, request: Request) -> Response:
        raw = await self._box.raw(request.path_params["number"])
        if raw is None:
            raise HTTPException(404, "no such message")
        return Response(raw, media_type="text/plain")

    async def stats(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._box.stats())

    async def clear(self, request: Request) -> Response:
        del request
        await self._box.clear()
        return Response(status_code=204)

    async def _one(self, request: Request) -> dict[str, Any]:
        found = await self._box.get(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "no such message")
        return found


def whole_number(request: Request, name: str, default: int, highest: int) -> int:
    """A query parameter from 0 to `highest`; anything else is answered with 400 and what was expected."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= highest):
        raise HTTPException(400, f"{name}: expected a whole number from 0 to {highest}")
    return int(text)


def instant(request: Request, name: str) -> datetime | None:
    """A query parameter that is an ISO instant with an offset, or None."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text.replace(" ", "+"))
        if value.tzinfo is None:
            raise ValueError("no offset")
    except ValueError:
        raise HTTPException(400, f"{name}: expected an instant such as 2026-11-02T08:00:00+00:00") from None
    return value
