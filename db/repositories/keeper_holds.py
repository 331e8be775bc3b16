"""What keepers outside our ledger must still be told of our holds, and what they acknowledged.

A turn plans (every hold at their places has a row), then works through what differs: first what must be locked, then
what may be let go, last disposals and what follows from them. Each call is written down before it is made and after it
is answered, so whichever process dies, what is told twice is told by the same key, and nothing is let go on a guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import holds
from db.repositories import keeper_holds_sql as sql
from db.repositories.hold_records import record
from db.repositories.holds import Held
from domain.inventory import Disposal, Position, PositionState, hold_key
from domain.keepers import LEDGER

MOST = 2000
"""Calls of one kind that one turn makes at one keeper; the next turn goes on."""
SELDOM = timedelta(hours=1)
"""A hold that no recall's watch looks at is asked about again after this long."""


@dataclass(frozen=True, slots=True)
class ToRaise:
    """A hold that the keeper must lock, or lock more of."""

    key: str
    claimant: str
    hold_id: int
    ledger_key: str
    """Key of the same hold in our own ledger."""
    recall_number: str
    position: Position


@dataclass(frozen=True, slots=True)
class ToLower:
    """A hold of which less, or nothing, is wanted."""

    key: str
    left: Decimal
    told: bool
    """False when the keeper never heard of it."""
    recall_number: str


@dataclass(frozen=True, slots=True)
class ToDispose:
    """A carried-out part of a disposition."""

    part_id: int
    key: str
    recall_number: str
    disposal: Disposal


@dataclass(frozen=True, slots=True)
class Answer:
    """What the keeper holds under a key, by its own answer."""

    key: str
    asked: Decimal
    held: Decimal
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a keeper said of the holds it was asked for, by key."""

    answers: list[Answer]
    errors: dict[str, str]
    released: list[str]
    """Those of `errors` that it has let go of by itself."""
    not_held: list[str]
    """Of these it says that nothing is locked: it refuses them, or has not carried them out yet."""


async def places(session: AsyncSession, number: str | None = None) -> list[int]:
    """Places with holds of this recall (of all, without one); whoever keeps them is to be asked."""
    return list((await run(session, sql.PLACES, {"number": number})).scalars())


async def plan(
    session: AsyncSession, kept: Mapping[int, str], number: str | None, now: datetime, *, ledger: str
) -> None:
    """Write down what keepers must be told; `kept`: place -> code of its keeper, `ledger` the code of our own."""
    values = {
        "location_ids": list(kept),
        "keepers": list(kept.values()),
        "number": number,
        "now": now,
        "ledger": ledger,
    }
    moved = (await run(session, sql.MOVED_KEEPER, values)).all()
    await run(session, sql.WANTED_AGAIN, values)
    await run(session, sql.PLAN, values)
    await run(session, sql.PLAN_DISPOSALS, values)
    # What the former keeper confirmed says nothing of the one that keeps the place now.
    await holds.reopen(session, [row.hold_id for row in moved])
    for recall in sorted({row.recall_number for row in moved}):
        changed = sorted({row.hold_id for row in moved if row.recall_number == recall})
        await record(session, recall, "holds.keeper_changed", now, {"holds": changed})


async def standing(session: AsyncSession) -> list[str]:
    """Keepers at which something of ours stands or is due."""
    return list((await run(session, sql.STANDING)).scalars())


async def due_raises(session: AsyncSession, keeper: str, number: str | None) -> list[ToRaise]:
    """What the keeper must lock, this recall's first."""
    return _to_raise(await run(session, sql.DUE_RAISES, {"keeper": keeper, "number": number, "limit": MOST}))


async def due_again(session: AsyncSession, keeper: str, number: str | None, now: datetime) -> list[ToRaise]:
    """What the keeper has acknowledged and may have let go of since."""
    values = {"keeper": keeper, "number": number, "now": now, "seldom": SELDOM, "limit": MOST}
    return _to_raise(await run(session, sql.DUE_AGAIN, values))


