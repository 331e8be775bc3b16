"""Consignees, tasks and complaints of the walk: what recipients state and what staff does about it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import (
    attempts,
    case_turn,
    consignee_lots,
    documented,
    replies,
)
from db.repositories.attempts import NewAttempt
from db.repositories.cases import By
from domain.attempts import DocumentedKind, Outcome
from models.complaint import HarmSeverity
from models.harm import HarmStated
from models.messages import CaseTurn
from models.replies import PageReply, PassedOnLot, PassedOnTo, PhoneReply, StatedLot
from tests.process.desk import Refused
from tests.process.goods_work import GoodsWork
from tests.process.model import ZERO, Case, Consignee, Statement

RECENT = timedelta(days=14)


class ConsigneeWork(GoodsWork):
    """What consignees say, and the desk that hears it."""

    def received(self, case: Case, consignee: Consignee, lot: int) -> Decimal:
        """What a consignee must account for of a lot, by what the test sent and took back."""
        spot = (lot, consignee.partner)
        goods = self.world.goods
        return max(goods.shipped[spot] - goods.returned[spot] + consignee.passed_on.get(lot, ZERO), ZERO)

    def asked(self, case: Case, consignee: Consignee) -> list[int]:
        """The lots on the consignee's form."""

        async def read() -> list[int]:
            async with self.desk.bench.sessions() as session:
                found = await consignee_lots.lots_of(session, [consignee.id])
                return sorted(row.lot_id for row in found[consignee.id])

        return self.desk.bench.runner.run(read())

    def state(
        self, case: Case, consignee: Consignee, how: str, part: int, *, by_phone: bool = False,
        onward: tuple[str, int] | None = None, harm: bool = False, again: bool = False,
    ) -> Any:  # fmt: skip
        """A statement about every lot asked for: `all`, `part`, `too much`, `nothing`, `over-held` or `incomplete`."""
        lots = self.asked(case, consignee)
        if not lots or (how == "incomplete" and len(lots) < 2):
            return None
        lines = {lot: self._line(case, consignee, lot, how, part) for lot in lots}
        if how == "incomplete":
            del lines[lots[0]]
        passed = self._passed(lines, onward)
        stated = tuple(
            StatedLot(
                lot_id=lot, on_hand=here, used=used, held=here + 1 if how == "over-held" else here,
                passed_on=passed if lot == min(lines) else ZERO,
            )
            for lot, (here, used) in lines.items()
        )  # fmt: skip
        recipients = self._recipients(min(lines), passed, onward)
        done = self._reply(case, consignee, stated, recipients, by_phone=by_phone, harm=harm, again=again)
        if isinstance(done, Refused):
            return done
        self._stated(case, consignee, lots, stated, done, how)
        if harm:
            case.complaints += 1
        return done

    def _line(self, case: Case, consignee: Consignee, lot: int, how: str, part: int) -> tuple[Decimal, Decimal]:
        got = self.received(case, consignee, lot)
        if how == "nothing":
            return ZERO, ZERO
        used = min(Decimal(part), got)
        here = got - used
        if how == "part":
            here = (here / 2).to_integral_value()
        return (here + 1 if how == "too much" else here), used

    def _passed(self, lines: dict[int, tuple[Decimal, Decimal]], onward: tuple[str, int] | None) -> Decimal:
        """How much of the first lot went on: taken from what the consignee would have stated as on hand."""
        if onward is None:
            return ZERO
        lot = min(lines)
        here, used = lines[lot]
        passed = min(Decimal(onward[1]), here)
        lines[lot] = (here - passed, used)
        return passed

    def _recipients(self, lot: int, passed: Decimal, onward: tuple[str, int] | None) -> tuple[PassedOnTo, ...]:
        if onward is None or not passed:
            return ()
        name = onward[0]
        address = f"{name.lower()}@hospital.example"
        lots = (PassedOnLot(lot_id=lot, quantity=passed),)
        return (PassedOnTo(name=name, kind="hospital", email=address, lots=lots),)

    def _reply(
        self, case: Case, consignee: Consignee, stated: Sequence[StatedLot], recipients: Sequence[PassedOnTo],
        *, by_phone: bool, harm: bool, again: bool,
    ) -> Any:  # fmt: skip
        facts: dict[str, Any] = {}

        async def work(session: AsyncSession) -> Any:
            if not facts:
                facts.update(
                    recall_number=case.number, consignee_id=consignee.id, at=self.desk.now, affected=True,
                    statements=tuple(stated), passed_on=tuple(recipients), form_id=f"form-{self.desk.hours:06d}",
                    harm=HarmStated(severity=HarmSeverity.serious, description="a burn") if harm else None,
                )  # fmt: skip
            if by_phone:
                return await replies.record_phone_reply(session, PhoneReply(entered_by="Quinn", **facts))
            return await replies.record_page_reply(session, PageReply(**facts))

        note = f"{case.number} {consignee.id}: {[(s.lot_id, str(s.on_hand), str(s.used)) for s in stated]}"
        done = self.desk.in_transaction("reply", work, note)
        if again and not isinstance(done, Refused):
            self.desk.repeated("reply", work)
        return done

    def _stated(
        self, case: Case, consignee: Consignee, asked: list[int], stated: Sequence[StatedLot], done: Any, how: str
    ) -> None:
        """The state and the query that must follow, by the plain rules of design §7."""
        query = counts = False
        for line in stated:
            total = max(line.on_hand, line.held) + line.used + line.passed_on
            got = self.received(case, consignee, line.lot_id)
            last = self.world.goods.shipped_last.get((line.lot_id, consignee.partner))
            recent = last is None or (self.desk.now.date() - last.date()) <= RECENT
            query |= line.held > line.on_hand or total > got or (total == 0 and got > 0 and recent)
        counts = not query and {line.lot_id for line in stated} == set(asked)
        for each in consignee.stated:
            each.query = False
        lines = {line.lot_id: (max(line.on_hand, line.held), line.used) for line in stated}
        consignee.stated.append(Statement(done.reply_id, self.desk.now, lines, counts, query))
        before = consignee.state
        consignee.state = "answered" if counts else "documented" if before == "documented" else "acknowledged"
        assert done.consignee_state == consignee.state, f"{how}: {done.consignee_state}, expected {consignee.state}"
        self._passes_on(case)

    def _passes_on(self, case: Case) -> None:
        """Who got what from whom, by the latest statement of each; sites named for the first time join."""
        rows = self.desk.rows(
            "SELECT p.consignee_id, p.lot_id, sum(p.quantity) AS units FROM passed_on p WHERE p.reply_id IN"
            " (SELECT max(id) FROM reply WHERE recall_number = %s AND kind = 'statement' GROUP BY consignee_id)"
            " GROUP BY 1, 2",
            case.number,
        )
        before = {each.id: each.state for each in case.consignees.values()}
        self.take_consignees(case)
        for consignee in case.consignees.values():
            consignee.passed_on = {row["lot_id"]: row["units"] for row in rows if row["consignee_id"] == consignee.id}
            moved = before.get(consignee.id, consignee.state) != consignee.state
            assert not moved or consignee.passed_on, f"consignee {consignee.id} was reopened without further lots"

    # ------------------------------------------------------------------ questions and accounts

    def settle(self, case: Case, consignee: Consignee, reply: int, by: str) -> Any:
        """Quality accepts a questioned statement."""
        known: list[Any] = []

        async def work(session: AsyncSession) -> Any:
            if not known:
                known.append((f"settle-{self.desk.hours:06d}", By(by, "qa", self.desk.now)))
            form, who = known[0]
            settlement = documented.Settlement(
                case.number, consignee.id, reply, "seen on site", (UUID(case.evidence),), form
            )
            return await documented.settle(session, settlement, who)

        done = self.desk.in_transaction("settle query", work, f"{case.number} {consignee.id} reply {reply}")
        if not isinstance(done, Refused):
            self.desk.repeated("settle query", work)
            found = next(each for each in consignee.stated if each.reply == reply)
            assert found.query, "a query was settled that was not open"
            found.query, found.counts, consignee.state = False, True, "answered"
        return done

    def try_to_reach(self, case: Case, consignee: Consignee, channel: str, outcome: Outcome) -> Any:
        """An attempt of a person."""

        async def work(session: AsyncSession) -> Any:
            new = NewAttempt(
                case.number, consignee.id, channel, outcome, self.desk.now, "the stores", "+15550100", None, None,
                f"attempt-{self.desk.hours:06d}",
            )  # fmt: skip
            return await attempts.record(session, new, By("Quinn", "qa", self.desk.now))

        return self.desk.in_transaction("attempt", work, f"{case.number} {consignee.id} {channel} {outcome}")

    def document(self, case: Case, consignee: Consignee, kind: DocumentedKind) -> Any:
        """Close a consignee without its own answer."""

        async def work(session: AsyncSession) -> Any:
            account = documented.Account(
                case.number, consignee.id, kind, "tried in vain", None, (UUID(case.evidence),),
                f"account-{self.desk.hours:06d}",
            )  # fmt: skip
            return await documented.document(session, account, By("Quinn", "qa", self.desk.now))

        done = self.desk.in_transaction("document", work, f"{case.number} {consignee.id} {kind.value}")
        if not isinstance(done, Refused):
            assert consignee.state in ("open", "acknowledged"), f"documented while {consignee.state}"
            assert consignee.queried is None, "documented while questioned"
            consignee.state = "documented"
        return done

    def look_at_case(self, case: Case, consignee: Consignee) -> None:
        """The case workflow's look at one consignee."""

        async def work(session: AsyncSession) -> Any:
            turn = CaseTurn(number=case.number, consignee_id=consignee.id, now=self.desk.now)
            return await case_turn.look(session, turn)

        assert not isinstance(self.desk.in_transaction("case look", work, f"{case.number} {consignee.id}"), Refused)


__all__ = ["ConsigneeWork"]
