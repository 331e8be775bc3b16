"""The calls of the Twilio stand-in, what was said in them, and the log of requests behind each."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stack.durable_store import DurableStore, Row
from stack.sms_store import new_sid

_SCHEMA = """
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sid TEXT NOT NULL UNIQUE,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    url TEXT NOT NULL,
    callback TEXT,
    callback_events TEXT NOT NULL,
    detects_machines INTEGER NOT NULL,
    status TEXT NOT NULL,
    answered_by TEXT,
    said TEXT NOT NULL DEFAULT '',
    keys TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS call_recipient ON call (recipient, id);
CREATE TABLE IF NOT EXISTS call_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL, url TEXT NOT NULL, parameters TEXT NOT NULL,
    status INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS call_request_sid ON call_request (sid, id);
"""
FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


class CallStore:
    """Calls, in the order in which they were placed."""

    def __init__(self, path: Path) -> None:
        self._store = DurableStore(path, _SCHEMA)

    async def add(
        self,
        *,
        to: str,
        sender: str,
        url: str,
        callback: str | None,
        events: list[str],
        detects_machines: bool,
    ) -> Row:
        """Keep a call to be placed; returns it once it is on disk."""
        sid, now = new_sid("CA"), _now()
        await self._store.write(
            "INSERT INTO call (sid, sender, recipient, url, callback, callback_events, detects_machines, status,"
            " created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (sid, sender, to, url, callback, json.dumps(events), detects_machines, "queued", now, now),
        )
        return await self.require(sid)

    async def set_status(self, sid: str, status: str, *, answered_by: str | None = None) -> None:
        """The call has come this far."""
        now = _now()
        await self._store.write(
            "UPDATE call SET status = ?, answered_by = coalesce(?, answered_by), updated_at = ?,"
            " started_at = CASE WHEN ? = 'in-progress' THEN coalesce(started_at, ?) ELSE started_at END,"
            " ended_at = CASE WHEN ? THEN ? ELSE ended_at END WHERE sid = ?",
            (status, answered_by, now, status, now, status in FINAL, now, sid),
        )

    async def add_said(self, sid: str, text: str) -> None:
        """Words that were spoken."""
        await self._store.write("UPDATE call SET said = said || ? || char(10) WHERE sid = ?", (text, sid))

    async def add_key(self, sid: str, key: str) -> None:
        """A key that was pressed."""
        await self._store.write("UPDATE call SET keys = keys || ? WHERE sid = ?", (key, sid))

    async def set_done(self, sid: str) -> None:
        """Nobody is to be told of it any more."""
        await self._store.write("UPDATE call SET done = 1 WHERE sid = ?", (sid,))

    async def note_request(self, sid: str, url: str, parameters: dict[str, str], status: int) -> None:
        """A request behind the call, either way."""
        await self._store.write(
            "INSERT INTO call_request (sid, url, parameters, status, at) VALUES (?,?,?,?,?)",
            (sid, url, json.dumps(parameters), status, _now()),
        )

    async def requests(self, sid: str) -> list[Row]:
        """The log of a call that has ended; Twilio opens it later still."""
        return await self._store.read(
            "SELECT r.* FROM call_request r JOIN call ON call.sid = r.sid"
            " WHERE r.sid = ? AND call.ended_at IS NOT NULL ORDER BY r.id",
            (sid,),
        )

    async def unfinished(self) -> list[str]:
        """Calls that a restart has to take up."""
        return [row["sid"] for row in await self._store.read("SELECT sid FROM call WHERE NOT done ORDER BY id")]

    async def get(self, sid: str) -> Row | None:
        """One call."""
        found = await self._store.read("SELECT * FROM call WHERE sid = ?", (sid,))
        return found[0] if found else None

    async def require(self, sid: str) -> Row:
        """One call that must exist."""
        found = await self.get(sid)
        if found is None:
            raise LookupError(f"call {sid} has vanished")
        return found

    async def find(self, *, to: str = "", sender: str = "", offset: int = 0, limit: int = 50) -> list[Row]:
        """Calls by number, the newest first."""
        return await self._store.read(
            "SELECT * FROM call WHERE (:to = '' OR recipient = :to) AND (:sender = '' OR sender = :sender)"
            " ORDER BY id DESC LIMIT :limit OFFSET :offset",
            {"to": to, "sender": sender, "limit": limit, "offset": offset},
        )

    async def clear(self) -> None:
        """Forget every call."""
        await self._store.write("DELETE FROM call")
        await self._store.write("DELETE FROM call_request")

    async def close(self) -> None:
        """Finish writes under way and close the file."""
        await self._store.close()


def plain_call(row: Row) -> dict[str, Any]:
    """A call as the stand-in's own JSON (`GET /calls`)."""
    shown = ("id", "sid", "status", "answered_by", "said", "keys", "created_at", "ended_at")
    return {"from": row["sender"], "to": row["recipient"]} | {name: row[name] for name in shown}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
