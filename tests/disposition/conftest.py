"""A recalled lot in a yard, its recall in resolution, and short ways to propose, decide and carry out."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from db.repositories import disposition_decisions, disposition_parts, dispositions, evidence, returns
from db.repositories.disposition_parts import Carried
from db.repositories.disposition_who import Who
from db.repositories.dispositions import Wanted
from db.repositories.returns import Counted, CountedIn
from domain.disposition import DispositionKind
from models.disposition import Disposition, DispositionPart, GoodsReturn
from models.evidence import Evidence
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard, yard
from tests.support.stock_invariants import violations

__all__ = ["yard"]
D = Decimal
_turn = itertools.count(1)


def who(principal: str, role: str = "qa", request: str | None = None) -> Who:
    """Somebody, now (each call a moment later), by a request of its own."""
    turn = next(_turn)
    return Who(principal, role, NOW + timedelta(minutes=turn), request or f"request-{turn}")


@dataclass
class Disposals:
    """The yard with a recall (or two) whose holds are confirmed."""

    yard: Yard
    made: list[str] = field(default_factory=list)

    @property
    def place(self) -> int:
        return self.yard.warehouse

    async def held(self, number: str = NUMBER, *, phase: str = "resolution") -> None:
        """A recall of the lot with all its stock held and confirmed."""
        self.yard.recall(number)
        self.yard.run("UPDATE recall SET phase = %s, scope_version = 1 WHERE number = %s", phase, number)
        await self.yard.request(number)
        await self.yard.execute(number)

    async def file(self) -> str:
        """A fresh evidence file nobody has cited."""
        row = Evidence(
            id=uuid4(),
            file_name="proof.pdf",
            content_type="application/pdf",
            size=3,
            sha256="0" * 64,
            uploaded_by="Quinn",
            uploaded_at=NOW,
        )
        async with self.yard.sessions.begin() as session:
            await evidence.add(session, row, role="qa")
        return str(row.id)

    async def propose(
        self,
        kind: DispositionKind,
        quantity: float | None,
        *,
        number: str = NUMBER,
        lot: int | None = None,
        place: int | None = None,
        consignee: int | None = None,
        by: str = "Wanda",
        request: str | None = None,
    ) -> Disposition:
        """A proposal for the warehouse, or for `place`, or for a consignee."""
        where = None if consignee else place or self.place
        units = None if quantity is None else D(str(quantity))
        wanted = Wanted(kind, lot or self.yard.lot, where, consignee, units, "bad")
        async with self.yard.sessions.begin() as session:
            return (await dispositions.propose(session, number, [wanted], who(by, request=request)))[0]

    async def approve(
        self, found: Disposition, by: str = "Ada", roles: Sequence[str] = ("approver",), number: str = NUMBER
    ) -> Disposition:
        async with self.yard.sessions.begin() as session:
            return await disposition_decisions.approve(
                session, number, found.sequence, who(by, roles[0]), roles=roles, reason=None
            )

    async def withdraw(self, found: Disposition, number: str = NUMBER) -> Disposition:
        """Take back what is not carried out."""
        async with self.yard.sessions.begin() as session:
            return await disposition_decisions.withdraw(session, number, found.sequence, who("Quinn"), "enough")

    async def approved(self, kind: DispositionKind, quantity: float | None, **where: Any) -> Disposition:
        """A proposal with all its approvals."""
        number = where.get("number", NUMBER)
        found = await self.propose(kind, quantity, **where)
        if kind is DispositionKind.release:
            await self.approve(found, "Hedda", ("head_of_quality",), number)
        return await self.approve(found, number=number)

    async def carry_out(
        self,
        found: Disposition,
        quantity: float,
        *,
        number: str = NUMBER,
        by: str = "Wanda",
        request: str | None = None,
        **facts: Any,
    ) -> tuple[Disposition, DispositionPart]:
        """Carry a part out, with whatever its kind needs unless told otherwise."""
        given: dict[str, Any] = {"evidence_ids": (await self.file(),)}
        if found.kind != "release":
            given["document_no"] = "DOC-1"
        if found.kind == "destroy":
            given["witness"] = "Wilma"
        carried = Carried(quantity=D(str(quantity)), **(given | facts))
        async with self.yard.sessions.begin() as session:
            return await disposition_parts.execute(
                session, number, found.sequence, carried, who(by, "warehouse", request)
            )

    async def count_in(
        self, consignee: int, quantity: float, *, number: str = NUMBER, place: int | None = None, request: str = ""
    ) -> tuple[GoodsReturn, CountedIn | None]:
        """A return counted at the warehouse."""
        counted = Counted(consignee, self.yard.lot, place or self.place, D(str(quantity)), "RET-1")
        async with self.yard.sessions.begin() as session:
            by = who("Wanda", "warehouse", request or None)
            return await returns.record(session, number, counted, by, [await self.file()])

    def consignee(self, *, stated: float | None = 20, number: str = NUMBER, used: float = 0, place: int = 0) -> int:
        """The clinic as consignee of the lot; what it states to have and to have used."""
        site = place or self.yard.clinic
        (partner,) = self.yard.rows("SELECT partner_id FROM location WHERE id = %s", site)[0]
        (found,) = self.yard.rows(
            "INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at) "
            "VALUES (%s, %s, 1, 'answered', 1, %s) RETURNING id",
            number,
            partner,
            NOW,
        )[0]
        self.yard.run(
            "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) VALUES (%s, %s, 35, 0, false)",
            found,
            self.yard.lot,
        )
        if stated is not None:
            self.state(found, stated, used, number=number)
        return int(found)

    def maker(self) -> int:
        """A place of a manufacturer whose stock is none of ours."""
        (partner,) = self.yard.rows(
            "INSERT INTO partner (code, name, kind, language, time_zone) "
            "VALUES ('OEM', 'OEM', 'manufacturer', 'en', 'UTC') RETURNING id"
        )[0]
        (place,) = self.yard.rows(
            "INSERT INTO location (partner_id, code, name, custody) VALUES (%s, 'OEM', 'OEM', 'customer') RETURNING id",
            partner,
        )[0]
        return int(place)

    def state(
        self, consignee: int, on_hand: float, used: float = 0, *, number: str = NUMBER, at: datetime = NOW
    ) -> int:
        """A statement of the consignee that counts; returns the reply's id."""
        (reply,) = self.yard.rows(
            "INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at) "
            "VALUES (%s, %s, 'page', 'statement', true, '[]', %s) RETURNING id",
            number,
            consignee,
            at,
        )[0]
        self.yard.run(
            "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) VALUES (%s, %s, %s, %s, %s, 0)",
            reply,
            self.yard.lot,
            on_hand,
            used,
            on_hand,
        )
        return int(reply)

    def broken(self) -> list[str]:
        """Rules of stock that do not hold."""
        return violations(self.yard.postgres.owner_url)

    def actions(self, number: str = NUMBER) -> list[str]:
        """Audit actions of a recall, in order."""
        return [
            row[0] for row in self.yard.rows("SELECT action FROM audit_event WHERE stream = %s ORDER BY seq", number)
        ]


@pytest.fixture
async def disposals(yard: Yard) -> Disposals:
    """The yard with one recall in resolution whose stock is held."""
    found = Disposals(yard)
    for table in ("movement", "lot", "location", "partner"):  # the chain's rows brought ids of their own
        yard.rows("SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000)", table)
    await found.held()
    return found


__all__ = ["NOW", "NUMBER", "OTHER", "D", "Disposals", "disposals", "who", "yard"]
