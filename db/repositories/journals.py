"""Journals of a recall: its cost entries on accounts, each in exactly one journal, closed when written.

An entry is open until a journal has it. What no approved mapping fits is listed and, unless that is asked for, keeps
the journal from being closed. A reversal takes the accounts of what it reverses. A drill's costs reach no accounts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import account_rules, audit, costs, recalls_read
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain import journal as domain
from domain.accounts import Facts, MappingRule, choose, missing
from domain.costs import kind_of
from domain.disposition import Fault
from domain.journal import Line, Posting, Side
from models.money import Journal

MOST: Final = 20_000
"""Entries in one journal; the rest stay for the next one."""

_OPEN: Final = """
SELECT e.id, e.kind, e.amount, e.currency, e.incurred_on, e.document_no, e.company, e.reverses_id, product.family,
       coalesce(e.jurisdiction, CASE WHEN cardinality(r.jurisdictions) = 1 THEN r.jurisdictions[1] END)
           AS jurisdiction,
       first.incurred_on AS first_on, booked.debit, booked.credit, booked.cost_centre, booked.rule_id
FROM cost_entry e JOIN recall r ON r.number = e.recall_number
LEFT JOIN cost_entry first ON first.id = e.reverses_id
LEFT JOIN lot ON lot.id = e.lot_id LEFT JOIN product ON product.id = lot.product_id
LEFT JOIN LATERAL (
    -- As the reversed entry stands in its journal; of a negative one the sides are swapped there.
    SELECT max(line.account) FILTER (WHERE line.side = 'debit') AS debit_side,
           max(line.account) FILTER (WHERE line.side = 'credit') AS credit_side,
           max(line.cost_centre) AS cost_centre, max(line.rule_id) AS rule_id
    FROM journal_line line WHERE line.cost_entry_id = e.reverses_id OFFSET 0
) AS stood ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN first.amount > 0 THEN stood.debit_side ELSE stood.credit_side END AS debit,
           CASE WHEN first.amount > 0 THEN stood.credit_side ELSE stood.debit_side END AS credit,
           stood.cost_centre, stood.rule_id
) AS booked ON true
WHERE e.recall_number = :number
  AND e.id > :after AND NOT EXISTS (SELECT FROM journal_line line WHERE line.cost_entry_id = e.id)
ORDER BY e.id LIMIT :limit
"""
_WRITE: Final = """
INSERT INTO journal_line (journal_id, line_no, cost_entry_id, side, account, cost_centre, amount, currency, kind,
                          rule_id, posted_on, document_no)
SELECT :journal, l.line_no, l.cost_entry_id, l.side, l.account, l.cost_centre, l.amount, l.currency, l.kind,
       l.rule_id, l.posted_on, l.document_no
FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l (line_no int, cost_entry_id bigint, side text, account text,
    cost_centre text, amount numeric, currency text, kind text, rule_id bigint, posted_on date, document_no text)
