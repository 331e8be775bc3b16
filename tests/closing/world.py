"""A recall in its resolution, written row by row as the other parts of the process leave it; nothing of the code under
test is used to write it."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlmodel import SQLModel

import models.tables
from domain.policy import parse_policy, policy_hash
from tests.support.chain import Chain, Move, day
from tests.support.servers import kept_connection

assert models.tables.__all__  # every table's model is loaded, with its defaults
NUMBER = "RC-2026-000001"
T0 = day(100)
HOUR = timedelta(hours=1)
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class World:
    """The recall over a chain; ids of consignees by place."""

    url: str
    chain: Chain
    number: str = NUMBER
    consignees: dict[int, int] = field(default_factory=dict)
    movements: int = 900_000

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with kept_connection(self.url).cursor(row_factory=dict_row) as cursor:
            return list(cursor.execute(query, values or None))

    def run(self, statement: str, *values: Any) -> None:
        kept_connection(self.url).execute(statement, values or None)

    def one(self, query: str, *values: Any) -> Any:
        (row,) = self.rows(query, *values)
        return next(iter(row.values())) if len(row) == 1 else row

    def add(self, table: str, **values: Any) -> int:
        """Insert one row with the defaults of its table; returns its id."""
        values = _defaults(table) | values
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        given = [json.dumps(v) if isinstance(v, dict | list) else v for v in values.values()]
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id"  # noqa: S608 - names of the tests
        return int(self.one(statement, *given))

    def another(self, number: str) -> None:
        """A second recall with the same facts."""
        with psycopg.connect(self.url) as db:
            db.execute("CREATE TEMP TABLE twin AS SELECT * FROM recall LIMIT 1")
            db.execute("UPDATE twin SET number = %s", [number])
            db.execute("INSERT INTO recall SELECT * FROM twin")

    # ------------------------------------------------------------------ what the process writes

    def scope(self, *lots: int, version: int = 1) -> None:
        for lot in lots:
            self.run("INSERT INTO scope_lot VALUES (%s, %s, %s, true, 0)", self.number, version, lot)

    def consignee(self, place: int, state: str = "answered", tier: int = 1, **changes: Any) -> int:
        """The partner of a place as consignee; answered at `T0 + 1 h` unless it is open."""
        at = T0 + HOUR if state == "answered" else None
        facts = {"answered_at": at, "acknowledged_at": at, "step": 1, "added_at": T0} | changes
        found = self.add(
            "consignee",
            recall_number=self.number,
            partner_id=self.chain.places[place].partner,
            tier=tier,
            state=state,
            **facts,
        )
        self.consignees[place] = found
        return found

    def received(self, place: int, lot: int, quantity: float, *, stated: bool = False, returned: float = 0) -> None:
        """The row the trace keeps of a consignee's lot."""
        self.run(
            "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) VALUES (%s, %s, %s, %s, %s)",
            self.consignees[place], lot, Decimal(str(quantity)), Decimal(str(returned)), stated,
        )  # fmt: skip

    def statement(
        self, place: int, lots: dict[int, dict[str, float]], *, at: datetime = T0 + HOUR, severity: str | None = None
    ) -> int:
        """A reply with quantities per lot; `severity` of a finding, if it has one."""
        findings = [{"lot": "x", "kind": "more_than_shipped", "severity": severity, "message": "m"}] if severity else []
        reply = self.add(
            "reply",
            recall_number=self.number,
            consignee_id=self.consignees[place],
            channel="page",
            kind="statement",
            findings=findings,
            received_at=at,
        )
        for lot, said in lots.items():
            line = {"on_hand": 0, "used": 0, "held": 0, "passed_on": 0} | said
            self.add("reply_line", reply_id=reply, lot_id=lot, **line)
        return reply

    def moved(
        self, kind: str, lot: int, quantity: float, source: int | None, target: int | None, at: datetime, **facts: Any
    ) -> int:
        """A movement after the chain was written."""
        self.movements += 1
        product = self.chain.lots[lot].product
        move = Move(self.movements, kind, product, lot, source, target, Decimal(str(quantity)), at, **facts)
        with psycopg.connect(self.url) as db:
            Chain.write_moves(db, [move])
        return self.movements

    def disposed(
        self,
        kind: str,
        lot: int,
        quantity: float,
        *,
        place: int,
        at: datetime = T0 + 3 * HOUR,
        state: str = "done",
        done: float | None = None,
        movement: int | None = None,
        evidence: bool = True,
    ) -> int:
        """A disposition at a place of ours or at a consignee, carried out in one part."""
        here = {"consignee_id": self.consignees[place]} if place in self.consignees else {"location_id": place}
        sequence = len(self.rows("SELECT id FROM disposition")) + 1
        part = quantity if done is None and state == "done" else done or 0
        found = self.add(
            "disposition",
            recall_number=self.number,
            sequence=sequence,
            kind=kind,
            state=state,
            lot_id=lot,
            quantity=quantity,
            done=part,
            reason="r",
            request=f"request-{sequence}",
            proposed_by="qa",
            proposed_at=at,
            **here,
        )
        if part:
            self.add(
                "disposition_part",
                disposition_id=found,
                sequence=1,
                quantity=part,
                movement_id=movement,
                request=f"part-{sequence}",
                done_by="wanda",
                done_at=at,
            )
        if evidence:
            self.evidence(f"disposition:{found}")
        return found

    def evidence(self, subject: str) -> str:
        """A stored file that proves a record."""
        found = self.one(
            "INSERT INTO evidence (id, recall_number, file_name, content_type, size, sha256, uploaded_by, uploaded_at)"
            " VALUES (gen_random_uuid(), %s, 'f.txt', 'text/plain', 1, %s, 'qa', %s) RETURNING id",
            self.number, "0" * 64, T0,
        )  # fmt: skip
        self.run(
            "INSERT INTO evidence_link (evidence_id, subject, recall_number, linked_by, linked_at)"
            " VALUES (%s, %s, %s, 'qa', %s)",
            found, subject, self.number, T0,
        )  # fmt: skip
        return str(found)

    def hold(self, lot: int, place: int, quantity: float, state: str = "confirmed", **changes: Any) -> int:
        facts = {"position": "on_hand", "attempts": 1, "late": False, "requested_at": T0} | changes
        return self.add(
            "hold", recall_number=self.number, lot_id=lot, location_id=place, quantity=quantity, state=state, **facts
        )

    def task(self, key: str, step: str, *, state: str = "offered", role: str = "qa", **changes: Any) -> int:
        facts = {"what": f"Do {key}", "opened_at": T0, "evidence_required": False} | changes
        return self.add("task", recall_number=self.number, key=key, step=step, state=state, role=role, **facts)


