"""Goods of the walk: returned, disposed of, released, kept as samples, imported, replaced; each told to the model."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import (
    allocations,
    disposition_decisions,
    disposition_parts,
    disposition_tasks,
    disposition_turn,
    dispositions,
    returns,
    samples,
    shortages,
)
from db.repositories.disposition_parts import Carried, ResultLotFacts
from db.repositories.disposition_who import Who
from db.repositories.dispositions import Wanted
from db.repositories.returns import Counted
from db.repositories.samples import Sample
from domain.disposition import DispositionKind as K
from models.messages import DispositionTurn
from tests.process.desk import Refused
from tests.process.feed_work import FeedWork
from tests.process.model import Case, Consignee

Act = Callable[[AsyncSession, Who], Awaitable[Any]]


class GoodsWork(FeedWork):
    """What happens to units."""

    def dispose(
        self, name: str, case: Case, principal: str, role: str, act: Act, note: str = "", *, again: bool = False
    ) -> Any:
        """One entry as the API makes it: the act, and the tasks that follow from it, in one transaction."""
        asked: list[Who] = []

        async def work(session: AsyncSession) -> Any:
            if not asked:
                asked.append(self.desk.who(principal, role))
            found = await act(session, asked[0])
            await disposition_tasks.sync(session, case.number, asked[0].at, by=principal)
            return found

        result = self.desk.in_transaction(name, work, f"{case.number} {note}")
        if again and not isinstance(result, Refused):
            self.desk.repeated(name, work)
        return result

    # ------------------------------------------------------------------ returns and samples

    def take_back(
        self, case: Case, consignee: Consignee, lot: int, place: int, units: Decimal, *, again: bool = False
    ) -> Any:
        """Units of a consignee are counted at a dock of ours."""
        counted = Counted(consignee.id, lot, place, units, f"RET-{self.desk.hours}")
        done = self.dispose(
            "return", case, "Wanda", "warehouse",
            lambda session, who: returns.record(session, case.number, counted, who, [case.evidence]),
            f"{units} of {lot} from {consignee.id} to {place}", again=again,
        )  # fmt: skip
        if not isinstance(done, Refused):
            self.world.goods.come_back(lot, consignee.place, place, units, self.desk.now)
        return done

    def keep(self, case: Case, lot: int, place: int, units: Decimal, *, again: bool = False) -> Any:
        """Set samples aside for the authority."""
        sample = Sample(lot, place, units, (case.evidence,))
        done = self.dispose(
            "retain", case, "Quinn", "qa", lambda session, who: samples.retain(session, case.number, sample, who),
            f"{units} of {lot} at {place}", again=again,
        )  # fmt: skip
        if not isinstance(done, Refused):
            case.samples[done.id] = (lot, place, units)
        return done

    def settle_sample(self, case: Case, sample: int) -> None:
        """The authority has answered."""
        done = self.dispose(
            "settle sample", case, "Quinn", "qa",
            lambda session, who: samples.settle(session, case.number, sample, "FDA-1", who), again=True,
        )  # fmt: skip
        assert not isinstance(done, Refused), done
        del case.samples[sample]

    # ------------------------------------------------------------------ dispositions

    def propose(
        self, case: Case, kind: K, lot: int, place: int | None, consignee: int | None, units: Decimal, by: str,
        *, again: bool = False,
    ) -> Any:  # fmt: skip
        """One proposal."""
        wanted = Wanted(kind, lot, place, consignee, units, "bad")
        return self.dispose(
            "propose", case, by, "qa", lambda session, who: dispositions.propose(session, case.number, [wanted], who),
            f"{kind.value} {units} of {lot} at {place or consignee}", again=again,
        )  # fmt: skip

    def decide(self, case: Case, sequence: int, by: str, role: str, *, yes: bool) -> Any:
        """Approve (or sign) a proposal, or reject it."""

        async def act(session: AsyncSession, who: Who) -> Any:
            if yes:
                roles = (role,)
                return await disposition_decisions.approve(
                    session, case.number, sequence, who, roles=roles, reason=None
                )
            return await disposition_decisions.reject(session, case.number, sequence, who, "no")

        return self.dispose("approve" if yes else "reject disposition", case, by, role, act, str(sequence), again=True)

    def withdraw(self, case: Case, sequence: int) -> Any:
        """Take back what is not carried out."""
        return self.dispose(
            "withdraw", case, "Quinn", "qa",
            lambda session, who: disposition_decisions.withdraw(session, case.number, sequence, who, "later"),
            str(sequence),
        )  # fmt: skip

    def carry_out(
        self, case: Case, found: dict[str, Any], units: Decimal, dock: int, spare: tuple[int, int], *, again: bool
    ) -> Any:
        """Carry out a part of a disposition, with whatever its kind needs."""
        kind = K(found["kind"])
        given: dict[str, Any] = {"document_no": f"DOC-{found['id']}"}
        if kind is K.destroy:
            given["witness"] = "Wilma"
        if kind is K.rework:
            given["result_lot"] = ResultLotFacts(f"W{found['id']}")
        if kind in (K.return_to_us, K.replace_):
            given["location_id"] = dock
        if kind is K.replace_:
            given |= {"replacement_lot_id": spare[0], "replacement_from_id": spare[1]}
        if kind is K.return_to_factory:
            given["destination_id"] = self.world.places["plant"]
        carried = Carried(quantity=units, evidence_ids=(case.evidence,), **given)
        done = self.dispose(
            "execute", case, "Wanda", "warehouse",
            lambda session, who: disposition_parts.execute(session, case.number, found["sequence"], carried, who),
            f"{kind.value} {units} of {found['quantity']} ({found['sequence']})", again=again,
        )  # fmt: skip
        if not isinstance(done, Refused):
            self.desk.bench.done[f"execute {kind.value}"] += 1
            self._carried_out(case, kind, found, units, dock, spare, done[1].result_lot_id)
        return done

    def _carried_out(
        self, case: Case, kind: K, found: dict[str, Any], units: Decimal, dock: int, spare: tuple[int, int],
        result: int | None,
    ) -> None:  # fmt: skip
        goods, at, lot, place = self.world.goods, self.desk.now, found["lot_id"], found["location_id"]
        site = case.consignees[found["consignee_id"]].place if found["consignee_id"] else 0
        if kind is K.destroy:
            goods.destroy(lot, place or site, units, at)
        elif kind is K.return_to_factory:
            goods.move(lot, place, self.world.places["plant"], units, at)
        elif kind is K.rework:
            assert result is not None
            goods.rework(lot, place, units, result, at)
            self._joins(lot, result)
            case.reworked[lot] += units
        elif kind is K.field_correction:
            case.corrected[lot] += units
            case.corrected_at.append((lot, found["consignee_id"], at, units))
        elif kind in (K.return_to_us, K.replace_):
            goods.come_back(lot, site, dock, units, at)
        if kind is K.replace_:
            goods.ship(spare[0], spare[1], site, units, at, document=f"DOC-{found['id']}")

    def _joins(self, lot: int, result: int) -> None:
        """What is made of a recalled lot is recalled."""
        if result not in self.world.lots.values():
            name = self.desk.one("SELECT number FROM lot WHERE id = %s", result)
            self.world.lots[name] = result
            self.world.codes[name] = self.world.codes["K1"]
        for case in self.cases:
            if not case.ended and lot in case.scope:
                case.scope.add(result)

    # ------------------------------------------------------------------ shortages

    def look_at_disposition(self, case: Case) -> None:
        """The disposition workflow's look: shortages, proposals of allocations, tasks."""

        async def work(session: AsyncSession) -> Any:
            turn = DispositionTurn(number=case.number, now=self.desk.now, ending=case.ended)
            return await disposition_turn.look(session, turn)

        assert not isinstance(self.desk.in_transaction("disposition look", work, case.number), Refused)

    def allocate(self, case: Case, row: dict[str, Any], what: str) -> Any:
        """Approve, reject or ship one allocation."""
        note = f"{row['id']}: {row['quantity']} of {row['lot_id']}"
        document = f"SHIP-{row['id']}"

        async def act(session: AsyncSession, who: Who) -> Any:
            if what == "approve":
                return await allocations.approve(session, case.number, row["id"], who)
            if what == "reject":
                return await allocations.reject(session, case.number, row["id"], who, "not needed")
            return await allocations.ship(session, case.number, row["id"], document, who)

        done = self.dispose(f"{what} allocation", case, "Ada", "approver", act, note, again=True)
        if what == "ship" and row["state"] == "approved" and not isinstance(done, Refused):
            site = self.desk.one("SELECT to_location_id FROM movement WHERE id = %s", done.movement_id)
            self.world.goods.ship(
                row["lot_id"], row["location_id"], site, row["quantity"], self.desk.now, document=document,
                delivered=False,
            )  # fmt: skip
        return done

    def settle_shortage(self, case: Case, shortage: int) -> None:
        """Nothing more is supplied."""
        self.dispose(
            "settle shortage", case, "Hilde", "head_of_supply",
            lambda session, who: shortages.settle(session, case.number, shortage, who, "closed"), again=True,
        )  # fmt: skip


__all__ = ["GoodsWork"]