ORDER BY l.line_no
"""
_LINES: Final = """
SELECT line.*, e.reverses_id FROM journal_line line JOIN cost_entry e ON e.id = line.cost_entry_id
WHERE line.journal_id = :journal ORDER BY line.line_no
"""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An entry that cannot be put on accounts, and what is missing for it."""

    entry_id: int
    kind: str
    missing: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What the next journal would hold."""

    postings: tuple[Posting, ...]
    unmapped: tuple[Unmapped, ...]


async def draft(session: AsyncSession, number: str) -> Draft:
    """Open entries with their accounts, as many as one journal holds, and those without that were met on the way."""
    rules = await account_rules.in_force(session)
    postings: list[Posting] = []
    unmapped: list[Unmapped] = []
    after = 0
    while len(postings) < MOST:
        rows = (await run(session, _OPEN, {"number": number, "after": after, "limit": MOST})).mappings().all()
        if not rows:
            break
        after = rows[-1]["id"]
        for row in rows:
            found = _posting(dict(row), rules)
            if isinstance(found, Posting):
                postings.append(found)
            else:
                unmapped.append(found)
    return Draft(tuple(postings[:MOST]), tuple(unmapped))


def _posting(row: Mapping[str, Any], rules: Sequence[MappingRule]) -> Posting | Unmapped:
    kind = kind_of(row["kind"])
    debit, credit, centre, rule_id = row["debit"], row["credit"], row["cost_centre"], row["rule_id"]
    if debit is None:
        day = row["first_on"] or row["incurred_on"]
        facts = Facts(kind, row["company"], row["jurisdiction"], row["family"], day)
        rule = choose(rules, facts)
        if rule is None or rule.debit is None or rule.credit is None:
            return Unmapped(row["id"], kind.value, missing(facts))
        debit, credit, centre, rule_id = rule.debit, rule.credit, rule.cost_centre, rule.id
    return Posting(
        entry_id=row["id"],
        amount=row["amount"],
        currency=row["currency"],
        kind=kind.value,
        debit=debit,
        credit=credit,
        cost_centre=centre,
        rule_id=rule_id,
        posted_on=row["incurred_on"],
        document_no=row["document_no"],
        reverses_entry_id=row["reverses_id"],
    )


async def close(session: AsyncSession, number: str, who: Who, *, leave_unmapped: bool, note: str | None) -> Journal:
    """Write the next journal of every open entry; the same request again returns the first one.

    Args:
        leave_unmapped: entries without accounts stay open for a later journal instead of refusing this one.

    Raises:
        DisposalRefused: `unmapped` with the entries, `nothing_to_book`, `drill_blocked`, `recall_unknown`.
    """
    await costs.open_for_booking(session, number)
    before = (await session.exec(select(Journal).where(col(Journal.request) == who.request))).one_or_none()
    if before is not None:
        return before
    recall = await recalls_read.find(session, number)
    if recall is not None and recall.drill:
        raise DisposalRefused("drill_blocked", f"{number} is a drill; its costs are reported and never booked.")
    found = await draft(session, number)
    if found.unmapped and not leave_unmapped:
        faults = [Fault(f"entries/{each.entry_id}", each.missing) for each in found.unmapped[:1000]]
        raise DisposalRefused("unmapped", f"{len(found.unmapped)} entries have no accounts; see `errors`.", faults)
    if not found.postings:
        raise DisposalRefused("nothing_to_book", f"No cost entry of {number} with accounts waits for a journal.")
    return await _write(session, number, found, who, note)


async def _write(session: AsyncSession, number: str, found: Draft, who: Who, note: str | None) -> Journal:
    statement = "SELECT coalesce(max(sequence), 0) + 1 FROM journal WHERE recall_number = :number"
    sequence: int = (await run(session, statement, {"number": number})).scalar_one()
    lines = domain.lines(number, sequence, found.postings)
    name = domain.journal_name(number, sequence)
    totals = {code: domain.money_text(amount) for code, amount in domain.balance(lines).items()}
    row = Journal(
        recall_number=number,
        sequence=sequence,
        line_count=len(lines),
        totals=totals,
        sha256=domain.sha256_of(domain.csv_text(name, lines)),
        left_open=len(found.unmapped),
        note=note,
        request=who.request,
        closed_by=who.principal,
        closed_at=who.at,
    )
    session.add(row)
    await session.flush()
    await run(session, _WRITE, {"journal": row.id, "lines": json.dumps([_plain(line) for line in lines])})
    data = {"journal": name, "lines": len(lines), "totals": totals, "sha256": row.sha256, "left_open": row.left_open}
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action="journal.closed",
        at=who.at,
        reason=note,
        data=data,
    )
    return row


def _plain(line: Line) -> dict[str, Any]:
    return {
        "line_no": line.line_no,
        "cost_entry_id": line.entry_id,
        "side": line.side.value,
        "account": line.account,
        "cost_centre": line.cost_centre,
        "amount": str(line.amount),
        "currency": line.currency,
        "kind": line.kind,
        "rule_id": line.rule_id,
        "posted_on": line.posted_on.isoformat(),
        "document_no": line.document_no,
    }


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[Journal]:
    """Journals of a recall in their order."""
    query = select(Journal).where(col(Journal.recall_number) == number, col(Journal.sequence) > after)
    return (await session.exec(query.order_by(col(Journal.sequence)).limit(limit))).all()


async def find(session: AsyncSession, number: str, sequence: int) -> Journal | None:
    """A journal by its number."""
    query = select(Journal).where(col(Journal.recall_number) == number, col(Journal.sequence) == sequence)
    return (await session.exec(query)).one_or_none()


async def lines_of(session: AsyncSession, journal: Journal) -> list[Line]:
    """The lines of a closed journal, as they were exported."""
    name = domain.journal_name(journal.recall_number, journal.sequence)
    return [
        Line(
            id=f"{name}-{row['line_no']:06d}",
            line_no=row["line_no"],
            entry_id=row["cost_entry_id"],
            side=Side(row["side"]),
            account=row["account"],
            cost_centre=row["cost_centre"],
            amount=row["amount"],
            currency=row["currency"],
            kind=row["kind"],
            rule_id=row["rule_id"],
            posted_on=row["posted_on"],
            document_no=row["document_no"],
            reverses_entry_id=row["reverses_id"],
        )
        for row in (await run(session, _LINES, {"journal": journal.id})).mappings()
    ]


__all__ = ["MOST", "Draft", "Unmapped", "close", "draft", "find", "lines_of", "listed"]
