"""The stand-in's calls for people and programs: what was said, and keys to press while a call waits for one.

GET /calls               JSON; ?to= number, ?limit= (1000), oldest first
DELETE /calls            forget all
POST /simulate/key       {"to" or "sid", "key"} as JSON or form: whoever was called presses a key
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.call_life import CallLife
from stack.call_store import CallStore, plain_call
from stack.inbox_app import whole_number
from stack.page_input import from_this_page_only, given_fields

_KEYS = frozenset("0123456789*#")


class CallPages:
    """Routes of the module docstring."""

    def __init__(self, store: CallStore, life: CallLife) -> None:
        self._store, self._life = store, life

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/calls", self.listing, methods=["GET"]),
            Route("/calls", self.clear, methods=["DELETE"]),
            Route("/simulate/key", self.press, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """Calls as JSON."""
        to = request.query_params.get("to", "").replace(" ", "+")
        found = await self._store.find(to=to, limit=whole_number(request, "limit", 1000, 100_000))
        return JSONResponse([plain_call(row) for row in reversed(found)])

    async def clear(self, request: Request) -> Response:
        """Forget every call."""
        del request
        await self._store.clear()
        return Response(status_code=204)

    async def press(self, request: Request) -> Response:
        """Press a key in the named call, or in the newest one to a number."""
        from_this_page_only(request)
        given, as_json = await given_fields(request)
        key, sid = given.get("key", ""), given.get("sid", "")
        if key not in _KEYS or len(key) != 1:
            raise HTTPException(400, "key: expected one of 0-9, * and #")
        if not sid:
            if not given.get("to"):
                raise HTTPException(400, "to or sid: expected the number or the call")
            newest = await self._store.find(to=given["to"], limit=1)
            sid = str(newest[0]["sid"]) if newest else ""
        if not self._life.press(sid, key):
            raise HTTPException(409, "no such call waits for a key")
        return JSONResponse({"sid": sid, "key": key}) if as_json else RedirectResponse("/", status_code=303)