def _to_raise(rows: Iterable[Any]) -> list[ToRaise]:
    return [
        ToRaise(
            row.key,
            row.claimant,
            row.hold_id,
            hold_key(row.recall_number, row.hold_id, row.turn),
            row.recall_number,
            Position(
                row.lot_id, row.location_id, row.custody, PositionState(row.position), row.quantity, row.document_no
            ),
        )
        for row in rows
    ]


async def due_lowers(session: AsyncSession, keeper: str, number: str | None) -> list[str]:
    """Keys of which less is wanted and nothing has to happen before."""
    return list((await run(session, sql.DUE_LOWERS, {"keeper": keeper, "number": number, "limit": MOST})).scalars())


async def due_disposals(session: AsyncSession, keeper: str) -> list[ToDispose]:
    """Parts of dispositions the keeper must still book, what was tried least first."""
    rows = await run(session, sql.DUE_DISPOSALS, {"keeper": keeper, "limit": MOST})
    return [
        ToDispose(
            r.part_id,
            r.key,
            r.recall_number,
            Disposal(r.kind, r.lot_id, r.location_id, r.quantity, r.document_no, r.result_lot_id),
        )
        for r in rows
    ]


async def begin_raises(session: AsyncSession, due: Sequence[ToRaise], now: datetime) -> set[str]:
    """Before the keeper is told: the keys that may be."""
    values = {"keys": [each.key for each in due], "quantities": [each.position.quantity for each in due], "now": now}
    return set((await run(session, sql.BEGIN_RAISE, values)).scalars())


async def begin_lowers(session: AsyncSession, keys: Sequence[str]) -> list[ToLower]:
    """Before the keeper is told: what may be let go now, looked at once more."""
    rows = await run(session, sql.BEGIN_LOWER, {"keys": list(keys)})
    return [ToLower(row.key, row.wanted, row.told, row.recall_number) for row in rows]


async def raised(
    session: AsyncSession,
    due: Sequence[ToRaise],
    given: Given,
    now: datetime,
) -> None:
    """Record what the keeper holds and what it refused, by key; audited.

    A hold is confirmed when all of it is locked, or all there is by the keeper's own count; else it shows the error.
    What it had acknowledged and holds less of now, or not at all, is confirmed no more.
    """
    answers, errors = given.answers, given.errors
    await _let_go(session, given.released, now)
    await _undone(session, given.not_held, now)
    if not answers and not errors:
        return
    values: dict[str, Any] = {
        "keys": [each.key for each in answers],
        "asked": [each.asked for each in answers],
        "held": [each.held for each in answers],
        "by": [each.by for each in answers],
    }
    less = (await run(session, sql.LESS, {"keys": values["keys"], "held": values["held"]})).scalars().all()
    await _acknowledge(session, answers, now, lowered=False)
    await holds.reopen(session, less)
    rows = (await run(session, sql.SHORT, values)).all()
    enough = [Held(r.hold_id, r.asked, r.held, r.by) for r in rows if r.held >= r.asked or r.all_there_is]
    less_locked = {
        r.key: (r.hold_id, f"only {r.held.normalize():f} of {r.asked.normalize():f} units are locked")
        for r in rows
        if r.held < r.asked and not r.all_there_is
    }
    short = list(less_locked.values())
    # Shown beside the keeper's units also where a person has confirmed the hold.
    told = errors | {key: text for key, (_, text) in less_locked.items()}
    await run(session, sql.FAIL, {"keys": list(told), "errors": list(told.values())})
    refused = [(each.hold_id, errors[each.key]) for each in due if each.key in errors]
    confirmed = set(await holds.mark_confirmed(session, enough, now))
    # Our own ledger confirmed it before anybody knew who keeps the place.
    await holds.reopen(session, [hold for hold, _ in [*short, *refused]], by=LEDGER)
    not_locked = set(await holds.mark_failed(session, [*short, *refused]))
    for number in sorted({each.recall_number for each in due}):
        mine = {each.hold_id for each in due if each.recall_number == number}
        if mine & (confirmed | not_locked):
            facts = {"confirmed": sorted(mine & confirmed), "failed": sorted(mine & not_locked)}
            await record(session, number, "holds.placed", now, facts)