def _defaults(table: str) -> dict[str, Any]:
    """What the table's model fills in by itself."""
    known = {cls.__tablename__: cls for cls in SQLModel.__subclasses__() if hasattr(cls, "__table__")}
    fields_ = known[table].model_fields.items()
    given = {name: each.get_default(call_default_factory=True) for name, each in fields_ if not each.is_required()}
    return {name: value for name, value in given.items() if value is not None}


def build(url: str, chain: Chain, *, level: str = "A", depth: str = "user_facility", **changes: Any) -> World:
    """The recall row with its pinned policy and signed strategy, over the chain (written here)."""
    chain.write(url)
    world = World(url, chain)
    facts: dict[str, Any] = {
        "number": world.number,
        "title": "Test",
        "reason": "r",
        "hazard": "h",
        "trigger_source": "complaint",
        "awareness_at": T0 - HOUR,
        "jurisdictions": ["us-fda"],
        "suspect": json.dumps({}),
        "drill": False,
        "pace": 1,
        "owner": "quinn",
        "started_by": "quinn",
        "created_at": T0,
        "phase": "resolution",
        "phase_since": T0,
        "recall_class": "I",
        "scope_version": 1,
        "version": 0,
    } | changes
    names, marks = ", ".join(facts), ", ".join(["%s"] * len(facts))
    world.run(f"INSERT INTO recall ({names}) VALUES ({marks})", *facts.values())  # noqa: S608
    for jurisdiction in facts["jurisdictions"]:
        policy = parse_policy((ROOT / "policies" / f"{jurisdiction}.yaml").read_text(encoding="utf-8"))
        world.run(
            "INSERT INTO pinned_policy VALUES (%s, %s, '1', %s, %s, %s)",
            world.number, jurisdiction, policy_hash(policy), json.dumps(policy.pinned()), T0,
        )  # fmt: skip
    strategy = {"depth": depth, "effectiveness_level": level, "public_warning": False}
    for capacity, role in (("quality", "qa"), ("regulatory", "regulatory")):
        world.add(
            "sign_off",
            recall_number=world.number,
            step=f"strategy:{capacity}",
            outcome="signed",
            actor=role,
            role=role,
            meaning="m",
            body=strategy,
            signed_at=T0,
        )
    return world


def units(lines: dict[str, Any]) -> dict[str, Decimal]:
    """Shorthand for expected terms."""
    return {name: Decimal(str(value)) for name, value in lines.items()}
