"""What somebody says who calls a consignee, in the consignee's language: opening, what is owed, what to ask, closing.

The wording is data (`templates/calls/script.<lang>.yaml`); what is asked follows from the stage the consignee has
reached. A script names nobody: whom to ask for stands beside it, and the caller's own name is filled in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml

from db.repositories.call_list import CallKind, CallRow
from domain.stages import Stage
from models.recall import Recall

FOLDER: Final = Path(__file__).parents[1] / "templates" / "calls"
DEFAULT: Final = "en"
_ASKS: Final[Mapping[str, tuple[str, ...]]] = {
    Stage.OPEN: ("received", "stopped", "quantities", "passed_on", "harm", "contact"),
    Stage.ACKNOWLEDGED: ("stopped", "quantities", "passed_on", "harm"),
    Stage.QUANTITIES: ("set_aside", "harm"),
    Stage.ACTION: ("harm", "contact"),
    Stage.DOCUMENTED: ("received", "harm", "contact"),
}
_CHECK: Final = ("received", "understood", "done", "counted", "harm")


@dataclass(frozen=True, slots=True)
class Script:
    """A call's text; `asks` are the questions in their order."""

    language: str
    opening: str
    owed: str
    asks: tuple[str, ...]
    closing: str


@dataclass(frozen=True, slots=True)
class Firm:
    """Who calls."""

    caller: str
    name: str
    phone: str


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Languages that have a script."""
    return tuple(sorted(path.name.split(".")[1] for path in FOLDER.glob("script.*.yaml")))


@lru_cache(maxsize=8)
def wording(language: str) -> dict[str, str]:
    """All texts of one language."""
    read = yaml.safe_load((FOLDER / f"script.{language}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


def language_for(wanted: str) -> str:
    """The language itself, one of the same tongue (zh for zh-CN), or English."""
    known = languages()
    near = [each for each in known if each.partition("-")[0] == wanted.partition("-")[0]]
    return wanted if wanted in known else next(iter(near), DEFAULT)


def script_of(row: CallRow, recall: Recall, products: str, firm: Firm) -> Script:
    """What to say in this call; `products` names what is recalled."""
    language = language_for(row.language)
    texts = wording(language)
    role = texts["anybody"]
    opening = texts["opening"].format(
        caller=firm.caller, firm=firm.name, number=recall.number, product=products, role=role
    )
    notified = row.first_notified_at.date().isoformat() if row.first_notified_at else ""
    units = format(row.units.normalize(), "f")
    return Script(
        language=language,
        opening=f"{texts['drill']} {opening}" if recall.drill else opening,
        owed=texts[_owed(row)].format(notified=notified, units=units),
        asks=tuple(texts[f"ask_{name}"] for name in _asks(row)),
        closing=texts["closing"].format(phone=firm.phone),
    )


def _owed(row: CallRow) -> str:
    if row.kind in (CallKind.CHECK, CallKind.HELP):
        return f"owed_{row.kind}"
    if row.stage == Stage.OPEN and row.first_notified_at is None:
        return "owed_open_unreached"
    return f"owed_{row.stage}" if row.stage in (*Stage,)[:4] else "owed_action_done"


def _asks(row: CallRow) -> tuple[str, ...]:
    if row.kind == CallKind.CHECK:
        return _CHECK
    asks = _ASKS.get(row.stage, ())
    return ("help", *asks) if row.kind == CallKind.HELP else asks


__all__ = ["DEFAULT", "Firm", "Script", "language_for", "languages", "script_of", "wording"]
