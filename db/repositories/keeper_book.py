"""Entering keepers of stock and which places they keep.

A place that moves to another keeper takes its open holds along: whoever keeps it now has confirmed nothing yet, so
they are requested again, in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.hold_records import lock_recalls, record
from domain.keepers import LEDGER, KeeperRecord, system_of
from models.keeper import Keeper, KeeperLocation

_FIELDS: Final = (
    *("kind", "name", "base_url", "database", "auth", "credential_variable", "webhook_variable"),
    *("per_second", "timeout_seconds", "give_up_seconds", "state"),
)
_ENTERING: Final = "SELECT pg_advisory_xact_lock(hashtextextended('keepers on record', 0))"
_PLACES: Final = """
SELECT given.code, location.id, location.custody, coalesce(now.keeper_code, :ledger) AS keeper
FROM unnest(CAST(:codes AS text[])) AS given (code)
LEFT JOIN location ON location.code = given.code LEFT JOIN keeper_location now ON now.location_id = location.id
"""
_AWAY: Final = "DELETE FROM keeper_location WHERE location_id = ANY(CAST(:ids AS bigint[]))"
_TAKE: Final = """
INSERT INTO keeper_location (location_id, keeper_code, place_code)
SELECT given.id, :code, given.own FROM unnest(CAST(:ids AS bigint[]), CAST(:owns AS text[])) AS given (id, own)
"""
_TAKEN: Final = """
SELECT place_code FROM keeper_location
WHERE keeper_code = :code AND place_code = ANY(CAST(:owns AS text[])) AND location_id <> ALL(CAST(:ids AS bigint[]))
"""
_HOLDERS: Final = """
SELECT DISTINCT recall_number FROM hold
WHERE location_id = ANY(CAST(:ids AS bigint[])) AND quantity > 0 AND state NOT IN ('released', 'disposed')
"""
_ASK_AGAIN: Final = """
WITH again AS (
    UPDATE hold SET confirmed_at = NULL, confirmed_by = NULL, last_error = NULL,
        state = CASE state WHEN 'nonconformity' THEN state ELSE 'requested' END
    WHERE location_id = ANY(CAST(:ids AS bigint[])) AND quantity > 0 AND confirmed_at IS NOT NULL
      AND state IN ('confirmed', 'nonconformity')
    RETURNING recall_number)
