"""The lots of one site as the rows of a file name them: by key, number, GTIN or serial number.

Indexed once per site: a file may have as many rows as it has lots, and going through all of them for each row would
take minutes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from db.repositories.consignee_lots import ConsigneeLotRow
from domain.visible_text import visible

_Found = dict[int, ConsigneeLotRow]


class LotIndex:
    """What a site is asked for, by whatever names it.

    Args:
        lots: of the site.
        serials: lot id -> serial numbers on record.
    """

    def __init__(self, lots: Iterable[ConsigneeLotRow], serials: Mapping[int, Iterable[str]]) -> None:
        self._by_id: _Found = {}
        self._exact: defaultdict[str, _Found] = defaultdict(dict)
        self._loose: defaultdict[str, _Found] = defaultdict(dict)
        self._by_serial: defaultdict[str, _Found] = defaultdict(dict)
        self._gtins: set[str | None] = set()
        for lot in lots:
            self._by_id[lot.lot_id] = lot
            self._gtins.add(lot.gtin)
            for name in (lot.printed, visible(lot.printed), lot.key, lot.number):
                self._exact[name][lot.lot_id] = lot
            if loose := _loose(lot.number):
                self._loose[loose][lot.lot_id] = lot
            for serial in serials.get(lot.lot_id, ()):
                self._by_serial[serial][lot.lot_id] = lot

    def of_id(self, lot_id: int) -> ConsigneeLotRow | None:
        """The lot with this key in the record."""
        return self._by_id.get(lot_id)

    def has_gtin(self, gtin: str) -> bool:
        """Whether a product with this GTIN is among them."""
        return gtin in self._gtins

    def of_number(self, number: str, gtin: str | None = None) -> list[ConsigneeLotRow]:
        """What a number may mean: as written, else without case and punctuation; of the GTIN's product only."""
        return _of(self._exact.get(number), gtin) or _of(self._loose.get(_loose(number)), gtin)

    def of_serial(self, serial: str, gtin: str | None = None) -> list[ConsigneeLotRow]:
        """The lots that have the serial number on record."""
        return _of(self._by_serial.get(serial), gtin)


def _of(found: _Found | None, gtin: str | None) -> list[ConsigneeLotRow]:
    return [lot for lot in (found or {}).values() if gtin is None or lot.gtin == gtin]


def _loose(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


__all__ = ["LotIndex"]
