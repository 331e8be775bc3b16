"""The columns of a table of answers over many consignees: their names, their titles in each language, and the table to
fill in.

A title is data (`templates/answers/columns.<tag>.yaml`); whoever reads a table back knows the titles of every language.
"""

import csv
import io
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from api.page_languages import languages_in
from db.repositories.bulk_answers import Site
from domain.lots_csv import sheet_cell
from domain.notice_content import best_language, plain
from domain.visible_text import visible

FIGURES: Final = ("on_hand", "held", "used", "passed_on", "returned", "destroyed")
ASKED: Final = FIGURES[:4]
"""Stated of every lot: zero is an answer, an empty cell is none."""
RECEIVER: Final = ("passed_on_to", "passed_on_kind", "passed_on_contact", "passed_on_email", "passed_on_phone")
PATIENTS: Final = ("patients_exposed", "patients_contacted", "patients_monitored", "patients_replaced")
ANSWER: Final = (*FIGURES, *RECEIVER, *PATIENTS, "patients_final", "responder_name", "responder_role", "remark")
"""What is filled in; the others say what it is about."""
COLUMNS: Final = (
    *("consignee", "consignee_name", "lot", "product", "gtin", "serial", "unit", "delivered"),
    *("on_hand", "held", "used", "returned", "destroyed", "passed_on"),
    *RECEIVER,
    *PATIENTS,
    *("patients_final", "responder_name", "responder_role", "remark", "key"),
)
READ_ONLY: Final = frozenset({"consignee_name", "product", "unit", "delivered"})
"""For whoever fills it in; never read."""
FOLDER: Final = Path(__file__).parents[1] / "templates" / "answers"
LANGUAGES: Final = languages_in(FOLDER, "columns")
_KEY: Final = re.compile(r"K([0-9]{1,15})-([0-9]{1,15})")


@cache
def titles(language: str) -> dict[str, str]:
    """Column -> title in a language that has a file."""
    read = yaml.safe_load((FOLDER / f"columns.{language}.yaml").read_text(encoding="utf-8"))
    return {str(name): str(title) for name, title in read.items()}


@cache
def known_titles() -> dict[str, str]:
    """Folded title of any language, or the name itself -> column."""
    known = {folded(name): name for name in COLUMNS}
    for language in LANGUAGES:
        known |= {folded(title): name for name, title in titles(language).items()}
    return known


def folded(title: str) -> str:
    """A title without case and outer spaces."""
    return visible(title, 200).casefold()


def key_of(consignee_id: int, lot_id: int) -> str:
    """What names a row whatever a spreadsheet makes of lot numbers such as `007` or `1E5`."""
    return f"K{consignee_id}-{lot_id}"


def read_key(text: str) -> tuple[int, int] | None:
    """Consignee and lot of a key."""
    found = _KEY.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def table_of(sites: Iterable[Site], language: str) -> bytes:
    """The table to fill in, one row per lot of each site: UTF-8 with its mark, no cell that would be computed."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    words = titles(best_language(language, LANGUAGES))
    writer.writerow([sheet_cell(words[name]) for name in COLUMNS])
    for site in sites:
        for lot in site.lots:
            known = {
                "consignee": site.code,
                "consignee_name": site.name,
                "lot": lot.printed,
                "product": lot.product,
                "gtin": lot.gtin or "",
                "unit": lot.unit,
                "delivered": plain(lot.received),
                "key": key_of(site.consignee_id, lot.lot_id),
            }
            writer.writerow([sheet_cell(known.get(name, "")) for name in COLUMNS])
    return out.getvalue().encode("utf-8-sig")


__all__ = [
    "ANSWER",
    "ASKED",
    "COLUMNS",
    "FIGURES",
    "LANGUAGES",
    "PATIENTS",
    "READ_ONLY",
    "RECEIVER",
    "folded",
    "key_of",
    "known_titles",
    "read_key",
    "table_of",
    "titles",
]
