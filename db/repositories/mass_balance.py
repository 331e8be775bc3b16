"""The mass balance of a recall from the record: few set-based statements over the whole scope, put together per lot.

Counted beats stated: returns count when a movement brings them to our dock, a consignee's words count for what it used
and still has. Where the two part, the difference is listed. Only lots of the current scope version are balanced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import mass_balance_sql, recalls, unaccounted
from db.repositories.trace_sql import TUNE
from domain.mass_balance import ZERO, Basis, LotBalance, SignedShare, Terms, beyond

_DISPOSED: Final = (
    "reworked",
    "reworked_as_use",
    "corrected",
    "released",
    "replaced",
    "destroyed",
    "to_maker",
)
_NOTHING_DISPOSED: Final = dict.fromkeys(_DISPOSED, ZERO)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a consignee stated against what was counted, for one lot; the counted quantity is in the balance."""

    kind: str
    """more_gone_than_stated: more came back or was disposed of than it said it had; return_not_as_stated: dispositions
    say returned, our dock counted another quantity; return_stated_not_counted, destruction_stated_not_proven: its reply
    says sent back or destroyed, and less of it is counted or proven so far."""
    consignee_id: int
    consignee_code: str
    lot_id: int
    lot_number: str
    stated: Decimal
    counted: Decimal


@dataclass(frozen=True, slots=True)
class Pending:
    """Units a consignee still has to return or dispose of."""

    consignee_id: int
    consignee_code: str
    lot_id: int
    lot_number: str
    pending: Decimal


@dataclass(frozen=True, slots=True)
class MassBalance:
    """Every lot of the scope with its terms, and what the policy allows to be missing."""

    lots: tuple[LotBalance, ...]
    allowed_percent: Decimal
    signed: Mapping[int, SignedShare]

    @property
    def unsigned(self) -> list[LotBalance]:
        """Lots beyond the policy's share without a signature that covers them."""
        return beyond(self.lots, self.allowed_percent, self.signed)


async def balance(session: AsyncSession, number: str, lot_id: int | None = None) -> MassBalance:
    """The balance of every lot of the recall's current scope, or of one; a lot outside the scope is not among them."""
    await run(session, TUNE)
    scope = {"number": number, "lot": lot_id}
    ledger = await _by_lot(session, mass_balance_sql.LEDGER, scope)
    stated = await _by_lot(session, mass_balance_sql.STATEMENTS, scope)
    disposed = await _by_lot(session, mass_balance_sql.DISPOSED, scope)
    retained = await _by_lot(session, mass_balance_sql.RETAINED, scope)
    lots = tuple(
        _lot([row, *(each.get(lot, {}) for each in (stated, disposed, retained))]) for lot, row in ledger.items()
    )
    return MassBalance(lots, await allowed_percent(session, number), await unaccounted.signed_shares(session, number))


def _lot(groups: Sequence[Mapping[str, Any]]) -> LotBalance:
    ledger, stated, disposed, kept = groups
    retained, maker_use, unlocated = _units(kept, "retained"), _units(ledger, "maker_use"), _units(ledger, "unlocated")
    produced, basis = _produced(ledger, unlocated - maker_use)
    done = {name: _units(disposed, name) for name in _DISPOSED} if disposed else _NOTHING_DISPOSED
    terms = Terms(
        produced=produced,
        distributed=_units(ledger, "distributed"),
        own_stock=_units(ledger, "own_stock") - retained,
        at_maker=_units(ledger, "at_maker"),
        retained=retained,
        scrapped=_units(ledger, "scrapped"),
        # Genealogy and a maker's consumption record may speak of the same use.
        own_use=_units(ledger, "own_use") + max(unlocated, maker_use) - done["reworked_as_use"],
        reworked=done["reworked"],
        returned=_units(ledger, "returned"),
        returned_to_maker=_units(ledger, "returned_to_maker") + done["to_maker"],
        destroyed_in_place=_units(ledger, "destroyed_in_place") + done["destroyed"],
        corrected=done["corrected"],
        released=done["released"],
        replaced=done["replaced"],
        used=_units(stated, "used"),
        implanted=_units(stated, "implanted"),
        held_pending=_units(stated, "held_pending"),
    )
    return LotBalance(
        lot_id=ledger["lot_id"],
        number=ledger["number"],
        product_code=ledger["product_code"],
        site_code=ledger["site_code"],
        unit=ledger["unit"],
        basis=basis,
        terms=terms,
    )


def _produced(ledger: Mapping[str, Any], built_in_elsewhere: Decimal) -> tuple[Decimal | None, Basis]:
    if ledger.get("quantity_made") is not None:
        return ledger["quantity_made"], Basis.MADE
    if ledger.get("received") is None:
        return None, Basis.UNKNOWN
    return ledger["received"] + max(built_in_elsewhere, ZERO), Basis.RECEIVED


def _units(row: Mapping[str, Any], name: str) -> Decimal:
    value: Decimal | None = row.get(name)
    return ZERO if value is None else value


async def _by_lot(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    rows = await run(session, statement, values)
    names = tuple(rows.keys())
    at = names.index("lot_id")
    return {row[at]: dict(zip(names, row, strict=True)) for row in rows}


async def allowed_percent(session: AsyncSession, number: str) -> Decimal:
    """Percent of a lot that may stay unaccounted for: the smallest of the recall's pinned policies, 0 without any."""
    rules = [policy.mass_balance.unaccounted_share for policy in await recalls.pinned(session, number)]
    return min(rules, default=ZERO)


async def differences(
    session: AsyncSession, number: str, lot_id: int | None = None, limit: int = 200
) -> list[Difference]:
    """Where statements and counts part, by lot and consignee."""
    values = {"number": number, "lot": lot_id, "limit": limit}
    return [Difference(**row) for row in (await run(session, mass_balance_sql.DIFFERENCES, values)).mappings()]


async def pending(session: AsyncSession, number: str, consignees: Sequence[int]) -> list[Pending]:
    """Units these consignees stated as on hand and have not returned or disposed of since; every lot, 0 included."""
    values = {"number": number, "lot": None, "consignees": list(consignees)}
    return [Pending(**row) for row in (await run(session, mass_balance_sql.PENDING, values)).mappings()]


__all__ = ["Difference", "MassBalance", "Pending", "allowed_percent", "balance", "differences", "pending"]
