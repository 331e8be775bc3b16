"""Reading the completion checklist (design §7) from the record: every item with what is still open.

Read in the transaction that signs a completion, so that nothing is signed which was true a moment ago. It changes
nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import checklist_sql, effectiveness, mass_balance
from domain.checklist import ChecklistItem, Found, Item, item_of_task, make_items
from domain.mass_balance import LotBalance, plain
from models.effectiveness import EffectivenessRound

MOST: Final = 1000
"""Lines named per statement; `total` counts all."""


async def checklist(session: AsyncSession, number: str, now: datetime) -> list[ChecklistItem]:
    """One item per line of design §7, in order; met items have nothing open."""
    found = {item: await _lines(session, query, number, now) for item, query in checklist_sql.STATEMENTS.items()}
    _add(found, Item.EFFECTIVENESS, await _effectiveness(session, number, now))
    _add(found, Item.HOLDS, await _lines(session, checklist_sql.STOPPED_DOCUMENTS, number, now))
    _add(found, Item.HELD_PENDING, await _lines(session, checklist_sql.AT_CONSIGNEES, number, now))
    _add(found, Item.UNACCOUNTED, await _unaccounted(session, number))
    for item, lines in (await _tasks(session, number)).items():
        _add(found, item, Found(lines[:MOST], len(lines)))
    return make_items(found)


def _add(found: dict[Item, Found], item: Item, more: Found) -> None:
    before = found.get(item, Found((), 0))
    found[item] = Found((*before.lines, *more.lines), before.total + more.total)


async def _lines(session: AsyncSession, query: str, number: str, now: datetime) -> Found:
    given = {"number": number, "limit": MOST, "now": now, "lot": None}
    values = {name: value for name, value in given.items() if f":{name}" in query}
    rows = list((await run(session, query, values)).mappings())
    return Found([row["line"] for row in rows], rows[0]["total"] if rows else 0)


async def _tasks(session: AsyncSession, number: str) -> Mapping[Item, Sequence[str]]:
    """Open tasks under the item each belongs to."""
    found: dict[Item, list[str]] = {}
    for row in (await run(session, checklist_sql.OPEN_TASKS, {"number": number})).mappings():
        item = item_of_task(row["key"], row["step"])
        if item is not None:
            who = f"accepted by {row['assignee']}" if row["assignee"] else f"offered to {row['role']}"
            found.setdefault(item, []).append(f"task {row['id']} ({row['key']}) is open, {who}")
    return found


async def _effectiveness(session: AsyncSession, number: str, now: datetime) -> Found:
    if await effectiveness.is_met(session, number):
        return Found((), 0)
    unchecked = await _lines(session, checklist_sql.CHECKS, number, now)
    if unchecked.total:
        return unchecked
    if await effectiveness.signed_strategy(session, number) is None:
        return Found(["no strategy is signed, so no level is set"], 1)
    return Found([_not_met(await effectiveness.newest_round(session, number))], 1)


def _not_met(newest: EffectivenessRound | None) -> str:
    if newest is None:
        return "no sample is drawn yet: it is, once every consignee has answered or is documented"
    why = {
        None: "is not judged yet",
        "failed": "failed and is to be widened",
        "passed": "passed, but consignees that joined or answered since are to be checked as well",
    }[newest.outcome]
    return f"round {newest.sequence} (level {newest.level}) {why}"


async def _unaccounted(session: AsyncSession, number: str) -> Found:
    balance = await mass_balance.balance(session, number)
    lines = [_unaccounted_line(lot, balance.allowed_percent) for lot in balance.unsigned]
    return Found(lines[:MOST], len(lines))


def _unaccounted_line(lot: LotBalance, allowed: Decimal) -> str:
    terms = lot.terms
    parts = list(terms.contradictions())
    if terms.unaccounted > 0:
        part = f"{plain(terms.unaccounted)} of {plain(terms.distributed)} distributed units are unaccounted for"
        parts.append(f"{part} ({plain(terms.unaccounted_share)} %)")
    if terms.residual is not None and terms.residual > 0 and terms.produced is not None:
        part = f"{plain(terms.residual)} of {plain(terms.produced)} produced units are not found on our side"
        parts.append(f"{part} ({plain(terms.residual_share or Decimal(0))} %)")
    return f"lot {lot.number} of {lot.product_code} (id {lot.lot_id}): {'; '.join(parts)}; {plain(allowed)} % may stay"


__all__ = ["MOST", "checklist"]
