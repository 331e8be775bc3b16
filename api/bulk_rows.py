"""One row of a table of answers: of which consignee and lot it speaks, its figures, and to whom units went on.

Pure. Whatever is wrong is named by line and column with what was expected; a row with a fault says nothing else.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from api.bulk_columns import ANSWER, ASKED, FIGURES, RECEIVER, read_key
from api.bulk_lots import LotIndex
from api.bulk_sheet import SheetRow
from api.recipient_answer import e164
from db.repositories.bulk_answers import Known, Site
from db.repositories.consignee_lots import ConsigneeLotRow
from domain.visible_text import visible
from imports import convert
from imports.mapping_parts import NumberOptions
from models.replies import PassedOnLot, PassedOnTo

MOST_UNITS: Final = Decimal(10) ** 12
"""The record's figures have twelve places before the point."""
TOO_MANY: Final = "expected less than a million million units"
_KINDS: Final = ("hospital", "distributor")
LONGEST: Final = {"responder_name": 200, "responder_role": 100, "remark": 2000}
"""Characters that the record keeps of what people write."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one cell, and what was expected."""

    line: int
    column: str
    detail: str


@dataclass(frozen=True, slots=True)
class StatedRow:
    """A row that names its consignee and lot."""

    line: int
    site: Site
    lot: ConsigneeLotRow
    cells: Mapping[str, str]
    figures: Mapping[str, Decimal] = field(default_factory=dict)
    serial: str | None = None
    receiver: PassedOnTo | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing was filled in."""
        return not any(name in self.cells for name in ANSWER)


class RowReader:
    """Reads the rows of one file against what the record knows of the recall."""

    def __init__(self, known: Known, *, decimal_comma: bool = False) -> None:
        self._number = convert.number(NumberOptions(decimal="," if decimal_comma else "."), zero=True)
        self._serials = known.serials
        self._by_code = {site.code: site for site in known.sites}
        self._by_id = {site.consignee_id: site for site in known.sites}
        self._lots: dict[int, LotIndex] = {}

    def read(self, row: SheetRow, faults: list[RowFault]) -> StatedRow | None:
        """The row; None where it cannot be told of what it speaks, which is then added to the faults."""
        own: list[RowFault] = []
        read = self._read(row, own)
        faults.extend(own)
        return read

    def _read(self, row: SheetRow, faults: list[RowFault]) -> StatedRow | None:
        found = self._subject(row, faults)
        if found is None:
            return None
        site, lot = found
        figures = self._figures(row, faults)
        receiver = self._receiver(row, site, lot, figures.get("passed_on"), faults)
        serial = row.cells.get("serial")
        if serial and sum(each for name, each in figures.items() if name != "held") > 1:
            faults.append(RowFault(row.line, "serial", "one serial number is one unit"))
        for name, most in LONGEST.items():
            if len(row.cells.get(name, "")) > most:
                faults.append(RowFault(row.line, name, f"expected at most {most} characters"))
        if faults:
            return StatedRow(row.line, site, lot, row.cells)
        return StatedRow(row.line, site, lot, row.cells, figures, serial, receiver)

    # ------------------------------------------------------------------ what it is about

    def _subject(self, row: SheetRow, faults: list[RowFault]) -> tuple[Site, ConsigneeLotRow] | None:
        key = row.cells.get("key")
        if key is not None:
            return self._of_key(row, key, faults)
        code = row.cells.get("consignee")
        if code is None:
            faults.append(RowFault(row.line, "consignee", "expected the code of a consignee of this recall"))
            return None
        site = self._by_code.get(code)
        if site is None:
            faults.append(RowFault(row.line, "consignee", "no consignee of this recall has this code"))
            return None
        if not site.lots:
            faults.append(RowFault(row.line, "consignee", "this consignee is asked for no lot of this recall"))
            return None
        lot = self._lot(row, site, faults)
        return None if lot is None else (site, lot)

    def _of_key(self, row: SheetRow, key: str, faults: list[RowFault]) -> tuple[Site, ConsigneeLotRow] | None:
        ids = read_key(key)
        site = self._by_id.get(ids[0]) if ids else None
        lot = self._index(site).of_id(ids[1]) if ids and site else None
        if site is None or lot is None:
            detail = "expected the key as it was given out, of a lot that is still asked for; or none"
            faults.append(RowFault(row.line, "key", detail))
            return None
        # A spreadsheet may have spoilt code or number; only what clearly names another row speaks against the key.
        named = self._by_code.get(row.cells.get("consignee", ""))
        if named is not None and named is not site:
            faults.append(RowFault(row.line, "consignee", "this is another consignee than the key names"))
            return None
        others = self._index(site).of_number(row.cells["lot"]) if "lot" in row.cells else [lot]
        if len(others) == 1 and others[0] is not lot:
            faults.append(RowFault(row.line, "lot", "this is another lot than the key names"))
            return None
        if not self._serial_is_known(row, lot):
            faults.append(RowFault(row.line, "serial", "the record has no such serial number of this lot"))
            return None
        return site, lot

    def _lot(self, row: SheetRow, site: Site, faults: list[RowFault]) -> ConsigneeLotRow | None:
        number, serial = row.cells.get("lot"), row.cells.get("serial")
        try:
            gtin = convert.gtin(row.cells["gtin"]) if "gtin" in row.cells else None
        except ValueError as error:
            faults.append(RowFault(row.line, "gtin", f"{error}; a spreadsheet may have spoilt it"))
            return None
        if number is None and serial is None:
            faults.append(RowFault(row.line, "lot", "expected a lot or a serial number"))
            return None
        index = self._index(site)
        found = index.of_number(number, gtin) if number is not None else index.of_serial(serial or "", gtin)
        if len(found) == 1 and self._serial_is_known(row, found[0]):
            return found[0]
        other_product = gtin is not None and not index.has_gtin(gtin)
        faults.append(_unclear(row, site, found, other_product=other_product))
        return None

    def _index(self, site: Site) -> LotIndex:
        if site.consignee_id not in self._lots:
            self._lots[site.consignee_id] = LotIndex(site.lots, self._serials)
        return self._lots[site.consignee_id]

    def _serial_is_known(self, row: SheetRow, lot: ConsigneeLotRow) -> bool:
        """Whether the row's serial is of the lot; any is, where the record has none."""
        serial = row.cells.get("serial")
        known = self._serials.get(lot.lot_id)
        return serial is None or known is None or serial in known

    # ------------------------------------------------------------------ what it states

    def _figures(self, row: SheetRow, faults: list[RowFault]) -> dict[str, Decimal]:
        read = {}
        for name in FIGURES:
            if name not in row.cells:
                continue
            figure = self._figure(row.cells[name])
            if isinstance(figure, str):
                faults.append(RowFault(row.line, name, figure))
            else:
                read[name] = figure
        return read

    def _figure(self, text: str) -> Decimal | str:
        try:
            # Full-width digits are what a Chinese keyboard types.
            figure = Decimal(self._number(unicodedata.normalize("NFKC", text)))
        except ValueError as error:
            return str(error)
        return figure if figure < MOST_UNITS else TOO_MANY

    def _receiver(
        self,
        row: SheetRow,
        site: Site,
        lot: ConsigneeLotRow,
        quantity: Decimal | None,
        faults: list[RowFault],
    ) -> PassedOnTo | None:
        given = [name for name in RECEIVER if name in row.cells]
        if not quantity:
            if given and not any(fault.column == "passed_on" for fault in faults):
                faults.append(RowFault(row.line, "passed_on", "expected how many units went there"))
            return None
        values = self._receiver_values(row, site, faults)
        if faults:
            return None
        return PassedOnTo.model_validate({**values, "lots": (PassedOnLot(lot_id=lot.lot_id, quantity=quantity),)})

    def _receiver_values(self, row: SheetRow, site: Site, faults: list[RowFault]) -> dict[str, str | None]:
        def fault(column: str, detail: str) -> None:
            faults.append(RowFault(row.line, column, detail))

        name, contact = (visible(row.cells.get(each, ""), 200) for each in ("passed_on_to", "passed_on_contact"))
        kind = row.cells.get("passed_on_kind", _KINDS[0]).casefold()
        values: dict[str, str | None] = {"name": name, "contact_name": contact or None, "kind": kind}
        if not name:
            fault("passed_on_to", "expected the name of the site the units went to")
        if kind not in _KINDS:
            fault("passed_on_kind", f"expected {' or '.join(_KINDS)}")
        email, phone = row.cells.get("passed_on_email"), row.cells.get("passed_on_phone")
        if email is None and phone is None:
            fault("passed_on_email", "expected an e-mail address or a telephone number")
        try:
            values["email"] = None if email is None else convert.email(email)
        except ValueError as error:
            fault("passed_on_email", str(error))
        values["phone"] = e164(phone, site.country)
        if phone is not None and values["phone"] is None:
            fault("passed_on_phone", "expected a telephone number with its country code")
        return values


