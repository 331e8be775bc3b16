"""Costs, reversals, changes of the mapping, journals, locks and settlements at random, against a model of the accounts.

The model keeps for each entry the accounts it must stand on: by the newest row of its kind when its journal is closed,
a reversal by those of what it reverses once that is booked. Read back are the tables, not the answers.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import account_rules, costs, journals, provisional_account
from db.repositories.account_rules import RuleFacts
from db.repositories.costs import Cost
from db.repositories.disposal_refusals import DisposalRefused
from domain.costs import CostKind
from tests.disposition.conftest import NUMBER, Disposals, who

pytestmark = pytest.mark.db
STEPS = 45
KINDS = (CostKind.LABOUR, CostKind.FINES, CostKind.CREDIT)
BALANCED = """
SELECT journal_id, currency, coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0) AS debit,
       coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0) AS credit
FROM journal_line GROUP BY 1, 2
"""
BOOKED = "SELECT cost_entry_id, side, account, amount, currency FROM journal_line"
ENTRIES = "SELECT id, amount, currency FROM cost_entry WHERE recall_number = %s"


@dataclass
class Books:
    """What should be in the tables."""

    chance: Random
    rules: dict[CostKind, tuple[str, str] | None] = field(default_factory=dict)
    kinds: dict[int, CostKind] = field(default_factory=dict)
    amounts: dict[int, tuple[Decimal, str]] = field(default_factory=dict)
    reverses: dict[int, int] = field(default_factory=dict)
    booked: dict[int, tuple[str, str]] = field(default_factory=dict)
    state: str = "open"

    def accounts(self, entry: int) -> tuple[str, str] | None:
        return self.booked.get(self.reverses.get(entry, 0)) or self.rules.get(self.kinds[entry])

    @property
    def waiting(self) -> list[int]:
        return [entry for entry in sorted(self.kinds) if entry not in self.booked]

    async def map(self, session: AsyncSession) -> None:
        kind, (debit, credit) = self.chance.choice(KINDS), self.chance.sample(("6810", "6820", "2001", "2002"), 2)
        ends = self.chance.random() < 0.2
        pair = (None, None) if ends else (debit, credit)
        facts = RuleFacts(kind=kind, valid_from=date(2020, 1, 1), debit=pair[0], credit=pair[1])
        rule = await account_rules.propose(session, facts, who("Sue", "head_of_supply"))
        if self.chance.random() < 0.2:
            return  # proposed and never approved: it counts for nothing
        await account_rules.decide(session, rule.id or 0, who("Fiona", "finance"), approve=True, reason="chart")
        self.rules[kind] = None if ends else (debit, credit)

    async def book(self, session: AsyncSession) -> None:
        currency = self.chance.choice(("EUR", "JPY", "KWD"))
        places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
        amount = Decimal(self.chance.choice((-1, 1, 1, 1)) * self.chance.randint(1, 10**6)).scaleb(-places)
        kind = self.chance.choice(KINDS)
        cost = Cost(kind=kind.value, amount=amount, currency=currency)
        await self._entry(costs.book(session, NUMBER, cost, who("Fiona", "finance")), kind)

    async def reverse(self, session: AsyncSession) -> None:
        free = [each for each in self.kinds if each not in self.reverses and each not in self.reverses.values()]
        if free:
            entry = self.chance.choice(free)
            done = costs.reverse(session, NUMBER, entry, who("Fiona", "finance"), "wrong")
            await self._entry(done, self.kinds[entry], entry)

    async def _entry(self, writing: Any, kind: CostKind, of: int | None = None) -> None:
        if self.state != "open":
            with pytest.raises(DisposalRefused, match="locked"):
                await writing
            return
        row = await writing
        self.kinds[row.id], self.amounts[row.id] = kind, (row.amount, row.currency)
        if of is not None:
            self.reverses[row.id] = of

    async def close(self, session: AsyncSession) -> None:
        leave = self.chance.random() < 0.6
        # As they stand before any of this journal is booked.
        found = {entry: self.accounts(entry) for entry in self.waiting}
        ready = {entry: pair for entry, pair in found.items() if pair is not None}
        closing = journals.close(session, NUMBER, who("Fiona", "finance"), leave_unmapped=leave, note=None)
        if not ready or (len(ready) < len(found) and not leave):
            with pytest.raises(DisposalRefused):
                await closing
            return
        assert (await closing).left_open == len(found) - len(ready)
        self.booked |= ready

    async def lock_or_open(self, session: AsyncSession) -> None:
        if self.state == "open" and self.chance.random() < 0.4:
            await provisional_account.lock(session, NUMBER, who("Ada", "finance"), "complete")
            self.state = "locked"
        elif self.state != "open":
            await provisional_account.reopen(session, NUMBER, who("Ada", "finance"), "more to come")
            self.state = "open"

    async def settle(self, session: AsyncSession) -> None:
        settling = provisional_account.settle(session, NUMBER, f"S-{len(self.kinds)}", who("Fiona", "finance"), None)
        if self.state == "locked" and not self.waiting:
            await settling
            self.state = "settled"
            return
        with pytest.raises(DisposalRefused):
            await settling

    def check(self, disposals: Disposals) -> None:
        rows = disposals.yard.rows
        assert all(debit == credit for _, _, debit, credit in rows(BALANCED))
        assert {(each, amount, money) for each, amount, money in rows(ENTRIES, NUMBER)} == {
            (each, *of) for each, of in self.amounts.items()
        }
        lines = Counter((entry, side, account, amount, money) for entry, side, account, amount, money in rows(BOOKED))
        expected: Counter[tuple[Any, ...]] = Counter()
        for entry, pair in self.booked.items():
            amount, money = self.amounts[entry]
            debit, credit = pair if amount > 0 else pair[::-1]
            expected.update(
                [(entry, "debit", debit, abs(amount), money), (entry, "credit", credit, abs(amount), money)]
            )
        assert lines == expected


@pytest.mark.parametrize("seed", range(4))
async def test_journals_hold_every_cost_once_on_its_accounts_whatever_the_order(
    disposals: Disposals, seed: int
) -> None:
    books = Books(Random(seed))  # noqa: S311 - a test that can be repeated
    steps = (books.map, books.book, books.reverse, books.close, books.lock_or_open, books.settle)
    for _ in range(STEPS):
        (step,) = books.chance.choices(steps, (3, 8, 3, 3, 2, 1))
        async with disposals.yard.sessions.begin() as session:
            await step(session)
    # To the end: opened again, everything mapped, booked, locked, settled.
    async with disposals.yard.sessions.begin() as session:
        await provisional_account.reopen(session, NUMBER, who("Ada", "finance"), "the end")
        books.state = "open"
        for kind in KINDS:
            facts = RuleFacts(kind=kind, valid_from=date(2020, 1, 1), debit="6899", credit="2099")
            rule = await account_rules.propose(session, facts, who("Sue", "head_of_supply"))
            await account_rules.decide(session, rule.id or 0, who("Fiona", "finance"), approve=True, reason="chart")
            books.rules[kind] = ("6899", "2099")
        await books.book(session)
        await books.close(session)
        await provisional_account.lock(session, NUMBER, who("Ada", "finance"), "complete")
        books.state = "locked"
        await books.settle(session)
    books.check(disposals)
    assert (books.state, books.waiting) == ("settled", [])
