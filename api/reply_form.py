"""Reads the recipient page's form: which answers, what is wrong with them, which step comes next.

Pure: no request, no database. Nothing is guessed: "1,200" could be two numbers in two countries, so it is asked
again; an empty box is not zero.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api.reply_fields import (
    MAX_RECEIVERS,
    QUANTITIES,
    FieldError,
    PageLot,
    ReplyStep,
    all_fields,
    quantity_field,
    receiver_field,
)
from api.reply_harm import HarmAnswer, harm_in
from domain.notice_content import plain, visible

_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,6})?")
_EMAIL: Final = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}\.[^@\s<>,;.]{2,63}")
_PHONE: Final = re.compile(r"\+?[\d][\d\s()/.-]{4,29}")
_LONGEST: Final = {"remark": 2000, "harm_description": 2000}


@dataclass(frozen=True, slots=True)
class LotAnswer:
    """The statement about one lot, in units of use."""

    key: str
    on_hand: Decimal
    held: Decimal
    """Part of `on_hand` that is set aside."""
    used: Decimal
    passed_on: Decimal


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """To whom a part of a lot went."""

    lot_key: str
    quantity: Decimal
    name: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class ReplyAnswer:
    """A complete answer, ready to be stored."""

    affected: bool
    lots: tuple[LotAnswer, ...]
    receivers: tuple[ReceiverAnswer, ...]
    responder_name: str
    responder_role: str
    remark: str | None
    quantities_confirmed: bool
    """The recipient insisted on figures larger than our shipments."""
    harm: HarmAnswer | None = None


@dataclass(frozen=True, slots=True)
class FormReading:
    """What to do after a post."""

    values: dict[str, str]
    """Cleaned values of all known fields, to be shown again or carried on."""
    step: ReplyStep
    """The step to show: the same one when there are errors, DONE when the answer is complete."""
    errors: tuple[FieldError, ...] = ()
    answer: ReplyAnswer | None = None
    """Set when and only when `step` is DONE."""


def read_form(form: Mapping[str, str], lots: Sequence[PageLot]) -> FormReading:
    """Read one posted page.

    Args:
        form: the posted fields, all as text (see `templates/pages/README.md`).
        lots: the consignee's own lots; fields of other lots are ignored.
    """
    values = {name: _clean(name, form[name]) for name in all_fields(lots) if form.get(name)}
    step = _step(form.get("step"))
    if form.get("back"):
        return FormReading(values, _before(step, values, lots))
    if form.get("switch_lang") or (step is ReplyStep.PASSED_ON and form.get("more")):
        return FormReading(values, step)
    # A later page may be posted with earlier answers missing or altered: the first bad step is shown.
    for one in _path(values, lots):
        errors = tuple(_check(one, values, lots))
        if errors:
            shown = errors if one is step else ()
            return FormReading(values, one, shown)
        if one is step:
            path = _path(values, lots)
            following = path[path.index(one) + 1] if one is not ReplyStep.PERSON else ReplyStep.DONE
            answer = _answer(values, lots) if following is ReplyStep.DONE else None
            return FormReading(values, following, (), answer)
    return FormReading(values, ReplyStep.AFFECTED)


def receivers_shown(form: Mapping[str, str], lots: Sequence[PageLot]) -> int:
    """How many receiver blocks to print: those filled in, at least one per lot passed on, one more on request."""
    filled = [index for index in range(MAX_RECEIVERS) if _has_receiver(form, index)]
    wanted = sum(1 for lot in lots if (_number(form.get(quantity_field("passed_on", lot.key), "")) or 0) > 0)
    count = max(wanted, filled[-1] + 1 if filled else 0, 1)
    return min(count + (1 if form.get("more") else 0), MAX_RECEIVERS)


def _step(name: str | None) -> ReplyStep:
    try:
        return ReplyStep(name or "")
    except ValueError:
        return ReplyStep.ACKNOWLEDGE


def _path(values: Mapping[str, str], lots: Sequence[PageLot]) -> list[ReplyStep]:
    path = [ReplyStep.ACKNOWLEDGE, ReplyStep.AFFECTED]
    if values.get("affected") != "no":
        path.append(ReplyStep.LOTS)
        if any((_number(values.get(quantity_field("passed_on", lot.key), "")) or 0) > 0 for lot in lots):
            path.append(ReplyStep.PASSED_ON)
    return [*path, ReplyStep.PERSON]


def _before(step: ReplyStep, values: Mapping[str, str], lots: Sequence[PageLot]) -> ReplyStep:
    path = _path(values, lots)
    return path[max(path.index(step) - 1, 0)] if step in path else ReplyStep.AFFECTED


def _check(step: ReplyStep, values: Mapping[str, str], lots: Sequence[PageLot]) -> list[FieldError]:
    match step:
        case ReplyStep.ACKNOWLEDGE:
            return [] if values.get("acknowledged") == "yes" else [FieldError("acknowledged", "error_acknowledge")]
        case ReplyStep.AFFECTED:
            return [] if values.get("affected") in {"yes", "no"} else [FieldError("affected", "error_affected")]
        case ReplyStep.LOTS:
            return [error for lot in lots for error in _check_lot(lot, values)]
        case ReplyStep.PASSED_ON:
            return _check_receivers(values, lots)
        case _:
            wanted = {"responder_name": "error_name", "responder_role": "error_role"}
            return [FieldError(name, message) for name, message in wanted.items() if not values.get(name)]


def _check_lot(lot: PageLot, values: Mapping[str, str]) -> list[FieldError]:
    errors, numbers = [], {}
    for name in QUANTITIES:
        field = quantity_field(name, lot.key)
        error, number = _read_number(field, values.get(field, ""), lot_key=lot.key)
        if error is not None:
            errors.append(error)
        elif number is not None:
            numbers[name] = number
    if errors:
        return errors
    if numbers["held"] > numbers["on_hand"]:
        errors.append(FieldError(quantity_field("held", lot.key), "error_held", lot_key=lot.key))
    stated = numbers["on_hand"] + numbers["used"] + numbers["passed_on"]
    if stated > lot.shipped and values.get("confirm_quantities") != "yes":
        told = {"stated": plain(stated), "shipped": plain(lot.shipped)}
        field = quantity_field("on_hand", lot.key)
        errors.append(FieldError(field, "error_more_than_shipped", told, lot_key=lot.key))
    return errors


def _check_receivers(values: Mapping[str, str], lots: Sequence[PageLot]) -> list[FieldError]:
    errors: list[FieldError] = []
    passed = {lot.key: _number(values.get(quantity_field("passed_on", lot.key), "")) or Decimal(0) for lot in lots}
    given = dict.fromkeys(passed, Decimal(0))
    for index in range(MAX_RECEIVERS):
        if _has_receiver(values, index):
            errors += _check_receiver(index, values, passed, given)
    for key, quantity in passed.items():
        if quantity > 0 and given[key] == 0 and not errors:
            errors.append(FieldError(receiver_field(0, "name"), "error_receiver_missing", lot_key=key))
    return errors


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
    error, number = _read_number(field("quantity"), values.get(field("quantity"), ""), receiver=index)
    key = values.get(field("lot"), "")
    if error is not None:
        errors.append(error)
    if passed.get(key, Decimal(0)) <= 0:
        errors.append(complain("lot", "error_receiver_lot"))
    elif number is not None:
        given[key] += number
        if given[key] > passed[key]:
            errors.append(complain("quantity", "error_receiver_too_many", passed_on=plain(passed[key])))
    return errors


def _read_number(
    field: str, text: str, *, lot_key: str | None = None, receiver: int | None = None
) -> tuple[FieldError | None, Decimal | None]:
    number = _number(text)
    if number is not None:
        return None, number
    message = (
        "error_required" if not text else "error_too_large" if text.isascii() and text.isdigit() else "error_number"
    )
    return FieldError(field, message, lot_key=lot_key, receiver=receiver), None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text.isascii() and _NUMBER.fullmatch(text) else None


def _has_receiver(values: Mapping[str, str], index: int) -> bool:
    # The lot is preselected, so it alone says nothing.
    return any(values.get(receiver_field(index, name)) for name in ("quantity", "name", "email", "phone"))


def _clean(name: str, text: str) -> str:
    # Full-width digits are what a Chinese keyboard types.
    numeric = name.startswith(QUANTITIES) or name.endswith("-quantity")
    return visible(unicodedata.normalize("NFKC", text) if numeric else text, _LONGEST.get(name, 200))


def _answer(values: Mapping[str, str], lots: Sequence[PageLot]) -> ReplyAnswer:
    affected = values["affected"] == "yes"

    def quantity(name: str, lot: PageLot) -> Decimal:
        # "None of them" is a statement of zero about every lot.
        return (_number(values.get(quantity_field(name, lot.key), "")) or Decimal(0)) if affected else Decimal(0)

    stated = tuple(LotAnswer(lot.key, **{name: quantity(name, lot) for name in QUANTITIES}) for lot in lots)
    receivers = []
    if ReplyStep.PASSED_ON in _path(values, lots):
        for index in range(MAX_RECEIVERS):
            if _has_receiver(values, index):
                told = {
                    name: values.get(receiver_field(index, name))
                    for name in ("lot", "quantity", "name", "email", "phone")
                }
                receivers.append(
                    ReceiverAnswer(
                        told["lot"] or "",
                        Decimal(told["quantity"] or "0"),
                        told["name"] or "",
                        told["email"],
                        told["phone"],
                    )
                )
    return ReplyAnswer(
        affected,
        stated,
        tuple(receivers),
        values["responder_name"],
        values["responder_role"],
        values.get("remark"),
        quantities_confirmed=affected and values.get("confirm_quantities") == "yes",
        harm=harm_in(values),
    )
