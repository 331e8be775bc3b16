"""What the recipient page says of a scanned code: this lot is yours and affected, affected although we did not list it,
not under this recall, or nothing we can be sure of. In doubt it never says "not affected".
"""

from dataclasses import dataclass
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from api.reply_fields import PageLot
from db.repositories import scanned_lots
from domain.notice_content import visible
from domain.scanned_codes import ScannedCode, UnreadableCode, read_code, same_lot

LONGEST = 600


@dataclass(frozen=True, slots=True)
class Scan:
    """A verdict in the words of the message catalogue: `scan_<verdict>`."""

    verdict: str
    """affected, unlisted, unaffected, other_product, no_lot, unsure, not_found, hibc, unreadable; of a product that we
    do not know by its code: unknown_listed (its lot number is under the recall), unknown."""
    lot: str = ""
    """Lot number as the record or the code writes it."""
    product: str = ""
    lot_key: str | None = None
    """Own lot to fill in, where the verdict is affected."""
    serial: str | None = None
    expiry: date | None = None

    @property
    def good(self) -> bool:
        """Whether the code was understood."""
        return self.verdict in {"affected", "unlisted", "unaffected", "other_product"}


async def check_code(session: AsyncSession, number: str, text: str, lots: tuple[PageLot, ...]) -> Scan:
    """Read a code and compare it with the recall's scope and the recipient's own lots."""
    try:
        code = read_code(text[:LONGEST])
    except UnreadableCode as error:
        return Scan(error.kind)
    if code.gtin is None and not code.hibc:
        return _bare_lot(code, lots)
    own = [int(lot.key) for lot in lots]
    # Of an HIBC label we know no product: its lot number counts, and it is never "not under this recall".
    found = scanned_lots.find(session, number, code.gtin, code.lots, own, code.serial) if code.gtin else None
    known = await found if found is not None else None
    if known is None:
        return _of_unknown(code, lots, recalled=await scanned_lots.number_recalled(session, number, code.lots, own))
    return _verdict(code, known, lots)


def _of_unknown(code: ScannedCode, lots: tuple[PageLot, ...], *, recalled: bool) -> Scan:
    """A product we do not know by this code may be one of the recall's in a package we have no code of."""
    own = _by_number(code, tuple(lot for lot in lots if lot.gtin is None))
    if own is not None:
        # A product of the recall without a GTIN on record cannot be told from another one by its code.
        return Scan("affected", own.lot, own.product, own.key, code.serial, code.expiry)
    own = _by_number(code, lots)
    shown = own.lot if own else visible(code.lots[0], 100) if code.lots else ""
    verdict = "unknown_listed" if own or recalled else "unknown" if code.lots else "no_lot"
    return Scan(verdict, shown, own.product if own else "", own.key if own else None, code.serial, code.expiry)


def _verdict(code: ScannedCode, known: scanned_lots.KnownProduct, lots: tuple[PageLot, ...]) -> Scan:
    shown = visible(code.lots[0], 100) if code.lots else ""

    def scan(verdict: str, own: PageLot | None = None) -> Scan:
        lot = own.lot if own else shown
        named = own.product if own else known.product
        return Scan(verdict, lot, named, own.key if own else None, code.serial, code.expiry)

    affected = {str(each) for each in known.lot_ids}
    own = next((lot for lot in lots if lot.key in affected), None)
    if own is None and not known.recalled:
        own = _by_number(code, tuple(lot for lot in lots if lot.gtin is None))
        return scan("affected", own) if own else scan("other_product")
    if own is not None:
        return scan("affected", own)
    if affected:
        return scan("unlisted")
    if not code.lots:
        return scan("no_lot")
    return scan("unaffected" if len(code.lots) == 1 else "unsure")


def _bare_lot(code: ScannedCode, lots: tuple[PageLot, ...]) -> Scan:
    own = _by_number(code, lots)
    if own is None:
        return Scan("not_found", visible(code.lots[0], 100))
    return Scan("affected", own.lot, own.product, own.key)


def _by_number(code: ScannedCode, lots: tuple[PageLot, ...]) -> PageLot | None:
    return next((lot for lot in lots for reading in code.lots if same_lot(reading, lot.number or lot.lot)), None)


__all__ = ["LONGEST", "Scan", "check_code"]
