"""What must hold after every step of the walk, whatever was done: stock, claims, balances, audit, consignees.

Rules about stock and claims are read from the tables alone (`tests.support.stock_invariants`); everything else
compares the product's reading with what the test knows it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, checklist, ledger, mass_balance
from db.repositories.campaign import progress
from domain.checklist import ChecklistItem
from domain.mass_balance import Terms
from tests.process.model import ZERO, Case
from tests.process.parts import LADDER
from tests.process.staff_work import StaffWork
from tests.support.stock_invariants import broken

_HOLDS = """
SELECT recall_number, id, lot_id, location_id, position, quantity, released, state, ended_at IS NULL AS open
FROM hold ORDER BY id
"""
_CLAIMS = "SELECT key, claimant, quantity, released_at IS NULL AS open FROM stock_claim ORDER BY key"
_OTHERS = ("execute", "import", "hold", "return", "start", "expand")
"""Operations of one recall that may touch the holds of another: units leave or come to a place that both hold."""


@dataclass
class Checks:
    """The invariants, with what was seen at the step before."""

    work: StaffWork
    holds: dict[int, dict[str, Any]] = field(default_factory=dict)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    since: int = 0
    seen: str = ""

    def all_hold(self) -> None:
        """Check everything; the message of a failure ends with what was done so far."""
        if self.work.desk.digest == self.seen:
            return  # not a row of any table has changed since
        self.seen = self.work.desk.digest
        try:
            self._stock()
            self._holds()
            self.work.desk.bench.runner.run(self._of_product())
            self._cases()
        except AssertionError as error:
            steps = "\n".join(self.work.desk.log)
            raise AssertionError(f"{error}\n--- what was done:\n{steps}") from error

    # ------------------------------------------------------------------ stock and holds

    def _stock(self) -> None:
        found = broken(self.work.desk.connection)
        assert not found, found

    def _holds(self) -> None:
        """Nothing leaves a hold but by a signed way or with its units to another place of ours, where the recall holds
        them as well; one recall's end never touches another's claim.
        """
        desk = self.work.desk
        done, self.since = desk.log[self.since :], len(desk.log)
        names = {line.split(": ", 1)[1].split(" ", 1)[0] for line in done if " -> Refused" not in line}
        numbers = {case.number for case in self.work.cases if any(case.number in line for line in done)}
        now = {row["id"]: row for row in desk.rows(_HOLDS)}
        claims = {row["key"]: row for row in desk.rows(_CLAIMS)}
        for key, before in self.holds.items():
            after = now[key]
            arrived = before["position"] == "in_transit" and names & {"import", "hold"}
            less = after["quantity"] < before["quantity"] and not arrived
            followed = "import" in names and _held(now, after) >= _held(self.holds, after) and self._covered(now, after)
            assert not less or "execute" in names or followed, f"{before} became {after} by {names}"
            if before["recall_number"] not in numbers:
                assert after == before or names & {*_OTHERS}, f"{before} of another recall became {after} by {names}"
        for name, claim in self.claims.items():
            if claim["claimant"] not in numbers:
                assert claims[name] == claim or names & {*_OTHERS}, f"{claim} became {claims[name]} by {names}"
        self.holds, self.claims = now, claims
        self._nothing_stands_free()

    def _covered(self, now: Mapping[int, Mapping[str, Any]], hold: Mapping[str, Any]) -> bool:
        """Whether the recall holds no less at the hold's place than before, but for what does not lie there."""
        there = self.work.world.goods.at(hold["lot_id"], hold["location_id"])
        return hold["position"] == "in_transit" or _at_place(now, hold) >= min(_at_place(self.holds, hold), there)

    def _nothing_stands_free(self) -> None:
        """Of a lot under a running recall everything at our places is claimed, but for what was signed free.

        Units that a recall released and another one then moved or reworked are held by the other where they are now;
        the hold watch of the first claims them again.
        """
        goods = self.work.world.goods
        covered: dict[tuple[str, int, int], Decimal] = {}
        released = {row["recall_number"] for row in self.holds.values() if row["released"]}
        for row in self.holds.values():
            if row["position"] != "in_transit":
                spot = (row["recall_number"], row["lot_id"], row["location_id"])
                covered[spot] = covered.get(spot, ZERO) + row["quantity"] + row["released"]
        for case in self.work.cases:
            for lot, place in list(goods.there):
                if not case.ended and lot in case.scope and goods.is_ours(place):
                    there, under = goods.at(lot, place), covered.get((case.number, lot, place), ZERO)
                    if case.number in released:
                        under = max(under, *(covered.get((each.number, lot, place), ZERO) for each in self.work.cases))
                    assert under >= there, f"{case.number}: {there} of lot {lot} at {place}, only {under} claimed"

    # ------------------------------------------------------------------ the product's reading

    async def _of_product(self) -> None:
        async with self.work.desk.bench.sessions() as session:
            await self._positions(session)
            for case in self.work.cases:
                broken_at = await audit.first_broken_link(session, case.number)
                assert broken_at is None, f"audit of {case.number} breaks at {broken_at}"
                await self._balance(session, case)
                await self._checklist(session, case)
                await self._counters(session, case)

    async def _positions(self, session: AsyncSession) -> None:
        goods = self.work.world.goods
        lots = sorted(goods.made)
        found = await ledger.balances(session, lots)
        for (lot, place), balance in found.items():
            if goods.is_ours(place):
                expected = goods.at(lot, place)
                assert balance.on_hand == expected, f"lot {lot} at {place}: {balance.on_hand}, expected {expected}"

    async def _balance(self, session: AsyncSession, case: Case) -> None:
        found = {lot.lot_id: lot for lot in (await mass_balance.balance(session, case.number)).lots}
        assert set(found) == case.scope, f"{case.number}: scope {sorted(found)}, expected {sorted(case.scope)}"
        for lot, balance in found.items():
            expected = self.terms(case, lot)
            got = _as_dict(balance.terms)
            wrong = {name: (str(got[name]), str(value)) for name, value in expected.items() if got[name] != value}
            assert not wrong, f"{case.number}, lot {balance.number} (got, expected): {wrong}"
            residual = self.work.world.goods.residual(lot)
            assert balance.terms.residual == residual, f"lot {lot}: residual {balance.terms.residual}, not {residual}"
            contradiction = residual < 0 or self.unaccounted(case, lot) < 0 or any(v < 0 for v in expected.values())
            assert bool(balance.terms.contradictions()) == contradiction, balance.terms.contradictions()

    def terms(self, case: Case, lot: int) -> Mapping[str, Decimal]:
        """The terms of a lot by what the test did."""
        goods = self.work.world.goods
        retained = sum((u for each, _, u in case.samples.values() if each == lot), ZERO)
        used, pending = self._stated(case, lot)
        return {
            "produced": goods.made[lot],
            "distributed": goods.sent_out(lot),
            "own_stock": goods.own_stock(lot) - retained,
            "retained": retained,
            "scrapped": goods.scrapped[lot],
            "own_use": goods.used_by_us[lot] - case.reworked[lot],
            "reworked": case.reworked[lot],
            "returned": goods.came_back(lot),
            "destroyed_in_place": goods.destroyed_there[lot],
            "corrected": case.corrected[lot],
            "used": used,
            "held_pending": pending,
            "at_maker": ZERO, "returned_to_maker": ZERO, "released": ZERO, "replaced": ZERO, "implanted": ZERO,
        }  # fmt: skip

    def unaccounted(self, case: Case, lot: int) -> Decimal:
        """Went out and is nowhere."""
        terms = self.terms(case, lot)
        names = ("returned", "destroyed_in_place", "corrected", "used", "held_pending")
        return terms["distributed"] - sum((terms[name] for name in names), ZERO)

    def _stated(self, case: Case, lot: int) -> tuple[Decimal, Decimal]:
        used = pending = ZERO
        for consignee in case.consignees.values():
            stated = consignee.latest
            if stated is None or lot not in stated.lines or consignee.state == "withdrawn":
                continue
            here, spent = stated.lines[lot]
            gone = self.work.world.goods.left_since(lot, consignee.partner, stated.at)
            gone += sum(
                (u for each, who, at, u in case.corrected_at
                 if (each, who) == (lot, consignee.id) and at > stated.at), ZERO
            )  # fmt: skip
            used += spent
            pending += max(here - gone, ZERO)
        return used, pending

    # ------------------------------------------------------------------ checklist and counters

    async def _checklist(self, session: AsyncSession, case: Case) -> None:
        items = {item.key: item for item in await checklist.checklist(session, case.number, self.work.desk.now)}
        states = [each.state for each in case.consignees.values()]
        waiting = sum(state in ("open", "acknowledged") for state in states)
        expected = {
            "consignees": waiting,
            "queries": sum(each.queried is not None for each in case.consignees.values()),
            "evidence_hold": len(case.samples),
            "complaints": case.complaints,
        }
        for key, number in expected.items():
            assert _lines(items[key]) == number, f"{case.number} {key}: {_open(items[key])}, expected {number}"
        rows = self.work.desk.rows(
            "SELECT (SELECT count(*) FROM disposition WHERE recall_number = n AND state IN ('proposed','approved'))"
            " AS dispositions, (SELECT count(*) FROM hold WHERE recall_number = n AND state = 'confirmed'"
            " AND ended_at IS NULL AND quantity > 0) AS held FROM (SELECT %s AS n) AS given",
            case.number,
        )[0]
        at_consignees = sum(
            1 for consignee in case.consignees.values() for lot in case.scope if self._pending_at(case, consignee, lot)
        )
        expected = {"dispositions": rows["dispositions"], "held_pending": rows["held"] + at_consignees}
        for key, number in expected.items():
            assert _lines(items[key]) == number, f"{case.number} {key}: {_open(items[key])}, expected {number}"

    def _pending_at(self, case: Case, consignee: Any, lot: int) -> bool:
        only = Case(case.number, case.phase, set(), {lot}, "", consignees={consignee.id: consignee})
        only.corrected_at = case.corrected_at
        return self._stated(only, lot)[1] > 0

    async def _counters(self, session: AsyncSession, case: Case) -> None:
        if not case.campaign:
            return
        rows = self.work.desk.rows(
            "SELECT k.id, k.sequence, n.kind FROM campaign k JOIN notice n ON n.id = k.notice_id"
            " WHERE k.recall_number = %s ORDER BY 1", case.number,
        )  # fmt: skip
        mine = {row["id"]: row["campaign_sequence"] for row in self.work.desk.rows(
            "SELECT id, campaign_sequence FROM consignee WHERE recall_number = %s", case.number
        )}  # fmt: skip
        for row in rows:
            seen = await progress(session, case.number, row["id"], LADDER, self.work.desk.now)
            here = [c for c in case.consignees.values() if mine[c.id] == row["sequence"] and c.state != "withdrawn"]
            outstanding = sum(c.state == "open" for c in here)
            stated = sum(c.state in ("answered", "documented") for c in here)
            got = (seen.consignees, seen.outstanding, seen.answered, seen.stated)
            if row["kind"] != "retraction":
                wanted = (len(here), outstanding, len(here) - outstanding, stated)
                assert got == wanted, f"{case.number} campaign {row['sequence']}: {got}, expected {wanted}"

    # ------------------------------------------------------------------ cases and tasks

    def _cases(self) -> None:
        desk = self.work.desk
        for case in self.work.cases:
            rows = desk.rows("SELECT id, state FROM consignee WHERE recall_number = %s", case.number)
            assert {row["id"]: row["state"] for row in rows} == {c.id: c.state for c in case.consignees.values()}
            opened = desk.rows(
                "SELECT consignee_id, reason, subject FROM consignee_case WHERE recall_number = %s AND state = 'open'",
                case.number,
            )
            queries = {(row["consignee_id"], row["subject"]) for row in opened if row["reason"] == "statement"}
            expected = {(c.id, f"reply:{c.queried.reply}") for c in case.consignees.values() if c.queried is not None}
            assert queries == expected, f"{case.number} queries: {queries}, expected {expected}"
            done = {c.id for c in case.consignees.values() if c.state in ("answered", "documented", "withdrawn")}
            chased = [row for row in opened if row["reason"] in ("silence", "bounce") and row["consignee_id"] in done]
            assert not chased, f"{case.number}: chased although done: {chased}"
            self._tasks(case, opened)

    def _tasks(self, case: Case, opened: list[dict[str, Any]]) -> None:
        """Every open query and call has its task, and no task is left of what has ended."""
        tasks = self.work.desk.rows(
            "SELECT key, step, consignee_id FROM task WHERE recall_number = %s"
            " AND state IN ('offered','accepted','sent_back')",
            case.number,
        )
        keys = {task["key"] for task in tasks}
        if case.ended:
            left = [key for key in keys if not key.startswith(("capa:", "obligation:", "complaint:", "on_call:"))]
            assert not left, f"{case.number} has ended and left tasks {left}"
            assert not opened, f"{case.number} has ended and left cases {opened}"
        for row in opened:
            if row["reason"] == "statement":
                reply = row["subject"].partition(":")[2]
                assert {f"query:{reply}", f"settle_query:{reply}"} & keys, f"nobody asks about {row} ({keys})"
        asked = {row["subject"].partition(":")[2] for row in opened if row["reason"] == "statement"}
        about = [key for key in keys if key.startswith(("query:", "settle_query:"))]
        stray = [key for key in about if key.partition(":")[2] not in asked]
        assert not stray, f"{case.number}: tasks about settled statements {stray}"


