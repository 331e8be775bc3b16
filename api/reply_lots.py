"""The recipient's figures about its lots: read, and checked against what was shipped by the rule that the record uses
(`domain.replies.accounted`), so that the page asks back at once what would open a query afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api.reply_fields import GONE, QUANTITIES, FieldError, PageLot, quantity_field
from api.reply_numbers import number, read_number
from domain.notice_content import plain
from domain.replies import LotStatement, accounted

_NONE: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class LotAnswer:
    """The statement about one lot, in units of use."""

    key: str
    on_hand: Decimal
    held: Decimal
    """Part of `on_hand` that is set aside."""
    used: Decimal
    passed_on: Decimal
    returned: Decimal | None = None
    """None: nothing was said."""
    destroyed: Decimal | None = None


def stated(values: Mapping[str, str], name: str, lot: PageLot) -> Decimal | None:
    """The figure in one box; None where it is empty or no number."""
    return number(values.get(quantity_field(name, lot.key), ""))


def anything(values: Mapping[str, str], name: str, lots: Sequence[PageLot]) -> bool:
    """Whether any lot has a figure above zero in this column."""
    return any((stated(values, name, lot) or _NONE) > 0 for lot in lots)


def check_lots(values: Mapping[str, str], lots: Sequence[PageLot]) -> list[FieldError]:
    """What is wrong with the figures; larger ones than shipped may be kept, with the reason."""
    errors, beyond = [], False
    for lot in lots:
        found = _unreadable(lot, values) or _contradictions(lot, values)
        beyond |= any(error.message == "error_more_than_shipped" for error in found)
        errors += found
    if not beyond or values.get("confirm_quantities") != "yes":
        return errors
    kept = [error for error in errors if error.message != "error_more_than_shipped"]
    if not values.get("confirm_reason"):
        kept.append(FieldError("confirm_reason", "error_confirm_reason"))
    return kept


def figures_differ(posted: Mapping[str, str], recorded: Mapping[str, str], lots: Sequence[PageLot]) -> bool:
    """Whether what is filled in says something else about the lots than what is on record; empty boxes say nothing."""
    if posted.get("affected") == "no" or recorded.get("affected") == "no":
        return posted.get("affected", recorded.get("affected")) != recorded.get("affected")
    return any(
        stated(posted, name, lot) != stated(recorded, name, lot)
        for lot in lots
        for name in (*QUANTITIES, *GONE)
        if posted.get(quantity_field(name, lot.key))
    )


def exceeds(values: Mapping[str, str], lots: Sequence[PageLot]) -> bool:
    """Whether the figures of a lot come to more than was shipped."""
    return any(_total(lot, values) > lot.shipped for lot in lots)


def lot_answers(values: Mapping[str, str], lots: Sequence[PageLot], *, affected: bool) -> tuple[LotAnswer, ...]:
    """The figures of every lot; "none of them" is a statement of zero about each."""
    if not affected:
        return tuple(LotAnswer(lot.key, _NONE, _NONE, _NONE, _NONE) for lot in lots)
    return tuple(
        LotAnswer(
            lot.key,
            **{name: stated(values, name, lot) or _NONE for name in QUANTITIES},
            returned=stated(values, "returned", lot),
            destroyed=stated(values, "destroyed", lot),
        )
        for lot in lots
    )


def _unreadable(lot: PageLot, values: Mapping[str, str]) -> list[FieldError]:
    errors = []
    for name in (*QUANTITIES, *GONE):
        field = quantity_field(name, lot.key)
        text = values.get(field, "")
        if text or name in QUANTITIES:
            error, _ = read_number(field, text, lot_key=lot.key)
            errors += [error] if error else []
    return errors


def _contradictions(lot: PageLot, values: Mapping[str, str]) -> list[FieldError]:
    errors = []
    if (stated(values, "held", lot) or _NONE) > (stated(values, "on_hand", lot) or _NONE):
        errors.append(FieldError(quantity_field("held", lot.key), "error_held", lot_key=lot.key))
    total = _total(lot, values)
    if total > lot.shipped:
        told = {"stated": plain(total), "shipped": plain(lot.shipped)}
        errors.append(FieldError(quantity_field("on_hand", lot.key), "error_more_than_shipped", told, lot_key=lot.key))
    return errors


def _total(lot: PageLot, values: Mapping[str, str]) -> Decimal:
    figures = {name: stated(values, name, lot) for name in (*QUANTITIES, *GONE)}
    return accounted(LotStatement(lot=lot.key, **figures | {"held": None}), lot.returned)


__all__ = ["LotAnswer", "anything", "check_lots", "exceeds", "figures_differ", "lot_answers", "stated"]
