"""IMDRF adverse event codes (annexes A to G) as FDA publishes them with NCI: reading a list and the tree of its codes.

A: device problem; B, C, D: type of investigation, findings, conclusion; E, F: clinical signs, health impact;
G: component. A code is the annex's letter and digits; a longer code lies below the one it begins with.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Final

ANNEXES: Final = {
    "A": "medical device problem",
    "B": "type of investigation",
    "C": "investigation findings",
    "D": "investigation conclusion",
    "E": "clinical signs, symptoms and conditions",
    "F": "health impact",
    "G": "component",
}
CAUSE_ANNEXES: Final = frozenset("BCDG")
"""What a cause may be coded with; the device problem is the complaint's and the nonconformity's."""
CATEGORY_ANNEXES: Final = frozenset("CD")
"""What a cause is put into a category by: what was found, and what was concluded."""
PROBLEM_ANNEXES: Final = frozenset("ABCDG")
COMPLAINT_ANNEXES: Final = frozenset("AEFG")
CODE: Final = re.compile(r"[A-G][0-9]{2,9}")
_PREFIX: Final = "IMDRF:"
_COLUMNS: Final = ("IMDRF Code", "CDRH Preferred Term")
_MOST_FAULTS: Final = 20
_MOST_NAME: Final = 300


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a list."""

    code: str
    term: str
    definition: str | None
    fda_code: str | None
    parent: str | None = None

    @property
    def annex(self) -> str:
        """Letter of the annex."""
        return self.code[0]


class CodeListUnreadable(ValueError):  # noqa: N818 - what is wrong with the file
    """The file is no such list; the message names rows and what was expected."""


def read_codes(text: str) -> list[Term]:
    """Terms of a list in FDA's CSV form, in order of their codes, each with its parent where the list has it.

    Raises:
        CodeListUnreadable: a column is missing, a row has no code or another form, or a code stands for two terms.
    """
    rows = csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise CodeListUnreadable(f"expected the columns {', '.join(_COLUMNS)}; missing: {', '.join(missing)}")
    found: dict[str, Term] = {}
    faults: list[str] = []
    for number, row in enumerate(rows, 2):
        term = _term(row)
        if isinstance(term, str):
            faults.append(f"row {number}: {term}")
        elif term.code not in found:
            found[term.code] = term
        elif (one := _as_one(found[term.code], term)) is not None:
            found[term.code] = one
        else:
            faults.append(f"row {number}: {term.code} stands for {found[term.code].term!r} already")
    if faults:
        more = f" and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise CodeListUnreadable("; ".join(faults[:_MOST_FAULTS]) + more)
    if not found:
        raise CodeListUnreadable("the list has no rows")
    return with_parents(found.values())


def _term(row: dict[str, str | None]) -> Term | str:
    given = (row["IMDRF Code"] or "").strip()
    code, name = given.removeprefix(_PREFIX), (row["CDRH Preferred Term"] or "").strip()
    if CODE.fullmatch(code) is None:
        return f"IMDRF Code: expected IMDRF:A01 to IMDRF:G99 with further digits, got {given[:40]!r}"
    if not 0 < len(name) <= _MOST_NAME:
        return f"CDRH Preferred Term: expected 1 to {_MOST_NAME} characters"
    definition = (row.get("CDRH Definition") or "").strip()[:4000] or None
    return Term(code, name, definition, (row.get("CDRH Source Code") or "").strip()[:12] or None)


def _as_one(first: Term, second: Term) -> Term | None:
    """Two rows of one code: FDA lists a term under both its names (F27), which its own code shows; None otherwise."""
    if first.term == second.term:
        return first
    name = f"{first.term} / {second.term}"
    if first.fda_code is None or first.fda_code != second.fda_code or len(name) > _MOST_NAME:
        return None
    texts = [each for each in dict.fromkeys((first.definition, second.definition)) if each]
    return replace(first, term=name, definition="\n".join(texts)[:4000] or None)


def with_parents(terms: Iterable[Term]) -> list[Term]:
    """The terms in order, each with the longest other code of the list that it begins with."""
    by_code = {each.code: each for each in terms}
    return [
        Term(each.code, each.term, each.definition, each.fda_code, _parent(each.code, by_code))
        for each in sorted(by_code.values(), key=lambda each: each.code)
    ]


def _parent(code: str, known: dict[str, Term]) -> str | None:
    return next((code[:length] for length in range(len(code) - 1, 2, -1) if code[:length] in known), None)


@dataclass(frozen=True, slots=True)
class CodeFault:
    """What is wrong with the code at a place of the request."""

    index: int
    detail: str


def annex_fault(code: str, allowed: frozenset[str]) -> str | None:
    """Why a code cannot stand here by its form or annex alone."""
    if CODE.fullmatch(code) is None:
        return "expected a letter A to G and digits, for example A0101"
    if code[0] not in allowed:
        named = ", ".join(f"{each} ({ANNEXES[each]})" for each in sorted(allowed))
        return f"annex {code[0]} ({ANNEXES[code[0]]}) does not belong here; expected {named}"
    return None


def twice(codes: Sequence[str]) -> list[CodeFault]:
    """Codes named before."""
    return [CodeFault(index, "named twice") for index, each in enumerate(codes) if each in codes[:index]]


__all__ = [
    "ANNEXES",
    "CATEGORY_ANNEXES",
    "CAUSE_ANNEXES",
    "COMPLAINT_ANNEXES",
    "PROBLEM_ANNEXES",
    "CodeFault",
    "CodeListUnreadable",
    "Term",
    "annex_fault",
    "read_codes",
    "twice",
    "with_parents",
]
