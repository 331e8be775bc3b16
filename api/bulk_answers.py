"""A whole table of answers: every row right and every lot of each consignee stated, or nothing of it is taken.

A consignee of which nothing is filled in is left out and named; one that is filled in by half is a fault, because the
latest statement is the one that counts and must speak of every lot.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api.bulk_columns import FIGURES, PATIENTS
from api.bulk_rows import LONGEST, MOST_UNITS, TOO_MANY, RowFault, RowReader, StatedRow, by_site, missing_figures
from api.bulk_sheet import Sheet
from db.repositories.bulk_answers import Known, Site
from imports import convert
from models.replies import PassedOnLot, PassedOnTo, PatientsStated, StatedLot

MOST_SITES: Final = 2000
_MOST_RECEIVERS: Final = 200
_MOST_PATIENTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SiteAnswer:
    """What a file states for one consignee."""

    site: Site
    line: int
    """Its first row."""
    statements: tuple[StatedLot, ...]
    passed_on: tuple[PassedOnTo, ...]
    responder_name: str
    responder_role: str | None
    remark: str | None
    patients: PatientsStated | None = None

    @property
    def affected(self) -> bool:
        """Whether it had any of the units."""
        return any(getattr(lot, name) for lot in self.statements for name in FIGURES)


@dataclass(frozen=True, slots=True)
class Batch:
    """A file as read: answers, or what is wrong; never both."""

    answers: tuple[SiteAnswer, ...] = ()
    left_blank: tuple[Site, ...] = ()
    faults: tuple[RowFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Defaults:
    """Who answers where a row names nobody."""

    name: str | None = None
    role: str | None = None


def read_batch(sheet: Sheet, known: Known, *, defaults: Defaults | None = None, decimal_comma: bool = False) -> Batch:
    """The answers of a file, or every fault in the order of its lines."""
    reader = RowReader(known, decimal_comma=decimal_comma)
    faults = [RowFault(line, "", "a cell stands in a column without a title") for line in sheet.ragged]
    faults += [RowFault(each.line, each.column, each.detail) for each in sheet.bad]
    rows = [found for row in sheet.rows if (found := reader.read(row, faults)) is not None]
    if not sheet.rows:
        faults.append(RowFault(2, "", "expected one row per lot"))
    wrong = {fault.line for fault in faults}
    answers, blank = [], []
    sites = by_site(rows)
    if len(sites) > MOST_SITES:
        faults.append(RowFault(1, "consignee", f"expected at most {MOST_SITES} consignees; send the file in parts"))
    for of_site in sites.values():
        if all(row.blank for row in of_site):
            blank.append(of_site[0].site)
        elif (answer := _Gathering(of_site, defaults or Defaults(), wrong, faults).answer()) is not None:
            answers.append(answer)
    if faults:
        return Batch(faults=tuple(sorted(faults, key=lambda fault: fault.line)))
    return Batch(tuple(answers), tuple(blank))


def form_id_of(content: bytes, number: str, site: Site, *options: str | None) -> str:
    """Identity of a consignee's rows of a file under a recall: the same file, read the same way, is one answer."""
    named = "\n".join(
        [hashlib.sha256(content).hexdigest(), number, str(site.consignee_id), *(o or "" for o in options)]
    )
    return "file:" + hashlib.sha256(named.encode()).hexdigest()[:58]


