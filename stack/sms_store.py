"""The text messages of the Twilio stand-in, both directions, with their state; durable before acknowledged."""

import asyncio
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.sms_segments import sms_size
from stack.durable_store import DurableStore, Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sid TEXT NOT NULL UNIQUE,
    direction TEXT NOT NULL,
    sender TEXT,
    service TEXT,
    recipient TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    error_code INTEGER,
    callback TEXT,
    reported TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    sent_at TEXT,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sms_recipient ON sms (recipient, id);
CREATE INDEX IF NOT EXISTS sms_unfinished ON sms (id) WHERE reported <> 'done';
CREATE TABLE IF NOT EXISTS opt_out (number TEXT PRIMARY KEY, at TEXT NOT NULL);
"""
_INSERT = (
    "INSERT INTO sms (sid, direction, sender, service, recipient, body, status, callback, reported,"
    " created_at, sent_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
)


def new_sid(prefix: str = "SM") -> str:
    """A sid in Twilio's shape: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


class SmsStore:
    """Messages and opt-outs."""

    def __init__(self, path: Path) -> None:
        self._store = DurableStore(path, _SCHEMA)

    async def add_outbound(
        self,
        *,
        to: str,
        body: str,
        sender: str | None,
        service: str | None,
        callback: str | None,
        direction: str = "outbound-api",
    ) -> Row:
        """Keep a message to be sent; returns it once it is on disk."""
        sid, now = new_sid(), _now()
        values = (sid, direction, sender, service, to, body, "queued", callback, "", now, None, now)
        await self._store.write(_INSERT, values)
        return await self.require(sid)

    async def add_inbound(self, *, sender: str, to: str, body: str) -> Row:
        """Keep a message from a phone."""
        sid, now = new_sid(), _now()
        values = (sid, "inbound", sender, None, to, body, "received", None, "done", now, now, now)
        await self._store.write(_INSERT, values)
        return await self.require(sid)

    async def set_status(self, sid: str, status: str, *, error_code: int | None = None, done: bool = False) -> None:
        """Record progress of an outbound message; `done` when nobody is to be told of it any more."""
        now = _now()
        await self._store.write(
            "UPDATE sms SET status = ?, error_code = ?, updated_at = ?, sent_at = coalesce(sent_at, ?),"
            " reported = CASE WHEN ? THEN 'done' ELSE reported END WHERE sid = ?",
            (status, error_code, now, now, done, sid),
        )

    async def set_reported(self, sid: str, status: str) -> None:
        """Remember the last status the callback was told; `done` ends the message's life."""
        await self._store.write("UPDATE sms SET reported = ? WHERE sid = ?", (status, sid))

    async def unfinished(self) -> list[str]:
        """Sids whose life was cut short by a restart."""
        rows = await self._store.read("SELECT sid FROM sms WHERE reported <> 'done' ORDER BY id")
        return [str(row["sid"]) for row in rows]

    async def get(self, sid: str) -> Row | None:
        """One message, or None."""
        rows = await self._store.read("SELECT * FROM sms WHERE sid = ?", (sid,))
        return rows[0] if rows else None

    async def require(self, sid: str) -> Row:
        """One message that must exist."""
        found = await self.get(sid)
        if found is None:
            raise LookupError(f"message {sid} has vanished")
        return found

    async def find(
        self,
        *,
        to: str = "",
        sender: str = "",
        sent_from: datetime | None = None,
        sent_before: datetime | None = None,
        since: datetime | None = None,
        offset: int = 0,
        limit: int = 50,
        newest_first: bool = True,
    ) -> list[Row]:
        """Messages by number and time; the two `sent_*` bounds leave out what is still queued."""
        order = "DESC" if newest_first else "ASC"
        return await self._store.read(
            "SELECT * FROM sms WHERE (:to = '' OR recipient = :to) AND (:sender = '' OR sender = :sender)"  # noqa: S608
            " AND (:sent_from = '' OR sent_at >= :sent_from) AND (:sent_before = '' OR sent_at < :sent_before)"
            f" AND created_at >= :since ORDER BY id {order} LIMIT :limit OFFSET :offset",
            {
                "to": to,
                "sender": sender,
                "sent_from": _text(sent_from),
                "sent_before": _text(sent_before),
                "since": _text(since),
                "limit": limit,
                "offset": offset,
            },
        )

    async def opted_out(self, number: str) -> bool:
        """Whether the number answered STOP."""
        return bool(await self._store.read("SELECT 1 AS x FROM opt_out WHERE number = ?", (number,)))

    async def set_opt_out(self, number: str, stopped: bool) -> None:
        """Record STOP or START."""
        if stopped:
            await self._store.write("INSERT OR IGNORE INTO opt_out (number, at) VALUES (?,?)", (number, _now()))
        else:
            await self._store.write("DELETE FROM opt_out WHERE number = ?", (number,))

    async def stats(self) -> dict[str, int]:
        """Totals for a checker: messages out and in, and repeats of the same body to the same number."""
        counted = await self._store.read(
            "SELECT count(*) FILTER (WHERE direction = 'outbound-api') AS outbound,"
            " count(*) FILTER (WHERE direction = 'outbound-reply') AS replies,"
            " count(*) FILTER (WHERE direction = 'inbound') AS inbound,"
            " count(*) FILTER (WHERE direction = 'outbound-api') - count(DISTINCT CASE"
            " WHEN direction = 'outbound-api' THEN recipient || ' ' || body END) AS duplicates FROM sms"
        )
        return {name: int(value) for name, value in counted[0].items()}

    async def clear(self) -> None:
        """Forget every message and opt-out."""
        await asyncio.gather(self._store.write("DELETE FROM sms"), self._store.write("DELETE FROM opt_out"))

    async def close(self) -> None:
        """Finish writes under way and close the file."""
        await self._store.close()


def plain(row: Row) -> dict[str, Any]:
    """A message as the stand-in's own JSON (`GET /messages`)."""
    size = sms_size(str(row["body"]))
    return {
        "id": row["id"],
        "sid": row["sid"],
        "direction": row["direction"],
        "from": row["sender"] or row["service"],
        "to": row["recipient"],
        "body": row["body"],
        "status": row["status"],
        "error_code": row["error_code"],
        "segments": size.segments,
        "encoding": size.encoding.value,
        "created_at": row["created_at"],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else ""
