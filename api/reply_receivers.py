"""To whom the recipient passed lots on: the blocks of the page, read and checked against what it says it passed on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api.reply_fields import CANNOT_NAME, MAX_RECEIVERS, FieldError, PageLot, quantity_field, receiver_field
from api.reply_numbers import number, read_number
from domain.notice_content import plain

_EMAIL: Final = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}\.[^@\s<>,;.]{2,63}")
_PHONE: Final = re.compile(r"\+?[\d][\d\s()/.-]{4,29}")


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """To whom a part of a lot went."""

    lot_key: str
    quantity: Decimal
    name: str
    email: str | None
    phone: str | None


def receivers_shown(form: Mapping[str, str], lots: Sequence[PageLot]) -> int:
    """How many receiver blocks to print: those filled in, at least one per lot passed on, and one more on request or
    while units are left for which nobody is named."""
    filled = _next_free(form)
    passed = _passed(form, lots)
    wanted = sum(1 for quantity in passed.values() if quantity > 0)
    more = bool(form.get("more")) or (filled >= wanted and any(rest > 0 for rest in _unnamed(form, passed).values()))
    return min(max(wanted, filled, 1) + more, MAX_RECEIVERS)


def receiver_answers(values: Mapping[str, str]) -> tuple[ReceiverAnswer, ...]:
    """The blocks that were filled in and have been checked."""
    return tuple(
        ReceiverAnswer(
            values.get(receiver_field(index, "lot"), ""),
            Decimal(values.get(receiver_field(index, "quantity")) or "0"),
            values.get(receiver_field(index, "name"), ""),
            values.get(receiver_field(index, "email")),
            values.get(receiver_field(index, "phone")),
        )
        for index in range(MAX_RECEIVERS)
        if _has_receiver(values, index)
    )


def check_receivers(values: Mapping[str, str], lots: Sequence[PageLot]) -> list[FieldError]:
    """What is wrong with the blocks; every unit passed on needs a receiver, or the word that it cannot be named."""
    errors: list[FieldError] = []
    passed = _passed(values, lots)
    given = dict.fromkeys(passed, Decimal(0))
    for index in range(MAX_RECEIVERS):
        if _has_receiver(values, index):
            errors += _check_receiver(index, values, passed, given)
    if errors or values.get(CANNOT_NAME) == "yes":
        return errors
    free = _next_free(values)
    where = receiver_field(free, "name") if free < MAX_RECEIVERS else CANNOT_NAME
    for key, quantity in passed.items():
        if rest := quantity - given[key]:
            message = "error_receiver_rest" if given[key] else "error_receiver_missing"
            told = {"rest": plain(rest), "passed_on": plain(quantity)}
            errors.append(FieldError(where, message, told, lot_key=key))
    return errors


def asks_why_unnamed(values: Mapping[str, str], errors: Sequence[FieldError], shown: int) -> bool:
    """Whether the page offers to go on without a receiver of every unit."""
    left = any(error.message in {"error_receiver_missing", "error_receiver_rest"} for error in errors)
    return left or shown == MAX_RECEIVERS or values.get(CANNOT_NAME) == "yes"


def _check_receiver(
    index: int, values: Mapping[str, str], passed: Mapping[str, Decimal], given: dict[str, Decimal]
) -> list[FieldError]:
    def field(name: str) -> str:
        return receiver_field(index, name)

    def complain(name: str, message: str, **told: str) -> FieldError:
        return FieldError(field(name), message, told, receiver=index)

    errors = []
    if not values.get(field("name")):
        errors.append(complain("name", "error_receiver_name"))
    email, phone = values.get(field("email"), ""), values.get(field("phone"), "")
    if not (email or phone):
        errors.append(complain("email", "error_receiver_contact"))
    if email and not _EMAIL.fullmatch(email):
        errors.append(complain("email", "error_receiver_email"))
    if phone and not _PHONE.fullmatch(phone):
        errors.append(complain("phone", "error_receiver_phone"))
    error, quantity = read_number(field("quantity"), values.get(field("quantity"), ""), receiver=index)
    key = values.get(field("lot"), "")
    if error is not None:
        errors.append(error)
    if passed.get(key, Decimal(0)) <= 0:
        errors.append(complain("lot", "error_receiver_lot"))
    elif quantity is not None:
        given[key] += quantity
        if given[key] > passed[key]:
            errors.append(complain("quantity", "error_receiver_too_many", passed_on=plain(passed[key])))
    return errors


def _next_free(values: Mapping[str, str]) -> int:
    """The block behind the last one filled in."""
    return max((index + 1 for index in range(MAX_RECEIVERS) if _has_receiver(values, index)), default=0)


def _unnamed(values: Mapping[str, str], passed: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Units per lot for which nobody is named; figures that cannot be read name nobody."""
    rest = dict(passed)
    for index in range(MAX_RECEIVERS):
        key = values.get(receiver_field(index, "lot"), "")
        if key in rest and _has_receiver(values, index):
            rest[key] -= number(values.get(receiver_field(index, "quantity"), "")) or Decimal(0)
    return rest


def _passed(values: Mapping[str, str], lots: Sequence[PageLot]) -> dict[str, Decimal]:
    return {lot.key: number(values.get(quantity_field("passed_on", lot.key), "")) or Decimal(0) for lot in lots}


def _has_receiver(values: Mapping[str, str], index: int) -> bool:
    # The lot is preselected, so it alone says nothing.
    return any(values.get(receiver_field(index, name)) for name in ("quantity", "name", "email", "phone"))


__all__ = ["ReceiverAnswer", "asks_why_unnamed", "check_receivers", "receiver_answers", "receivers_shown"]