async def _let_go(session: AsyncSession, keys: Sequence[str], now: datetime) -> None:
    """The keeper ended these holds by itself: they are confirmed no more, and asked for anew; audited."""
    rows = (await run(session, sql.RELEASED, {"keys": list(keys), "now": now})).all() if keys else []
    if not rows:
        return
    await run(session, sql.RENEW, {"keys": [row.key for row in rows], "now": now})
    await holds.reopen(session, [row.hold_id for row in rows])
    for number in sorted({row.recall_number for row in rows}):
        gone = sorted(row.key for row in rows if row.recall_number == number)
        await record(session, number, "holds.released_by_keeper", now, {"keys": gone})


async def _undone(session: AsyncSession, keys: Sequence[str], now: datetime) -> None:
    """The keeper says of holds it had acknowledged that nothing is locked: they are confirmed no more; audited."""
    rows = (await run(session, sql.UNDONE, {"keys": list(keys)})).all() if keys else []
    await holds.reopen(session, [row.hold_id for row in rows])
    for number in sorted({row.recall_number for row in rows}):
        gone = sorted(row.key for row in rows if row.recall_number == number)
        await record(session, number, "holds.undone_by_keeper", now, {"keys": gone})


async def lowered(session: AsyncSession, done: Sequence[ToLower], now: datetime) -> None:
    """Record what the keeper let go; audited."""
    if not done:
        return
    await _acknowledge(session, [Answer(each.key, each.left, each.left) for each in done], now, lowered=True)
    for number in sorted({each.recall_number for each in done}):
        keys = {each.key: str(each.left.normalize()) for each in done if each.recall_number == number and each.told}
        if keys:
            await record(session, number, "holds.keeper_lowered", now, {"left": keys})


async def not_lowered(session: AsyncSession, errors: Mapping[str, str]) -> None:
    """The keeper did not let go, by key; it stays due."""
    if errors:
        await run(session, sql.FAIL, {"keys": list(errors), "errors": list(errors.values())})


async def disposed(session: AsyncSession, keeper: str, part: ToDispose, reference: str, now: datetime) -> None:
    """The keeper has booked the part; audited once."""
    values = {"part_id": part.part_id, "reference": reference[:120], "now": now}
    if (await run(session, sql.DISPOSED, values)).first() is not None:
        facts = {"part": part.part_id, "keeper": keeper, "reference": reference[:120]}
        await record(session, part.recall_number, "disposition.booked_by_keeper", now, facts)


async def not_disposed(session: AsyncSession, part: ToDispose, error: str) -> None:
    """The keeper did not book the part; it stays due, and what it takes out stays locked there."""
    await run(session, sql.NOT_DISPOSED, {"part_id": part.part_id, "error": error})


async def _acknowledge(session: AsyncSession, answers: Sequence[Answer], now: datetime, *, lowered: bool) -> None:
    values = {
        "keys": [each.key for each in answers],
        "held": [each.held for each in answers],
        "lowered": [lowered for _ in answers],
        "by": [each.by for each in answers],
        "now": now,
    }
    await run(session, sql.ACKNOWLEDGE, values)


__all__ = [
    "Answer",
    "Given",
    "ToDispose",
    "ToLower",
    "ToRaise",
    "begin_lowers",
    "begin_raises",
    "disposed",
    "due_again",
    "due_disposals",
    "due_lowers",
    "due_raises",
    "lowered",
    "not_disposed",
    "not_lowered",
    "places",
    "plan",
    "raised",
    "standing",
]
