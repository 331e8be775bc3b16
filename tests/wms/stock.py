"""The WMS's own records in SQLite: stock by lot and place, holds, documents, disposals, and the journal of changes."""

import json
import sqlite3
from decimal import Decimal
from typing import Any, Final

D = Decimal
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pack (product TEXT, unit TEXT, size TEXT, PRIMARY KEY (product, unit));
CREATE TABLE IF NOT EXISTS stock (product TEXT, number TEXT, site TEXT, place TEXT, state TEXT, document TEXT,
    amount TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (product, number, site, place, state, document));
CREATE TABLE IF NOT EXISTS hold (key TEXT PRIMARY KEY, claimant TEXT, lot TEXT, place TEXT, state TEXT, document TEXT,
    asked TEXT, held TEXT, unit TEXT, status TEXT, reason TEXT);
CREATE INDEX IF NOT EXISTS hold_at ON hold (place, claimant);
CREATE TABLE IF NOT EXISTS document (number TEXT PRIMARY KEY, kind TEXT, state TEXT, place TEXT, other_place TEXT,
    lines TEXT);
CREATE TABLE IF NOT EXISTS block (key TEXT PRIMARY KEY, claimant TEXT, number TEXT, cancelled INT, ended INT DEFAULT 0);
CREATE TABLE IF NOT EXISTS disposal (key TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS shipment (key TEXT PRIMARY KEY, body TEXT, number TEXT);
CREATE TABLE IF NOT EXISTS lot_status (product TEXT, number TEXT, site TEXT, status TEXT, recalls TEXT, changed_at TEXT,
    PRIMARY KEY (product, number, site));
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, lot TEXT, place TEXT, what TEXT);
CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, request TEXT, status INT, answer TEXT);
"""
UNIT: Final = "unit-of-use"


class Rejected(Exception):  # noqa: N818
    """A request that cannot be done: status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Warehouse:
    """Every change is a transaction of SQLite."""

    def __init__(self, file: str = ":memory:") -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(_SCHEMA)

    def rows(self, query: str, *binds: object) -> list[sqlite3.Row]:
        return self.db.execute(query, binds).fetchall()

    def clear(self) -> None:
        for table in (
            "pack",
            "stock",
            "hold",
            "document",
            "block",
            "disposal",
            "shipment",
            "lot_status",
            "journal",
            "done",
        ):
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608

    # ------------------------------------------------------------------ what the warehouse's people do

    def put(
        self,
        lot: dict[str, str],
        place: str,
        amount: object,
        unit: str = UNIT,
        *,
        state: str = "on_hand",
        document: str = "",
    ) -> None:
        """Stock arrives."""
        self.db.execute(
            "INSERT INTO stock VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET amount = excluded.amount",
            (lot["product"], lot["number"], lot.get("site", ""), place, state, document, str(amount), unit),
        )
        self.note(lot, place, "stock")

    def move(self, lot: dict[str, str], source: str, target: str, amount: object) -> None:
        """Goods are put elsewhere in the house."""
        self._take(lot, source, D(str(amount)))
        self.put(lot, target, self.there(lot, target, "on_hand") + D(str(amount)))

    def ship(self, lot: dict[str, str], place: str, amount: Decimal) -> None:
        """Goods leave; what is locked cannot."""
        if amount > self.free(lot, place):
            raise Rejected(409, "under hold")
        self._take(lot, place, amount)
        self.note(lot, place, "stock")

    def dispatch(self, number: str) -> None:
        """People pick and load a replacement; not one that is stopped."""
        ((found,),) = self.rows("SELECT state FROM document WHERE number = ?", number)
        if found != "open":
            raise Rejected(409, f"the order is {found}")
        ((body,),) = self.rows("SELECT body FROM shipment WHERE number = ?", number)
        item = json.loads(body)
        self.ship(item["lot"], item["place"], D(item["quantity"]["amount"]))
        self.db.execute("UPDATE document SET state = 'done' WHERE number = ?", (number,))
        self.note(item["lot"], item["place"], "document")

    def settle(self) -> int:
        """People carry out the pending holds."""
        pending = self.rows("SELECT * FROM hold WHERE status = 'pending'")
        for each in pending:
            self._carry_out(each["key"], json.loads(each["lot"]), each["place"], each["state"], each["document"])
        return len(pending)

    # ------------------------------------------------------------------ figures

    def size(self, product: str, unit: str) -> Decimal:
        if unit == UNIT:
            return D(1)
        found = self.rows("SELECT size FROM pack WHERE product = ? AND unit = ?", product, unit)
        if not found:
            raise Rejected(422, f"unknown unit {unit}")
        return D(found[0]["size"])

    def there(self, lot: dict[str, str], place: str, state: str | None = None, document: str | None = None) -> Decimal:
        """Units of use at a place."""
        found = self.rows(
            "SELECT amount, unit, state, document FROM stock WHERE product = ? AND number = ? AND place = ?",
            lot["product"],
            lot["number"],
            place,
        )
        wanted = [
            each
            for each in found
            if (each["state"] == state and each["document"] == (document or "")) or (state is None)
        ]
        return sum((D(each["amount"]) * self.size(lot["product"], each["unit"]) for each in wanted), D(0))

    def _break_reservations(self, lot: dict[str, str], place: str) -> None:
        reserved = self.there(lot, place, "reserved")
        where = (lot["product"], lot["number"], place)
        self.db.execute(
            "DELETE FROM stock WHERE product = ? AND number = ? AND place = ? AND state = 'reserved'", where
        )
        on_hand = self.there(lot, place, "on_hand") + reserved
        self.db.execute("DELETE FROM stock WHERE product = ? AND number = ? AND place = ? AND state = 'on_hand'", where)
        self.put(lot, place, on_hand)

    def _claimed(self, lot: dict[str, str], place: str, claimant: str, but: str = "") -> Decimal:
        """What a claimant claims at a place by its other holds."""
        query = (
            "SELECT round(total(held), 6) FROM hold WHERE place = ? AND claimant = ? AND status = 'held' AND key <> ? "
            "AND state <> 'in_transit' AND lot ->> 'product' = ? AND lot ->> 'number' = ?"
        )
        ((held,),) = self.rows(query, place, claimant, but, lot["product"], lot["number"])
        return D(str(held))

    def locked(self, lot: dict[str, str], place: str) -> Decimal:
        """What the largest claimant claims."""
        claimants = [row["claimant"] for row in self.rows("SELECT DISTINCT claimant FROM hold WHERE place = ?", place)]
        return max((self._claimed(lot, place, claimant) for claimant in claimants), default=D(0))

    def free(self, lot: dict[str, str], place: str) -> Decimal:
        return max(self.there(lot, place) - self.locked(lot, place), D(0))

    def note(self, lot: dict[str, str], place: str | None, what: str) -> None:
        self.db.execute("INSERT INTO journal (lot, place, what) VALUES (?,?,?)", (json.dumps(lot), place, what))

    # ------------------------------------------------------------------ what a recall asks

    def hold(self, item: dict[str, Any], *, pending: bool) -> dict[str, Any]:
        key, lot, place = item["key"], item["lot"], item["place"]
        asked = D(item["quantity"]["amount"]) * self.size(lot["product"], item["quantity"]["unit"])
        known = self.rows("SELECT * FROM hold WHERE key = ?", key)
        if known:
            same = json.loads(known[0]["lot"]) == lot and known[0]["place"] == place
            if not same or known[0]["claimant"] != item["claimant"]:
                return {"key": key, "status": "refused", "reason": "the key belongs to another hold"}
            least = D(known[0]["asked"])
            # What has come since is locked, too; goods under way were asked for as they were.
            short = known[0]["status"] == "held" and item["state"] != "in_transit" and D(known[0]["held"]) < least
            if known[0]["status"] == "released" or (asked <= least and not short):
                return self.state(key)
            asked = max(asked, least)
        elif not self.rows("SELECT 1 FROM stock WHERE place = ?", place):
            return {"key": key, "status": "refused", "reason": f"no place {place} here"}
        self.db.execute(
            "INSERT INTO hold (key, claimant, lot, place, state, document, asked, held, unit, status) "
            "VALUES (?,?,?,?,?,?,?,'0',?,'pending') ON CONFLICT (key) DO UPDATE SET asked = excluded.asked",
            (key, item["claimant"], json.dumps(lot), place, item["state"], item.get("document", ""), str(asked), UNIT),
        )
        if not pending:
            self._carry_out(key, lot, place, item["state"], item.get("document", ""))
        return self.state(key)

    def _carry_out(self, key: str, lot: dict[str, str], place: str, state: str, document: str) -> None:
        """Lock what is there: a reservation is broken, and a claimant never claims one unit twice."""
        ((asked, claimant),) = self.rows("SELECT asked, claimant FROM hold WHERE key = ?", key)
        if state == "in_transit":
            free = self.there(lot, place, state, document)
        else:
            if state == "reserved":
                self._break_reservations(lot, place)
            free = self.there(lot, place, "on_hand") + self.there(lot, place, "reserved")
            free -= self._claimed(lot, place, claimant, but=key)
        held = min(D(asked), max(free, D(0)))
        self.db.execute("UPDATE hold SET status = 'held', held = ? WHERE key = ?", (str(held), key))
        self.note(lot, place, "hold")

    def state(self, key: str) -> dict[str, Any]:
        found = self.rows("SELECT * FROM hold WHERE key = ?", key)
        if not found:
            return {"key": key, "status": "unknown"}
        row = found[0]
        said: dict[str, Any] = {
            "key": key,
            "status": row["status"],
            "reference": f"H{row['key'].rsplit(':', 1)[-1]}",
            "lot": json.loads(row["lot"]),
            "place": row["place"],
            "asked": {"amount": row["asked"], "unit": UNIT},
            "held": {"amount": row["held"], "unit": UNIT},
        }
        return said | ({"by": "shift lead"} if row["status"] == "held" else {})

    def release(self, item: dict[str, Any]) -> dict[str, Any]:
        found = self.rows("SELECT * FROM hold WHERE key = ?", item["key"])
        if found:
            lot = json.loads(found[0]["lot"])
            left = D(item["left"]["amount"]) * self.size(lot["product"], item["left"]["unit"])
            held = min(left, D(found[0]["held"]))
            status = "released" if left == 0 else found[0]["status"]
            asked = min(left, D(found[0]["asked"]))
            self.db.execute(
                "UPDATE hold SET held = ?, asked = ?, status = ? WHERE key = ?",
                (str(held), str(asked), status, item["key"]),
            )
            self.note(lot, found[0]["place"], "hold")
        return self.state(item["key"])

    def block(self, item: dict[str, Any]) -> dict[str, Any]:
        found = self.rows("SELECT * FROM document WHERE number = ?", item["number"])
        if not found:
            raise Rejected(404, f"no document {item['number']}")
        self.db.execute(
            "INSERT INTO block (key, claimant, number, cancelled) VALUES (?,?,?,?) "
            "ON CONFLICT (key) DO UPDATE SET cancelled = max(cancelled, excluded.cancelled)",
            (item["key"], item["claimant"], item["number"], int(item["cancel"])),
        )
        return self._document_state(item["key"], item["number"])

    def unblock(self, key: str) -> dict[str, Any]:
        found = self.rows("SELECT * FROM block WHERE key = ?", key)
        if not found:
            raise Rejected(404, "no such block")
        self.db.execute("UPDATE block SET ended = 1 WHERE key = ?", (key,))
        return self._document_state(key, found[0]["number"])

    def _document_state(self, key: str, number: str) -> dict[str, Any]:
        ((state,),) = self.rows("SELECT state FROM document WHERE number = ?", number)
        if state != "done":
            blocks = self.rows("SELECT cancelled, ended FROM block WHERE number = ?", number)
            state = "open"
            if any(not each["ended"] for each in blocks):
                state = "blocked"
            if any(each["cancelled"] for each in blocks):
                state = "cancelled"
            self.db.execute("UPDATE document SET state = ? WHERE number = ?", (state, number))
        return {"key": key, "number": number, "state": state, "reference": f"B-{number}"}

    def dispose(self, item: dict[str, Any]) -> dict[str, Any]:
        known = self.rows("SELECT body FROM disposal WHERE key = ?", item["key"])
        if known:
            if json.loads(known[0]["body"]) != item:
                raise Rejected(409, "the key belongs to another disposal")
        else:
            amount = D(item["quantity"]["amount"]) * self.size(item["lot"]["product"], item["quantity"]["unit"])
            if amount > self.there(item["lot"], item["place"]):
                raise Rejected(422, "not so much is there")
            self.db.execute("INSERT INTO disposal VALUES (?, ?)", (item["key"], json.dumps(item)))
            self._take(item["lot"], item["place"], amount)
            self.note(item["lot"], item["place"], "disposal")
            if (made := item.get("result_lot")) is not None:
                self.put(made, item["place"], self.there(made, item["place"], "on_hand") + amount)
        return {"key": item["key"], "status": "booked", "reference": "W-1", "quantity": item["quantity"]}

    def order(self, item: dict[str, Any]) -> dict[str, Any]:
        """A replacement: an order over units that nobody has locked or ordered."""
        known = self.rows("SELECT body FROM shipment WHERE key = ?", item["key"])
        if not known:
            amount = D(item["quantity"]["amount"]) * self.size(item["lot"]["product"], item["quantity"]["unit"])
            if amount > self.free(item["lot"], item["place"]) - self._ordered(item["lot"], item["place"]):
                raise Rejected(422, "not so much is free")
            ((before,),) = self.rows("SELECT count(*) FROM shipment")
            number = f"SO-{before + 1}"
            self.db.execute("INSERT INTO shipment VALUES (?, ?, ?)", (item["key"], json.dumps(item), number))
            line = {"product": item["lot"]["product"], "number": item["lot"]["number"], "quantity": item["quantity"]}
            self.db.execute(
                "INSERT INTO document VALUES (?, 'order', 'open', ?, ?, ?)",
                (number, item["place"], item["to_place"], json.dumps([line])),
            )
            self.note(item["lot"], item["place"], "document")
        elif json.loads(known[0]["body"]) not in ({}, item):
            raise Rejected(409, "the key belongs to another shipment")
        return self._ordered_state(item["key"])

    def told(self, items: list[dict[str, Any]], *, unknown: set[str]) -> dict[str, Any]:
        """What may be done with lots; those of `unknown` numbers are refused."""
        for item in items:
            lot = item["lot"]
            if lot["number"] not in unknown:
                self.db.execute(
                    "INSERT INTO lot_status VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET status = excluded.status, "
                    "recalls = excluded.recalls, changed_at = excluded.changed_at "
                    "WHERE lot_status.changed_at <= excluded.changed_at",
                    (
                        *(lot["product"], lot["number"], lot.get("site", "")),
                        *(item["status"], " ".join(item["recalls"]), item["changed_at"]),
                    ),
                )
        refused = [item["lot"] for item in items if item["lot"]["number"] in unknown]
        return {"refused": [{"lot": lot, "reason": "no such lot here"} for lot in refused]}

    def unorder(self, key: str) -> dict[str, Any]:
        self.db.execute("INSERT INTO shipment VALUES (?, '{}', '') ON CONFLICT DO NOTHING", (key,))
        self.db.execute(
            "UPDATE document SET state = 'cancelled' WHERE state <> 'done' "
            "AND number = (SELECT number FROM shipment WHERE key = ?)",
            (key,),
        )
        return self._ordered_state(key)

    def _ordered(self, lot: dict[str, str], place: str) -> Decimal:
        """Units set aside for replacements that have not left."""
        found = self.rows(
            "SELECT s.body FROM shipment s JOIN document d USING (number) WHERE d.state IN ('open', 'blocked')"
        )
        items = [json.loads(row["body"]) for row in found]
        mine = [each for each in items if (each["lot"], each["place"]) == (lot, place)]
        return sum((D(each["quantity"]["amount"]) for each in mine), D(0))

    def _ordered_state(self, key: str) -> dict[str, Any]:
        ((number,),) = self.rows("SELECT number FROM shipment WHERE key = ?", key)
        if not number:
            return {"key": key, "status": "cancelled"}
        ((state,),) = self.rows("SELECT state FROM document WHERE number = ?", number)
        return {"key": key, "status": state, "number": number}

    def _take(self, lot: dict[str, str], place: str, amount: Decimal) -> None:
        for each in self.rows(
            "SELECT rowid, * FROM stock WHERE product = ? AND number = ? AND place = ?",
            lot["product"],
            lot["number"],
            place,
        ):
            size = self.size(lot["product"], each["unit"])
            taken = min(amount, D(each["amount"]) * size)
            left = D(each["amount"]) - taken / size
            self.db.execute("UPDATE stock SET amount = ? WHERE rowid = ?", (str(left), each["rowid"]))
            amount -= taken
