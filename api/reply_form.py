"""Reads the recipient page's form: which answers, what is wrong with them, which step comes next.

Pure: no request, no database. Each step is checked by the module of its subject (`reply_lots`, `reply_receivers`,
`reply_patients`); this one knows their order.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.reply_fields import GONE, LISTED, QUANTITIES, FieldError, PageLot, ReplyStep, all_fields, list_of
from api.reply_harm import HarmAnswer, harm_in
from api.reply_lots import LotAnswer, anything, check_lots, exceeds, lot_answers
from api.reply_patients import asks_patients, check_patients, patients_in
from api.reply_receivers import ReceiverAnswer, check_receivers, receiver_answers, receivers_shown
from domain.notice_content import visible
from models.replies import PatientsStated

_LONGEST: Final = {"remark": 2000, "harm_description": 2000, "confirm_reason": 500}
_UNCHECKED: Final = ("switch_lang", "read_code", "files")
"""Buttons that leave the answers as they are."""


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
    patients: PatientsStated | None = None
    confirm_reason: str | None = None
    """Why it insists; a query is opened all the same."""


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


def read_form(form: Mapping[str, str], lots: Sequence[PageLot], *, hospital: bool = False) -> FormReading:
    """Read one posted page.

    Args:
        form: the posted fields, all as text (see `templates/pages/README.md`).
        lots: the consignee's own lots; fields of other lots are ignored.
        hospital: whether the consignee has patients to count.
    """
    values = {name: _clean(name, form[name]) for name in all_fields(lots) if form.get(name)}
    if values.get("affected") == "no" and values.get(LISTED, list_of(lots)) != list_of(lots):
        # A lot has come in, or gone, since it was said: of the list as it is now nobody has said anything.
        del values["affected"]
    step = _step(form.get("step"))
    path = _path(values, lots)
    if form.get("back"):
        before = path[max(path.index(step) - 1, 0)] if step in path else ReplyStep.AFFECTED
        return FormReading(values, before)
    if any(form.get(button) for button in _UNCHECKED) or (step is ReplyStep.PASSED_ON and form.get("more")):
        return FormReading(values, step)
    # A later page may be posted with earlier answers missing or altered: the first bad step is shown.
    for one in path:
        errors = tuple(_check(one, values, lots, hospital))
        if errors:
            return FormReading(values, one, errors if one is step else ())
        if one is step:
            following = path[path.index(one) + 1] if one is not ReplyStep.PERSON else ReplyStep.DONE
            answer = _answer(values, lots, path, hospital) if following is ReplyStep.DONE else None
            return FormReading(values, following, (), answer)
    return FormReading(values, ReplyStep.AFFECTED)


def _step(name: str | None) -> ReplyStep:
    try:
        return ReplyStep(name or "")
    except ValueError:
        return ReplyStep.ACKNOWLEDGE


def _path(values: Mapping[str, str], lots: Sequence[PageLot]) -> list[ReplyStep]:
    path = [ReplyStep.ACKNOWLEDGE, ReplyStep.AFFECTED]
    if values.get("affected") != "no":
        path.append(ReplyStep.LOTS)
        if anything(values, "passed_on", lots):
            path.append(ReplyStep.PASSED_ON)
    return [*path, ReplyStep.PERSON]


def _check(step: ReplyStep, values: Mapping[str, str], lots: Sequence[PageLot], hospital: bool) -> list[FieldError]:
    match step:
        case ReplyStep.ACKNOWLEDGE:
            return [] if values.get("acknowledged") == "yes" else [FieldError("acknowledged", "error_acknowledge")]
        case ReplyStep.AFFECTED:
            return [] if values.get("affected") in {"yes", "no"} else [FieldError("affected", "error_affected")]
        case ReplyStep.LOTS:
            return check_lots(values, lots)
        case ReplyStep.PASSED_ON:
            return check_receivers(values, lots)
        case _:
            wanted = {"responder_name": "error_name", "responder_role": "error_role"}
            counts = check_patients(values) if asks_patients(values, lots, hospital=hospital) else []
            return counts + [FieldError(name, message) for name, message in wanted.items() if not values.get(name)]


def _clean(name: str, text: str) -> str:
    # Full-width digits are what a Chinese keyboard types.
    numeric = name.startswith((*QUANTITIES, *GONE, "patients_")) or name.endswith("-quantity")
    return visible(unicodedata.normalize("NFKC", text) if numeric else text, _LONGEST.get(name, 200))


def _answer(
    values: Mapping[str, str], lots: Sequence[PageLot], path: Sequence[ReplyStep], hospital: bool
) -> ReplyAnswer:
    affected = values["affected"] == "yes"
    confirmed = affected and values.get("confirm_quantities") == "yes"
    return ReplyAnswer(
        affected,
        lot_answers(values, lots, affected=affected),
        receiver_answers(values) if ReplyStep.PASSED_ON in path else (),
        values["responder_name"],
        values["responder_role"],
        values.get("remark"),
        quantities_confirmed=confirmed,
        harm=harm_in(values),
        patients=patients_in(values) if asks_patients(values, lots, hospital=hospital) else None,
        # A reason left over from figures that were corrected since explains nothing.
        confirm_reason=values.get("confirm_reason") if confirmed and exceeds(values, lots) else None,
    )


__all__ = ["FormReading", "LotAnswer", "ReceiverAnswer", "ReplyAnswer", "read_form", "receivers_shown"]
