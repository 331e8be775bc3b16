"""The WMS as an HTTP server: authentication, Idempotency-Key, paging, and faults on demand."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import httpx
from aiohttp import web

from domain.webhook_signature import SignatureRefused, key_bytes, signed_headers, verify
from tests.wms.contract import CONTRACT
from tests.wms.stock import Rejected, Warehouse

TOKEN = "token-of-the-reference-wms"


@dataclass
class Faults:
    """What goes wrong, and how often; counts run down."""

    statuses: list[int] = field(default_factory=list)
    """Answered instead of doing anything."""
    retry_after: str | None = None
    drop_after: int = 0
    """Acts, then cuts the line."""
    drop_before: int = 0
    garbled: int = 0
    html: int = 0
    seconds: float = 0.0
    """How long it thinks."""
    slow: int = 0
    """Answers that take so long; the others come at once."""
    until: asyncio.Event | None = None
    """Acts, and answers nothing before it is set."""
    pending: bool = False
    """Holds are taken and carried out later, by `Warehouse.settle`."""
    repeated: bool = False
    """Every row twice."""
    foreign: bool = False
    """A row for a key nobody asked for."""
    swapped: bool = False
    """Answers under the right key for another lot."""
    excess: bool = False
    """Says that more is held than was asked."""
    silent_keys: set[str] = field(default_factory=set)
    refused_places: set[str] = field(default_factory=set)
    refused_lots: set[str] = field(default_factory=set)
    """Numbers of lots whose status it does not take."""
    choked_lots: set[str] = field(default_factory=set)
    """Numbers of lots for which it takes none of the call."""
    strange: bool = False
    """Refuses lots under numbers of its own."""
    unserved: set[str] = field(default_factory=set)
    """Paths it does not serve."""
    redirect: str | None = None
    huge: bool = False
    packed: bool = False
    page: int = 1000
    """Rows on a page."""
    unstamped: bool = False
    """Does not say which state of the stock a page shows."""
    moving: list[list[Any]] = field(default_factory=list)
    """Lot, from, to and amount: one after each page that has a next."""
    forgotten: int = 0
    """Cursors before this one are gone."""
    chaos: random.Random | None = None
    """Draws a fault for every request."""


@dataclass
class Wms:
    """A running WMS."""

    warehouse: Warehouse = field(default_factory=Warehouse)
    faults: Faults = field(default_factory=Faults)
    url: str = ""
    key: bytes | None = None
    """Verifies signed requests; None: a token is expected."""
    calls: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """Where either side left the contract; a WMS that is told to garble is not counted."""
    seen: set[str] = field(default_factory=set)

    def reset(self) -> None:
        """As new."""
        self.warehouse.clear()
        self.faults = Faults()
        self.key = None
        self.calls.clear()
        self.violations.clear()
        self.seen.clear()

    def asked(self, path: str) -> list[Any]:
        """Bodies posted to a path."""
        return [body for where, _, body in self.calls if where == path]

    # ------------------------------------------------------------------ serving

    async def serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.calls.append((request.path, dict(request.headers), body))
        if (refused := self._unknown(request, raw)) is not None:
            return self._problem(request, 401, refused)
        self.violations += CONTRACT.faults_of_request(request.method, request.path, dict(request.headers), body)
        self._draw()
        early = await self._before(request)
        if early is not None:
            return early
        try:
            status, answer = self._done_once(request, raw, body)
        except Rejected as error:
            return self._problem(request, error.status, str(error))
        if self.faults.drop_after:
            self.faults.drop_after -= 1
            return self._cut(request)
        if self.faults.until is not None:
            await self.faults.until.wait()
        if self.faults.slow:
            self.faults.slow -= 1
            await asyncio.sleep(self.faults.seconds)
        return self._spoilt(request, status, answer)

    def _unknown(self, request: web.Request, raw: bytes) -> str | None:
        if self.key is None:
            return None if request.headers.get("Authorization") == f"Bearer {TOKEN}" else "unknown token"
        headers = request.headers
        message = headers.get("webhook-id", "")
        try:
            verify(
                [self.key],
                message_id=message,
                timestamp=headers.get("webhook-timestamp", ""),
                signature=headers.get("webhook-signature", ""),
                body=f"{request.method} {request.path_qs}\n".encode() + raw,
                now=datetime.now(UTC),
            )
        except SignatureRefused as error:
            return error.reason
        if message in self.seen:
            return "the message came before"
        self.seen.add(message)
        return None

    def _draw(self) -> None:
        chance = self.faults.chaos
        if chance is None:
            return
        self.faults.pending = chance.random() < 0.3
        self.faults.repeated = chance.random() < 0.3
        self.faults.foreign = chance.random() < 0.3
        drawn = chance.choice(["", "", "", "503", "429", "after", "before", "garbled", "html"])
        if drawn.isdigit():
            self.faults.statuses.append(int(drawn))
        elif drawn == "after":
            self.faults.drop_after += 1
        elif drawn == "before":
            self.faults.drop_before += 1
        elif drawn == "garbled":
            self.faults.garbled += 1
        elif drawn == "html":
            self.faults.html += 1

    async def _before(self, request: web.Request) -> web.StreamResponse | None:
        faults = self.faults
        if faults.drop_before:
            faults.drop_before -= 1
            return self._cut(request)
        if faults.statuses:
            return self._problem(request, faults.statuses.pop(0), "told to fail")
        if faults.redirect is not None:
            return web.Response(status=307, headers={"Location": faults.redirect})
        return None

    def _cut(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=500)

    def _done_once(self, request: web.Request, raw: bytes, body: Any) -> tuple[int, dict[str, Any]]:
        """One call is carried out once, however often it is repeated under its Idempotency-Key."""
        call = request.headers.get("Idempotency-Key")
        asked = f"{request.path}\n{raw.decode()}"
        if call is not None:
            known = self.warehouse.rows("SELECT * FROM done WHERE key = ?", call)
            if known:
                if known[0]["request"] != asked:
                    raise Rejected(422, "Idempotency-Key of another call")
                return int(known[0]["status"]), json.loads(known[0]["answer"])
        status, answer = self._acted(request, body)
        if call is not None:
            kept = (call, asked, status, json.dumps(answer))
            self.warehouse.db.execute("INSERT INTO done VALUES (?, ?, ?, ?)", kept)
        return status, answer

    def _acted(self, request: web.Request, body: Any) -> tuple[int, dict[str, Any]]:
        stock = self.warehouse
        acts: dict[str, Callable[[], dict[str, Any]]] = {
            "/status": lambda: {"name": "Reference WMS", "version": "1"},
            "/stock/query": lambda: self._positions(body),
            "/holds": lambda: {"holds": [self._held(item) for item in body["holds"]]},
            "/holds/query": lambda: {"holds": [stock.state(key) for key in body["keys"]]},
            "/holds/release": lambda: {"holds": [stock.release(item) for item in body["holds"]]},
            "/documents/query": lambda: self._documents(body),
            "/documents/block": lambda: stock.block(body),
            "/documents/unblock": lambda: stock.unblock(body["key"]),
            "/disposals": lambda: stock.dispose(body),
            "/shipments": lambda: stock.order(body),
            "/shipments/cancel": lambda: stock.unorder(body["key"]),
            "/lots/status": lambda: self._told(body["lots"]),
            "/changes": lambda: self._changes(request),
        }
        if request.path not in acts or request.path in self.faults.unserved:
            raise Rejected(404, "no such path")
        answer = acts[request.path]()
        late = request.path == "/holds" and any(each["status"] == "pending" for each in answer["holds"])
        return (202 if late else 200), answer

    def _held(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["place"] in self.faults.refused_places:
            return {"key": item["key"], "status": "refused", "reason": "the aisle is\nclosed"}
        return self.warehouse.hold(item, pending=self.faults.pending)

    def _positions(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = {(lot["product"], lot["number"]) for lot in body["lots"]}
        found = [
            {
                "lot": {"product": row["product"], "number": row["number"]}
                | ({"site": row["site"]} if row["site"] else {}),
                "place": row["place"],
                "state": row["state"],
                "quantity": {"amount": row["amount"], "unit": row["unit"]},
                "document": row["document"] or None,
            }
            for row in self.warehouse.rows("SELECT * FROM stock ORDER BY rowid")
            if (row["product"], row["number"]) in asked
        ]
        return self._paged(found, body, "positions")

    def _documents(self, body: dict[str, Any]) -> dict[str, Any]:
        lots = {(lot["product"], lot["number"]) for lot in body["lots"]}
        found = []
        for row in self.warehouse.rows("SELECT * FROM document WHERE state <> 'done' ORDER BY number"):
            lines = json.loads(row["lines"])
            if any(
                (each["product"], each.get("number")) in lots
                or (each["product"] in body["products"] and not each.get("number"))
                for each in lines
            ):
                found.append(
                    {
                        **{name: row[name] for name in ("number", "kind", "state", "place", "other_place")},
                        "lines": lines,
                    }
                )
        return self._paged(found, body, "documents")

    def _paged(self, found: list[dict[str, Any]], body: dict[str, Any], member: str) -> dict[str, Any]:
        begin = int(body.get("page", "0"))
        end = begin + self.faults.page
        page: dict[str, Any] = {member: found[begin:end]} | ({"next": str(end)} if end < len(found) else {})
        if not self.faults.unstamped:
            ((seq,),) = self.warehouse.rows("SELECT coalesce(max(seq), 0) FROM journal")
            page["as_of"] = str(seq)
        if self.faults.moving and "next" in page:
            self.warehouse.move(*self.faults.moving.pop(0))
        return page

    def _told(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        if choked := {each["lot"]["number"] for each in items} & self.faults.choked_lots:
            raise Rejected(422, f"cannot read {min(choked)}")
        answer = self.warehouse.told(items, unknown=self.faults.refused_lots)
        if self.faults.strange:
            answer["refused"] = [each | {"lot": {"product": "?", "number": "?"}} for each in answer["refused"]]
        return answer

    def _changes(self, request: web.Request) -> dict[str, Any]:
        cursor, limit = int(request.query.get("cursor", "0")), int(request.query.get("limit", "500"))
        if "cursor" in request.query and cursor < self.faults.forgotten:
            raise Rejected(410, "this cursor is gone")
        found = self.warehouse.rows("SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", cursor, limit + 1)
        page = found[:limit]
        rows = [{"lot": json.loads(each["lot"]), "place": each["place"], "what": each["what"]} for each in page]
        return {
            "changes": rows,
            "cursor": str(page[-1]["seq"] if page else cursor),
            "more": len(found) > limit,
        }

    # ------------------------------------------------------------------ answering

    def _spoilt(self, request: web.Request, status: int, answer: dict[str, Any]) -> web.StreamResponse:
        faults = self.faults
        if faults.garbled or faults.html or faults.huge or faults.packed:
            if faults.huge:
                return web.Response(body=b'{"x": "' + b"x" * 300_000 + b'"}', content_type="application/json")
            if faults.packed:
                return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
            whole = json.dumps(answer)
            text = "<html>busy</html>" if faults.html else whole[: len(whole) // 2]
            faults.html, faults.garbled = max(faults.html - 1, 0), max(faults.garbled - 1, 0)
            return web.Response(text=text, content_type="application/json")
        answer = self._twisted(answer)
        self.violations += CONTRACT.faults_of_answer(request.method, request.path, status, "application/json", answer)
        return web.json_response(answer, status=status)

    def _twisted(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The same answer in the ways a WMS gets it wrong while it keeps to the letter of the contract."""
        if "holds" not in answer:
            return answer
        holds = [dict(each) for each in answer["holds"] if each["key"] not in self.faults.silent_keys]
        for each in holds:
            if self.faults.swapped and "lot" in each:
                each["lot"] = each["lot"] | {"number": "another"}
            if self.faults.excess and each["status"] == "held":
                each["held"] = {"amount": "99999", "unit": "unit-of-use"}
        if self.faults.foreign and holds:
            holds.append({**holds[0], "key": "RC-1999-000001:hold:1"})
        if self.faults.repeated:
            holds += holds
        return answer | {"holds": holds}

    def _problem(self, request: web.Request, status: int, detail: str) -> web.Response:
        body = {"title": "Not done", "status": status, "detail": detail}
        if request.path in CONTRACT.document["paths"]:
            kind = "application/problem+json"
            self.violations += CONTRACT.faults_of_answer(request.method, request.path, status, kind, body)
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after is not None else {}
        text = json.dumps(body)
        return web.Response(text=text, status=status, content_type="application/problem+json", headers=headers)

    # ------------------------------------------------------------------ webhooks

    async def tell(
        self, client: httpx.AsyncClient, url: str, key: str, *, message_id: str, at: datetime | None = None
    ) -> int:
        """POST a signed webhook to the recall orchestrator; returns the status it answered."""
        body = b"{}"
        headers = signed_headers([key_bytes(key)], message_id, at or datetime.now(UTC), body)
        sent = await client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
        return sent.status_code