class _Gathering:
    """The rows of one consignee made into its answer."""

    def __init__(self, rows: Sequence[StatedRow], defaults: Defaults, wrong: set[int], faults: list[RowFault]) -> None:
        self._rows, self._defaults, self._wrong, self._faults = rows, defaults, wrong, faults
        self._site = rows[0].site

    def answer(self) -> SiteAnswer | None:
        before = len(self._faults)
        statements = self._statements()
        passed_on = self._passed_on()
        name, role = self._said("responder_name"), self._said("responder_role")
        patients = self._patients()
        remark = self._remark()
        if not (name or self._defaults.name):
            self._fault(self._rows[0], "responder_name", "expected the name of whoever answers for this consignee")
        if len(self._faults) > before or any(row.line in self._wrong for row in self._rows):
            return None
        return SiteAnswer(
            site=self._site,
            line=self._rows[0].line,
            statements=statements,
            passed_on=passed_on,
            responder_name=name or self._defaults.name or "",
            responder_role=role or self._defaults.role,
            remark=remark,
            patients=patients,
        )

    def _fault(self, row: StatedRow, column: str, detail: str) -> None:
        if row.line not in self._wrong:  # a row that could not be read is named once
            self._faults.append(RowFault(row.line, column, detail))

    def _statements(self) -> tuple[StatedLot, ...]:
        of_lot: defaultdict[int, list[StatedRow]] = defaultdict(list)
        for row in self._rows:
            of_lot[row.lot.lot_id].append(row)
        stated = []
        for lot_id, rows in of_lot.items():
            figures = self._figures(rows)
            if figures is not None:
                stated.append(StatedLot(lot_id=lot_id, **figures))
        last = self._rows[-1]
        for lot in self._site.lots:
            if lot.lot_id not in of_lot:
                self._fault(last, "lot", f"a row for lot {lot.printed} of this consignee is missing; zero is an answer")
        return tuple(stated)

    def _figures(self, rows: Sequence[StatedRow]) -> dict[str, Decimal] | None:
        """The figures of one lot: serials add up, and so do further rows that say only where units went."""
        before = len(self._faults)
        by_serial = [row for row in rows if row.serial is not None]
        seen: set[str] = set()
        for row in rows:
            if by_serial and (row.serial is None or row.serial in seen):
                detail = "this serial number is there twice" if row.serial else "expected a serial, as in other rows"
                self._fault(row, "serial", detail)
            seen.add(row.serial or "")
            if row.serial is None and row is not rows[0]:
                self._only_passed_on(row)
                continue
            for name in missing_figures(row):
                self._fault(row, name, "expected a number; zero is an answer, an empty cell is none")
        if len(self._faults) > before or any(row.line in self._wrong for row in rows):
            return None
        named = [name for name in FIGURES if any(name in row.figures for row in rows)]
        sums = {name: sum((row.figures.get(name, Decimal(0)) for row in rows), Decimal(0)) for name in named}
        for name, units in sums.items():
            if units >= MOST_UNITS:
                self._fault(rows[-1], name, f"{TOO_MANY} of the lot in all its rows")
        return sums if len(self._faults) == before else None

    def _only_passed_on(self, row: StatedRow) -> None:
        others = [name for name in row.figures if name != "passed_on"]
        if others or not row.figures.get("passed_on"):
            detail = "the lot is there twice: a further row says only to whom more of it was passed on"
            self._fault(row, "lot", detail)

    def _passed_on(self) -> tuple[PassedOnTo, ...]:
        """One entry per site, its lots added up."""
        sites: dict[PassedOnTo, defaultdict[int, Decimal]] = {}
        for row in self._rows:
            if row.receiver is not None:
                lots = sites.setdefault(row.receiver.model_copy(update={"lots": ()}), defaultdict(Decimal))
                lots[row.lot.lot_id] += row.receiver.lots[0].quantity
        if len(sites) > _MOST_RECEIVERS:
            self._fault(self._rows[0], "passed_on_to", f"expected at most {_MOST_RECEIVERS} sites per consignee")
        return tuple(
            site.model_copy(
                update={"lots": tuple(PassedOnLot(lot_id=lot, quantity=units) for lot, units in lots.items())}
            )
            for site, lots in sites.items()
        )

    def _said(self, column: str) -> str | None:
        """What the rows say once for the whole consignee."""
        found: str | None = None
        for row in self._rows:
            text = row.cells.get(column)
            if text is not None and found is not None and text != found:
                self._fault(row, column, "expected the same in every row of a consignee, or only in one")
            found = found or text
        return found

    def _remark(self) -> str | None:
        """What was written, and the serial numbers stated: the record has no other place for them."""
        remarks = list(dict.fromkeys(row.cells["remark"] for row in self._rows if "remark" in row.cells))
        serials = [row.serial for row in self._rows if row.serial is not None]
        if serials:
            remarks.append(f"Serial numbers stated: {', '.join(serials)}")
        text = "\n".join(remarks)
        if len(text) <= LONGEST["remark"]:
            return text or None
        if serials and len("\n".join(remarks[:-1])) <= LONGEST["remark"] - 100:
            remarks[-1] = f"{len(serials)} serial numbers stated, listed in the file."
            return "\n".join(remarks)
        self._fault(self._rows[0], "remark", f"expected at most {LONGEST['remark']} characters per consignee")
        return None

    def _patients(self) -> PatientsStated | None:
        texts = {name: self._said(name) for name in (*PATIENTS, "patients_final")}
        given = {name: text for name, text in texts.items() if text is not None}
        if not given:
            return None
        row = next(row for row in self._rows if any(name in row.cells for name in given))
        if self._site.kind != "hospital":
            self._fault(row, next(iter(given)), f"patients are counted by hospitals; this is a {self._site.kind}")
            return None
        return self._counted(row, given)

    def _counted(self, row: StatedRow, given: Mapping[str, str]) -> PatientsStated | None:
        counts: dict[str, int] = {}
        for name in PATIENTS:
            try:
                counts[name] = int(convert.integer(0, _MOST_PATIENTS)(unicodedata.normalize("NFKC", given[name])))
            except KeyError:
                self._fault(row, name, "expected all four counts of patients, or none")
            except ValueError as error:
                self._fault(row, name, str(error))
        try:
            final = convert.boolean(given.get("patients_final", "no")) == "true"
        except ValueError as error:
            self._fault(row, "patients_final", str(error))
            return None
        if len(counts) < len(PATIENTS):
            return None
        for name in PATIENTS[1:]:
            if counts[name] > counts[PATIENTS[0]]:
                self._fault(row, name, "expected no more than patients_exposed")
                return None
        return PatientsStated(final=final, **{name.removeprefix("patients_"): count for name, count in counts.items()})


__all__ = ["MOST_SITES", "Batch", "Defaults", "SiteAnswer", "form_id_of", "read_batch"]
