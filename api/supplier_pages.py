"""The supplier's page: what is asked now, the form of the stage, two languages, no script.

It shows our question and our reasons only: no names of staff, customers or patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from api.page_languages import languages_in
from api.page_templates import css, environment_of, messages, speaker
from domain.notice_content import best_language
from domain.supplier_request import Given, Stage

FOLDER: Final = Path(__file__).parents[1] / "templates" / "supplier"
LANGUAGES: Final = languages_in(FOLDER)
MAX_FILES: Final = 5
"""Of one answer."""
_LONGEST: Final = {"account": 4000, "action": 4000, "action_due_on": 10, "codes": 300, "name": 200, "position": 200}


@dataclass(frozen=True, slots=True)
class SupplierPage:
    """All one page needs; every text is escaped by the template."""

    action: str
    csp_nonce: str
    number: str
    firm_name: str
    firm_phone: str
    firm_email: str
    drill: bool
    question: str
    stage: str
    turn: int
    """Round of what is asked: it rises with each answer sent back."""
    due: str
    waits: bool
    """Our turn: nothing is asked."""
    stale: bool = False
    """What was sent answers something that is not asked any more; it was not recorded."""
    sent_back: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[tuple[str, str]] = ()
    """(field, text)."""
    reference: str | None = None
    """Set once the answer is recorded."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A form as read: the answer, if it is complete."""

    stage: Stage | None
    turn: int | None
    """Round that the page showed."""
    given: Given | None
    values: dict[str, str]
    faults: list[str]
    """Fields that are missing or unreadable."""


def read_form(form: Mapping[str, str]) -> Reading:
    """What a form says; stage and round are those the page showed."""
    values = {name: form.get(name, "").replace("\r\n", "\n").replace("\x00", "").strip() for name in _LONGEST}
    known = form.get("stage", "") in set(Stage)
    stage = Stage(form["stage"]) if known else None
    shown = form.get("round", "")
    turn = int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 10 else None
    wanted = ["account", "name", "position", *(("action", "action_due_on") if stage is Stage.CAUSE else ())]
    faults = [name for name in wanted if not 0 < len(values[name]) <= _LONGEST[name]]
    due_on = None
    if stage is Stage.CAUSE and "action_due_on" not in faults:
        try:
            due_on = date.fromisoformat(values["action_due_on"])
        except ValueError:
            faults.append("action_due_on")
    if stage is None or faults:
        return Reading(stage, turn, None, values, faults)
    cause = stage is Stage.CAUSE
    given = Given(
        account=values["account"],
        name=values["name"],
        position=values["position"],
        action=values["action"] if cause else None,
        action_due_on=due_on,
        codes=values["codes"][:300].upper().replace(",", " ").split() if cause else (),
    )
    return Reading(stage, turn, given, values, [])


def render_supplier_page(page: SupplierPage, lang: str) -> str:
    """HTML of the page, or of the thanks once `page.reference` is set."""
    return (
        environment_of(FOLDER)
        .get_template("page.html.j2")
        .render(
            page=page,
            lang=lang,
            m=speaker(messages(FOLDER, lang)),
            css=css(),
            languages=[(each, messages(FOLDER, each)["language_name"]) for each in LANGUAGES],
        )
    )


def page_language(asked: str | None, own: str) -> str:
    """What the visitor chose, else the contact's own language, else English."""
    return asked if asked in LANGUAGES else best_language(own, LANGUAGES)


def error_text(lang: str, name: str, **values: object) -> str:
    """What is wrong with a field, in the page's language."""
    return speaker(messages(FOLDER, lang))(f"error_{name}", **values)


__all__ = [
    "LANGUAGES",
    "MAX_FILES",
    "Reading",
    "SupplierPage",
    "error_text",
    "page_language",
    "read_form",
    "render_supplier_page",
]
