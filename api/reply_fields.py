"""Names and order of the recipient page: its steps, its form fields and what it is told about the lots.

One module for the names, because three parties must agree on them: the page that prints the fields, the form
reader, and the route. `templates/pages/README.md` lists them for people.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from api.page_languages import languages_in

LANGUAGES: Final = languages_in(Path(__file__).parents[1] / "templates" / "pages")
"""Languages of the page: a file of messages each."""
QUANTITIES: Final = ("on_hand", "held", "used", "passed_on")
"""Asked of every lot: zero is an answer, an empty box is none."""
GONE: Final = ("returned", "destroyed")
"""Asked of every lot, too, but most have none: an empty box says nothing about them."""
PATIENTS: Final = ("exposed", "contacted", "monitored", "replaced")
"""Counts of a hospital's patients: all four or none."""
MAX_RECEIVERS: Final = 20
CANNOT_NAME: Final = "confirm_receivers"
"""Box on `passed_on`: not every receiver can be named here. The answer is taken, and a person asks."""
HARM: Final = ("harm", "harm_severity", "harm_description")
"""Fields of the question whether anybody was harmed; any of them answered is a report."""
SEVERITIES: Final = ("unknown", "other", "serious", "death")
"""Choices of `harm_severity`, the first one preselected."""


LISTED: Final = "listed"
"""Hidden beside `affected`: which lots the question was about, so that "none of these" speaks of no other."""


class ReplyStep(StrEnum):
    """The pages in order; `passed_on` only where something was passed on."""

    ACKNOWLEDGE = "acknowledge"
    AFFECTED = "affected"
    LOTS = "lots"
    PASSED_ON = "passed_on"
    PERSON = "person"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    """Nothing of the recall is left with this recipient: nothing is asked."""


@dataclass(frozen=True, slots=True)
class PageLot:
    """One lot of this consignee."""

    key: str
    """Name of the lot in field names; the lot's id as digits."""
    product: str
    lot: str
    shipped: Decimal
    """Units of use our records say it received, net of returns."""
    unit: str
    gtin: str | None = None
    last_shipped_on: date | None = None
    stated: bool = False
    """The quantity is another consignee's statement (passed on), not our record."""
    returned: Decimal = Decimal(0)
    """Units that our dock has counted back; `shipped` is without them."""
    number: str = ""
    """The bare lot number; `lot` may say more where the number alone leaves a doubt."""


@dataclass(frozen=True, slots=True)
class PageChange:
    """What an amended notice changed for this recipient."""

    added: tuple[str, ...] = ()
    """Own lots that are affected as well now."""
    removed: tuple[str, ...] = ()
    """Own lots that are affected no longer."""
    class_from: str | None = None
    class_to: str | None = None


@dataclass(frozen=True, slots=True)
class FieldError:
    """A complaint about one field: a key of the message catalogue and what to fill in."""

    field: str
    """Name of the form field; the page links to it."""
    message: str
    values: Mapping[str, str] = dataclass_field(default_factory=dict)
    lot_key: str | None = None
    """Lot the message speaks of; its label is filled in as {label} together with the field's own."""
    receiver: int | None = None
    """Receiver the message speaks of, from 0."""


def quantity_field(name: str, key: str) -> str:
    """`on_hand-17`: one of QUANTITIES and a lot's key."""
    return f"{name}-{key}"


def patients_field(name: str) -> str:
    """`patients_exposed`: one of PATIENTS."""
    return f"patients_{name}"


def receiver_field(index: int, name: str) -> str:
    """`to-0-name`; name is one of lot, quantity, name, email, phone."""
    return f"to-{index}-{name}"


_FIXED: Final = {
    ReplyStep.ACKNOWLEDGE: ("acknowledged",),
    ReplyStep.AFFECTED: ("affected", LISTED),
    ReplyStep.PERSON: (
        *(patients_field(name) for name in PATIENTS),
        "patients_final",
        "responder_name",
        "responder_role",
        "remark",
        *HARM,
    ),
}


def list_of(lots: Sequence[PageLot]) -> str:
    """What tells one list of lots from another; the order does not matter."""
    return hashlib.sha256(",".join(sorted(lot.key for lot in lots)).encode()).hexdigest()[:16]


def step_fields(step: ReplyStep, lots: Sequence[PageLot], receivers: int = MAX_RECEIVERS) -> list[str]:
    """Every field name a step asks for; all others are carried along hidden."""
    if step is ReplyStep.LOTS:
        figures = [quantity_field(name, lot.key) for lot in lots for name in (*QUANTITIES, *GONE)]
        return [*figures, "confirm_quantities", "confirm_reason"]
    if step is ReplyStep.PASSED_ON:
        names = ("lot", "quantity", "name", "email", "phone")
        return [*(receiver_field(index, name) for index in range(receivers) for name in names), CANNOT_NAME]
    return list(_FIXED.get(step, ()))


def all_fields(lots: Sequence[PageLot]) -> list[str]:
    """Every answer field of the whole form; whatever else is posted is ignored."""
    return [name for step in ReplyStep for name in step_fields(step, lots)]