def _unclear(row: SheetRow, site: Site, found: list[ConsigneeLotRow], *, other_product: bool) -> RowFault:
    if len(found) > 1:
        column = "lot" if "lot" in row.cells else "serial"
        return RowFault(row.line, column, "two products have it: expected the GTIN or the key with it")
    if len(found) == 1:
        return RowFault(row.line, "serial", "the record has no such serial number of this lot")
    if other_product:
        return RowFault(row.line, "gtin", "expected the GTIN of a product this consignee is asked for")
    if "lot" not in row.cells:
        return RowFault(row.line, "serial", "no lot of this consignee has it on record: expected the lot with it")
    known = ", ".join(visible(lot.printed, 60) for lot in site.lots[:10])
    more = " ..." if len(site.lots) > 10 else ""
    return RowFault(row.line, "lot", f"expected a lot this consignee is asked for: {known}{more}")


def by_site(rows: Iterable[StatedRow]) -> dict[int, list[StatedRow]]:
    """The rows of each consignee, in the order of the file."""
    grouped: defaultdict[int, list[StatedRow]] = defaultdict(list)
    for row in rows:
        grouped[row.site.consignee_id].append(row)
    return dict(grouped)


def missing_figures(row: StatedRow) -> list[str]:
    """Which of the figures that are asked of every lot the row does not give."""
    return [name for name in ASKED if name not in row.figures]


__all__ = ["LONGEST", "MOST_UNITS", "TOO_MANY", "RowFault", "RowReader", "StatedRow", "by_site", "missing_figures"]
