"""The messages the mail catcher took, as they came over the wire and as JSON."""

import asyncio
import email.policy
import re
from datetime import UTC, datetime
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path
from typing import Any

from stack.durable_store import DurableStore, Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_recipient ON mail (recipient, id);
CREATE INDEX IF NOT EXISTS mail_by_message_id ON mail (message_id, recipient, id);
CREATE TABLE IF NOT EXISTS refusal (id INTEGER PRIMARY KEY, at TEXT NOT NULL, recipient TEXT NOT NULL);
"""
_INSERT = "INSERT INTO mail (received_at, sender, recipient, message_id, raw) VALUES (?,?,?,?,?)"
_COLUMNS = (
    "id, received_at, sender, recipient, message_id, raw, (SELECT min(earlier.id) FROM mail earlier"
    " WHERE earlier.message_id = mail.message_id AND earlier.recipient = mail.recipient"
    " AND earlier.id < mail.id AND mail.message_id <> '') AS duplicate_of"
)
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:)\]。，；：）】]")


class MailBox:
    """The caught messages. A message to several recipients is kept once for each."""

    def __init__(self, path: Path) -> None:
        self._store = DurableStore(path, _SCHEMA)

    async def add(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Keep a message; returns when it is on disk."""
        # The old policy leaves values as they are: reading each header in full would slow the sink down.
        message_id = str(BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw).get("Message-ID", ""))
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        await asyncio.gather(
            *(self._store.write(_INSERT, (now, sender, recipient, message_id.strip(), raw)) for recipient in recipients)
        )

    async def refused(self, recipient: str) -> None:
        """Count a refused recipient."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        await self._store.write("INSERT INTO refusal (at, recipient) VALUES (?,?)", (now, recipient))

    async def find(
        self,
        *,
        to: str | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """Messages as the JSON shape; `to` without regard to case, `since` inclusive."""
        moment = since.astimezone(UTC).isoformat(timespec="microseconds") if since else ""
        sql = (
            f"SELECT {_COLUMNS} FROM mail WHERE id > ? AND received_at >= ?"  # noqa: S608 - constants only
            " AND (? = '' OR recipient = ?) ORDER BY id LIMIT ?"
        )
        address = (to or "").strip().lower()
        rows = await self._store.read(sql, (after, moment, address, address, limit))
        return [_shape(row) for row in rows]

    async def newest(self, *, before: int, limit: int) -> list[dict[str, Any]]:
        """The latest messages with an id below `before`, newest first."""
        sql = f"SELECT {_COLUMNS} FROM mail WHERE id < ? ORDER BY id DESC LIMIT ?"  # noqa: S608
        return [_shape(row) for row in await self._store.read(sql, (before, limit))]

    async def get(self, number: int) -> dict[str, Any] | None:
        """One message, or None."""
        found = await self.find(after=number - 1, limit=1)
        return found[0] if found and found[0]["id"] == number else None

    async def raw(self, number: int) -> bytes | None:
        """One message as it came over the wire."""
        rows = await self._store.read("SELECT raw FROM mail WHERE id = ?", (number,))
        return bytes(rows[0]["raw"]) if rows else None

    async def stats(self) -> dict[str, int]:
        """Totals: messages kept, of these repeats of a Message-ID to the same recipient, recipients refused."""
        counted = await self._store.read(
            "SELECT count(*) AS messages, count(*) - count(DISTINCT CASE WHEN message_id = '' THEN 'row ' || id"
            " ELSE message_id || ' ' || recipient END) AS duplicates,"
            " (SELECT count(*) FROM refusal) AS refused FROM mail"
        )
        return {name: int(value) for name, value in counted[0].items()}

    async def clear(self) -> None:
        """Forget everything."""
        await asyncio.gather(self._store.write("DELETE FROM mail"), self._store.write("DELETE FROM refusal"))

    async def close(self) -> None:
        """Finish writes under way and close the file."""
        await self._store.close()


def _shape(row: Row) -> dict[str, Any]:
    parsed = BytesParser(policy=email.policy.default).parsebytes(bytes(row.pop("raw")))
    text, html = _part(parsed, "plain"), _part(parsed, "html")
    headers = {name: str(value) for name, value in parsed.items()}
    row["from"], row["to"] = row.pop("sender"), row.pop("recipient")
    links = list(dict.fromkeys(_LINK.findall(text or html or "")))
    return {
        **row,
        "subject": headers.get("Subject", ""),
        "text": text,
        "html": html,
        "headers": headers,
        "links": links,
    }


def _part(parsed: Any, subtype: str) -> str | None:
    part = parsed.get_body(preferencelist=(subtype,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")