def faulted(values: dict[str, Any]) -> Faults:
    """Faults from plain values, for a WMS that is driven from outside."""
    known = {each.name for each in fields(Faults)} - {"chaos", "until"}
    seed = values.pop("chaos", None)
    chosen: dict[str, Any] = {
        name: set(value) if name.endswith(("keys", "places", "lots", "unserved")) else value
        for name, value in values.items()
    }
    if unknown := set(chosen) - known:
        raise Rejected(422, f"unknown faults {sorted(unknown)}")
    return Faults(**chosen, chaos=random.Random(seed) if seed is not None else None)  # noqa: S311


@asynccontextmanager
async def running(wms: Wms, port: int = 0) -> AsyncIterator[Wms]:
    """Serve until the end of the block."""

    async def control(request: web.Request) -> web.Response:
        wms.faults = faulted(await request.json())
        return web.json_response({"violations": wms.violations, "settled": wms.warehouse.settle()})

    async def put(request: web.Request) -> web.Response:
        given = await request.json()
        wms.warehouse.put(given.pop("lot"), given.pop("place"), given.pop("amount"), **given)
        return web.json_response({})

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/-/faults", control)
    app.router.add_post("/-/stock", put)
    app.router.add_route("*", "/{rest:.*}", wms.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    wms.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield wms
    finally:
        await runner.cleanup()