SELECT recall_number, count(*) AS holds FROM again GROUP BY recall_number ORDER BY recall_number
"""


class AssignmentRefused(ValueError):  # noqa: N818 - what it is
    """A place that cannot be given to this keeper; `index` is its position in the request."""

    def __init__(self, index: int, detail: str) -> None:
        super().__init__(detail)
        self.index = index


class SameSystem(ValueError):  # noqa: N818 - what it is
    """Another keeper on record is the same system: its stock would be counted and held twice."""


class UnknownKeeper(LookupError):  # noqa: N818 - a term of the API
    """No keeper has this code."""


@dataclass(frozen=True, slots=True)
class PlaceGiven:
    """A place by our code, and the keeper's own code of it (ours where it has none)."""

    location: str
    own_code: str | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment changed."""

    moved: int
    """Places that have another keeper now."""
    asked_again: dict[str, int]
    """Recall -> its holds there that are asked for again."""


async def find(session: AsyncSession, code: str) -> Keeper | None:
    """The record of one keeper."""
    return await session.get(Keeper, code)


async def counts(session: AsyncSession) -> dict[str, int]:
    """Keeper -> how many places it keeps."""
    query = select(KeeperLocation.keeper_code, func.count()).group_by(col(KeeperLocation.keeper_code))
    return dict((await session.exec(query)).all())


async def put(session: AsyncSession, facts: KeeperRecord, *, actor: str, role: str, at: datetime) -> bool:
    """Create or replace a keeper's record; audited in the stream `system`; False if nothing changed.

    Raises:
        SameSystem: another keeper, even a suspended one, has this address and database.
    """
    await run(session, _ENTERING)
    await _check_system(session, facts)
    row = await find(session, facts.code)
    new = row is None
    if row is None:
        row = Keeper(code=facts.code, **{name: getattr(facts, name) for name in _FIELDS})
    changed = [name for name in _FIELDS if new or getattr(row, name) != getattr(facts, name)]
    if not changed:
        return False
    for name in changed:
        value = getattr(facts, name)
        setattr(row, name, value.value if hasattr(value, "value") else value)
    if {"base_url", "database", "kind"} & set(changed):
        # Another system has a feed of its own; where it begins is not known.
        row.cursor, row.read_at = None, None
    session.add(row)
    await session.flush()
    data = {"keeper": facts.code, "new": new, "changed": {name: getattr(row, name) for name in changed}}
    await audit.append(session, audit.SYSTEM, actor=actor, role=role, action="keeper.changed", at=at, data=data)
    return True


async def _check_system(session: AsyncSession, facts: KeeperRecord) -> None:
    mine = system_of(facts.base_url, facts.database)
    others = (await session.exec(select(Keeper).where(Keeper.code != facts.code).order_by(col(Keeper.code)))).all()
    for other in others:
        if system_of(other.base_url, other.database) == mine:
            what = "address" if facts.database is None else "address and database"
            raise SameSystem(f"expected an {what} of its own: the keeper {other.code} is this system already")


async def assign(
    session: AsyncSession, code: str, places: Sequence[PlaceGiven], *, actor: str, role: str, at: datetime
) -> Assigned:
    """Give places to a keeper, or back to our own ledger (`ledger`); repeating it changes nothing.

    Raises:
        UnknownKeeper: no such keeper.
        AssignmentRefused: a place is not on record, is a customer's, is named twice, or its code there is taken.
    """
    if code != LEDGER and await find(session, code) is None:
        raise UnknownKeeper(code)
    found = await _found(session, places)
    ids = [row.id for row in found]
    binds: dict[str, Any] = {"ids": ids, "code": code}
    holders = list((await run(session, _HOLDERS, {"ids": ids})).scalars())
    await lock_recalls(session, sorted(holders))
    owns = [given.own_code or given.location for given in places]
    taken = set((await run(session, _TAKEN, binds | {"owns": owns})).scalars())
    for index, own in enumerate(owns):
        if own in taken or own in owns[:index]:
            raise AssignmentRefused(index, f"{own}: this keeper has another place of that code")
    await run(session, _AWAY, {"ids": ids})
    if code != LEDGER:
        await run(session, _TAKE, binds | {"owns": owns})
    moved = [row for row in found if row.keeper != code]
    again = {
        row.recall_number: int(row.holds) for row in await run(session, _ASK_AGAIN, {"ids": [row.id for row in moved]})
    }
    for number, holds in again.items():
        await record(session, number, "holds.keeper_changed", at, {"keeper": code, "asked_again": holds})
    data = {
        "keeper": code,
        "places": [given.location for given in places],
        "codes": owns if code != LEDGER else [],
        "from": sorted({row.keeper for row in moved}),
        "asked_again": again,
    }
    await audit.append(session, audit.SYSTEM, actor=actor, role=role, action="keeper.places", at=at, data=data)
    return Assigned(len(moved), again)


async def _found(session: AsyncSession, places: Sequence[PlaceGiven]) -> list[Any]:
    rows = await run(session, _PLACES, {"codes": [given.location for given in places], "ledger": LEDGER})
    by_code = {row.code: row for row in rows}
    seen: set[str] = set()
    for index, given in enumerate(places):
        row = by_code[given.location]
        if row.id is None:
            raise AssignmentRefused(index, f"{given.location}: expected the code of a place on record")
        if row.custody == "customer":
            raise AssignmentRefused(index, f"{given.location}: a customer holds its own stock, on our notice")
        if given.location in seen:
            raise AssignmentRefused(index, f"{given.location}: named twice")
        seen.add(given.location)
    return [by_code[given.location] for given in places]


async def places_of(session: AsyncSession, code: str, *, limit: int = 1000) -> list[PlaceGiven]:
    """Places a keeper keeps, by our code."""
    query = (
        "SELECT location.code, place_code FROM keeper_location JOIN location ON location.id = location_id "
        "WHERE keeper_code = :code ORDER BY location.code LIMIT :limit"
    )
    return [PlaceGiven(row.code, row.place_code) for row in await run(session, query, {"code": code, "limit": limit})]


__all__ = [
    "Assigned",
    "AssignmentRefused",
    "PlaceGiven",
    "SameSystem",
    "UnknownKeeper",
    "assign",
    "counts",
    "find",
    "places_of",
    "put",
]
