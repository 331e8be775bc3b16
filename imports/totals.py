"""Totals of a batch, to be compared with the sender's: read = new + already there + rejected, rows and quantities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from db.repositories.imports.outcome import OUTCOMES, OutcomeRow
from imports.errors import ImportRefusedError

QUANTITY_KINDS = ("movements", "genealogy", "stock", "documents")


@dataclass
class Sums:
    """One line of the totals."""

    rows: int = 0
    quantity: dict[str, Decimal] = field(default_factory=dict)
    """As the file states it, by the file's unit (empty text: a unit per row, by factor)."""
    units_of_use: Decimal = Decimal(0)


@dataclass
class Totals:
    """What became of a file."""

    by_outcome: dict[str, Sums] = field(default_factory=lambda: {name: Sums() for name in OUTCOMES})
    unreadable_quantities: int = 0
    """Rejected rows whose quantity is no number, and so is in no sum."""
    without_lot: int = 0
    kept_as_recorded: int = 0
    """Accepted rows whose master data differ from the record, which was kept (`differs: keep`)."""
    below_hold: int = 0
    """Accepted stock counts below the quantity under a hold: goods under a hold are missing."""
    blank_lines: int = 0
    created: dict[str, int] = field(default_factory=dict)

    @property
    def read(self) -> Sums:
        """Everything in the file."""
        total = Sums()
        for sums in self.by_outcome.values():
            total.rows += sums.rows
            total.units_of_use += sums.units_of_use
            for unit, quantity in sums.quantity.items():
                total.quantity[unit] = total.quantity.get(unit, Decimal(0)) + quantity
        return total

    @classmethod
    def of(cls, kind: str, rows: Sequence[OutcomeRow], created: Mapping[str, int], blank_lines: int) -> "Totals":
        """Totals from the counts of a load."""
        brought = {name: count for name, count in created.items() if count}
        below_hold = brought.pop("below_hold", 0)
        totals = cls(created=brought, blank_lines=blank_lines, below_hold=below_hold)
        for outcome, unit, count, readable, stated, units_of_use, kept, lotless in rows:
            sums = totals.by_outcome[outcome]
            sums.rows += count
            if kind in QUANTITY_KINDS:
                totals.unreadable_quantities += count - readable
                if readable:
                    sums.quantity[unit] = sums.quantity.get(unit, Decimal(0)) + stated
                sums.units_of_use += units_of_use
            if outcome == "new":
                totals.kept_as_recorded += kept
                totals.without_lot += lotless
        return totals

    def as_json(self) -> dict[str, Any]:
        """Form kept with the batch and in the audit; quantities as text, exact."""
        lines = {"read": self.read} | self.by_outcome
        body: dict[str, Any] = {name: sums.rows for name, sums in lines.items()}
        body["quantity"] = {
            name: {unit: plain(quantity) for unit, quantity in sorted(sums.quantity.items())}
            for name, sums in lines.items()
            if sums.quantity
        }
        body["units_of_use"] = {name: plain(lines[name].units_of_use) for name in ("new", "already_there")}
        for name in ("unreadable_quantities", "without_lot", "kept_as_recorded", "below_hold", "blank_lines"):
            if getattr(self, name):
                body[name] = getattr(self, name)
        return body | {"created": dict(self.created)}


def plain(quantity: Decimal) -> str:
    """A quantity without trailing zeros or exponent."""
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Expected:
    """The sender's own totals of the file."""

    rows: int | None = None
    quantities: tuple[str, ...] = ()
    """`123.5` for a file in one unit, `box=123.5` per unit."""

    def check(self, totals: Totals) -> None:
        """Compare with what was read.

        Raises:
            ImportRefusedError: any total differs.
        """
        read = totals.read
        wrong = []
        if self.rows is not None and self.rows != read.rows:
            wrong.append(f"{read.rows} rows were read, the sender states {self.rows}")
        for stated in self.quantities:
            unit, quantity = _parsed(stated, read.quantity)
            found = read.quantity.get(unit, Decimal(0))
            if found != quantity:
                named = f" {unit}" if unit else ""
                wrong.append(f"quantities add up to {plain(found)}{named}, the sender states {plain(quantity)}")
        if wrong and totals.unreadable_quantities:
            wrong.append(f"{totals.unreadable_quantities} quantities are unreadable")
        if wrong:
            raise ImportRefusedError("totals differ, nothing was loaded: " + "; ".join(wrong))


def _parsed(stated: str, units: Mapping[str, Decimal]) -> tuple[str, Decimal]:
    unit, sign, number = stated.rpartition("=")
    try:
        quantity = Decimal(number)
    except InvalidOperation:
        raise ImportRefusedError(f"--expect-quantity {stated}: expected a number, or unit=number") from None
    if sign:
        return unit, quantity
    if len(units) > 1:
        known = ", ".join(sorted(units))
        raise ImportRefusedError(f"--expect-quantity {stated}: the file has several units ({known}); use unit=number")
    return next(iter(units), ""), quantity