def _held(holds: Mapping[int, Mapping[str, Any]], of: Mapping[str, Any]) -> Decimal:
    """What the recall of a hold holds of its lot, wherever it is, in units of use."""
    same = ("recall_number", "lot_id")
    return sum((row["quantity"] for row in holds.values() if _locks(row) and all(row[k] == of[k] for k in same)), ZERO)


def _at_place(holds: Mapping[int, Mapping[str, Any]], of: Mapping[str, Any]) -> Decimal:
    """The same at the place of the hold, with what was signed free there."""
    same = ("recall_number", "lot_id", "location_id")
    here = [row for row in holds.values() if row["position"] != "in_transit" and all(row[k] == of[k] for k in same)]
    return sum((row["quantity"] * _locks(row) + row["released"] for row in here), ZERO)


def _locks(hold: Mapping[str, Any]) -> bool:
    return bool(hold["open"] or hold["state"] == "nonconformity")


def _as_dict(terms: Terms) -> dict[str, Decimal | None]:
    return {name: getattr(terms, name) for name in Terms.__dataclass_fields__}


def _lines(item: ChecklistItem) -> int:
    """What is open of an item beside the tasks that ask for it."""
    return sum(not line.startswith("task ") for line in item.open)


def _open(item: ChecklistItem) -> str:
    return f"{item.total} open: {'; '.join(item.open[:5])}"


__all__ = ["Checks"]
